use crate::actor::Actor;
use crate::download::Download;
use crate::error::AppError;
use crate::form::PathOf;
use crate::state::AppState;
use crate::workloads::service::download_kustomize;
use axum::extract::State;
use uuid::Uuid;

/// A folder with a file for each object and a `kustomization.yaml`.
pub async fn get(State(state): State<AppState>, actor: Actor, PathOf(id): PathOf<Uuid>) -> Result<Download, AppError> {
    download_kustomize(&state, &actor, id).await
}
