use crate::actor::Actor;
use crate::download::Download;
use crate::error::AppError;
use crate::form::PathOf;
use crate::state::AppState;
use crate::workloads::service::download_manifest;
use axum::extract::State;
use uuid::Uuid;

pub async fn get(State(state): State<AppState>, actor: Actor, PathOf(id): PathOf<Uuid>) -> Result<Download, AppError> {
    download_manifest(&state, &actor, id).await
}
