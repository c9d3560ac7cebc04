use super::steps::load_open_draft;
use crate::actor::Actor;
use crate::error::AppError;
use crate::form::{PathOf, decode, redirect_to};
use crate::state::AppState;
use crate::workloads::draft::Step;
use crate::workloads::paths;
use crate::workloads::service::submit_draft;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use uuid::Uuid;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct SubmitForm {
    /// Of the bytes that the person saw.
    digest: String,
}

/// Submits exactly what the person saw. It is applied at once where nobody else need look.
pub async fn post(
    State(state): State<AppState>,
    actor: Actor,
    PathOf(id): PathOf<Uuid>,
    body: String,
) -> Result<Response, AppError> {
    let draft = match load_open_draft(&state, &actor, id).await? {
        Ok(draft) => draft,
        Err(gone) => return Ok(gone),
    };
    let form: SubmitForm = decode(&body)?;
    Ok(match submit_draft(&state, &actor, &draft, &form.digest).await? {
        Some(submission) => redirect_to(&paths::submission(submission)),
        None => redirect_to(&paths::step(id, Step::Review)),
    })
}
