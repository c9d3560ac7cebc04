//! Applying a submission: exactly its bytes, as the person.

use super::drafts::may_deploy;
use super::reviewing::review_stored;
use crate::actor::Actor;
use crate::audit::{Intent, without_name};
use crate::error::{AppError, Dependency};
use crate::ports::{Applied, ClusterError, Right, Run};
use crate::state::AppState;
use crate::workloads::bundle::ManifestBundle;
use crate::workloads::errors::WorkloadError;
use crate::workloads::store;
use crate::workloads::submission::{ApplyOutcome, ApplyResult, Submission};
use record::{Event, Phase};
use review::{Manifest, Verdict};
use uuid::Uuid;

/// Whether what is applied was judged and tried in the same request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fresh {
    Yes,
    No,
}

/// Applies a submission that was approved, or whose apply broke. What was reviewed may be old, so it is judged again.
///
/// # Errors
/// [`WorkloadError`] for one that may not be applied; [`AppError::NotFound`] for who cannot run workloads there.
pub async fn apply_stored(state: &AppState, actor: &Actor, id: Uuid) -> Result<(), AppError> {
    let submission = load_submission(state, actor, id).await?;
    if !may_deploy(state, actor, &submission.namespace).await? {
        return Err(AppError::NotFound);
    }
    if !submission.state.may_apply() {
        return Err(WorkloadError::NotApplicable.into());
    }
    let bundle = stored_bundle(&submission)?;
    check_again(state, actor, &submission, &bundle).await?;
    apply(state, actor, &submission, &bundle, Fresh::No).await
}

fn stored_bundle(submission: &Submission) -> Result<ManifestBundle, AppError> {
    ManifestBundle::read(submission.manifest.clone()).map_err(|error| {
        tracing::error!(%error, id = %submission.id, "a stored submission cannot be applied");
        AppError::Internal
    })
}

/// Today's rules must not refuse it, nor ask for a second person who has not looked, and it must not undo what was
/// applied for the same workload since.
async fn check_again(
    state: &AppState,
    actor: &Actor,
    submission: &Submission,
    bundle: &ManifestBundle,
) -> Result<(), AppError> {
    if store::is_overtaken(&state.database, submission).await? {
        return Err(WorkloadError::Overtaken.into());
    }
    let report = review_stored(state, actor, &submission.namespace, bundle.clone()).await?;
    if report.verdict == Verdict::Deny {
        return Err(WorkloadError::RefusedToday.into());
    }
    let is_new = |reason: &String| !submission.second_person.contains(reason);
    if state.policy.second_person.reasons(&report).iter().any(is_new) {
        return Err(WorkloadError::NeedsSecondPersonToday.into());
    }
    Ok(())
}

/// Applies a bundle, and records what came of it. What happened to each object stands on the submission's page, so only
/// what cannot be shown there is an error here.
pub(super) async fn apply(
    state: &AppState,
    actor: &Actor,
    submission: &Submission,
    bundle: &ManifestBundle,
    fresh: Fresh,
) -> Result<(), AppError> {
    let intent = begin(state, actor, submission, bundle).await?;
    let applied = apply_all(state, actor, submission, intent.id(), bundle, fresh).await;
    let applied = end(state, intent, applied).await;
    match applied {
        Ok(()) => {
            // It is applied: a draft that stays is no reason to say otherwise.
            let deleted = store::delete_draft(&state.database, submission.draft_id, submission.draft_version).await;
            if let Err(error) = deleted {
                tracing::warn!(%error, id = %submission.draft_id, "the draft of an applied workload could not be \
                    deleted");
            }
            Ok(())
        }
        Err(
            AppError::ClusterRefused { .. }
            | AppError::WebhookFailed(_)
            | AppError::Refused(_)
            | AppError::OutcomeUnknown { .. }
            | AppError::Unavailable { .. },
        ) => Ok(()),
        Err(error) => Err(error),
    }
}

async fn begin(
    state: &AppState,
    actor: &Actor,
    submission: &Submission,
    bundle: &ManifestBundle,
) -> Result<Intent, AppError> {
    let approval = submission.reviews.last().map(|review| review.id);
    let event = Event::WorkloadApply { submission: submission.submission_ref(), digest: bundle.digest(), approval };
    let mut transaction = state.database.begin().await?;
    let intent = Intent::announce_in(&mut transaction, actor, event).await?;
    store::begin_apply(&mut transaction, intent.id(), submission.id).await?;
    transaction.commit().await?;
    Ok(intent)
}

