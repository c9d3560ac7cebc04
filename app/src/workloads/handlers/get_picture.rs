use crate::actor::Actor;
use crate::download::{Download, FileName};
use crate::error::AppError;
use crate::form::PathOf;
use crate::state::AppState;
use crate::workloads::pages::picture_svg;
use crate::workloads::service::load_picture;
use axum::extract::State;
use uuid::Uuid;

/// The picture of a draft as SVG.
pub async fn get(State(state): State<AppState>, actor: Actor, PathOf(id): PathOf<Uuid>) -> Result<Download, AppError> {
    let (name, picture) = load_picture(&state, &actor, id).await?;
    let bytes = picture_svg(picture).into_bytes();
    Ok(Download { name: FileName::new(&name, "svg"), content_type: "image/svg+xml", body: bytes.into() })
}
