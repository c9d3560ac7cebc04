//! A second person's look at a submission.

use super::applying::{load_submission, look_right};
use crate::actor::Actor;
use crate::audit::settle;
use crate::error::AppError;
use crate::ports::Right;
use crate::state::AppState;
use crate::workloads::errors::WorkloadError;
use crate::workloads::store::{self, NewReview};
use crate::workloads::submission::{EarlierReview, Submission, SubmissionState};
use record::{Event, ReviewVerdict};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Whether the person may review what others submit to a namespace: its administrators, as the cluster says, and the
/// platform's.
///
/// # Errors
/// When the cluster is unavailable.
pub async fn may_review(state: &AppState, actor: &Actor, namespace: &str) -> Result<bool, AppError> {
    if actor.administrator().is_ok() {
        return Ok(true);
    }
    Ok(state.cluster.allows(&actor.kube, &administer_right(namespace.to_owned())).await?)
}

/// What tells the role admin from the role edit (Kubernetes, user-facing roles): giving roles to others.
pub(super) fn administer_right(namespace: String) -> Right {
    Right::within(namespace, "create", "rbac.authorization.k8s.io", "rolebindings")
}

/// The most reviews of earlier submissions that are shown.
const MOST_EARLIER: i64 = 20;

/// What was said of earlier submissions of the same draft or the same bytes, for whoever may look at the namespace
/// today: having written a submission is not enough, as others were made by others.
///
/// # Errors
/// When a dependency is unavailable.
pub async fn load_earlier_reviews(
    state: &AppState,
    actor: &Actor,
    submission: &Submission,
) -> Result<Vec<EarlierReview>, AppError> {
    let right = look_right(submission.namespace.clone());
    if actor.record_reader().is_err() && !state.cluster.allows(&actor.kube, &right).await? {
        return Ok(Vec::new());
    }
    Ok(store::list_earlier_reviews(&state.database, submission, MOST_EARLIER).await?)
}

/// Whether a review still counts: what was approved can be refused until all of it is applied.
#[must_use]
pub fn is_reviewable(submission: &Submission) -> bool {
    let is_open = submission.state == SubmissionState::Waiting || submission.state.may_apply();
    is_open && !submission.second_person.is_empty()
}

/// Whether the person may say something about a submission: who only reads the records may not.
///
/// # Errors
/// When the cluster is unavailable.
pub async fn may_comment(state: &AppState, actor: &Actor, submission: &Submission) -> Result<bool, AppError> {
    Ok(state.cluster.allows(&actor.kube, &look_right(submission.namespace.clone())).await?)
}

/// A review, as typed.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ReviewForm {
    /// Of the bytes that the reviewer looked at.
    pub digest: String,
    /// How many reviews there were then.
    pub after: i64,
    pub comment: String,
}

/// A comment, as typed.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct CommentForm {
    /// Of the manifest; empty for the whole.
    pub line: String,
    pub body: String,
}

/// A submission, for whoever may review it.
///
/// # Errors
/// [`AppError::NotFound`] for everyone else.
pub async fn load_reviewable(state: &AppState, actor: &Actor, id: Uuid) -> Result<Submission, AppError> {
    let submission = load_submission(state, actor, id).await?;
    match may_review(state, actor, &submission.namespace).await? {
        true => Ok(submission),
        false => Err(AppError::NotFound),
    }
}

/// A submission, for whoever may comment on it.
///
/// # Errors
/// [`AppError::NotFound`] for everyone else.
pub async fn load_commentable(state: &AppState, actor: &Actor, id: Uuid) -> Result<Submission, AppError> {
    let submission = load_submission(state, actor, id).await?;
    let may = may_comment(state, actor, &submission).await? || may_review(state, actor, &submission.namespace).await?;
    if may { Ok(submission) } else { Err(AppError::NotFound) }
}

/// Records what a second person says of exactly the bytes that they looked at.
///
/// # Errors
/// [`WorkloadError`] where it does not count.
pub async fn review(
    state: &AppState,
    actor: &Actor,
    submission: &Submission,
    form: &ReviewForm,
    verdict: ReviewVerdict,
) -> Result<(), AppError> {
    if submission.contributors.contains(&actor.person_id) {
        return Err(WorkloadError::OwnSubmission.into());
    }
    if !is_reviewable(submission) {
        return Err(WorkloadError::NotReviewable.into());
    }
    if form.digest != submission.digest.to_string() {
        return Err(WorkloadError::OtherBytes.into());
    }
    let new = NewReview {
        submission: submission.id,
        submitted_by: submission.author_id,
        digest: submission.digest,
        after: form.after,
        reviewer: actor.person_id,
        verdict,
        comment: form.comment.trim(),
        request_id: &actor.request_id,
    };
    let event = Event::WorkloadReview { submission: submission.submission_ref(), digest: submission.digest, verdict };
    let mut transaction = state.database.begin().await?;
    let stored = store::insert_review(&mut transaction, new).await;
    settle(&state.database, transaction, actor, &event, stored).await
}

/// Records a comment on a line of the manifest, from 1, or on the whole.
///
/// # Errors
/// When the database is unavailable.
pub async fn comment(
    state: &AppState,
    actor: &Actor,
    submission: &Submission,
    line: Option<i32>,
    body: &str,
) -> Result<(), AppError> {
    let event = Event::WorkloadComment { submission: submission.submission_ref() };
    let mut transaction = state.database.begin().await?;
    let stored = store::insert_comment(&mut *transaction, submission.id, actor.person_id, line, body).await;
    settle(&state.database, transaction, actor, &event, stored).await
}
