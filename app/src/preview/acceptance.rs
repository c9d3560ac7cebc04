//! The acceptance of a risk, as evidence, and what became of it.

use super::lifecycle::Lifecycle;
use super::notification::Delivery;
use super::opt_in::{OptIn, Status, Step, StepError};
use super::statement::{RiskStatement, Scope};
use jiff::Timestamp;
use record::Identity;
use record::{Digest, EndReason, OptInRef, OptInStep, StatusKind, StepKind};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use uuid::Uuid;

/// Exactly what is recorded when somebody accepts. Its JSON text is stored and digested; who accepted stands in it as a
/// commitment, so that their details can be erased one day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AcceptanceDocument {
    /// Of this acceptance.
    pub id: Uuid,
    /// The feature, by its slug.
    pub feature: String,
    /// Version of the statement that was read.
    pub statement_version: i32,
    /// SHA-256 of its exact text.
    pub statement_digest: Digest,
    /// Every point, as confirmed.
    pub points: Vec<String>,
    /// For what.
    pub scope: Scope,
    /// The namespaces that the scope meant then: the effect is for these.
    pub namespaces: Vec<String>,
    /// The uid of each: a namespace that is made again under the same name may be somebody else's.
    pub namespace_uids: BTreeMap<String, String>,
    /// The team's groups then, as the cluster names them: a RoleBinding is for these.
    pub groups: Vec<String>,
    /// Who accepted: SHA-256 over a salt and issuer, subject, name and address.
    pub person: Digest,
    /// Their groups then, as the provider names them.
    pub person_groups: Vec<String>,
    /// Why, in their words.
    pub justification: String,
    /// Ties it to the log.
    pub request_id: String,
    /// When, to the microsecond, in UTC.
    pub accepted_at: Timestamp,
}

impl AcceptanceDocument {
    /// The exact text that is stored and digested.
    #[must_use]
    pub fn document(&self) -> String {
        // A struct of texts and numbers always has a text.
        serde_json::to_string_pretty(self).unwrap_or_default()
    }

    /// SHA-256 of the document.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(self.document())
    }

    #[must_use]
    pub fn opt_in_ref(&self) -> OptInRef {
        OptInRef { acceptance: self.id, feature: self.feature.clone(), scope: self.scope.clone() }
    }

    /// SHA-256 of what a person is shown before they accept: everything but what is set when they do.
    #[must_use]
    pub fn digest_as_shown(&self) -> Digest {
        let (id, accepted_at, request_id) = (Uuid::nil(), Timestamp::UNIX_EPOCH, String::new());
        Self { id, accepted_at, request_id, ..self.clone() }.digest()
    }
}

/// A step as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepTaken {
    pub step: StepKind,
    /// Who took it; nobody where Fairway took it by itself.
    pub person_id: Option<Uuid>,
    /// The same, as the record commits to them.
    pub identity: Option<Digest>,
    /// Their name then; nothing where it was erased.
    pub person: Option<String>,
    pub reason: Option<EndReason>,
    pub comment: String,
    /// Of the opt-in afterwards.
    pub status: StatusKind,
    /// Ties it to the log.
    pub request_id: String,
    pub taken_at: Timestamp,
}

impl StepTaken {
    fn step(&self) -> Option<Step> {
        let by = self.person_id;
        match self.step {
            StepKind::Approved => Some(Step::Approve { by: by? }),
            StepKind::Refused => Some(Step::Refuse { by: by? }),
            StepKind::Withdrawn => Some(Step::Withdraw { by: by? }),
            StepKind::Effective => Some(Step::TakeEffect),
            StepKind::Ending => Some(Step::End(self.reason?)),
            StepKind::Ended => Some(Step::RemoveEffect),
        }
    }

    /// Who took it, for people.
    #[must_use]
    pub fn taken_by(&self) -> String {
        match (self.person_id, &self.person) {
            (None, _) => "Fairway".to_owned(),
            (Some(_), Some(name)) => name.clone(),
            (Some(_), None) => "(erased)".to_owned(),
        }
    }

    /// What happened, for people.
    #[must_use]
    pub fn in_words(&self) -> String {
        let end = self.reason.map(EndReason::in_words).unwrap_or_default();
        match self.step {
            StepKind::Approved => "Approved".to_owned(),
            StepKind::Refused => "Refused".to_owned(),
            StepKind::Withdrawn => "Withdrawn".to_owned(),
            StepKind::Effective => "Became effective".to_owned(),
            StepKind::Ending => format!("Ended: {}", end.to_lowercase()),
            StepKind::Ended => "Gives nothing any more".to_owned(),
        }
    }
}

/// An acceptance with everything that belongs to it.
#[derive(Debug, Clone)]
pub struct Acceptance {
    pub accepted: AcceptanceDocument,
    /// The exact text of that.
    pub document: String,
    /// SHA-256 of that text.
    pub digest: Digest,
    /// The exact text of the statement that was accepted.
    pub statement: String,
    /// The terms that were accepted.
    pub terms: RiskStatement,
    /// What the feature is called now.
    pub feature_name: String,
    /// When it came into the catalogue.
    pub feature_since: Timestamp,
    pub person_id: Uuid,
    /// Their details then, unless they were erased.
    pub identity: Option<Identity>,
    pub person_address: String,
    /// What became of it, in order.
    pub steps: Vec<StepTaken>,
    /// The rules' view of these steps.
    pub opt_in: OptIn,
    /// What decides what is due.
    pub lifecycle: Lifecycle,
    /// What was in the way of the effect last; empty where nothing was.
    pub problem: String,
    /// How the cluster differs from what was given; empty where it does not.
    pub drift: String,
    /// What people have been told of it by e-mail, or were to be.
    pub deliveries: Vec<Delivery>,
    /// When the effect is to be tried, or looked at, again; nothing where it never was.
    pub next_attempt_at: Option<Timestamp>,
}

