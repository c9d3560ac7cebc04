use crate::actor::Actor;
use crate::download::{Download, FileName};
use crate::error::AppError;
use crate::form::PathOf;
use crate::preview::service::export_acceptance;
use crate::state::AppState;
use axum::extract::State;
use uuid::Uuid;

/// The acceptance with everything that is needed to verify it.
pub async fn post(State(state): State<AppState>, actor: Actor, PathOf(id): PathOf<Uuid>) -> Result<Download, AppError> {
    let text = export_acceptance(&state, &actor, id).await?;
    let name = FileName::new(&format!("acceptance-{id}"), "json");
    Ok(Download { name, content_type: "application/json", body: text.into() })
}
