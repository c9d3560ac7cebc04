//! Drafts from manifests: pasted or uploaded ones, and those of an earlier submission.

use super::apply::load_submission;
use super::drafts::{may_deploy, step_path};
use crate::actor::Actor;
use crate::error::AppError;
use crate::form::{FormErrors, FormOutcome, decode as decode_form};
use crate::state::AppState;
use crate::workloads::draft::{DraftForm, Step};
use crate::workloads::forms::{ManifestsForm, WorkloadForm, draft_of};
use crate::workloads::known::Known;
use crate::workloads::store;
use crate::workloads::submission::{Submission, SubmissionState};
use axum::extract::{FromRequest, Multipart, Path, Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Redirect, Response};
use review::{Manifest, decode, express, to_yaml};
use serde::{Deserialize, Serialize};

/// Manifests to begin with, as pasted or uploaded.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ImportForm {
    /// Where they go.
    pub namespace: String,
    /// YAML or JSON.
    pub text: String,
    /// `wizard` where the wizard should take over what it can say.
    pub into: String,
    /// A file that is not UTF-8, which YAML in Kubernetes must be.
    #[serde(skip)]
    pub is_no_text: bool,
}

/// `POST /workloads/import`: begins a draft with manifests.
///
/// # Errors
/// Whatever is not the form's fault.
pub async fn post_import(State(state): State<AppState>, actor: Actor, request: Request) -> Result<Response, AppError> {
    let (parts, body) = request.into_parts();
    let form = read_form(&parts, Request::from_parts(parts.clone(), body)).await?;
    let outcome = import(&state, &actor, form).await?;
    Ok(outcome.respond(state, parts).await)
}

/// The form, whether or not it brings a file along. A file that is there counts before what was pasted.
async fn read_form(parts: &Parts, request: Request) -> Result<ImportForm, AppError> {
    let kind = parts.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let broken = |error: &dyn std::fmt::Display| {
        tracing::warn!(%error, "an upload that no page of ours sends");
        AppError::NotFound
    };
    if !kind.starts_with("multipart/form-data") {
        let body = String::from_request(request, &()).await.map_err(|error| broken(&error))?;
        return decode_form(&body);
    }
    let mut form = ImportForm::default();
    let mut fields = Multipart::from_request(request, &()).await.map_err(|error| broken(&error))?;
    while let Some(field) = fields.next_field().await.map_err(|error| broken(&error))? {
        let name = field.name().unwrap_or_default().to_owned();
        let bytes = field.bytes().await.map_err(|error| broken(&error))?;
        let Ok(text) = String::from_utf8(bytes.to_vec()) else {
            form.is_no_text = true;
            continue;
        };
        match name.as_str() {
            "namespace" => form.namespace = text,
            "into" => form.into = text,
            "text" if form.text.is_empty() => form.text = text,
            "file" if !text.trim().is_empty() => form.text = text,
            _ => {}
        }
    }
    Ok(form)
}

async fn import(state: &AppState, actor: &Actor, form: ImportForm) -> Result<FormOutcome<ImportForm>, AppError> {
    let mut errors = FormErrors::default();
    let namespace = form.namespace.trim().to_owned();
    if !may_deploy(state, actor, &namespace).await? {
        errors.add("namespace", "Choose a namespace from the list: you cannot run workloads in this one.");
    }
    let manifests =
        ManifestsForm { text: form.text.clone(), kept: Vec::new() }.check(Vec::new(), &namespace, &mut errors);
    let (Some(manifests), true) = (manifests, errors.is_empty()) else { return Ok(FormOutcome::again(form, errors)) };
    let draft = match form.into.as_str() {
        "wizard" => draft_from(state, &namespace, &manifests).map_err(|error| errors.add("into", error)).ok(),
        _ => Some(as_they_are(&namespace, form.text.clone())),
    };
    let Some(draft) = draft else { return Ok(FormOutcome::again(form, errors)) };
    let step = draft.furthest();
    let id = store::insert_draft(&state.database, actor.person_id, &namespace, &draft).await?;
    Ok(FormOutcome::Done(step_path(id, step)))
}

/// The manifests as answers, and beside them what answers cannot say.
fn draft_from(state: &AppState, namespace: &str, manifests: &[Manifest]) -> Result<DraftForm, String> {
    let expressed = express(manifests, &state.policy.review)
        .map_err(|error| format!("{error} Take the manifests as they are instead."))?;
    let text = to_yaml(&expressed.others);
    let mut draft = draft_of(&expressed.answers, &state.policy.places);
    draft.workload.namespace = namespace.to_owned();
    draft.manifests = ManifestsForm { text, kept: expressed.kept };
    Ok(with_all_steps_done(draft))
}

/// Manifests alone: they are reviewed and applied as they are.
fn as_they_are(namespace: &str, text: String) -> DraftForm {
    let workload =
        WorkloadForm { namespace: namespace.to_owned(), kind: "manifests".to_owned(), ..WorkloadForm::default() };
    let manifests = ManifestsForm { text, kept: Vec::new() };
    with_all_steps_done(DraftForm { workload, manifests, ..DraftForm::default() })
}

/// The objects of a submission that were not there before it. Nothing is deleted by applying.
fn added_since(earlier: &[Manifest], submission: &Submission) -> Vec<String> {
    let applied = decode("submission", &submission.manifest).unwrap_or_default();
    let is_new = |object: &&Manifest| !earlier.iter().any(|other| other.object() == object.object());
    applied.iter().filter(is_new).map(|object| object.object().to_string()).collect()
}

/// Every step was answered, by the manifests.
fn with_all_steps_done(mut draft: DraftForm) -> DraftForm {
    for step in draft.steps() {
        if step != Step::Review {
            draft.set_done(step, true);
        }
    }
    draft
}

/// `POST /workloads/{id}/undo`: a draft that brings back what an applied submission replaced.
///
/// # Errors
/// [`AppError::Conflict`] where nothing was applied before it; [`AppError::NotFound`] for who cannot run workloads there.
pub async fn post_undo(
    State(state): State<AppState>,
    actor: Actor,
    Path(id): Path<String>,
) -> Result<Response, AppError> {
    let submission = load_submission(&state, &actor, &id).await?;
    let is_applied = submission.state == SubmissionState::Applied;
    if !is_applied || !may_deploy(&state, &actor, &submission.namespace).await? {
        return Err(AppError::NotFound);
    }
    let earlier = store::applied_before(&state.database, &submission).await?;
    let earlier = earlier.ok_or_else(|| AppError::Conflict { message: format!("Fairway applied nothing named {} to {} before this, so there is no earlier state to bring back. To take the workload away, delete it with kubectl; its policy should go last.", submission.name, submission.namespace) })?;
    let manifests = decode("submission", &earlier).map_err(|_| AppError::Internal)?;
    // As answers only if these give back the very same bytes.
    let known = Known::new(submission.namespace.clone(), [], state.policy.places.clone(), None);
    let gives_back = |draft: &DraftForm| {
        let written = draft.written(&known, &state.policy.review);
        written.is_ok_and(|written| to_yaml(&written.manifests) == earlier)
    };
    let answers = draft_from(&state, &submission.namespace, &manifests).ok().filter(gives_back);
    let mut draft = answers.unwrap_or_else(|| as_they_are(&submission.namespace, earlier.clone()));
    draft.remains = added_since(&manifests, &submission);
    let id = store::insert_draft(&state.database, actor.person_id, &submission.namespace, &draft).await?;
    Ok(Redirect::to(&step_path(id, Step::Review)).into_response())
}
