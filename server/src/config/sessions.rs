//! How long sessions last.

use super::reader::Reader;
use std::time::Duration;

#[derive(Debug, Clone, Copy)]
pub struct SessionLimits {
    /// `FAIRWAY_SESSION_IDLE_MINUTES`: without a request.
    pub idle: Duration,
    /// `FAIRWAY_SESSION_ABSOLUTE_MINUTES`: in all.
    pub absolute: Duration,
    /// `FAIRWAY_GROUPS_MAX_AGE_SECONDS`: after this the groups are read again.
    pub groups_max_age: Duration,
}

impl SessionLimits {
    pub(super) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let (second, minute) = (Duration::from_secs(1), Duration::from_secs(60));
        let idle = reader.duration("FAIRWAY_SESSION_IDLE_MINUTES", "480", minute);
        let absolute = reader.duration("FAIRWAY_SESSION_ABSOLUTE_MINUTES", "1440", minute);
        let groups_max_age = reader.duration("FAIRWAY_GROUPS_MAX_AGE_SECONDS", "900", second);
        Some(Self { idle: idle?, absolute: absolute?, groups_max_age: groups_max_age? })
    }
}
