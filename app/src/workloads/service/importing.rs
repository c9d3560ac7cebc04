//! Drafts from manifests: pasted or uploaded ones, and those of an earlier submission.

use super::applying::load_submission;
use super::drafts::may_deploy;
use crate::actor::Actor;
use crate::error::AppError;
use crate::form::{FormErrors, FormOutcome};
use crate::policy::Policy;
use crate::state::AppState;
use crate::workloads::draft::{DraftForm, Step};
use crate::workloads::errors::WorkloadError;
use crate::workloads::forms::{MOST_ROWS, ManifestsForm, WorkloadForm, draft_of};
use crate::workloads::known::Known;
use crate::workloads::paths;
use crate::workloads::store;
use crate::workloads::submission::{Submission, SubmissionState};
use review::{Manifest, decode, parse_answers, to_yaml};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Manifests to begin with, as pasted or uploaded.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ImportForm {
    pub namespace: String,
    /// YAML or JSON.
    pub text: String,
    /// `wizard` where the wizard should take over what it can say.
    pub into: String,
    /// A file that is not UTF-8, which YAML in Kubernetes must be.
    #[serde(skip)]
    pub is_no_text: bool,
}

/// Begins a draft with manifests.
///
/// # Errors
/// When the cluster or the database is unavailable.
pub async fn import(state: &AppState, actor: &Actor, form: ImportForm) -> Result<FormOutcome<ImportForm>, AppError> {
    let mut errors = FormErrors::default();
    let namespace = form.namespace.trim().to_owned();
    if !may_deploy(state, actor, &namespace).await? {
        errors.add("namespace", "Choose a namespace from the list: you cannot run workloads in this one.");
    }
    if !errors.is_empty() {
        return Ok(FormOutcome::again(form, errors));
    }
    let (sent, policy) = (form.clone(), state.policy.clone());
    let draft = match state.compute.run(move || draft_of_import(&policy, &sent)).await? {
        Ok(draft) => draft,
        Err(errors) => return Ok(FormOutcome::again(form, errors)),
    };
    let step = draft.furthest();
    let id = store::insert_draft(&state.database, actor.person_id, &namespace, &draft).await?;
    Ok(FormOutcome::Done(paths::step(id, step)))
}

fn draft_of_import(policy: &Policy, form: &ImportForm) -> Result<DraftForm, FormErrors> {
    let namespace = form.namespace.trim();
    let mut errors = FormErrors::default();
    let manifests = ManifestsForm { text: form.text.clone(), overrides: Vec::new() };
    let Some(manifests) = manifests.check(Vec::new(), namespace, &mut errors) else { return Err(errors) };
    let draft = match form.into.as_str() {
        "wizard" => errors.take("into", draft_from(policy, namespace, &manifests)),
        _ => Some(as_they_are(namespace, form.text.clone())),
    };
    draft.ok_or(errors)
}

/// The manifests as answers, and beside them what answers cannot say.
fn draft_from(policy: &Policy, namespace: &str, manifests: &[Manifest]) -> Result<DraftForm, String> {
    let parsed = parse_answers(manifests, &policy.review)
        .map_err(|error| format!("{error} Take the manifests as they are instead."))?;
    let text = to_yaml(&parsed.others);
    let mut draft = draft_of(&parsed.answers, &policy.places);
    let rows = draft.sources.rows.len().max(draft.destinations.rows.len());
    if rows > MOST_ROWS {
        return Err(format!(
            "The policy names {rows} sources or destinations, and the wizard takes at most {MOST_ROWS}. Take the \
             manifests as they are instead."
        ));
    }
    draft.workload.namespace = namespace.to_owned();
    draft.manifests = ManifestsForm { text, overrides: parsed.overrides };
    Ok(with_all_steps_done(draft))
}

/// Manifests alone: they are reviewed and applied as they are.
pub(super) fn as_they_are(namespace: &str, text: String) -> DraftForm {
    let workload =
        WorkloadForm { namespace: namespace.to_owned(), kind: "manifests".to_owned(), ..WorkloadForm::default() };
    let manifests = ManifestsForm { text, overrides: Vec::new() };
    with_all_steps_done(DraftForm { workload, manifests, ..DraftForm::default() })
}

/// The objects of a submission that were not there before it. Nothing is deleted by applying.
fn added_since(earlier: &[Manifest], submission: &Submission) -> Vec<String> {
    let applied = decode("submission", &submission.manifest).unwrap_or_default();
    let is_new = |object: &&Manifest| !earlier.iter().any(|other| other.object() == object.object());
    applied.iter().filter(is_new).map(|object| object.object().to_string()).collect()
}

/// Every step was answered, by the manifests.
pub(super) fn with_all_steps_done(mut draft: DraftForm) -> DraftForm {
    for step in draft.steps() {
        if step != Step::Review {
            draft.set_done(step, true);
        }
    }
    draft
}

/// A draft that brings back what an applied submission replaced; gives its id.
///
/// # Errors
/// [`WorkloadError`] where nothing was applied before it, or something was since; [`AppError::NotFound`] for who cannot
/// run workloads there.
pub async fn undo(state: &AppState, actor: &Actor, id: Uuid) -> Result<Uuid, AppError> {
    let submission = load_submission(state, actor, id).await?;
    let is_applied = submission.state == SubmissionState::Applied;
    if !is_applied || !may_deploy(state, actor, &submission.namespace).await? {
        return Err(AppError::NotFound);
    }
    if store::is_overtaken(&state.database, &submission).await? {
        return Err(WorkloadError::Overtaken.into());
    }
    let Some(earlier) = store::applied_before(&state.database, &submission).await? else {
        let Submission { name, namespace, .. } = submission;
        return Err(WorkloadError::NothingBefore { name, namespace }.into());
    };
    let manifests = decode("submission", &earlier).map_err(|_| AppError::Internal)?;
    // As answers only if these give back the very same bytes.
    let known = Known::new(submission.namespace.clone(), [], state.policy.places.clone(), None);
    let gives_back = |draft: &DraftForm| {
        let written = draft.written(&known, &state.policy.review);
        written.is_ok_and(|written| written.bundle.text() == earlier)
    };
    let answers = draft_from(&state.policy, &submission.namespace, &manifests).ok().filter(gives_back);
    let mut draft = answers.unwrap_or_else(|| as_they_are(&submission.namespace, earlier.clone()));
    draft.remains = added_since(&manifests, &submission);
    store::insert_draft(&state.database, actor.person_id, &submission.namespace, &draft).await
}