/// The outcome stands in the record and beside the submission, or in neither; then it is unknown.
async fn end(state: &AppState, intent: Intent, applied: Result<(), AppError>) -> Result<(), AppError> {
    let stored = async {
        let mut transaction = state.database.begin().await?;
        let outcome = match &applied {
            Ok(()) => {
                intent.succeed_in(&mut transaction).await?;
                Phase::Succeeded
            }
            Err(error) => intent.fail_in(&mut transaction, error).await?,
        };
        store::end_apply(&mut transaction, intent.id(), outcome).await?;
        transaction.commit().await
    };
    match stored.await {
        Ok(()) => applied,
        Err(error) => Err(intent.lost(&error)),
    }
}

/// Tries all objects, unless that was done just now, and then applies them one by one, and stores each answer. Stops at
/// the first that is not applied, so that a pod never runs without its policy.
async fn apply_all(
    state: &AppState,
    actor: &Actor,
    submission: &Submission,
    apply: Uuid,
    bundle: &ManifestBundle,
    fresh: Fresh,
) -> Result<(), AppError> {
    if fresh == Fresh::No {
        for (object, document) in bundle.documents() {
            if let Err(error) = state.cluster.apply(&actor.kube, object, document, Run::Dry).await {
                return store_answer(state, actor, apply, object, Err(error)).await;
            }
        }
    }
    // Somebody may have refused it while the cluster was asked.
    if !store::find_submission(&state.database, submission.id).await?.state.may_apply() {
        return Err(WorkloadError::RefusedMeanwhile.into());
    }
    for (object, document) in bundle.documents() {
        let answer = state.cluster.apply(&actor.kube, object, document, Run::Real).await;
        store_answer(state, actor, apply, object, answer).await?;
    }
    Ok(())
}

/// Stores the answer about an object; an error where it was not applied.
async fn store_answer(
    state: &AppState,
    actor: &Actor,
    apply: Uuid,
    object: &Manifest,
    answer: Result<Applied, ClusterError>,
) -> Result<(), AppError> {
    let result = result_of(object, &answer);
    let result = ApplyResult { message: without_name(&actor.profile, &result.message), ..result };
    let stored = store::insert_apply_result(&state.database, apply, &result).await;
    answer?;
    stored.map_err(|error| {
        tracing::error!(%error, "the answer about an object could not be stored");
        AppError::OutcomeUnknown { dependency: Dependency::Database }
    })
}

fn result_of(object: &Manifest, answer: &Result<Applied, ClusterError>) -> ApplyResult {
    let (outcome, message) = match answer {
        Ok(applied) => (ApplyOutcome::Applied, applied.warnings.join("\n")),
        Err(ClusterError::Refused(message)) => (ApplyOutcome::Refused, message.clone()),
        Err(ClusterError::NotSent(message)) => (ApplyOutcome::Refused, message.clone()),
        Err(ClusterError::Failed(message)) => (ApplyOutcome::Failed, message.clone()),
        Err(ClusterError::WebhookFailed { failure, .. }) => (ApplyOutcome::Failed, failure.explained()),
        Err(ClusterError::Conflict { message, .. }) => (ApplyOutcome::Conflict, message.clone()),
        Err(ClusterError::NotSignedIn) => (
            ApplyOutcome::Failed,
            "The cluster did not accept your sign-in any more; nothing was applied. Sign in again.".to_owned(),
        ),
        Err(ClusterError::Unavailable(_)) => {
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
pub async fn load_submission(state: &AppState, actor: &Actor, id: Uuid) -> Result<Submission, AppError> {
    let submission = store::find_submission(&state.database, id).await?;
    let own = submission.author_id == actor.person_id || actor.record_reader().is_ok();
    if own || state.cluster.allows(&actor.kube, &look_right(submission.namespace.clone())).await? {
        Ok(submission)
    } else {
        Err(AppError::NotFound)
    }
}

/// Whether something else was applied for the same workload since a submission was made.
///
/// # Errors
/// When the database is unavailable.
pub async fn is_overtaken(state: &AppState, submission: &Submission) -> Result<bool, AppError> {
    Ok(store::is_overtaken(&state.database, submission).await?)
}

/// Who may look at workloads may look at what was submitted.
pub(super) fn look_right(namespace: String) -> Right {
    Right::within(namespace, "get", "apps", "deployments")
}
