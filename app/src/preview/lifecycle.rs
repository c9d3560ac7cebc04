//! What is due for an opt-in: notices, its end, and what must be done or undone in the cluster.

use super::opt_in::{EndReason, StatusKind};
use super::statement::{Renewal, Stage};
use jiff::{Timestamp, ToSpan, Zoned, tz::TimeZone};
use serde::Deserialize;

/// Days before the end on which people are told.
pub const NOTICES: [u16; 3] = [30, 7, 1];

/// A version of a statement that came after the accepted one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LaterVersion {
    /// What it means for those who accepted an earlier one.
    pub renewal: Renewal,
    pub published_at: Timestamp,
}

/// Everything that decides what is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lifecycle {
    /// How the opt-in stands.
    pub status: StatusKind,
    /// How far the feature has come.
    pub stage: Stage,
    /// When what a retired feature gave is taken back, after notices; nothing for at once.
    pub retires_at: Option<Timestamp>,
    pub approved_at: Option<Timestamp>,
    /// How long an approval lasts.
    pub validity_months: u16,
    /// Versions after the accepted one.
    pub later: Vec<LaterVersion>,
    /// A later acceptance for the same scope is granted.
    pub is_replaced: bool,
    pub noticed: Vec<Notice>,
}

/// That people were told of an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct Notice {
    /// Within how many days.
    pub days: u16,
    pub given_at: Timestamp,
    /// Of which end: if that moves, they have not been told of it.
    pub ends_at: Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Tell people that it ends within so many days.
    Notice(u16),
    /// End it.
    End(EndReason),
    /// Make what it gives.
    TakeEffect,
    /// Take back what it gave.
    RemoveEffect,
    /// See whether what it gives is still there.
    CheckDrift,
}

impl Action {
    /// Whether it changes the cluster.
    #[must_use]
    pub fn writes_to_the_cluster(self) -> bool {
        matches!(self, Self::TakeEffect | Self::RemoveEffect)
    }

    /// What is done before the others: the smaller, the sooner.
    #[must_use]
    pub fn urgency(self) -> u8 {
        match self {
            Self::Notice(_) | Self::End(_) => 0,
            Self::RemoveEffect => 1,
            Self::TakeEffect => 2,
            Self::CheckDrift => 3,
        }
    }

    /// Whether it needs the cluster.
    #[must_use]
    pub fn needs_the_cluster(self) -> bool {
        matches!(self, Self::TakeEffect | Self::RemoveEffect | Self::CheckDrift)
    }
}

impl Lifecycle {
    /// Whether the accepted statement is the current one, or every later one lets it go on.
    #[must_use]
    pub fn is_in_force(&self) -> bool {
        self.stage == Stage::General
            || self.stage == Stage::Preview && self.later.iter().all(|later| later.renewal == Renewal::NotNeeded)
    }

    /// When it ends by itself, and why; nothing where it has no end.
    #[must_use]
    pub fn ends_at(&self) -> Option<(Timestamp, EndReason)> {
        // There is no risk left to accept, and so nothing to renew.
        if self.stage == Stage::General {
            return None;
        }
        // Nobody can renew any more, so this is the one day that counts.
        if self.stage == Stage::Retired {
            return self.retires_at.map(|at| (at, EndReason::Retired));
        }
        let expiry =
            self.approved_at.and_then(|at| months_after(at, self.validity_months)).map(|at| (at, EndReason::Expired));
        let renewals = self.later.iter().filter_map(|later| match later.renewal {
            Renewal::NotNeeded => None,
            Renewal::WithinDays(days) => Some((days_after(later.published_at, days.into())?, EndReason::NotRenewed)),
        });
        expiry.into_iter().chain(renewals).min_by_key(|(at, _)| *at)
    }

    /// What is due at a moment; the most urgent first, one at a time.
    #[must_use]
    pub fn due(&self, now: Timestamp) -> Option<Action> {
        match self.status {
            StatusKind::Ending => Some(Action::RemoveEffect),
            StatusKind::Waiting => (self.stage == Stage::Retired).then_some(Action::End(EndReason::Retired)),
            StatusKind::Approved | StatusKind::Effective => Some(self.due_while_granted(now)),
            StatusKind::Refused | StatusKind::Withdrawn | StatusKind::Ended => None,
        }
    }

