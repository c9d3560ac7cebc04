//! Everything about one acceptance in one file, and checking it with nothing else at hand.

use super::acceptance::{Acceptance, AcceptanceDocument, StepTaken, fold};
use super::opt_in::{EndReason, Status, StepKind};
use super::statement::RiskStatement;
use crate::actor::Profile;
use jiff::{SignedDuration, Timestamp};
use record::{Digest, Entry, Event, ExportedRow, Identity, SucceededWrite, succeeded_writes};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The file: an acceptance, what was accepted, what became of it, and the rows of the record that say so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    /// The exact text of the statement.
    pub statement: String,
    /// The exact text of the acceptance.
    pub acceptance: String,
    /// Who accepted, with the salt of the commitment; null where their details were erased.
    pub person: Option<Identity>,
    /// Who accepted, as the steps name people.
    pub accepted_by: Uuid,
    /// What became of it, in order.
    pub steps: Vec<StepTaken>,
    /// The rows of the record about it.
    pub record: Vec<ExportedRow>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proven {
    pub accepted: AcceptanceDocument,
    /// How it stood at the end.
    pub status: Status,
    /// Rows of the record that were checked. That they are part of the chain is shown by an export of the whole, or by
    /// a published head.
    pub rows: usize,
    /// Rows of them whose actor is known by a commitment only.
    pub unopened: usize,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EvidenceError {
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

/// How far the clocks of the portal's replicas and of the database may be apart.
const CLOCKS: SignedDuration = SignedDuration::from_mins(10);

/// Whether a moment lies between the beginning of a write and its end, as far as clocks agree.
pub(super) fn is_about(begin: Timestamp, end: Timestamp, at: Timestamp) -> bool {
    begin - CLOCKS <= at && at <= end + CLOCKS
}

/// Leaves the actor's details in only if they are these, or Fairway's own: a salt says whose a commitment is,
/// everywhere in the record, and that is for those who read it.
pub fn keep_only_of(row: &mut ExportedRow, known: Option<&Identity>) {
    row.actor.take_if(|actor| Some(&*actor) != known && !is_fairway(actor));
}

fn is_fairway(identity: &Identity) -> bool {
    let fairway = Profile::fairway();
    (&identity.issuer, &identity.subject) == (&fairway.issuer, &fairway.subject)
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
    pub fn verify(&self) -> Result<Proven, EvidenceError> {
        let terms: RiskStatement =
            serde_json::from_str(&self.statement).map_err(|_| EvidenceError::Unreadable("the statement"))?;
        let accepted: AcceptanceDocument =
            serde_json::from_str(&self.acceptance).map_err(|_| EvidenceError::Unreadable("the acceptance"))?;
        if accepted.statement_digest != Digest::of(&self.statement) || accepted.points != terms.points {
            return Err(EvidenceError::Differs("another statement was accepted than the one in this file"));
        }
        if self.person.as_ref().is_some_and(|person| person.commitment() != accepted.person) {
            return Err(EvidenceError::Differs("the person in this file is not the one who accepted"));
        }
        let writes = self.writes()?;
        self.check_acceptance(&accepted, &writes)?;
        for (number, step) in (1..).zip(&self.steps) {
            check_step(number, step, &accepted, &writes, self.person.as_ref())?;
        }
        self.check_nothing_is_left_out(&accepted, &writes)?;
        self.check_approvers_differ()?;
        let opt_in =
            fold(self.accepted_by, &terms, &self.steps).map_err(|error| EvidenceError::Rules(error.to_string()))?;
        let unopened = self.record.iter().filter(|row| row.actor.is_none()).count();
        Ok(Proven { accepted, status: opt_in.status().clone(), rows: self.record.len(), unopened })
    }

    /// Two approvals are of two people, as the record names them too.
    fn check_approvers_differ(&self) -> Result<(), EvidenceError> {
        let approved = self.steps.iter().filter(|step| step.step == StepKind::Approved);
        let approvers: Vec<Option<Digest>> = approved.map(|step| step.identity).collect();
        let who = |commitment: Option<Digest>| {
            let mut opened = self.record.iter().filter_map(|row| row.actor.as_ref());
            let identity = opened.find(|identity| Some(identity.commitment()) == commitment)?;
            Some((&identity.issuer, &identity.subject))
        };
        let is_twice = approvers.iter().enumerate().any(|(place, one)| {
            approvers[..place].iter().any(|other| one == other || who(*one).is_some_and(|one| who(*other) == Some(one)))
        });
        match is_twice {
            true => Err(EvidenceError::Differs("the same person approved twice")),
            false => Ok(()),
        }
    }

    /// The writes that succeeded, from rows that are whole, in order, and of their actors.
    fn writes(&self) -> Result<Vec<SucceededWrite>, EvidenceError> {
        let mut entries: Vec<(Entry, Option<Identity>)> = Vec::new();
        let mut last = 0;
        for ExportedRow { row, actor } in &self.record {
            let changed = EvidenceError::RowChanged(row.sequence);
            // Of two rows in one place only one can be of the record.
            if row.sequence <= std::mem::replace(&mut last, row.sequence) {
                return Err(changed);
            }
            let entry = row.read().map_err(|_| changed.clone())?;
            let is_committed = actor.as_ref().is_none_or(|actor| actor.commitment() == entry.actor);
            if !row.is_whole() || !is_committed {
                return Err(changed);
            }
            entries.push((entry, actor.clone()));
        }
        succeeded_writes(entries).map_err(|_| EvidenceError::Unreadable("a row of the record"))
    }

    /// A step that the record shows and the file does not was taken out of it.
    fn check_nothing_is_left_out(
        &self,
        accepted: &AcceptanceDocument,
        writes: &[SucceededWrite],
    ) -> Result<(), EvidenceError> {
        let steps = writes.iter().filter_map(|write| write.event.step());
        let of_this = steps.filter(|step| step.opt_in.acceptance == accepted.id);
        match of_this.map(|step| step.number).max().is_some_and(|last| last > self.steps.len()) {
            true => Err(EvidenceError::Differs("the record shows more steps than this file")),
            false => Ok(()),
        }
    }

    fn check_acceptance(&self, accepted: &AcceptanceDocument, writes: &[SucceededWrite]) -> Result<(), EvidenceError> {
        let digest = Digest::of(&self.acceptance);
        let shows = |write: &SucceededWrite| {
            let is_it = matches!(&write.event, Event::RiskAccept { opt_in, digest: recorded, .. }
                if opt_in.acceptance == accepted.id && *recorded == digest);
            is_it && write.actor == accepted.person
        };
        match writes.iter().any(shows) {
            true => Ok(()),
            false => Err(EvidenceError::NotRecorded(0)),
        }
    }
}

fn check_step(
    number: usize,
    step: &StepTaken,
    accepted: &AcceptanceDocument,
    writes: &[SucceededWrite],
    person: Option<&Identity>,
) -> Result<(), EvidenceError> {
    let shows = |write: &&SucceededWrite| {
        let is_it = write.event.step().is_some_and(|recorded| {
            recorded.opt_in.acceptance == accepted.id && recorded.number == number && recorded.comment == step.comment
        });
        is_it
            && is_event_of(&write.event, step)
            && write.request_id == step.request_id
            && is_about(write.began_at, write.ended_at, step.taken_at)
    };
    let write = writes.iter().find(shows).ok_or(EvidenceError::NotRecorded(number))?;
    let is_theirs = match step.identity {
        Some(identity) => write.actor == identity,
        // What Fairway does is opened in every file.
        None => write.identity.as_ref().is_some_and(is_fairway),
    };
    if !is_theirs || step.identity.is_some() != step.person_id.is_some() {
        return Err(EvidenceError::AnotherPerson(number));
    }
    let is_decision = matches!(step.step, StepKind::Approved | StepKind::Refused);
    let is_same_person = write.identity.as_ref().zip(person).is_some_and(|(one, other)| one.is_same_person(other));
    if is_decision && (write.actor == accepted.person || is_same_person) {
        return Err(EvidenceError::Differs("the person who accepted decided as well"));
    }
    Ok(())
}

/// Whether an event records a step of this kind; what a person ended is told apart from what ended by itself.
fn is_event_of(event: &Event, step: &StepTaken) -> bool {
    match step.step {
        StepKind::Approved => matches!(event, Event::RiskApprove(_)),
        StepKind::Refused => matches!(event, Event::RiskRefuse(_)),
        StepKind::Withdrawn => matches!(event, Event::RiskWithdraw(_)),
        StepKind::Effective => matches!(event, Event::EffectTake(_)),
        StepKind::Ending if step.reason == Some(EndReason::Revoked) => matches!(event, Event::RiskRevoke(_)),
        StepKind::Ending => matches!(event, Event::RiskEnd(_)),
        StepKind::Ended => matches!(event, Event::EffectRemove(_)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use record::{Head, OptInStep, Phase, Row, StatusKind};
    use serde_json::Value;

    fn person(subject: &str) -> Identity {
        let text = |text: &str| text.to_owned();
        let (issuer, salt) = (text("https://idp"), [10; 32]);
        Identity { issuer, subject: text(subject), name: subject.to_uppercase(), email: text("a@example.com"), salt }
    }

    /// Rows of writes that succeeded, each an intent and its outcome.
    fn record(writes: &[(&Identity, Event)]) -> Vec<ExportedRow> {
        let mut end = Head::GENESIS;
        let mut rows = Vec::new();
        for (who, event) in writes {
            let mut intent_id = None;
            for phase in [Phase::Intent, Phase::Succeeded] {
                let entry = Entry {
                    sequence: end.sequence + 1,
                    format: Entry::FORMAT,
                    id: Uuid::now_v7(),
                    intent_id,
                    phase,
                    actor: who.commitment(),
                    action: String::new(),
                    object: event.object(),
                    detail: Value::Null,
                    failure: None,
                    request_id: String::new(),
                    occurred_at: Timestamp::UNIX_EPOCH,
                };
                intent_id = Some(entry.id);
                let row = Row::after(&end, &entry.with_event(event));
                end = Head { sequence: row.sequence, hash: row.hash };
                rows.push(ExportedRow { row, actor: Some((*who).clone()) });
            }
        }
        rows
    }

    /// Dana accepted, and somebody approved.
    fn evidence(approver: &Identity) -> Evidence {
        let terms = RiskStatement::example();
        let dana = person("dana");
        let accepted = AcceptanceDocument { person: dana.commitment(), ..AcceptanceDocument::example(&terms) };
        let approved = StepTaken {
            step: StepKind::Approved,
            person_id: Some(Uuid::from_u128(2)),
            identity: Some(approver.commitment()),
            person: None,
            reason: None,
            comment: "fine".into(),
            status: StatusKind::Approved,
            request_id: String::new(),
            taken_at: Timestamp::UNIX_EPOCH,
        };
        let (opt_in, digest) = (accepted.opt_in_ref(), accepted.digest());
        let step = OptInStep { opt_in: opt_in.clone(), digest, number: 1, comment: "fine".into() };
        let statement = terms.digest();
        let writes = [
            (&dana, Event::RiskAccept { opt_in, digest, version: 1, statement }),
            (approver, Event::RiskApprove(step)),
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
    fn untouched_evidence_proves_what_it_says_also_when_the_person_was_erased() {
        let evidence = evidence(&person("ada"));
        let proven = evidence.verify().unwrap();
        assert_eq!((proven.status, proven.rows), (Status::Approved, 4));
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
            ("somebody else's step", |evidence| evidence.steps[0].identity = Some(person("grace").commitment())),
            ("further step", |evidence| {
                let effective = StepTaken {
                    step: StepKind::Effective,
                    person_id: None,
                    identity: None,
                    ..evidence.steps[0].clone()
                };
                evidence.steps.push(effective);
            }),
            ("row", |evidence| {
                evidence.record[2].row.entry = evidence.record[2].row.entry.replace("fine", "good");
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
            assert_eq!(told, EvidenceError::Differs("the person who accepted decided as well"));
        }
    }
}
