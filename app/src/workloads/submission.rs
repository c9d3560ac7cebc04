//! What was submitted, what a second person said of it, and what the cluster made of it.

use crate::ports::FieldConflict;
use jiff::Timestamp;
use record::{Digest, ReviewVerdict, SubmissionRef};
use serde_json::Value;
use uuid::Uuid;

/// Frozen bytes, with the verdicts on them.
pub struct Submission {
    pub id: Uuid,
    pub author_id: Uuid,
    /// Everyone who wrote it: none of them reviews it.
    pub contributors: Vec<Uuid>,
    pub author_name: String,
    /// The draft it was made of, which may be gone.
    pub draft_id: Uuid,
    /// Which version of the draft.
    pub draft_version: i32,
    pub namespace: String,
    pub name: String,
    /// Exactly what is applied.
    pub manifest: String,
    /// Of the manifest.
    pub digest: Digest,
    pub report: Value,
    pub dry_run: Value,
    /// Why a second person must approve it; none where nobody must.
    pub second_person: Vec<String>,
    pub created_at: Timestamp,
    /// What became of its objects, in order.
    pub results: Vec<ApplyResult>,
    /// What reviewers said, in order.
    pub reviews: Vec<Review>,
    /// Comments on its lines, in order.
    pub comments: Vec<Comment>,
    /// How far it has come.
    pub state: SubmissionState,
}

impl Submission {
    /// How the record names it.
    #[must_use]
    pub fn submission_ref(&self) -> SubmissionRef {
        SubmissionRef { id: self.id, namespace: self.namespace.clone(), name: self.name.clone() }
    }
}

/// A line of the list.
pub struct SubmissionSummary {
    pub id: Uuid,
    pub author_name: String,
    pub namespace: String,
    pub name: String,
    pub created_at: Timestamp,
    /// How far it has come.
    pub state: SubmissionState,
}

/// What a reviewer said of a submission.
pub struct Review {
    /// Which the record of an apply names.
    pub id: i64,
    pub reviewer_id: Uuid,
    pub reviewer_name: String,
    pub verdict: ReviewVerdict,
    pub comment: String,
    pub decided_at: Timestamp,
}

/// What a reviewer said of an earlier submission.
pub struct EarlierReview {
    pub submission: Uuid,
    /// Whether it was of these very bytes.
    pub is_same: bool,
    pub review: Review,
}

/// A comment on a submission.
pub struct Comment {
    pub author_name: String,
    /// On which line of the manifest, from 1; nothing for the whole.
    pub line: Option<i32>,
    pub body: String,
    pub written_at: Timestamp,
}

/// How far a submission has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SubmissionState {
    /// A second person must look at it.
    Waiting,
    /// It may be applied: approved, or nobody need look.
    Ready,
    /// A second person said no.
    Refused,
    /// A second person wants something changed.
    ChangesRequested,
    /// A later submission of the same draft stands in its place.
    Replaced,
    /// The cluster has all of it.
    Applied,
    /// An object was not applied, and those after it were not sent.
    Stopped(ApplyOutcome),
    /// Fairway was interrupted: perhaps all of it was applied, perhaps only some.
    Unknown,
}

/// What is known of a submission beside its bytes.
#[derive(Debug, Clone, Default)]
pub struct Progress {
    /// What became of its objects.
    pub objects: Vec<ApplyOutcome>,
    /// Whether an apply was ever begun.
    pub begun: bool,
    /// Whether a whole apply went well: what became of its objects alone does not show that none is missing.
    pub succeeded: bool,
    /// Whether a second person must approve it.
    pub needs_second_person: bool,
    pub verdict: Option<ReviewVerdict>,
    /// Whether the same draft was submitted again.
    pub replaced: bool,
}

impl SubmissionState {
    /// From what is known.
    #[must_use]
    pub fn new(progress: &Progress) -> Self {
        match progress.verdict {
            _ if progress.succeeded => return Self::Applied,
            _ if progress.replaced => return Self::Replaced,
            Some(ReviewVerdict::Refused) => return Self::Refused,
            Some(ReviewVerdict::ChangesRequested) => return Self::ChangesRequested,
            None if progress.needs_second_person => return Self::Waiting,
            Some(ReviewVerdict::Approved) | None => {}
        }
        // The latest apply comes last, and stops at the first object that is not applied.
        match progress.objects.last() {
            Some(outcome) if *outcome != ApplyOutcome::Applied => Self::Stopped(*outcome),
            Some(_) => Self::Unknown,
            None if progress.begun => Self::Unknown,
            None => Self::Ready,
        }
    }

    /// Whether its bytes may be sent to the cluster, for the first time or again.
    #[must_use]
    pub fn may_apply(self) -> bool {
        matches!(self, Self::Ready | Self::Stopped(_) | Self::Unknown)
    }
}

/// What became of one object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum ApplyOutcome {
    Applied,
    Refused,
    /// Another manager owns fields of it.
    Conflict,
    /// Not sent, or sent without an answer.
    Failed,
}

/// What the cluster said about one object.
#[derive(Debug, Clone)]
pub struct ApplyResult {
    /// `Kind/namespace/name`.
    pub object: String,
    pub outcome: ApplyOutcome,
    /// In the cluster's words.
    pub message: String,
    /// Fields that others manage.
    pub conflicts: Vec<FieldConflict>,
    /// The version it has now.
    pub resource_version: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use ApplyOutcome::{Applied, Conflict};

    fn state(progress: Progress) -> SubmissionState {
        SubmissionState::new(&progress)
    }

    #[test]
    fn only_a_recorded_success_counts_as_applied() {
        let begun = Progress { begun: true, ..Progress::default() };
        assert_eq!(
            state(Progress { objects: vec![Applied, Applied], succeeded: true, ..begun.clone() }),
            SubmissionState::Applied
        );
        assert_eq!(state(Progress { objects: vec![Applied], ..begun.clone() }), SubmissionState::Unknown);
        assert_eq!(state(begun.clone()), SubmissionState::Unknown);
        assert_eq!(state(Progress { objects: vec![Applied, Conflict], ..begun }), SubmissionState::Stopped(Conflict));
    }

    #[test]
    fn what_needs_a_second_person_waits_until_one_approves_it() {
        let waiting = Progress { needs_second_person: true, ..Progress::default() };
        assert_eq!(state(waiting.clone()), SubmissionState::Waiting);
        let said = |verdict| state(Progress { verdict: Some(verdict), ..waiting.clone() });
        assert_eq!(said(ReviewVerdict::Approved), SubmissionState::Ready);
        assert_eq!(said(ReviewVerdict::Refused), SubmissionState::Refused);
        assert_eq!(said(ReviewVerdict::ChangesRequested), SubmissionState::ChangesRequested);
        assert!(!SubmissionState::Waiting.may_apply() && !SubmissionState::Refused.may_apply());
    }

    #[test]
    fn an_approval_is_worth_nothing_once_the_draft_was_submitted_again() {
        let replaced = Progress { verdict: Some(ReviewVerdict::Approved), replaced: true, ..Progress::default() };
        assert_eq!(state(replaced.clone()), SubmissionState::Replaced);
        assert!(!state(replaced).may_apply());
    }
}
