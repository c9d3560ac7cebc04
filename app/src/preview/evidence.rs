//! Everything about one acceptance in one file, and checking it with nothing else at hand.

use super::acceptance::{Acceptance, Accepted, StepTaken, fold};
use super::opt_in::{End, Standing};
use super::terms::Terms;
use crate::actor::Profile;
use crate::audit::chain::Entry;
use crate::audit::export::ExportedRow;
use crate::audit::identity::Identity;
use crate::audit::{Action, Phase};
use crate::digest::Digest;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use uuid::Uuid;

/// The file: an acceptance, what was accepted, what became of it, and the rows of the record that say so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    /// The exact text of the statement.
    pub statement: String,
    /// The exact text of the acceptance.
    pub acceptance: String,
    /// Who accepted, with the salt of the commitment; null where their details were blanked.
    pub person: Option<Identity>,
    /// Who accepted, as the steps name people.
    pub accepted_by: Uuid,
    /// What became of it, in order.
    pub steps: Vec<StepTaken>,
    /// The rows of the record about it.
    pub record: Vec<ExportedRow>,
}

/// What the evidence shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proven {
    /// What was accepted.
    pub accepted: Accepted,
    /// How it stood at the end.
    pub standing: Standing,
    /// Rows of the record that were checked. That they are part of the chain is shown by an export of the whole, or by
    /// a published head.
    pub rows: usize,
    /// Rows of them whose actor is known by a commitment only.
    pub unopened: usize,
}

