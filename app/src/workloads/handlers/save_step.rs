use super::steps::{load_step, respond};
use crate::actor::Actor;
use crate::error::AppError;
use crate::form::PathOf;
use crate::state::AppState;
use crate::workloads::service::SentStep;
use axum::extract::State;
use axum::http::request::Parts;
use axum::response::Response;
use uuid::Uuid;

/// Saves a step, and goes on if it is right.
pub async fn post(
    State(state): State<AppState>,
    actor: Actor,
    PathOf((id, step)): PathOf<(Uuid, String)>,
    parts: Parts,
    body: String,
) -> Result<Response, AppError> {
    let (draft, step) = match load_step(&state, &actor, id, &step).await? {
        Ok(found) => found,
        Err(gone) => return Ok(gone),
    };
    let outcome = SentStep::read(&state, &actor, &draft, step, &body)?.save().await?;
    Ok(respond(outcome, id, step, state.clone(), parts).await)
}
