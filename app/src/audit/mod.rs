//! The record of every write: what it is about, how it ended, and who may read it. The library `record` says what a row
//! is; this area writes, finds, exports and publishes rows.

pub mod controls;
mod errors;
mod file_format;
pub mod handlers;
pub mod pages;
mod service;
mod store;

pub use file_format::FileFormat;
pub use service::{
    FilterForm, Intent, RecordActor, commitment_to, commitment_within, commitments_of, details_of, publish_head,
    record_event, record_event_in, record_refusal, record_refused_sign_in, rows_of_acceptance, settle, without_name,
};
pub use store::{
    FalseRow, IdentityColumns, StoredIdentity, erase_person, find_false_identity, find_false_row, hold_person,
    is_recorded, list_identities, stream_chain, stream_rows, written_end,
};

/// Of the tests of the store, which need the database that the server's tests have.
#[doc(hidden)]
pub mod store_in_tests {
    pub use super::store::*;
}

use jiff::Timestamp;
use record::{Action, Failure, ObjectRef, Phase};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// How a write ended, as far as the record knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Succeeded,
    Refused,
    Failed,
    /// Recorded as unknown, or never recorded at all.
    Unknown,
}

impl Outcome {
    /// From the phase of the row that ends a write, if there is one.
    #[must_use]
    pub fn from_phase(phase: Option<Phase>) -> Self {
        match phase {
            Some(Phase::Succeeded) => Self::Succeeded,
            Some(Phase::Refused) => Self::Refused,
            Some(Phase::Failed) => Self::Failed,
            Some(Phase::Unknown | Phase::Intent) | None => Self::Unknown,
        }
    }

    #[must_use]
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Succeeded => "Succeeded",
            Self::Refused => "Refused",
            Self::Failed => "Failed",
            Self::Unknown => "Unknown",
        }
    }
}

/// A write as pages show it: the row that began it, and how it ended.
#[derive(Debug, Clone)]
pub struct Write {
    /// Place in the chain; the key for paging.
    pub sequence: i64,
    /// Nothing where their details were erased.
    pub actor: Option<Person>,
    /// The name of an [`Action`]. One that is not known stays readable.
    pub action: String,
    pub object: ObjectRef,
    pub outcome: Outcome,
    /// The fields of the event; of the outcome's where that says more.
    pub detail: Value,
    pub failure: Option<Failure>,
    pub request_id: String,
    pub occurred_at: Timestamp,
}

/// As they were when they acted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    pub name: String,
    pub email: String,
}

/// Where the record is kept outside of the database.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RecordSettings {
    /// Where the head of the chain is written once a day; nowhere if not set.
    pub heads_in: Option<HeadConfigMap>,
}

/// A ConfigMap that only the portal's account may write to, and whose history the cluster's own audit log keeps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeadConfigMap {
    pub namespace: String,
    pub config_map: String,
}

/// Which writes are evidence for something: those of any of these actions, and those to any object of these names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EvidenceFilter {
    pub actions: Vec<Action>,
    pub names: Vec<String>,
}

/// Which writes are asked for; what is empty asks for all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Part of a name or an address, or a whole subject.
    pub person: String,
    pub action: Option<Action>,
    /// The name or id of an object, or the namespace, team or environment that it belongs to.
    pub object: String,
    pub evidence: Option<EvidenceFilter>,
    /// The reference that people were shown.
    pub reference: String,
    pub from: Option<Timestamp>,
    /// Exclusive.
    pub until: Option<Timestamp>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_whose_outcome_was_never_recorded_is_no_success() {
        assert_eq!(Outcome::from_phase(None), Outcome::Unknown);
        assert_eq!(Outcome::from_phase(Some(Phase::Unknown)), Outcome::Unknown);
    }
}