/// What does not fit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotProven {
    /// No such text.
    #[error("{0} cannot be read")]
    Unreadable(&'static str),
    /// A digest is another one.
    #[error("{0}")]
    Differs(&'static str),
    /// A row of the record was changed.
    #[error("row {0} of the record was changed")]
    RowChanged(i64),
    /// The record has no row of it that succeeded.
    #[error("the record does not show that step {0} was taken")]
    NotRecorded(usize),
    /// The record names somebody else.
    #[error("step {0} was taken by somebody else than the record says")]
    AnotherPerson(usize),
    /// The rules do not allow what the steps say.
    #[error("the steps break the rules: {0}")]
    Rules(String),
}

/// A write of the record that succeeded: the intent, by whom, and when it was done.
struct Recorded {
    entry: Entry,
    actor: Option<(String, String)>,
    done_at: Timestamp,
}

/// How far the clocks of the portal's replicas and of the database may be apart.
const CLOCKS: SignedDuration = SignedDuration::from_mins(10);

/// Whether a moment lies between the intent of a write and its end, as far as clocks agree.
pub(super) fn is_about(intent: Timestamp, end: Timestamp, at: Timestamp) -> bool {
    intent - CLOCKS <= at && at <= end + CLOCKS
}

impl Recorded {
    fn was_under_way(&self, at: Timestamp) -> bool {
        is_about(self.entry.occurred_at, self.done_at, at)
    }
}

impl Evidence {
    /// Of an acceptance, with the rows of the record about it.
    #[must_use]
    pub fn of(acceptance: Acceptance, record: Vec<ExportedRow>) -> Self {
        Self {
            statement: acceptance.statement,
            acceptance: acceptance.document,
            person: acceptance.identity,
            accepted_by: acceptance.person_id,
            steps: acceptance.steps,
            record,
        }
    }

    /// Checks every digest, every row, and that the record shows each step, taken by another person where the rules ask
    /// for one.
    ///
    /// # Errors
    /// The first thing that does not fit.
    pub fn verify(&self) -> Result<Proven, NotProven> {
        let terms: Terms = serde_json::from_str(&self.statement).map_err(|_| NotProven::Unreadable("the statement"))?;
        let accepted: Accepted =
            serde_json::from_str(&self.acceptance).map_err(|_| NotProven::Unreadable("the acceptance"))?;
        if accepted.statement_digest != Digest::of(&self.statement) || accepted.points != terms.points {
            return Err(NotProven::Differs("another statement was accepted than the one in this file"));
        }
        if self.person.as_ref().is_some_and(|person| person.commitment() != Some(accepted.person)) {
            return Err(NotProven::Differs("the person in this file is not the one who accepted"));
        }
        let writes = self.recorded()?;
        self.check_acceptance(&accepted, &writes)?;
        for (number, step) in (1..).zip(&self.steps) {
            check_step(number, step, &accepted, &writes, self.person.as_ref())?;
        }
        self.check_nothing_is_left_out(&accepted, &writes)?;
        self.check_approvers_differ()?;
        let opt_in =
            fold(self.accepted_by, &terms, &self.steps).map_err(|error| NotProven::Rules(error.to_string()))?;
        let unopened = self.record.iter().filter(|row| row.actor.is_none()).count();
        Ok(Proven { accepted, standing: opt_in.standing().clone(), rows: self.record.len(), unopened })
    }

    /// Two approvals are of two people, as the record names them too.
    fn check_approvers_differ(&self) -> Result<(), NotProven> {
        let approved = self.steps.iter().filter(|step| step.step == "approved");
        let approvers: Vec<Option<Digest>> = approved.map(|step| step.identity).collect();
        let who = |commitment: Option<Digest>| {
            let mut opened = self.record.iter().filter_map(|row| row.actor.as_ref());
            let identity = opened.find(|identity| identity.commitment() == commitment)?;
            Some((&identity.issuer, &identity.subject))
        };
        let is_twice = approvers.iter().enumerate().any(|(place, one)| {
            approvers[..place].iter().any(|other| one == other || who(*one).is_some_and(|one| who(*other) == Some(one)))
        });
        match is_twice {
            true => Err(NotProven::Differs("the same person approved twice")),
            false => Ok(()),
        }
    }

    /// The intents that succeeded.
    fn recorded(&self) -> Result<Vec<Recorded>, NotProven> {
        let mut intents = Vec::new();
        let mut done = BTreeMap::new();
        let mut last = 0;
        for row in &self.record {
            let changed = NotProven::RowChanged(row.link.sequence);
            // Of two rows in one place only one can be of the record.
            if row.link.sequence <= std::mem::replace(&mut last, row.link.sequence) {
                return Err(changed);
            }
            let entry: Entry = serde_json::from_str(&row.link.entry).map_err(|_| changed.clone())?;
            let is_committed = row.actor.as_ref().is_none_or(|actor| actor.commitment() == Some(entry.actor));
            if !row.link.is_whole() || !is_committed {
                return Err(changed);
            }
            match (entry.phase, entry.intent_id) {
                (Phase::Intent, _) => {
                    let actor = row.actor.as_ref().map(|actor| (actor.issuer.clone(), actor.subject.clone()));
                    intents.push((entry, actor));
                }
                (Phase::Succeeded, Some(intent)) => drop(done.insert(intent, entry.occurred_at)),
                _ => {}
            }
        }
        let succeeded = |(entry, actor): (Entry, _)| {
            let done_at = *done.get(&entry.id)?;
            Some(Recorded { entry, actor, done_at })
        };
        Ok(intents.into_iter().filter_map(succeeded).collect())
    }

    /// A step that the record shows and the file does not was taken out of it.
    fn check_nothing_is_left_out(&self, accepted: &Accepted, writes: &[Recorded]) -> Result<(), NotProven> {
        let id = accepted.id.to_string();
        let of_this = writes.iter().filter(|recorded| recorded.entry.detail["acceptance"] == id);
        let numbers = of_this.filter_map(|recorded| recorded.entry.detail["step"].as_str()?.parse::<usize>().ok());
        match numbers.max().is_some_and(|last| last > self.steps.len()) {
            true => Err(NotProven::Differs("the record shows more steps than this file")),
            false => Ok(()),
        }
    }

    fn check_acceptance(&self, accepted: &Accepted, writes: &[Recorded]) -> Result<(), NotProven> {
        let digest = Digest::of(&self.acceptance).to_string();
        let shows = |recorded: &&Recorded| {
            recorded.entry.action == Action::RiskAccept.code()
                && recorded.entry.detail["acceptance"] == accepted.id.to_string()
                && recorded.entry.detail["digest"] == digest
                && recorded.entry.actor == accepted.person
        };
        writes.iter().find(shows).map(drop).ok_or(NotProven::NotRecorded(0))
    }
}

fn check_step(
    number: usize,
    step: &StepTaken,
    accepted: &Accepted,
    writes: &[Recorded],
    person: Option<&Identity>,
) -> Result<(), NotProven> {
    let actions: &[Action] = match step.step.as_str() {
        "approved" => &[Action::RiskApprove],
        "refused" => &[Action::RiskRefuse],
        "withdrawn" => &[Action::RiskWithdraw],
        "effective" => &[Action::EffectTake],
        "ending" => &[Action::RiskEnd, Action::RiskRevoke],
        _ => &[Action::EffectRemove],
    };
    let number_in_words = number.to_string();
    let shows = |recorded: &&Recorded| {
        actions.iter().any(|action| action.code() == recorded.entry.action)
            && recorded.entry.detail["acceptance"] == accepted.id.to_string()
            && recorded.entry.detail["step"] == number_in_words
            && recorded.entry.detail["comment"] == step.comment
            && recorded.entry.request_id == step.request_id
            && recorded.was_under_way(step.taken_at)
            && (recorded.entry.action == Action::RiskRevoke.code())
                == (step.step == "ending" && step.reason == Some(End::Revoked))
    };
    let recorded = writes.iter().find(shows).ok_or(NotProven::NotRecorded(number))?;
    let is_theirs = match step.identity {
        Some(identity) => recorded.entry.actor == identity,
        // What Fairway does is opened in every file.
        None => {
            let fairway = Profile::fairway();
            recorded.actor.as_ref().is_some_and(|actor| *actor == (fairway.issuer, fairway.subject))
        }
    };
    if !is_theirs || step.identity.is_some() != step.person_id.is_some() {
        return Err(NotProven::AnotherPerson(number));
    }
    let is_decision = matches!(step.step.as_str(), "approved" | "refused");
    let same_subject = recorded
        .actor
        .as_ref()
        .zip(person)
        .is_some_and(|((issuer, subject), person)| (issuer, subject) == (&person.issuer, &person.subject));
    if is_decision && (recorded.entry.actor == accepted.person || same_subject) {
        return Err(NotProven::Differs("the person who accepted decided as well"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::chain::{Head, Link};
    use serde_json::{Value, json};

    fn person(subject: &str) -> Identity {
        let text = |text: &str| text.to_owned();
        let (issuer, salt) = (text("https://idp"), "0a".repeat(32));
        Identity { issuer, subject: text(subject), name: subject.to_uppercase(), email: text("a@example.com"), salt }
    }

    /// Rows of writes that succeeded, each an intent and its outcome.
    fn record(writes: &[(&Identity, Action, Value)]) -> Vec<ExportedRow> {
        let mut end = Head::GENESIS;
        let mut rows = Vec::new();
        for (who, action, detail) in writes {
            let mut intent = None;
            for phase in [Phase::Intent, Phase::Succeeded] {
                let entry = Entry {
                    sequence: end.sequence + 1,
                    id: Uuid::now_v7(),
                    intent_id: intent,
                    phase,
                    actor: who.commitment().unwrap(),
                    action: action.code().into(),
                    object: "PreviewFeature/shop/snippets".into(),
                    detail: if intent.is_none() { detail.clone() } else { json!({}) },
                    request_id: String::new(),
                    occurred_at: Timestamp::UNIX_EPOCH,
                };
                intent = Some(entry.id);
                let link = Link::after(&end, &entry);
                end = Head { sequence: link.sequence, hash: link.hash };
                rows.push(ExportedRow { link, actor: Some((*who).clone()) });
            }
        }
        rows
    }

    /// Dana accepted, and somebody approved.
    fn evidence(approver: &Identity) -> Evidence {
        let terms = Terms::example();
        let dana = person("dana");
        let accepted = Accepted { person: dana.commitment().unwrap(), ..Accepted::example(&terms) };
        let approved = StepTaken {
            step: "approved".into(),
            person_id: Some(Uuid::from_u128(2)),
            identity: approver.commitment(),
            person: None,
            reason: None,
            comment: "fine".into(),
            standing: "approved".into(),
            request_id: String::new(),
            taken_at: Timestamp::UNIX_EPOCH,
        };
        let writes = [
            (&dana, Action::RiskAccept, json!({ "acceptance": accepted.id, "digest": accepted.digest() })),
            (approver, Action::RiskApprove, json!({ "acceptance": accepted.id, "step": "1", "comment": "fine" })),
        ];
        Evidence {
            record: record(&writes),
            statement: terms.document(),
            acceptance: accepted.document(),
            person: Some(dana),
            accepted_by: Uuid::from_u128(1),
            steps: vec![approved],
        }
    }

    #[test]
    fn untouched_evidence_proves_what_it_says_also_when_the_person_was_blanked() {
        let evidence = evidence(&person("ada"));
        let proven = evidence.verify().unwrap();
        assert_eq!((proven.standing, proven.rows), (Standing::Approved, 4));
        assert!(Evidence { person: None, ..evidence }.verify().is_ok());
    }

    #[test]
    fn whatever_is_changed_is_found() {
        let good = evidence(&person("ada"));
        type Change = fn(&mut Evidence);
        let changes: [(&str, Change); 13] = [
            ("statement", |evidence| evidence.statement = evidence.statement.replace("Risky", "Safe")),
            ("justification", |evidence| {
                evidence.acceptance =
                    evidence.acceptance.replace("\"justification\": \"\"", "\"justification\": \"x\"");
            }),
            ("person", |evidence| evidence.person = Some(person("pia"))),
            ("comment", |evidence| evidence.steps[0].comment = "gladly".into()),
            ("time", |evidence| evidence.steps[0].taken_at += SignedDuration::from_hours(24)),
            ("two rows in one place", |evidence| evidence.record.push(evidence.record[3].clone())),
            ("nobody's step", |evidence| (evidence.steps[0].person_id, evidence.steps[0].identity) = (None, None)),
            ("somebody else's step", |evidence| evidence.steps[0].identity = person("grace").commitment()),
            ("further step", |evidence| {
                let effective = StepTaken {
                    step: "effective".into(),
                    person_id: None,
                    identity: None,
                    ..evidence.steps[0].clone()
                };
                evidence.steps.push(effective);
            }),
            ("row", |evidence| {
                evidence.record[2].link.entry = evidence.record[2].link.entry.replace("fine", "good");
            }),
            ("step left out", |evidence| evidence.steps.clear()),
            ("missing outcome", |evidence| drop(evidence.record.pop())),
            ("actor of a row", |evidence| evidence.record[2].actor = Some(person("grace"))),
        ];
        for (what, change) in changes {
            let mut changed = good.clone();
            change(&mut changed);
            assert!(changed.verify().is_err(), "{what}");
        }
    }

    #[test]
    fn a_decision_by_whoever_accepted_is_found_under_another_address_too() {
        let dana = person("dana");
        let renamed = Identity { name: "Other".into(), ..dana.clone() };
        for approver in [dana, renamed] {
            let told = evidence(&approver).verify().unwrap_err();
            assert_eq!(told, NotProven::Differs("the person who accepted decided as well"));
        }
    }
}
