use crate::actor::Actor;
use crate::error::AppError;
use crate::form::{PathOf, redirect_to};
use crate::state::AppState;
use crate::workloads::paths;
use crate::workloads::service::apply_stored;
use axum::extract::State;
use axum::response::Response;
use uuid::Uuid;

/// Applies a submission that was approved, or whose apply broke.
pub async fn post(State(state): State<AppState>, actor: Actor, PathOf(id): PathOf<Uuid>) -> Result<Response, AppError> {
    apply_stored(&state, &actor, id).await?;
    Ok(redirect_to(&paths::submission(id)))
}
