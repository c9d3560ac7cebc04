use crate::actor::Actor;
use crate::error::AppError;
use crate::form::{PathOf, redirect_to};
use crate::state::AppState;
use crate::workloads::draft::Step;
use crate::workloads::paths;
use crate::workloads::service::undo;
use axum::extract::State;
use axum::response::Response;
use uuid::Uuid;

/// Begins a draft that brings back what an applied submission replaced.
pub async fn post(State(state): State<AppState>, actor: Actor, PathOf(id): PathOf<Uuid>) -> Result<Response, AppError> {
    let draft = undo(&state, &actor, id).await?;
    Ok(redirect_to(&paths::step(draft, Step::Review)))
}