    fn due_while_granted(&self, now: Timestamp) -> Action {
        // Nothing more is made, and whoever retires a feature at once has said so.
        let is_retired = self.stage == Stage::Retired;
        if is_retired && (self.status == StatusKind::Approved || self.retires_at.is_none()) {
            return Action::End(EndReason::Retired);
        }
        if self.is_replaced {
            return Action::End(EndReason::Replaced);
        }
        if let Some((ends_at, end)) = self.ends_at() {
            if now >= ends_at && self.was_warned(now, ends_at) {
                return Action::End(end);
            }
            if let Some(days) = self.notice_due(now, ends_at) {
                return Action::Notice(days);
            }
        }
        match self.status {
            StatusKind::Approved if self.is_in_force() => Action::TakeEffect,
            // Approved, and outdated before anything was made: nothing may be made any more.
            StatusKind::Approved => Action::End(EndReason::NotRenewed),
            _ => Action::CheckDrift,
        }
    }

    /// Nothing ends on the day on which people first hear of it, however late the portal was started.
    fn was_warned(&self, now: Timestamp, ends_at: Timestamp) -> bool {
        let is_a_day_ago = |notice: &Notice| days_after(notice.given_at, 1).is_some_and(|warned| warned <= now);
        self.notices_of(ends_at).any(is_a_day_ago)
    }

    fn notices_of(&self, ends_at: Timestamp) -> impl Iterator<Item = &Notice> {
        self.noticed.iter().filter(move |notice| notice.ends_at == ends_at)
    }

    /// The latest notice that should have been given by now and was not; earlier ones are no longer worth giving.
    fn notice_due(&self, now: Timestamp, ends_at: Timestamp) -> Option<u16> {
        let reached = |days: &u16| days_after(ends_at, -i64::from(*days)).is_some_and(|at| at <= now);
        let latest = NOTICES.into_iter().filter(|days| reached(days)).min()?;
        let is_given = self.notices_of(ends_at).any(|notice| notice.days <= latest);
        (!is_given).then_some(latest)
    }
}

fn months_after(at: Timestamp, months: u16) -> Option<Timestamp> {
    Zoned::new(at, TimeZone::UTC).checked_add(i32::from(months).months()).ok().map(|then| then.timestamp())
}

