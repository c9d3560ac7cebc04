//! What was submitted, and what the cluster made of it.

use super::forms::DraftForm;
use crate::digest::Digest;
use jiff::Timestamp;
use serde_json::Value;
use uuid::Uuid;

/// A draft of the wizard.
pub struct Draft {
    /// Its id.
    pub id: Uuid,
    /// What was typed so far.
    pub form: DraftForm,
    /// When it was last saved.
    pub updated_at: Timestamp,
}

/// Frozen bytes, with the verdicts on them.
pub struct Submission {
    /// Its id.
    pub id: Uuid,
    /// Who submitted it.
    pub author_id: Uuid,
    /// Their name.
    pub author_name: String,
    /// Where it went.
    pub namespace: String,
    /// The workload's name.
    pub name: String,
    /// Exactly what was applied.
    pub manifest: String,
    /// Of the manifest.
    pub digest: Digest,
    /// The review's findings.
    pub report: Value,
    /// The server's verdicts.
    pub dry_run: Value,
    /// When.
    pub created_at: Timestamp,
}

/// A line of the list.
pub struct SubmissionSummary {
    /// Its id.
    pub id: Uuid,
    /// Who submitted it.
    pub author_name: String,
    /// Where it went.
    pub namespace: String,
    /// The workload's name.
    pub name: String,
    /// When.
    pub created_at: Timestamp,
    /// What became of its objects, in order; empty where nothing is known.
    pub outcomes: Vec<ApplyOutcome>,
}

/// What became of one object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum ApplyOutcome {
    /// The cluster has it.
    Applied,
    /// The cluster said no.
    Refused,
    /// Another manager owns fields of it.
    Conflict,
    /// Not sent, or sent without an answer.
    Failed,
}

impl ApplyOutcome {
    /// The worst of several, which is what became of the whole; `None` where nothing is known.
    #[must_use]
    pub fn of_all(outcomes: &[Self]) -> Option<Self> {
        let gravity = |outcome: &Self| match outcome {
            Self::Applied => 0,
            Self::Conflict => 1,
            Self::Refused => 2,
            Self::Failed => 3,
        };
        outcomes.iter().copied().max_by_key(gravity)
    }
}

/// What the cluster said about one object.
pub struct ApplyResult {
    /// `Kind/namespace/name`.
    pub object: String,
    /// What became of it.
    pub outcome: ApplyOutcome,
    /// In the cluster's words.
    pub message: String,
    /// The version it has now.
    pub resource_version: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_object_that_was_not_applied_decides_about_the_whole() {
        use ApplyOutcome::{Applied, Conflict, Failed};
        assert_eq!(ApplyOutcome::of_all(&[Applied, Conflict]), Some(Conflict));
        assert_eq!(ApplyOutcome::of_all(&[Conflict, Failed, Applied]), Some(Failed));
        assert_eq!(ApplyOutcome::of_all(&[]), None);
    }
}
