//! The life of an opt-in, from the acceptance of its risks to its end: which step may follow which, and whose it is.
//!
//! Nothing becomes effective but by this: an acceptance of terms that are in force, and decisions of as many other
//! people as the terms ask for.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Why an opt-in ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// Its time is over.
    Expired,
    /// Somebody ended it.
    Revoked,
    /// The feature was retired.
    Retired,
    /// The statement changed, and the new one was not accepted in time.
    NotRenewed,
    /// A later acceptance for the same scope took its place.
    Replaced,
}

impl End {
    /// All there are.
    pub const ALL: [Self; 5] = [Self::Expired, Self::Revoked, Self::Retired, Self::NotRenewed, Self::Replaced];

    /// As stored.
    #[must_use]
    pub fn stored(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::Revoked => "revoked",
            Self::Retired => "retired",
            Self::NotRenewed => "not_renewed",
            Self::Replaced => "replaced",
        }
    }

    /// For people.
    #[must_use]
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Expired => "Expired",
            Self::Revoked => "Revoked",
            Self::Retired => "The feature was retired",
            Self::NotRenewed => "Not renewed",
            Self::Replaced => "Replaced by a later acceptance",
        }
    }
}

/// How an opt-in stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// Accepted; these administrators approved so far, and others must too.
    Waiting {
        /// Who approved.
        approved_by: Vec<Uuid>,
    },
    /// An administrator said no.
    Refused,
    /// Whoever accepted took it back.
    Withdrawn,
    /// Approved; the effect has not been seen yet.
    Approved,
    /// Approved, and the effect was seen.
    Effective,
    /// Over; what it gave has not been seen gone yet.
    Ending(End),
    /// Over, and nothing is left of it.
    Ended(End),
}

/// A step in the life of an opt-in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// An administrator says yes.
    Approve {
        /// Who.
        by: Uuid,
    },
    /// An administrator says no.
    Refuse {
        /// Who.
        by: Uuid,
    },
    /// Whoever accepted takes it back.
    Withdraw {
        /// Who.
        by: Uuid,
    },
    /// The effect was seen.
    TakeEffect,
    /// It is over.
    End(End),
    /// What it gave was seen to be gone.
    RemoveEffect,
}

impl Step {
    /// As stored.
    #[must_use]
    pub fn stored(self) -> &'static str {
        match self {
            Self::Approve { .. } => "approved",
            Self::Refuse { .. } => "refused",
            Self::Withdraw { .. } => "withdrawn",
            Self::TakeEffect => "effective",
            Self::End(_) => "ending",
            Self::RemoveEffect => "ended",
        }
    }
}

/// Why a step may not be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StepError {
    /// The opt-in is past it, or not there yet.
    #[error("This was changed in the meantime, so it was not done. Look at how it stands now.")]
    TooLate,
    /// Nobody decides on their own acceptance.
    #[error("You accepted this yourself, so somebody else has to decide it.")]
    SamePerson,
    /// Nobody is two approvers.
    #[error("You have approved this already; a second administrator decides next.")]
    ApprovedAlready,
    /// Only whoever accepted withdraws.
    #[error("Only the person who accepted can withdraw it.")]
    NotTheirs,
    /// A newer statement must be accepted first.
    #[error(
        "The risk statement has changed since this was accepted, and the new one has to be accepted. Refuse this, and ask them to accept again."
    )]
    Outdated,
}

/// An opt-in as its steps so far have made it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OptIn {
    accepted_by: Uuid,
    approvals_needed: usize,
    standing: Standing,
}

impl OptIn {
    /// Just accepted.
    #[must_use]
    pub fn accepted(accepted_by: Uuid, approvals_needed: u8) -> Self {
        let approvals_needed = usize::from(approvals_needed.max(1));
        Self { accepted_by, approvals_needed, standing: Standing::Waiting { approved_by: Vec::new() } }
    }