fn days_after(at: Timestamp, days: i64) -> Option<Timestamp> {
    at.checked_add((days * 24).hours()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::preview::opt_in::{OptIn, Step};
    use proptest::prelude::*;
    use uuid::Uuid;

    const DAY: i64 = 24 * 3600;

    fn at(day: i64) -> Timestamp {
        Timestamp::from_second(day * DAY).unwrap()
    }

    /// Approved on day 0 for a month, which is day 31 of 1970.
    fn granted() -> Lifecycle {
        Lifecycle {
            status: StatusKind::Effective,
            stage: Stage::Preview,
            retires_at: None,
            approved_at: Some(at(0)),
            validity_months: 1,
            later: Vec::new(),
            is_replaced: false,
            noticed: Vec::new(),
        }
    }

    fn told(days: u16, on: i64, of: i64) -> Notice {
        Notice { days, given_at: at(on), ends_at: at(of) }
    }

    fn renewal(days: u16, published: i64) -> LaterVersion {
        LaterVersion { renewal: Renewal::WithinDays(days), published_at: at(published) }
    }

    #[test]
    fn people_are_told_30_7_and_1_days_before_the_end() {
        let mut lifecycle = granted();
        let mut given = Vec::new();
        for day in 0..=40 {
            while let Some(Action::Notice(days)) = lifecycle.due(at(day)) {
                given.push((day, days));
                lifecycle.noticed.push(told(days, day, 31));
            }
            if let Some(Action::End(end)) = lifecycle.due(at(day)) {
                assert_eq!((day, end), (31, EndReason::Expired));
                break;
            }
        }
        assert_eq!(given, [(1, 30), (24, 7), (30, 1)]);
    }

    #[test]
    fn a_portal_that_was_off_for_long_gives_one_notice_and_a_day() {
        let mut lifecycle = granted();
        assert_eq!(lifecycle.due(at(90)), Some(Action::Notice(1)));
        lifecycle.noticed.push(told(1, 90, 31));
        assert_eq!(lifecycle.due(at(90)), Some(Action::CheckDrift));
        assert_eq!(lifecycle.due(at(91)), Some(Action::End(EndReason::Expired)));
    }

    #[test]
    fn a_version_that_must_be_accepted_ends_what_was_accepted_before() {
        let lifecycle = Lifecycle { later: vec![renewal(14, 2)], noticed: vec![told(1, 15, 16)], ..granted() };
        assert_eq!(lifecycle.ends_at(), Some((at(16), EndReason::NotRenewed)));
        assert_eq!(lifecycle.due(at(16)), Some(Action::End(EndReason::NotRenewed)));
        assert!(!lifecycle.is_in_force());
        let lenient = LaterVersion { renewal: Renewal::NotNeeded, published_at: at(2) };
        let lifecycle = Lifecycle { later: vec![lenient], ..granted() };
        assert_eq!(lifecycle.ends_at(), Some((at(31), EndReason::Expired)));
        assert!(lifecycle.is_in_force());
    }

    #[test]
    fn what_was_approved_and_outdated_before_it_took_effect_never_takes_effect() {
        let lifecycle = Lifecycle { status: StatusKind::Approved, later: vec![renewal(60, 1)], ..granted() };
        assert_eq!(lifecycle.due(at(1)), Some(Action::Notice(30)));
        let lifecycle = Lifecycle { noticed: vec![told(30, 1, 31)], ..lifecycle };
        assert_eq!(lifecycle.due(at(1)), Some(Action::End(EndReason::NotRenewed)));
    }

    #[test]
    fn what_is_generally_available_does_not_expire() {
        assert_eq!(Lifecycle { stage: Stage::General, ..granted() }.due(at(500)), Some(Action::CheckDrift));
    }

    #[test]
    fn what_is_retired_ends_on_its_day_after_notices_and_nothing_new_comes_of_it() {
        let retired = Lifecycle { stage: Stage::Retired, retires_at: Some(at(20)), ..granted() };
        assert_eq!(retired.ends_at(), Some((at(20), EndReason::Retired)));
        assert_eq!(retired.due(at(1)), Some(Action::Notice(30)));
        let early = Lifecycle { noticed: vec![told(30, 1, 20)], ..retired.clone() };
        assert_eq!((early.due(at(2)), early.due(at(13))), (Some(Action::CheckDrift), Some(Action::Notice(7))));
        assert_eq!(retired.due(at(20)), Some(Action::Notice(1)));
        let late = Lifecycle { noticed: vec![told(1, 20, 20)], ..retired.clone() };
        assert_eq!(
            (late.due(at(20)), late.due(at(21))),
            (Some(Action::CheckDrift), Some(Action::End(EndReason::Retired)))
        );
        let at_once = Lifecycle { retires_at: None, ..retired.clone() };
        assert_eq!(at_once.due(at(1)), Some(Action::End(EndReason::Retired)));
        // While it was generally available nothing expired, and what would have does not count now.
        let long_after = Lifecycle { retires_at: Some(at(500)), ..retired.clone() };
        assert_eq!(long_after.ends_at(), Some((at(500), EndReason::Retired)));
        let approved = Lifecycle { status: StatusKind::Approved, ..retired.clone() };
        assert_eq!(approved.due(at(1)), Some(Action::End(EndReason::Retired)));
        let waiting = Lifecycle { status: StatusKind::Waiting, approved_at: None, ..retired };
        assert_eq!(waiting.due(at(1)), Some(Action::End(EndReason::Retired)));
    }

    #[test]
    fn a_month_is_a_month_of_the_calendar() {
        let january_31 = at(30);
        assert_eq!(months_after(january_31, 1), Some(at(58)));
    }

    proptest! {
        #[test]
        fn nothing_ends_by_itself_without_a_notice_a_day_before(
            day in 0_i64..200,
            noticed in prop::collection::vec((prop::sample::select(&NOTICES[..]), 0_i64..200), 0..4),
            renewal_days in prop::option::of(1_u16..60),
            retires in prop::option::of(1_i64..60),
        ) {
            let lifecycle = Lifecycle {
                later: renewal_days.map(|days| renewal(days, 5)).into_iter().collect(),
                stage: if retires.is_some() { Stage::Retired } else { Stage::Preview },
                retires_at: retires.map(at),
                ..granted()
            };
            let (ends_at, _) = lifecycle.ends_at().unwrap();
            let noticed_of = |of| noticed.iter().map(
                move |(days, on)| Notice { days: *days, given_at: at(*on), ends_at: of }
            );
            let of_another = Lifecycle { noticed: noticed_of(at(999)).collect(), ..lifecycle.clone() };
            prop_assert!(!matches!(of_another.due(at(day)), Some(Action::End(_))));
            let lifecycle = Lifecycle { noticed: noticed_of(ends_at).collect(), ..lifecycle };
            if let Some(Action::End(_)) = lifecycle.due(at(day)) {
                prop_assert!(noticed.iter().any(|(_, on)| *on < day));
                prop_assert!(lifecycle.ends_at().is_some_and(|(ends_at, _)| ends_at <= at(day)));
            }
        }
    }

    /// What may happen to an opt-in and around it.
    #[derive(Debug, Clone, Copy)]
    enum Event {
        Published(Renewal),
        Staged(Stage),
        Taken(Step),
    }

    fn any_event() -> impl Strategy<Value = Event> {
        let by = || (0_u8..4).prop_map(|number| Uuid::from_u128(number.into()));
        let renewal = prop_oneof![Just(Renewal::NotNeeded), Just(Renewal::WithinDays(14))];
        prop_oneof![
            1 => renewal.prop_map(Event::Published),
            1 => prop::sample::select(&[Stage::Preview, Stage::General, Stage::Retired][..]).prop_map(Event::Staged),
            4 => by().prop_map(|by| Event::Taken(Step::Approve { by })),
            1 => by().prop_map(|by| Event::Taken(Step::Withdraw { by })),
            4 => Just(Event::Taken(Step::TakeEffect)),
            1 => Just(Event::Taken(Step::End(EndReason::Revoked))),
            1 => Just(Event::Taken(Step::RemoveEffect)),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn nothing_becomes_effective_but_by_decisions_of_others_on_a_statement_that_is_still_in_force(
            needed in 1_u8..=2,
            events in prop::collection::vec(any_event(), 0..16),
        ) {
            let accepted_by = Uuid::from_u128(0);
            let mut opt_in = OptIn::accepted(accepted_by, needed);
            let mut lifecycle = Lifecycle { status: opt_in.status().kind(), approved_at: None, ..granted() };
            let mut approvers = std::collections::BTreeSet::new();
            for event in events {
                let must_be_renewed = lifecycle.later.iter().any(|later| later.renewal != Renewal::NotNeeded);
                // What a person must be able to say of it without knowing the rules.
                let may_go_on = match lifecycle.stage {
                    Stage::Preview => !must_be_renewed,
                    Stage::General => true,
                    Stage::Retired => false,
                };
                match event {
                    Event::Published(renewal) => lifecycle.later.push(LaterVersion { renewal, published_at: at(1) }),
                    Event::Staged(stage) => lifecycle.stage = stage,
                    Event::Taken(step) => {
                        if lifecycle.due(at(1)) == Some(Action::TakeEffect) {
                            prop_assert!(may_go_on && lifecycle.status == StatusKind::Approved);
                        }
                        let Ok(next) = opt_in.clone().after(step, lifecycle.is_in_force()) else { continue };
                        match step {
                            Step::Approve { by } => {
                                prop_assert!(by != accepted_by && may_go_on && approvers.insert(by));
                            }
                            Step::TakeEffect => {
                                prop_assert!(approvers.len() >= usize::from(needed), "{approvers:?}");
                                prop_assert!(may_go_on, "outdated, or retired");
                            }
                            _ => {}
                        }
                        opt_in = next;
                        lifecycle.status = opt_in.status().kind();
                    }
                }
            }
        }
    }
}
