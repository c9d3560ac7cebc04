//! Preview features: their risks, who accepted them for which scope, and who approved.

pub mod api;
pub mod page;
pub mod store;

use crate::digest::Digest;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A feature with the current version of its risk statement.
#[derive(Debug, Clone)]
pub struct Feature {
    /// In the address.
    pub slug: String,
    /// Its name.
    pub name: String,
    /// What it is for.
    pub purpose: String,
    /// Where it is documented.
    pub documentation_url: Option<String>,
    /// The current statement.
    pub statement_id: Uuid,
    /// Its version, from 1.
    pub version: i32,
    /// Its text, Markdown.
    pub body: String,
    /// What must be confirmed, one by one.
    pub points: Vec<String>,
    /// Of text and points.
    pub digest: Digest,
}

/// An acceptance as pages show it.
#[derive(Debug, Clone)]
pub struct Acceptance {
    /// Its id.
    pub id: Uuid,
    /// The feature.
    pub feature_slug: String,
    /// Its name.
    pub feature_name: String,
    /// Version of the statement accepted.
    pub version: i32,
    /// Of the statement accepted.
    pub digest: Digest,
    /// Who accepted.
    pub person_id: Uuid,
    /// Their name then.
    pub person_name: String,
    /// Their address then.
    pub person_email: String,
    /// For which namespace.
    pub namespace: String,
    /// Why they want it.
    pub justification: String,
    /// When.
    pub accepted_at: Timestamp,
    /// How it stands.
    pub standing: Standing,
    /// Who decided.
    pub decided_by: Option<String>,
    /// What they said.
    pub comment: Option<String>,
    /// When they decided.
    pub decided_at: Option<Timestamp>,
}

/// How an acceptance stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Standing {
    /// Accepted, waiting for a second person.
    Waiting,
    /// Approved.
    Approved,
    /// Refused.
    Refused,
}

impl Standing {
    /// From the stored verdict of its decision, if there is one.
    #[must_use]
    pub fn from_verdict(verdict: Option<&str>) -> Self {
        match verdict {
            Some("approved") => Self::Approved,
            Some(_) => Self::Refused,
            None => Self::Waiting,
        }
    }
}

/// What an administrator decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// The feature may be used.
    Approve,
    /// It may not.
    Refuse,
}

impl Verdict {
    /// As stored.
    #[must_use]
    pub fn stored(self) -> &'static str {
        match self {
            Self::Approve => "approved",
            Self::Refuse => "refused",
        }
    }
}

/// Of exactly what a person reads: the body, then each point on a line of its own.
#[must_use]
pub fn statement_digest(body: &str, points: &[String]) -> Digest {
    Digest::of(format!("{body}\n{}", points.join("\n")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_text_or_another_point_is_another_digest() {
        let points = vec!["a".to_owned(), "b".to_owned()];
        let digest = statement_digest("text", &points);
        assert_ne!(digest, statement_digest("text.", &points));
        assert_ne!(digest, statement_digest("text", &points[..1]));
    }
}