    /// How it stands.
    #[must_use]
    pub fn standing(&self) -> &Standing {
        &self.standing
    }

    /// After a step. `in_force` says whether what was accepted is the current statement, or as good as it.
    ///
    /// # Errors
    /// Why the step may not be taken; then nothing has changed.
    pub fn after(self, step: Step, in_force: bool) -> Result<Self, StepError> {
        let standing = match (self.standing, step) {
            (Standing::Waiting { approved_by }, Step::Approve { by }) => {
                approved(approved_by, by, self.accepted_by, self.approvals_needed, in_force)?
            }
            (Standing::Waiting { .. }, Step::Refuse { by }) if by == self.accepted_by => {
                return Err(StepError::SamePerson);
            }
            (Standing::Waiting { .. }, Step::Refuse { .. }) => Standing::Refused,
            (Standing::Waiting { .. }, Step::Withdraw { by }) if by != self.accepted_by => {
                return Err(StepError::NotTheirs);
            }
            (Standing::Waiting { .. }, Step::Withdraw { .. }) => Standing::Withdrawn,
            (Standing::Waiting { .. }, Step::End(end)) => Standing::Ended(end),
            (Standing::Approved, Step::TakeEffect) if !in_force => return Err(StepError::Outdated),
            (Standing::Approved, Step::TakeEffect) => Standing::Effective,
            // Also before the effect was seen: it may have been made all the same.
            (Standing::Approved | Standing::Effective, Step::End(end)) => Standing::Ending(end),
            (Standing::Ending(end), Step::RemoveEffect) => Standing::Ended(end),
            _ => return Err(StepError::TooLate),
        };
        Ok(Self { standing, ..self })
    }
}

fn approved(
    mut approved_by: Vec<Uuid>,
    by: Uuid,
    accepted_by: Uuid,
    needed: usize,
    in_force: bool,
) -> Result<Standing, StepError> {
    if by == accepted_by {
        return Err(StepError::SamePerson);
    }
    if approved_by.contains(&by) {
        return Err(StepError::ApprovedAlready);
    }
    if !in_force {
        return Err(StepError::Outdated);
    }
    approved_by.push(by);
    Ok(if approved_by.len() >= needed { Standing::Approved } else { Standing::Waiting { approved_by } })
}

impl Standing {
    /// As stored, of what is open or granted: accepting once more makes no sense but to renew it, and retiring ends it.
    pub const STANDS: [&str; 3] = ["waiting", "approved", "effective"];

