//! What the verdicts of a second person share.

use crate::actor::Actor;
use crate::error::AppError;
use crate::form::{FormErrors, FormOutcome, decode};
use crate::state::AppState;
use crate::workloads::paths;
use crate::workloads::service::second_person::{ReviewForm, load_reviewable, review};
use axum::http::request::Parts;
use axum::response::Response;
use record::ReviewVerdict;
use uuid::Uuid;

pub(super) async fn respond(
    state: AppState,
    actor: &Actor,
    id: Uuid,
    parts: Parts,
    body: &str,
    verdict: ReviewVerdict,
) -> Result<Response, AppError> {
    let submission = load_reviewable(&state, actor, id).await?;
    let form: ReviewForm = decode(body)?;
    let mut errors = FormErrors::default();
    if verdict != ReviewVerdict::Approved && form.comment.trim().is_empty() {
        errors.add("comment", "Say why, so that the author can do something about it.");
    }
    let outcome = if errors.is_empty() {
        review(&state, actor, &submission, &form, verdict).await?;
        FormOutcome::Done(format!("{}?reviewed=yes", paths::submission(id)))
    } else {
        FormOutcome::again(form, errors)
    };
    Ok(outcome.respond_on(&paths::submission(id), state, parts).await)
}
