//! The record of every write: intent before, outcome after, each row chained to the one before it.

pub mod api;
pub mod page;
pub mod store;

pub use api::audited;

use crate::digest::Digest;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

/// What was done. Closed: a new kind of write is a new entry here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Action {
    /// Someone signed in.
    SignIn,
    /// Someone signed out.
    SignOut,
    /// A namespace was asked for.
    NamespaceCreate,
    /// A reviewed workload was submitted, to be applied or to be looked at.
    WorkloadSubmit,
    /// A second person approved, refused, or asked for changes.
    WorkloadReview,
    /// Somebody commented on a submission.
    WorkloadComment,
    /// A reviewed workload was applied.
    WorkloadApply,
    /// The risks of a preview feature were accepted.
    RiskAccept,
    /// An acceptance was approved or refused.
    RiskDecide,
    /// A preview feature, or a new version of its risk statement, was published.
    FeaturePublish,
}

impl Action {
    /// As stored.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::SignIn => "session.sign_in",
            Self::SignOut => "session.sign_out",
            Self::NamespaceCreate => "namespace.create",
            Self::WorkloadSubmit => "workload.submit",
            Self::WorkloadReview => "workload.review",
            Self::WorkloadComment => "workload.comment",
            Self::WorkloadApply => "workload.apply",
            Self::RiskAccept => "preview_feature.accept_risk",
            Self::RiskDecide => "preview_feature.decide",
            Self::FeaturePublish => "preview_feature.publish",
        }
    }
}

/// How far a write has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// About to be made.
    Intent,
    /// Made.
    Succeeded,
    /// Not made: somebody or something said no.
    Refused,
    /// Not made: something was away, or is broken.
    Failed,
    /// Perhaps made: the connection broke before there was an answer.
    Unknown,
}

impl Phase {
    /// As stored.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Intent => "intent",
            Self::Succeeded => "succeeded",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
        }
    }
}

/// A write as the page shows it: the intent, and its outcome where there is one.
pub struct Write {
    /// Place of the intent in the chain; the key for paging.
    pub sequence: i64,
    /// Who.
    pub actor_name: String,
    /// Who, to write to.
    pub actor_email: String,
    /// An [`Action`] as stored.
    pub action: String,
    /// To what.
    pub object: String,
    /// The outcome's [`Phase`], or nothing while it is unknown.
    pub outcome: Option<String>,
    /// The intent's detail.
    pub detail: Value,
    /// Ties it to the log.
    pub request_id: String,
    /// When it began.
    pub occurred_at: Timestamp,
}

/// One row of the record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Place in the chain, from 1.
    pub sequence: i64,
    /// Its id.
    pub id: Uuid,
    /// The intent that this is the outcome of.
    pub intent_id: Option<Uuid>,
    /// A [`Phase`] as stored.
    pub phase: String,
    /// Who: `iss`.
    pub actor_issuer: String,
    /// Who: `sub`.
    pub actor_subject: String,
    /// Who, in words.
    pub actor_name: String,
    /// Who, to write to.
    pub actor_email: String,
    /// An [`Action`] as stored.
    pub action: String,
    /// To what: `Kind/namespace/name`.
    pub object: String,
    /// More about it; strings only, so that it reads back the same from the database.
    pub detail: Value,
    /// Ties it to the log.
    pub request_id: String,
    /// When, to the microsecond.
    pub occurred_at: Timestamp,
}

/// The hash before the first row.
pub const GENESIS: Digest = Digest::ZERO;

impl Event {
    /// The hash of this row, chained to the row before: SHA-256 over the earlier hash and a JSON array
    /// of the fields in the order of the struct, keys of `detail` sorted, the time in microseconds.
    #[must_use]
    pub fn hash(&self, previous: &Digest) -> Digest {
        let fields = json!([
            self.sequence,
            self.id,
            self.intent_id,
            self.phase,
            self.actor_issuer,
            self.actor_subject,
            self.actor_name,
            self.actor_email,
            self.action,
            self.object,
            sorted(&self.detail),
            self.request_id,
            self.occurred_at.as_microsecond(),
        ]);
        Digest::of([previous.as_bytes(), fields.to_string().as_bytes()].concat())
    }
}

fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let mut entries: Vec<_> = fields.iter().collect();
            entries.sort_by_key(|(key, _)| key.as_str());
            Value::Object(entries.into_iter().map(|(key, value)| (key.clone(), sorted(value))).collect())
        }
        Value::Array(items) => items.iter().map(sorted).collect(),
        other => other.clone(),
    }
}

/// Where a chain breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ChainError {
    /// A row is missing, or out of order.
    #[error("row {expected} is missing or out of order (found {found})")]
    Gap {
        /// The sequence that should come.
        expected: i64,
        /// The sequence that came.
        found: i64,
    },
    /// A row does not match its own hash, or the hash before it.
    #[error("row {sequence} was changed, or the row before it was")]
    Changed {
        /// Which row.
        sequence: i64,
    },
}

/// Checks rows one after the other.
#[derive(Debug, Clone)]
pub struct ChainVerifier {
    next: i64,
    hash: Digest,
}

impl Default for ChainVerifier {
    fn default() -> Self {
        Self { next: 1, hash: GENESIS }
    }
}

impl ChainVerifier {
    /// Takes the next row with the two hashes stored beside it.
    ///
    /// # Errors
    /// Where the chain breaks.
    pub fn accept(&mut self, event: &Event, previous: &Digest, hash: &Digest) -> Result<(), ChainError> {
        if event.sequence != self.next {
            return Err(ChainError::Gap { expected: self.next, found: event.sequence });
        }
        let computed = event.hash(&self.hash);
        if *previous != self.hash || *hash != computed {
            return Err(ChainError::Changed { sequence: event.sequence });
        }
        self.next += 1;
        self.hash = computed;
        Ok(())
    }

    /// How many rows were accepted.
    #[must_use]
    pub fn accepted(&self) -> i64 {
        self.next - 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(sequence: i64) -> Event {
        Event {
            sequence,
            id: Uuid::from_u128(sequence.unsigned_abs().into()),
            intent_id: None,
            phase: Phase::Succeeded.code().into(),
            actor_issuer: "https://idp".into(),
            actor_subject: "1".into(),
            actor_name: "Robin".into(),
            actor_email: "robin@example.com".into(),
            action: Action::SignIn.code().into(),
            object: "Session//".into(),
            detail: json!({"b": "2", "a": "1"}),
            request_id: String::new(),
            occurred_at: Timestamp::UNIX_EPOCH,
        }
    }

    fn chain(length: i64) -> Vec<(Event, Digest, Digest)> {
        let mut previous = GENESIS;
        (1..=length)
            .map(|sequence| {
                let event = event(sequence);
                let hash = event.hash(&previous);
                (event, std::mem::replace(&mut previous, hash), hash)
            })
            .collect()
    }

    fn verify(rows: &[(Event, Digest, Digest)]) -> Result<i64, ChainError> {
        let mut verifier = ChainVerifier::default();
        for (event, previous, hash) in rows {
            verifier.accept(event, previous, hash)?;
        }
        Ok(verifier.accepted())
    }

    #[test]
    fn an_untouched_chain_holds() {
        assert_eq!(verify(&chain(5)), Ok(5));
    }

    #[test]
    fn a_changed_row_is_found_even_when_its_own_hash_was_made_anew() {
        let mut rows = chain(5);
        rows[2].0.object = "Namespace//other".into();
        assert_eq!(verify(&rows), Err(ChainError::Changed { sequence: 3 }));
        rows[2].2 = rows[2].0.hash(&rows[2].1);
        assert_eq!(verify(&rows), Err(ChainError::Changed { sequence: 4 }));
    }

    #[test]
    fn a_removed_or_moved_row_is_found() {
        let mut rows = chain(5);
        rows.remove(1);
        assert_eq!(verify(&rows), Err(ChainError::Gap { expected: 2, found: 3 }));
        let mut rows = chain(5);
        rows.swap(1, 2);
        assert_eq!(verify(&rows), Err(ChainError::Gap { expected: 2, found: 3 }));
    }

    #[test]
    fn the_order_of_keys_in_the_detail_does_not_matter() {
        let mut other = event(1);
        other.detail = json!({"a": "1", "b": "2"});
        assert_eq!(event(1).hash(&GENESIS), other.hash(&GENESIS));
    }
}