/// A stored acceptance that breaks the rules, which nothing but a hand in the database can have written.
#[derive(Debug, thiserror::Error)]
pub enum StoredAcceptanceError {
    /// No such document.
    #[error("a document cannot be read: {0}")]
    Document(#[from] serde_json::Error),
    /// The steps contradict the rules.
    #[error("step {number}: {reason}")]
    Step { number: usize, reason: StepError },
    /// A step that there is not.
    #[error("step {0} is none")]
    NoStep(usize),
}

/// The opt-in that these steps make. Whether the statement was in force was checked when each was taken.
///
/// # Errors
/// Where they break the rules.
pub fn fold(accepted_by: Uuid, terms: &RiskStatement, steps: &[StepTaken]) -> Result<OptIn, StoredAcceptanceError> {
    (1..).zip(steps).try_fold(OptIn::accepted(accepted_by, terms.approvals), |opt_in, (number, taken)| {
        let step = taken.step().ok_or(StoredAcceptanceError::NoStep(number))?;
        opt_in.after(step, true).map_err(|reason| StoredAcceptanceError::Step { number, reason })
    })
}

impl Acceptance {
    #[must_use]
    pub fn status(&self) -> &Status {
        self.opt_in.status()
    }

    /// Whether something in the cluster is rightly there because of it.
    #[must_use]
    pub fn gives(&self) -> bool {
        match self.status() {
            Status::Effective => true,
            Status::Approved => self.lifecycle.is_in_force(),
            _ => false,
        }
    }

    /// Who accepted, for people.
    #[must_use]
    pub fn person(&self) -> (String, String) {
        match &self.identity {
            Some(identity) => (identity.name.clone(), identity.email.clone()),
            None => ("(erased)".to_owned(), String::new()),
        }
    }

    /// How the record names it.
    #[must_use]
    pub fn opt_in_ref(&self) -> OptInRef {
        self.accepted.opt_in_ref()
    }

    /// What the record says of its next step.
    #[must_use]
    pub fn next_step(&self, comment: &str) -> OptInStep {
        let number = self.steps.len() + 1;
        OptInStep { opt_in: self.opt_in_ref(), digest: self.digest, number, comment: comment.to_owned() }
    }
}

/// When the last approval that was needed was given.
#[must_use]
pub fn approved_at(steps: &[StepTaken]) -> Option<Timestamp> {
    steps.iter().find(|taken| taken.status == StatusKind::Approved).map(|taken| taken.taken_at)
}

#[cfg(test)]
impl AcceptanceDocument {
    /// Of these terms, for the namespace shop, for tests.
    pub(crate) fn example(terms: &RiskStatement) -> Self {
        Self {
            id: Uuid::from_u128(7),
            feature: terms.feature.clone(),
            statement_version: terms.version,
            statement_digest: terms.digest(),
            points: terms.points.clone(),
            scope: Scope { kind: super::statement::ScopeKind::Namespace, name: "shop".into() },
            namespaces: vec!["shop".into()],
            namespace_uids: [("shop".into(), "1".into())].into(),
            groups: Vec::new(),
            person: Digest::ZERO,
            person_groups: Vec::new(),
            justification: String::new(),
            request_id: String::new(),
            accepted_at: Timestamp::UNIX_EPOCH,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(step: StepKind, person_id: Option<u128>, reason: Option<EndReason>, status: StatusKind) -> StepTaken {
        StepTaken {
            step,
            person_id: person_id.map(Uuid::from_u128),
            identity: person_id.map(|number| Digest::of(number.to_string())),
            person: None,
            reason,
            comment: String::new(),
            status,
            request_id: String::new(),
            taken_at: Timestamp::UNIX_EPOCH,
        }
    }

    #[test]
    fn stored_steps_make_the_opt_in_again() {
        let steps = [
            taken(StepKind::Approved, Some(2), None, StatusKind::Approved),
            taken(StepKind::Effective, None, None, StatusKind::Effective),
            taken(StepKind::Ending, None, Some(EndReason::Expired), StatusKind::Ending),
            taken(StepKind::Ended, None, Some(EndReason::Expired), StatusKind::Ended),
        ];
        let statuses: Vec<Status> = (0..=steps.len())
            .map(|number| {
                fold(Uuid::from_u128(1), &RiskStatement::example(), &steps[..number]).unwrap().status().clone()
            })
            .collect();
        let kinds: Vec<StatusKind> = statuses.iter().map(Status::kind).collect();
        use StatusKind::{Approved, Effective, Ended, Ending, Waiting};
        assert_eq!(kinds, [Waiting, Approved, Effective, Ending, Ended]);
    }

    #[test]
    fn steps_that_a_hand_wrote_into_the_database_are_not_believed() {
        let own = [taken(StepKind::Approved, Some(1), None, StatusKind::Approved)];
        assert!(fold(Uuid::from_u128(1), &RiskStatement::example(), &own).is_err());
        let unfounded = [taken(StepKind::Effective, None, None, StatusKind::Effective)];
        assert!(fold(Uuid::from_u128(1), &RiskStatement::example(), &unfounded).is_err());
    }
}
