use super::steps::{load_step, respond};
use crate::actor::Actor;
use crate::error::AppError;
use crate::form::{PathOf, decode};
use crate::state::AppState;
use crate::workloads::service::SentStep;
use axum::extract::State;
use axum::http::request::Parts;
use axum::response::Response;
use serde::Deserialize;
use uuid::Uuid;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct RowForm {
    /// From 0.
    row: usize,
}

/// Saves a step with one row less.
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
    let RowForm { row } = decode(&body)?;
    let mut sent = SentStep::read(&state, &actor, &draft, step, &body)?;
    let place = sent.remove_row(row)?;
    let outcome = sent.save_and_stay(place).await?;
    Ok(respond(outcome, id, step, state.clone(), parts).await)
}
