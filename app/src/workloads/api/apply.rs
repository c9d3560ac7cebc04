//! Submitting exactly the bytes that were reviewed, and applying them.

use super::drafts::{may_deploy, step_path};
use super::review::{Depth, DryRun, Reviewed, document, dry_run, may_apply, review_draft, review_frozen};
use crate::actor::Actor;
use crate::audit::{Action, audited, audited_in, nameless};
use crate::error::{AppError, Part};
use crate::ports::{Applied, ClusterError, Right, Run};
use crate::state::AppState;
use crate::workloads::draft::{Draft, Step};
use crate::workloads::store::{self, NewSubmission};
use crate::workloads::submission::{ApplyOutcome, ApplyResult, Submission};
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use review::{Manifest, Verdict};
use serde_json::json;
use uuid::Uuid;

/// Freezes exactly the bytes that the person saw. They are applied at once where nobody else need look.
pub(super) async fn submit_draft(
    state: &AppState,
    actor: &Actor,
    draft: &Draft,
    seen: &str,
) -> Result<Response, AppError> {
    let back = Redirect::to(&step_path(draft.id, Step::Review)).into_response();
    let Ok(reviewed) = review_draft(state, actor, &draft.form, Depth::Full).await? else { return Ok(back) };
    if reviewed.digest.to_string() != seen {
        return Err(AppError::Conflict { message: "The draft was changed after you looked at its review, so nothing was applied. Go back, review it again and apply then.".to_owned() });
    }
    let dry_run = dry_run(state, &actor.kube, &reviewed.manifests).await;
    if !may_apply(&reviewed.report, &dry_run) {
        return Ok(back);
    }
    let submission = submit(state, actor, draft, &reviewed, &dry_run).await?;
    if reviewed.second_person.is_empty() {
        let submission = store::find_submission(&state.database, submission).await?;
        return apply_submission(state, actor, &submission).await;
    }
    Ok(Redirect::to(&format!("/workloads/{submission}")).into_response())
}

async fn submit(
    state: &AppState,
    actor: &Actor,
    draft: &Draft,
    reviewed: &Reviewed,
    dry_run: &[DryRun],
) -> Result<Uuid, AppError> {
    let namespace = draft.form.workload.namespace.trim();
    let name = match &reviewed.answers {
        Some(answers) => &answers.name,
        None => &reviewed.manifests.last().ok_or(AppError::Internal)?.object().name,
    };
    let is_new = !draft.contributors.contains(&actor.person_id);
    let contributors: Vec<Uuid> = draft.contributors.iter().copied().chain(is_new.then_some(actor.person_id)).collect();
    let new = NewSubmission {
        draft: draft.id,
        draft_version: draft.version,
        author: actor.person_id,
        contributors: &contributors,
        namespace,
        name,
        manifest: &reviewed.manifest,
        digest: reviewed.digest,
        report: json!(reviewed.report),
        dry_run: json!(dry_run),
        second_person: &reviewed.second_person,
    };
    let object = format!("Submission/{namespace}/{name}");
    let detail = json!({ "digest": reviewed.digest.to_string(), "second_person": (!reviewed.second_person.is_empty()).to_string() });
    audited_in(state, actor, Action::WorkloadSubmit, &object, detail, || async {
        let mut transaction = state.database.begin().await?;
        Ok((store::insert_submission(&mut *transaction, new).await?, transaction))
    })
    .await
}

/// `POST /workloads/{id}/apply`: applies a submission that was approved, or whose apply broke.
///
/// # Errors
/// [`AppError::Conflict`] for one that may not be applied; [`AppError::NotFound`] for who cannot run workloads there.
pub async fn post_apply(
    State(state): State<AppState>,
    actor: Actor,
    Path(id): Path<String>,
) -> Result<Response, AppError> {
    let submission = load_submission(&state, &actor, &id).await?;
    if !may_deploy(&state, &actor, &submission.namespace).await? {
        return Err(AppError::NotFound);
    }
    apply_submission(&state, &actor, &submission).await
}

async fn apply_submission(state: &AppState, actor: &Actor, submission: &Submission) -> Result<Response, AppError> {
    if !submission.state.may_apply() {
        return Err(AppError::Conflict { message: "This submission cannot be applied: it waits for a second person, was refused, was replaced by a later one, or is applied already.".to_owned() });
    }
    let manifests = frozen(submission)?;
    still_right(state, actor, submission, &manifests).await?;
    let object = format!("Submission/{}/{}", submission.namespace, submission.name);
    let approval = submission.reviews.last().map(|review| review.id.to_string()).unwrap_or_default();
    let detail = json!({ "submission": submission.id, "digest": submission.digest.to_string(), "approval": approval });
    let applied = audited(state, actor, Action::WorkloadApply, &object, detail, |intent| {
        apply_all(state, actor, submission.id, intent, &manifests)
    })
    .await;
    let path = format!("/workloads/{}", submission.id);
    match applied {
        Ok(()) => {
            // It is applied: a draft that stays is no reason to say otherwise.
            if let Err(error) =
                store::delete_draft(&state.database, submission.draft_id, submission.draft_version).await
            {
                tracing::warn!(%error, id = %submission.draft_id, "the draft of an applied workload could not be deleted");
            }
            Ok(Redirect::to(&path).into_response())
        }
        // What happened to each object stands on the submission's page; the draft stays.
        Err(
            AppError::ClusterRefused { .. }
            | AppError::Conflict { .. }
            | AppError::OutcomeUnknown { .. }
            | AppError::Away { .. },
        ) => Ok(Redirect::to(&path).into_response()),
        Err(error) => Err(error),
    }
}

