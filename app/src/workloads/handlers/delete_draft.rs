use crate::actor::Actor;
use crate::error::AppError;
use crate::form::{PathOf, redirect_to};
use crate::state::AppState;
use crate::workloads::service::delete_draft;
use axum::extract::State;
use axum::response::Response;
use uuid::Uuid;

pub async fn post(State(state): State<AppState>, actor: Actor, PathOf(id): PathOf<Uuid>) -> Result<Response, AppError> {
    delete_draft(&state, &actor, id).await?;
    Ok(redirect_to("/workloads?deleted=yes"))
}
