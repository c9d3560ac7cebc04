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

    /// When groups that were read at a moment are read again, ahead of time; seconds since the epoch.
    #[must_use]
    pub fn groups_due_at(self, read_at: i64) -> i64 {
        read_at.saturating_add(seconds(self.groups_max_age) * 2 / 3)
    }

    /// The same where a browser must fetch them: earlier, as it leaves only when it asks for a page, and what is typed until
    /// then must be taken.
    #[must_use]
    pub fn groups_due_by_browser_at(self, read_at: i64) -> i64 {
        read_at.saturating_add(seconds(self.groups_max_age) / 2)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_read_again_ahead_of_time_and_count_for_as_long_as_the_settings_say() {
        let limits = SessionLimits {
            idle: Duration::from_secs(1),
            absolute: Duration::from_secs(1),
            groups_max_age: Duration::from_secs(900),
            provider_away: Duration::from_secs(3_600),
        };
        assert_eq!(limits.groups_due_by_browser_at(1_000), 1_000 + 450);
        assert_eq!(limits.groups_due_at(1_000), 1_000 + 600);
        assert_eq!(limits.groups_fresh_until(1_000), 1_000 + 900);
        assert_eq!(limits.groups_count_until(1_000), 1_000 + 900 + 3_600);
    }
}
