//! Submitting exactly the bytes that were reviewed.

use super::applying::{Fresh, apply};
use super::reviewing::{Depth, DryRun, Reviewed, dry_run, may_apply, review_draft};
use crate::actor::Actor;
use crate::audit::settle;
use crate::error::AppError;
use crate::state::AppState;
use crate::workloads::draft::Draft;
use crate::workloads::errors::WorkloadError;
use crate::workloads::store::{self, NewSubmission};
use record::{Event, SubmissionRef};
use serde_json::json;
use uuid::Uuid;

/// Freezes exactly the bytes that the person saw. They are applied at once where nobody else need look. Gives the
/// submission; nothing where the review does not let it through any more, which its page then shows.
///
/// # Errors
/// [`WorkloadError::DraftChanged`] where these are not the bytes that the person saw.
pub async fn submit_draft(
    state: &AppState,
    actor: &Actor,
    draft: &Draft,
    seen: &str,
) -> Result<Option<Uuid>, AppError> {
    let Ok(reviewed) = review_draft(state, actor, &draft.form, Depth::Full).await? else { return Ok(None) };
    if reviewed.bundle.digest().to_string() != seen {
        return Err(WorkloadError::DraftChanged.into());
    }
    let dry_run = dry_run(state, &actor.kube, &reviewed.bundle).await;
    if !may_apply(&reviewed.report, &dry_run) {
        return Ok(None);
    }
    let submission = submit(state, actor, draft, &reviewed, &dry_run).await?;
    if reviewed.second_person.is_empty() {
        let stored = store::find_submission(&state.database, submission.id).await?;
        // It was judged and tried just now.
        apply(state, actor, &stored, &reviewed.bundle, Fresh::Yes).await?;
    }
    Ok(Some(submission.id))
}

async fn submit(
    state: &AppState,
    actor: &Actor,
    draft: &Draft,
    reviewed: &Reviewed,
    dry_run: &[DryRun],
) -> Result<SubmissionRef, AppError> {
    let name = match &reviewed.answers {
        Some(answers) => answers.name.clone(),
        None => reviewed.bundle.objects().last().ok_or(AppError::Internal)?.object().name.clone(),
    };
    let namespace = draft.form.workload.namespace.trim().to_owned();
    let submission = SubmissionRef { id: Uuid::now_v7(), namespace, name };
    let is_new = !draft.contributors.contains(&actor.person_id);
    let contributors: Vec<Uuid> = draft.contributors.iter().copied().chain(is_new.then_some(actor.person_id)).collect();
    let digest = reviewed.bundle.digest();
    let new = NewSubmission {
        id: submission.id,
        draft: draft.id,
        draft_version: draft.version,
        author: actor.person_id,
        contributors: &contributors,
        namespace: &submission.namespace,
        name: &submission.name,
        manifest: reviewed.bundle.text(),
        digest,
        report: json!(reviewed.report),
        dry_run: json!(dry_run),
        second_person: &reviewed.second_person,
    };
    let second_person = !reviewed.second_person.is_empty();
    let event = Event::WorkloadSubmit { submission: submission.clone(), digest, second_person };
    let mut transaction = state.database.begin().await?;
    let stored = store::insert_submission(&mut *transaction, new).await.map_err(AppError::from);
    settle(&state.database, transaction, actor, &event, stored).await?;
    Ok(submission)
}
