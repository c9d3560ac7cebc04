//! A second person's look at a submission.

use super::apply::{load_submission, look_right};
use crate::actor::Actor;
use crate::audit::{Action, audited_in};
use crate::error::AppError;
use crate::form::{FormErrors, FormOutcome, decode};
use crate::ports::Right;
use crate::state::AppState;
use crate::workloads::second_person::ReviewVerdict;
use crate::workloads::store::{self, NewReview};
use crate::workloads::submission::{Submission, SubmissionState};
use axum::extract::{Path, State};
use axum::http::request::Parts;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// Whether the person may review what others submit to a namespace: its administrators, as the cluster says, and the
/// platform's.
///
/// # Errors
/// When the cluster is away.
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

/// Whether a review still counts: what was approved can be refused until all of it is applied.
#[must_use]
pub fn is_reviewable(submission: &Submission) -> bool {
    let is_open = submission.state == SubmissionState::Waiting || submission.state.may_apply();
    is_open && !submission.second_person.is_empty()
}

/// The forms on the page of a submission, as typed.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ReviewForm {
    /// What the reviewer looked at.
    pub digest: String,
    /// How many reviews there were then.
    pub after: i64,
    /// The button.
    pub verdict: String,
    /// Why.
    pub comment: String,
    /// Line of a comment on the manifest.
    pub line: String,
    /// A comment on the manifest.
    pub body: String,
}

/// `POST /workloads/{id}`: approves, refuses, or asks for changes; or comments on a line, or on the whole.
///
/// # Errors
/// [`AppError::NotFound`] for who may not see it, or not review it; [`AppError::Conflict`] where it is not waiting for
/// this.
pub async fn post_review(
    State(state): State<AppState>,
    actor: Actor,
    parts: Parts,
    Path(id): Path<String>,
    body: String,
) -> Result<Response, AppError> {
    let submission = load_submission(&state, &actor, &id).await?;
    let form: ReviewForm = decode(&body)?;
    let is_reviewer = may_review(&state, &actor, &submission.namespace).await?;
    let outcome = if form.verdict.is_empty() {
        if !(is_reviewer || may_comment(&state, &actor, &submission).await?) {
            return Err(AppError::NotFound);
        }
        comment(&state, &actor, &submission, form).await?
    } else if is_reviewer {
        review(&state, &actor, &submission, form).await?
    } else {
        return Err(AppError::NotFound);
    };
    Ok(outcome.respond(state, parts).await)
}

/// Whether the person may say something about a submission: who only reads the records may not.
///
/// # Errors
/// When the cluster is away.
pub async fn may_comment(state: &AppState, actor: &Actor, submission: &Submission) -> Result<bool, AppError> {
    if submission.author_id == actor.person_id {
        return Ok(true);
    }
    Ok(state.cluster.allows(&actor.kube, &look_right(submission.namespace.clone())).await?)
}

async fn review(
    state: &AppState,
    actor: &Actor,
    submission: &Submission,
    form: ReviewForm,
) -> Result<FormOutcome<ReviewForm>, AppError> {
    let conflict = |message: &str| AppError::Conflict { message: message.to_owned() };
    if submission.contributors.contains(&actor.person_id) {
        return Err(conflict("You wrote or submitted this yourself, so somebody else must review it."));
    }
    if !is_reviewable(submission) {
        return Err(conflict("This submission does not wait for a review any more."));
    }
    if form.digest != submission.digest.to_string() {
        return Err(conflict(
            "These are not the bytes that you looked at. Open the submission again and review it anew.",
        ));
    }
    let mut errors = FormErrors::default();
    let verdict =
        errors.take("comment", ReviewVerdict::from_word(&form.verdict).ok_or("Approve, refuse, or ask for changes."));
    if verdict.is_some_and(|verdict| verdict != ReviewVerdict::Approved) && form.comment.trim().is_empty() {
        errors.add("comment", "Say why, so that the author can do something about it.");
    }
    let (Some(verdict), true) = (verdict, errors.is_empty()) else { return Ok(FormOutcome::again(form, errors)) };
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
    let object = format!("Submission/{}/{}", submission.namespace, submission.name);
    let detail =
        json!({ "submission": submission.id, "digest": submission.digest.to_string(), "verdict": verdict.word() });
    audited_in(state, actor, Action::WorkloadReview, &object, detail, || async {
        let mut transaction = state.database.begin().await?;
        Ok((store::insert_review(&mut transaction, new).await?, transaction))
    })
    .await?;
    Ok(FormOutcome::Done(format!("/workloads/{}?reviewed=yes", submission.id)))
}

async fn comment(
    state: &AppState,
    actor: &Actor,
    submission: &Submission,
    form: ReviewForm,
) -> Result<FormOutcome<ReviewForm>, AppError> {
    let mut errors = FormErrors::default();
    let line = errors.take("line", parsed_line(&form.line, submission.manifest.lines().count()));
    if form.body.trim().is_empty() {
        errors.add("body", "Write the comment.");
    }
    let (Some(line), true) = (line, errors.is_empty()) else { return Ok(FormOutcome::again(form, errors)) };
    let object = format!("Submission/{}/{}", submission.namespace, submission.name);
    let detail = json!({ "submission": submission.id });
    audited_in(state, actor, Action::WorkloadComment, &object, detail, || async {
        let mut transaction = state.database.begin().await?;
        let body = form.body.trim();
        store::insert_comment(&mut *transaction, submission.id, actor.person_id, line, body).await?;
        Ok(((), transaction))
    })
    .await?;
    Ok(FormOutcome::Done(format!("/workloads/{}#comments", submission.id)))
}

fn parsed_line(text: &str, lines: usize) -> Result<Option<i32>, String> {
    if text.trim().is_empty() {
        return Ok(None);
    }
    let line: Option<i32> = text.trim().parse().ok();
    let is_there = |line: &i32| usize::try_from(*line).is_ok_and(|line| (1..=lines).contains(&line));
    line.filter(is_there)
        .map(Some)
        .ok_or_else(|| format!("Enter the number of a line, from 1 to {lines}, or leave it empty."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_one_of_the_manifest_or_none() {
        assert_eq!(parsed_line(" ", 9), Ok(None));
        assert_eq!(parsed_line("9", 9), Ok(Some(9)));
        for text in ["0", "10", "-1", "one"] {
            assert!(parsed_line(text, 9).is_err(), "{text}");
        }
    }
}
