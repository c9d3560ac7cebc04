use crate::event::{Event, EventError};
use crate::object::ObjectRef;
use crate::values::named_values;
use crate::{Digest, UnknownValue};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt;
use std::str::FromStr;
use uuid::Uuid;

named_values! {
    /// How far a write has come.
    Phase {
        /// About to be made.
        Intent = "intent",
        Succeeded = "succeeded",
        /// Not made: somebody or something said no.
        Refused = "refused",
        /// Not made: something is unavailable, or broken.
        Failed = "failed",
        /// Perhaps made: the connection broke before there was an answer.
        Unknown = "unknown",
    }
}

/// What one row says. Written as JSON, with its fields in this order: that text is what is hashed and stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Place in the chain, from 1.
    pub sequence: i64,
    /// [`Entry::FORMAT`].
    pub format: u16,
    pub id: Uuid,
    /// The intent that this is the outcome of.
    pub intent_id: Option<Uuid>,
    pub phase: Phase,
    /// The commitment of an identity.
    pub actor: Digest,
    /// The name of an [`Action`](crate::Action). One that is not known stays readable.
    pub action: String,
    pub object: ObjectRef,
    /// The fields of the event.
    pub detail: Value,
    /// Why it was not made.
    pub failure: Option<Failure>,
    /// Ties it to the log.
    pub request_id: String,
    /// To the microsecond, in UTC; never before the row before.
    pub occurred_at: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Failure {
    /// Stable.
    pub code: String,
    /// What the person was told, without their details; empty where the code says it all.
    pub message: String,
}

impl Entry {
    /// The version of the fields of an entry.
    pub const FORMAT: u16 = 1;

    /// Replaces action, object and detail by those of an event.
    #[must_use]
    pub fn with_event(self, event: &Event) -> Self {
        Self { action: event.action().as_str().to_owned(), object: event.object(), detail: event.detail(), ..self }
    }

    /// # Errors
    /// Where the action is not known, or does not have these fields.
    pub fn event(&self) -> Result<Event, EventError> {
        Event::from_parts(&self.action, &self.detail)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// Place of the last row; 0 where there is none.
    pub sequence: i64,
    pub hash: Digest,
}

impl Head {
    /// Before the first row.
    pub const GENESIS: Self = Self { sequence: 0, hash: Digest::ZERO };
}

/// As it is published: `7 e3b0...`.
impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.sequence, self.hash)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a head is the number of a row, a space, and the row's hash")]
pub struct HeadError;

impl FromStr for Head {
    type Err = HeadError;

    fn from_str(text: &str) -> Result<Self, HeadError> {
        let (sequence, hash) = text.trim().split_once(' ').ok_or(HeadError)?;
        let sequence = sequence.parse().map_err(|_| HeadError)?;
        Ok(Self { sequence, hash: hash.trim().parse().map_err(|_| HeadError)? })
    }
}

/// A row as it is stored: its exact text between two hashes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    pub sequence: i64,
    /// An [`Entry`] as text.
    pub entry: String,
    pub previous_hash: Digest,
    /// SHA-256 over the 32 bytes of the hash before, and the text.
    pub hash: Digest,
}

impl Row {
    /// The next row after `end`.
    #[must_use]
    pub fn after(end: &Head, entry: &Entry) -> Self {
        // Serializing a struct of plain values cannot fail.
        let text = serde_json::to_string(entry).unwrap_or_default();
        let hash = Digest::of_both(end.hash.as_bytes(), text.as_bytes());
        Self { sequence: entry.sequence, entry: text, previous_hash: end.hash, hash }
    }

    /// # Errors
    /// Where the text is no entry.
    pub fn read(&self) -> serde_json::Result<Entry> {
        serde_json::from_str(&self.entry)
    }

    /// Whether its hash is that of its text and the hash before, and the text is of this place.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        let begins_with_its_place = self
            .entry
            .strip_prefix("{\"sequence\":")
            .and_then(|rest| rest.split_once(','))
            .is_some_and(|(place, _)| place.parse() == Ok(self.sequence));
        begins_with_its_place && self.hash == Digest::of_both(self.previous_hash.as_bytes(), self.entry.as_bytes())
    }
}