    /// As stored beside each step, for lists.
    #[must_use]
    pub fn stored(&self) -> &'static str {
        match self {
            Self::Waiting { .. } => "waiting",
            Self::Refused => "refused",
            Self::Withdrawn => "withdrawn",
            Self::Approved => "approved",
            Self::Effective => "effective",
            Self::Ending(_) => "ending",
            Self::Ended(_) => "ended",
        }
    }

    /// For people.
    #[must_use]
    pub fn in_words(&self) -> String {
        match self {
            Self::Waiting { approved_by } if approved_by.is_empty() => "Waiting for approval".to_owned(),
            Self::Waiting { .. } => "Waiting for a second approval".to_owned(),
            Self::Refused => "Refused".to_owned(),
            Self::Withdrawn => "Withdrawn".to_owned(),
            Self::Approved => "Approved, not yet effective".to_owned(),
            Self::Effective => "Effective".to_owned(),
            Self::Ending(end) => format!("{}, being taken back", end.in_words()),
            Self::Ended(end) => end.in_words().to_owned(),
        }
    }

    /// Whether it gives, or may give, anything in the cluster.
    #[must_use]
    pub fn is_granted(&self) -> bool {
        matches!(self, Self::Approved | Self::Effective)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn person(number: u8) -> Uuid {
        Uuid::from_u128(number.into())
    }

    /// Any step by any of four people, at a time when the statement is or is not in force.
    fn any_step() -> impl Strategy<Value = (Step, bool)> {
        let by = || (0_u8..4).prop_map(person);
        let step = prop_oneof![
            3 => by().prop_map(|by| Step::Approve { by }),
            1 => by().prop_map(|by| Step::Refuse { by }),
            1 => by().prop_map(|by| Step::Withdraw { by }),
            3 => Just(Step::TakeEffect),
            1 => proptest::sample::select(&End::ALL[..]).prop_map(Step::End),
            1 => Just(Step::RemoveEffect),
        ];
        (step, prop::bool::weighted(0.8))
    }

    /// The steps that were taken, of those that were tried.
    fn taken(needed: u8, tried: &[(Step, bool)]) -> (OptIn, Vec<(Step, bool)>) {
        let mut opt_in = OptIn::accepted(person(0), needed);
        let mut taken = Vec::new();
        for (step, in_force) in tried {
            if let Ok(next) = opt_in.clone().after(*step, *in_force) {
                opt_in = next;
                taken.push((*step, *in_force));
            }
        }
        (opt_in, taken)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn nothing_is_effective_without_the_decisions_of_other_people_on_terms_in_force(
            needed in 1_u8..=2,
            tried in prop::collection::vec(any_step(), 0..12),
        ) {
            let (opt_in, taken) = taken(needed, &tried);
            let effective_at = taken.iter().position(|(step, _)| *step == Step::TakeEffect);
            if let Some(at) = effective_at {
                let mut approvers: Vec<Uuid> = taken[..at]
                    .iter()
                    .filter_map(|(step, in_force)| match step {
                        Step::Approve { by } if *in_force => Some(*by),
                        _ => None,
                    })
                    .collect();
                approvers.sort();
                approvers.dedup();
                prop_assert!(!approvers.contains(&person(0)), "whoever accepted approved");
                prop_assert!(approvers.len() >= usize::from(needed), "too few approved");
                prop_assert!(taken[at].1, "took effect while outdated");
            }
            if *opt_in.standing() == Standing::Effective {
                prop_assert!(effective_at.is_some());
            }
        }

        #[test]
        fn what_is_over_stays_over(tried in prop::collection::vec(any_step(), 0..12), later in any_step()) {
            let (opt_in, _) = taken(1, &tried);
            if matches!(opt_in.standing(), Standing::Refused | Standing::Withdrawn | Standing::Ended(_)) {
                prop_assert_eq!(opt_in.after(later.0, later.1), Err(StepError::TooLate));
            }
        }

        #[test]
        fn an_effect_that_may_be_there_is_always_taken_back_before_the_end(
            tried in prop::collection::vec(any_step(), 0..16),
        ) {
            let (opt_in, taken) = taken(1, &tried);
            let was_approved = taken.iter().any(|(step, _)| matches!(step, Step::Approve { .. }));
            if was_approved && matches!(opt_in.standing(), Standing::Ended(_)) {
                prop_assert_eq!(taken.last().map(|(step, _)| *step), Some(Step::RemoveEffect));
            }
        }
    }

    #[test]
    fn each_refusal_names_its_reason() {
        let waiting = || OptIn::accepted(person(0), 2);
        let once = || waiting().after(Step::Approve { by: person(1) }, true).unwrap();
        let cases = [
            (waiting(), Step::Approve { by: person(0) }, true, StepError::SamePerson),
            (waiting(), Step::Refuse { by: person(0) }, true, StepError::SamePerson),
            (waiting(), Step::Withdraw { by: person(1) }, true, StepError::NotTheirs),
            (waiting(), Step::Approve { by: person(1) }, false, StepError::Outdated),
            (once(), Step::Approve { by: person(1) }, true, StepError::ApprovedAlready),
            (once(), Step::TakeEffect, true, StepError::TooLate),
        ];
        for (opt_in, step, in_force, reason) in cases {
            assert_eq!(opt_in.after(step, in_force), Err(reason), "{step:?}");
        }
    }
}
