//! The acceptance of a risk, as evidence, and what became of it.

use super::life::Life;
use super::notification::Delivery;
use super::opt_in::{End, OptIn, Standing, Step, StepError};
use super::terms::{Scope, Terms};
use crate::audit::identity::Identity;
use crate::digest::Digest;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use uuid::Uuid;

/// Exactly what is recorded when somebody accepts. Its JSON text is stored and digested; who accepted stands in it as a
/// commitment, so that their details can be blanked one day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Accepted {
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
    /// What the cluster knew each of them by: one that is made anew under the same name may be somebody else's. Of
    /// what was accepted before this was noted, only the names are known.
    #[serde(default)]
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

impl Accepted {
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
    /// Which, by its code.
    pub step: String,
    /// Who took it; nobody where Fairway took it by itself.
    pub person_id: Option<Uuid>,
    /// The same, as the record commits to them.
    pub identity: Option<Digest>,
    /// Their name then; nothing where it was blanked.
    pub person: Option<String>,
    /// Why it ends.
    pub reason: Option<End>,
    /// What they said.
    pub comment: String,
    /// How the opt-in stood afterwards.
    pub standing: String,
    /// Ties it to the log.
    pub request_id: String,
    /// When.
    pub taken_at: Timestamp,
}

impl StepTaken {
    fn step(&self) -> Option<Step> {
        let by = self.person_id;
        match self.step.as_str() {
            "approved" => Some(Step::Approve { by: by? }),
            "refused" => Some(Step::Refuse { by: by? }),
            "withdrawn" => Some(Step::Withdraw { by: by? }),
            "effective" => Some(Step::TakeEffect),
            "ending" => Some(Step::End(self.reason?)),
            "ended" => Some(Step::RemoveEffect),
            _ => None,
        }
    }

    /// Who took it, for people.
    #[must_use]
    pub fn taken_by(&self) -> String {
        match (self.person_id, &self.person) {
            (None, _) => "Fairway".to_owned(),
            (Some(_), Some(name)) => name.clone(),
            (Some(_), None) => "(blanked)".to_owned(),
        }
    }

    /// What happened, for people.
    #[must_use]
    pub fn in_words(&self) -> String {
        let end = self.reason.map(End::in_words).unwrap_or_default();
        match self.step.as_str() {
            "approved" => "Approved".to_owned(),
            "refused" => "Refused".to_owned(),
            "withdrawn" => "Withdrawn".to_owned(),
            "effective" => "Became effective".to_owned(),
            "ending" => format!("Ended: {}", end.to_lowercase()),
            _ => "Gives nothing any more".to_owned(),
        }
    }
}

/// An acceptance with everything that belongs to it.
#[derive(Debug, Clone)]
pub struct Acceptance {
    /// What was recorded.
    pub accepted: Accepted,
    /// The exact text of that.
    pub document: String,
    /// SHA-256 of that text.
    pub digest: Digest,
    /// The exact text of the statement that was accepted.
    pub statement: String,
    /// The terms that were accepted.
    pub terms: Terms,
    /// What the feature is called now.
    pub feature_name: String,
    /// When it came into the catalogue.
    pub feature_since: Timestamp,
    /// Who accepted.
    pub person_id: Uuid,
    /// Their details then, unless they were blanked.
    pub identity: Option<Identity>,
    /// Their address today.
    pub person_address: String,
    /// What became of it, in order.
    pub steps: Vec<StepTaken>,
    /// The rules' view of these steps.
    pub opt_in: OptIn,
    /// What decides what is due.
    pub life: Life,
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
pub enum Unreadable {
    /// No such document.
    #[error("a document cannot be read: {0}")]
    Document(#[from] serde_json::Error),
    /// The steps contradict the rules.
    #[error("step {number}: {reason}")]
    Step {
        /// Which.
        number: usize,
        /// What is wrong.
        reason: StepError,
    },
    /// A step that there is not.
    #[error("step {0} is none")]
    NoStep(usize),
}

/// The opt-in that these steps make. Whether the statement was in force was checked when each was taken.
///
/// # Errors
/// Where they break the rules.
pub fn fold(accepted_by: Uuid, terms: &Terms, steps: &[StepTaken]) -> Result<OptIn, Unreadable> {
    (1..).zip(steps).try_fold(OptIn::accepted(accepted_by, terms.approvals), |opt_in, (number, taken)| {
        let step = taken.step().ok_or(Unreadable::NoStep(number))?;
        opt_in.after(step, true).map_err(|reason| Unreadable::Step { number, reason })
    })
}

impl Acceptance {
    /// How it stands.
    #[must_use]
    pub fn standing(&self) -> &Standing {
        self.opt_in.standing()
    }

    /// Whether something in the cluster is rightly there because of it.
    #[must_use]
    pub fn gives(&self) -> bool {
        match self.standing() {
            Standing::Effective => true,
            Standing::Approved => self.life.is_in_force(),
            _ => false,
        }
    }

    /// Who accepted, for people.
    #[must_use]
    pub fn person(&self) -> (String, String) {
        match &self.identity {
            Some(identity) => (identity.name.clone(), identity.email.clone()),
            None => ("(blanked)".to_owned(), String::new()),
        }
    }

    /// What it is called in the record.
    #[must_use]
    pub fn object(&self) -> String {
        format!("PreviewFeature/{}/{}", self.accepted.scope.name, self.accepted.feature)
    }
}

/// When the last approval that was needed was given.
#[must_use]
pub fn approved_at(steps: &[StepTaken]) -> Option<Timestamp> {
    steps.iter().find(|taken| taken.standing == "approved").map(|taken| taken.taken_at)
}

#[cfg(test)]
impl Accepted {
    /// Of these terms, for the namespace shop, for tests.
    pub(crate) fn example(terms: &Terms) -> Self {
        Self {
            id: Uuid::from_u128(7),
            feature: terms.feature.clone(),
            statement_version: terms.version,
            statement_digest: terms.digest(),
            points: terms.points.clone(),
            scope: Scope { kind: super::terms::ScopeKind::Namespace, name: "shop".into() },
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

    fn taken(step: &str, person_id: Option<u128>, reason: Option<End>, standing: &str) -> StepTaken {
        StepTaken {
            step: step.into(),
            person_id: person_id.map(Uuid::from_u128),
            identity: person_id.map(|number| Digest::of(number.to_string())),
            person: None,
            reason,
            comment: String::new(),
            standing: standing.into(),
            request_id: String::new(),
            taken_at: Timestamp::UNIX_EPOCH,
        }
    }

    #[test]
    fn stored_steps_make_the_opt_in_again() {
        let steps = [
            taken("approved", Some(2), None, "approved"),
            taken("effective", None, None, "effective"),
            taken("ending", None, Some(End::Expired), "ending"),
            taken("ended", None, Some(End::Expired), "ended"),
        ];
        let standings: Vec<Standing> = (0..=steps.len())
            .map(|number| fold(Uuid::from_u128(1), &Terms::example(), &steps[..number]).unwrap().standing().clone())
            .collect();
        let stored: Vec<&str> = standings.iter().map(Standing::stored).collect();
        assert_eq!(stored, ["waiting", "approved", "effective", "ending", "ended"]);
    }

    #[test]
    fn steps_that_a_hand_wrote_into_the_database_are_not_believed() {
        let own = [taken("approved", Some(1), None, "approved")];
        assert!(fold(Uuid::from_u128(1), &Terms::example(), &own).is_err());
        let unfounded = [taken("effective", None, None, "effective")];
        assert!(fold(Uuid::from_u128(1), &Terms::example(), &unfounded).is_err());
    }
}
