//! The life of an opt-in, from the acceptance of its risks to its end: which step may follow which, and whose it is.
//!
//! Nothing becomes effective but by this: an acceptance of terms that are in force, and decisions of as many other
//! people as the terms ask for.

pub use record::{EndReason, StatusKind, StepKind};

use uuid::Uuid;

/// How an opt-in stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Status {
    /// Accepted; these administrators approved so far, and others must too.
    Waiting { approved_by: Vec<Uuid> },
    /// An administrator said no.
    Refused,
    /// Whoever accepted took it back.
    Withdrawn,
    /// Approved; the effect has not been seen yet.
    Approved,
    /// Approved, and the effect was seen.
    Effective,
    /// Over; what it gave has not been seen gone yet.
    Ending(EndReason),
    /// Over, and nothing is left of it.
    Ended(EndReason),
}

/// A step in the life of an opt-in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// An administrator says yes.
    Approve {
        by: Uuid,
    },
    /// An administrator says no.
    Refuse {
        by: Uuid,
    },
    /// Whoever accepted takes it back.
    Withdraw {
        by: Uuid,
    },
    TakeEffect,
    End(EndReason),
    /// What it gave was seen to be gone.
    RemoveEffect,
}

impl Step {
    #[must_use]
    pub fn kind(self) -> StepKind {
        match self {
            Self::Approve { .. } => StepKind::Approved,
            Self::Refuse { .. } => StepKind::Refused,
            Self::Withdraw { .. } => StepKind::Withdrawn,
            Self::TakeEffect => StepKind::Effective,
            Self::End(_) => StepKind::Ending,
            Self::RemoveEffect => StepKind::Ended,
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
    #[error(
        "You accepted this yourself, or with another account that has your e-mail address, so somebody else has to decide \
         it."
    )]
    SamePerson,
    /// Nobody is two approvers.
    #[error("You have approved this already; a second administrator decides next.")]
    ApprovedAlready,
    /// Only whoever accepted withdraws.
    #[error("Only the person who accepted can withdraw it.")]
    NotTheirs,
    /// A newer statement must be accepted first.
    #[error(
        "The risk statement has changed since this was accepted, and the new one has to be accepted. Refuse this, and \
         ask them to accept again."
    )]
    Outdated,
}

/// An opt-in as its steps so far have made it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OptIn {
    accepted_by: Uuid,
    approvals_needed: usize,
    status: Status,
}

impl OptIn {
    /// Just accepted.
    #[must_use]
    pub fn accepted(accepted_by: Uuid, approvals_needed: u8) -> Self {
        let approvals_needed = usize::from(approvals_needed.max(1));
        Self { accepted_by, approvals_needed, status: Status::Waiting { approved_by: Vec::new() } }
    }

    #[must_use]
    pub fn status(&self) -> &Status {
        &self.status
    }

    /// After a step. `in_force` says whether what was accepted is the current statement, or as good as it.
    ///
    /// # Errors
    /// Why the step may not be taken; then nothing has changed.
    pub fn after(self, step: Step, in_force: bool) -> Result<Self, StepError> {
        let status = match (self.status, step) {
            (Status::Waiting { approved_by }, Step::Approve { by }) => {
                approved(approved_by, by, self.accepted_by, self.approvals_needed, in_force)?
            }
            (Status::Waiting { .. }, Step::Refuse { by }) if by == self.accepted_by => {
                return Err(StepError::SamePerson);
            }
            (Status::Waiting { .. }, Step::Refuse { .. }) => Status::Refused,
            (Status::Waiting { .. }, Step::Withdraw { by }) if by != self.accepted_by => {
                return Err(StepError::NotTheirs);
            }
            (Status::Waiting { .. }, Step::Withdraw { .. }) => Status::Withdrawn,
            (Status::Waiting { .. }, Step::End(end)) => Status::Ended(end),
            (Status::Approved, Step::TakeEffect) if !in_force => return Err(StepError::Outdated),
            (Status::Approved, Step::TakeEffect) => Status::Effective,
            // Also before the effect was seen: it may have been made all the same.
            (Status::Approved | Status::Effective, Step::End(end)) => Status::Ending(end),
            (Status::Ending(end), Step::RemoveEffect) => Status::Ended(end),
            _ => return Err(StepError::TooLate),
        };
        Ok(Self { status, ..self })
    }
}

fn approved(
    mut approved_by: Vec<Uuid>,
    by: Uuid,
    accepted_by: Uuid,
    needed: usize,
    in_force: bool,
) -> Result<Status, StepError> {
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
    Ok(if approved_by.len() >= needed { Status::Approved } else { Status::Waiting { approved_by } })
}

impl Status {
    /// Of what is open or granted: accepting once more makes no sense but to renew it, and retiring ends it.
    pub const CURRENT: [StatusKind; 3] = [StatusKind::Waiting, StatusKind::Approved, StatusKind::Effective];

    #[must_use]
    pub fn kind(&self) -> StatusKind {
        match self {
            Self::Waiting { .. } => StatusKind::Waiting,
            Self::Refused => StatusKind::Refused,
            Self::Withdrawn => StatusKind::Withdrawn,
            Self::Approved => StatusKind::Approved,
            Self::Effective => StatusKind::Effective,
            Self::Ending(_) => StatusKind::Ending,
            Self::Ended(_) => StatusKind::Ended,
        }
    }

    #[must_use]
    pub fn end_reason(&self) -> Option<EndReason> {
        match self {
            Self::Ending(reason) | Self::Ended(reason) => Some(*reason),
            _ => None,
        }
    }

    #[must_use]
    pub fn in_words(&self) -> String {
        let approvals = match self {
            Self::Waiting { approved_by } => approved_by.len(),
            _ => 0,
        };
        Self::words(self.kind(), approvals, self.end_reason())
    }

    /// For people, of what waits after so many approvals, or ends for a reason.
    #[must_use]
    pub fn words(kind: StatusKind, approvals: usize, reason: Option<EndReason>) -> String {
        let reason = reason.map(EndReason::in_words).unwrap_or("Ended");
        match kind {
            StatusKind::Waiting if approvals == 0 => "Waiting for approval".to_owned(),
            StatusKind::Waiting => "Waiting for a second approval".to_owned(),
            StatusKind::Refused => "Refused".to_owned(),
            StatusKind::Withdrawn => "Withdrawn".to_owned(),
            StatusKind::Approved => "Approved, not yet effective".to_owned(),
            StatusKind::Effective => "Effective".to_owned(),
            StatusKind::Ending => format!("{reason}, being taken back"),
            StatusKind::Ended => reason.to_owned(),
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
            1 => proptest::sample::select(EndReason::ALL).prop_map(Step::End),
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
            if *opt_in.status() == Status::Effective {
                prop_assert!(effective_at.is_some());
            }
        }

        #[test]
        fn what_is_over_stays_over(tried in prop::collection::vec(any_step(), 0..12), later in any_step()) {
            let (opt_in, _) = taken(1, &tried);
            if matches!(opt_in.status(), Status::Refused | Status::Withdrawn | Status::Ended(_)) {
                prop_assert_eq!(opt_in.after(later.0, later.1), Err(StepError::TooLate));
            }
        }

        #[test]
        fn an_effect_that_may_be_there_is_always_taken_back_before_the_end(
            tried in prop::collection::vec(any_step(), 0..16),
        ) {
            let (opt_in, taken) = taken(1, &tried);
            let was_approved = taken.iter().any(|(step, _)| matches!(step, Step::Approve { .. }));
            if was_approved && matches!(opt_in.status(), Status::Ended(_)) {
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
