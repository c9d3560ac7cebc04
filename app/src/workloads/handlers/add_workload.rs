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
struct PickForm {
    /// As connections write it.
    pick: String,
}

/// Saves a step with a row for a workload that runs.
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
    let PickForm { pick } = decode(&body)?;
    let mut sent = SentStep::read(&state, &actor, &draft, step, &body)?;
    let place = sent.add_workload(&pick).await?;
    let outcome = sent.save_and_stay(place).await?;
    Ok(respond(outcome, id, step, state.clone(), parts).await)
}