/// What was reviewed may be old: today's rules must not refuse it, nor ask for a second person who has not looked, and
/// it must not undo what was applied for the same workload since.
async fn still_right(
    state: &AppState,
    actor: &Actor,
    submission: &Submission,
    manifests: &[Manifest],
) -> Result<(), AppError> {
    let conflict = |message: &str| Err(AppError::Conflict { message: message.to_owned() });
    if store::is_overtaken(&state.database, submission).await? {
        return conflict(
            "Something else was applied for this workload after this was submitted. Submit it anew, so that its effect on what runs now is reviewed.",
        );
    }
    let report = review_frozen(state, actor, &submission.namespace, manifests.to_vec()).await?;
    if report.verdict == Verdict::Deny {
        return conflict(
            "The rules refuse this today, though they did not when it was submitted. Open the draft and review it again.",
        );
    }
    let is_new = |reason: &String| !submission.second_person.contains(reason);
    if state.policy.second_person.reasons(&report).iter().any(is_new) {
        return conflict(
            "A second person has to look at this today, for a reason that was none when it was submitted. Submit it anew.",
        );
    }
    Ok(())
}

/// The objects of a submission. What is sent is written from them, so they must be exactly its bytes.
fn frozen(submission: &Submission) -> Result<Vec<Manifest>, AppError> {
    let manifests = review::decode("submission", &submission.manifest).map_err(|error| {
        tracing::error!(%error, id = %submission.id, "a submission cannot be read");
        AppError::Internal
    })?;
    if review::to_yaml(&manifests) != submission.manifest {
        tracing::error!(id = %submission.id, "a submission does not read back as its own bytes");
        return Err(AppError::Internal);
    }
    Ok(manifests)
}

/// Tries all objects and then applies them one by one, and stores each answer. Stops at the first that is not
/// applied, so that a pod never runs without its policy.
async fn apply_all(
    state: &AppState,
    actor: &Actor,
    submission: Uuid,
    intent: Uuid,
    manifests: &[Manifest],
) -> Result<(), AppError> {
    for object in manifests {
        if let Err(error) = state.cluster.apply(&actor.kube, object, &document(object), Run::Dry).await {
            return stopped(state, actor, submission, intent, object, Err(error)).await;
        }
    }
    // Somebody may have refused it while the cluster was asked.
    if !may_begin(state, submission).await? {
        return Err(AppError::Conflict {
            message: "It was refused or replaced just now, so nothing was applied.".to_owned(),
        });
    }
    for object in manifests {
        let answer = state.cluster.apply(&actor.kube, object, &document(object), Run::Real).await;
        stopped(state, actor, submission, intent, object, answer).await?;
    }
    Ok(())
}

/// Whether a submission may still be applied by whoever has just begun to: nobody refused it, and none replaced it.
async fn may_begin(state: &AppState, submission: Uuid) -> Result<bool, AppError> {
    let found = store::find_submission(&state.database, submission).await?.state;
    Ok(found.may_apply())
}

/// Stores the answer about an object; an error where it was not applied.
async fn stopped(
    state: &AppState,
    actor: &Actor,
    submission: Uuid,
    intent: Uuid,
    object: &Manifest,
    answer: Result<Applied, ClusterError>,
) -> Result<(), AppError> {
    let result = result_of(object, &answer);
    let result = ApplyResult { message: nameless(&actor.profile, &result.message), ..result };
    let stored = store::insert_apply_result(&state.database, submission, intent, &result).await;
    answer?;
    stored.map_err(|_| AppError::OutcomeUnknown { part: Part::Database })
}

fn result_of(object: &Manifest, answer: &Result<Applied, ClusterError>) -> ApplyResult {
    let (outcome, message) = match answer {
        Ok(applied) => (ApplyOutcome::Applied, applied.warnings.join("\n")),
        Err(ClusterError::Refused(message)) => (ApplyOutcome::Refused, message.clone()),
        Err(ClusterError::Conflict { message, .. }) => (ApplyOutcome::Conflict, message.clone()),
        Err(ClusterError::Away(_)) => {
            (ApplyOutcome::Failed, "The cluster could not be reached; nothing was sent.".to_owned())
        }
        Err(ClusterError::Unknown(_)) => (
            ApplyOutcome::Failed,
            "The connection broke before the cluster answered; it is not known whether the object was applied."
                .to_owned(),
        ),
    };
    let conflicts = match answer {
        Err(ClusterError::Conflict { fields, .. }) => fields.clone(),
        _ => Vec::new(),
    };
    let resource_version = answer.as_ref().ok().map(|applied| applied.resource_version().to_owned());
    ApplyResult { object: object.object().to_string(), outcome, message, conflicts, resource_version }
}

/// A submission for its author, for those who may look at workloads in its namespace, and for those who
/// read the records.
///
/// # Errors
/// [`AppError::NotFound`] for everyone else.
pub async fn load_submission(state: &AppState, actor: &Actor, id: &str) -> Result<Submission, AppError> {
    let id: Uuid = id.parse().map_err(|_| AppError::NotFound)?;
    let submission = store::find_submission(&state.database, id).await?;
    let own = submission.author_id == actor.person_id || actor.record_reader().is_ok();
    if own || state.cluster.allows(&actor.kube, &look_right(submission.namespace.clone())).await? {
        Ok(submission)
    } else {
        Err(AppError::NotFound)
    }
}

/// Who may look at workloads may look at what was submitted.
pub(super) fn look_right(namespace: String) -> Right {
    Right::within(namespace, "get", "apps", "deployments")
}
