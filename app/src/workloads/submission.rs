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
    /// What became of its objects, in order.
    pub results: Vec<ApplyResult>,
    /// What became of it as a whole.
    pub outcome: SubmissionOutcome,
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
    /// What became of it.
    pub outcome: SubmissionOutcome,
}

/// What became of a submission.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SubmissionOutcome {
    /// The cluster has all of it.
    Applied,
    /// An object was not applied, and those after it were not sent.
    Stopped(ApplyOutcome),
    /// Fairway was interrupted: perhaps all of it was applied, perhaps only some.
    Unknown,
}

impl SubmissionOutcome {
    /// From what is known of its objects. `succeeded` says whether the record holds that the whole apply
    /// went well: rows alone do not show that none is missing.
    #[must_use]
    pub fn new(objects: &[ApplyOutcome], succeeded: bool) -> Self {
        match objects.iter().find(|outcome| **outcome != ApplyOutcome::Applied) {
            Some(outcome) => Self::Stopped(*outcome),
            None if succeeded => Self::Applied,
            None => Self::Unknown,
        }
    }
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
    fn only_a_recorded_success_counts_as_applied() {
        use ApplyOutcome::{Applied, Conflict};
        assert_eq!(SubmissionOutcome::new(&[Applied, Applied], true), SubmissionOutcome::Applied);
        assert_eq!(SubmissionOutcome::new(&[Applied], false), SubmissionOutcome::Unknown);
        assert_eq!(SubmissionOutcome::new(&[], false), SubmissionOutcome::Unknown);
        assert_eq!(SubmissionOutcome::new(&[Applied, Conflict], false), SubmissionOutcome::Stopped(Conflict));
    }
}
