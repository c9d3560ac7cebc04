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
    /// `FAIRWAY_PROVIDER_AWAY_MINUTES`: for how long after that they count all the same, while the provider does not
    /// answer.
    pub provider_away: Duration,
}

impl SessionLimits {
    pub(super) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let (second, minute) = (Duration::from_secs(1), Duration::from_secs(60));
        let idle = reader.duration("FAIRWAY_SESSION_IDLE_MINUTES", "480", minute);
        let absolute = reader.duration("FAIRWAY_SESSION_ABSOLUTE_MINUTES", "1440", minute);
        let groups_max_age = reader.duration("FAIRWAY_GROUPS_MAX_AGE_SECONDS", "900", second);
        let provider_away = reader.duration("FAIRWAY_PROVIDER_AWAY_MINUTES", "60", minute);
        Some(Self { idle: idle?, absolute: absolute?, groups_max_age: groups_max_age?, provider_away: provider_away? })
    }

    /// Until when groups that were read at a moment need not be read again; seconds since the epoch.
    #[must_use]
    pub fn groups_fresh_until(self, read_at: i64) -> i64 {
        read_at.saturating_add(seconds(self.groups_max_age))
    }

    /// Until when they count although they could not be read again.
    #[must_use]
    pub fn groups_count_until(self, read_at: i64) -> i64 {
        self.groups_fresh_until(read_at).saturating_add(seconds(self.provider_away))
    }
}

fn seconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_secs()).unwrap_or(i64::MAX)
}
