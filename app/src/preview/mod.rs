//! Preview features: their risks, who accepted them for which scope, and who approved.

#[cfg(feature = "ssr")]
pub mod api;
#[cfg(feature = "ssr")]
pub mod page;
#[cfg(feature = "ssr")]
pub mod store;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

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

/// SHA-256 of exactly what a person reads: the body, then each point on a line of its own.
#[must_use]
pub fn statement_digest(body: &str, points: &[String]) -> [u8; 32] {
    Sha256::digest(format!("{body}\n{}", points.join("\n"))).into()
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
