use crate::actor::Actor;
use crate::download::{Download, FileName};
use crate::error::AppError;
use crate::preview::service::catalogue::export_catalogue;
use crate::state::AppState;
use axum::extract::State;

/// No link, as every export is recorded.
pub async fn post(State(state): State<AppState>, actor: Actor) -> Result<Download, AppError> {
    let yaml = export_catalogue(&state, &actor).await?;
    let name = FileName::new("preview-features", "yaml");
    Ok(Download { name, content_type: "application/yaml", body: yaml.into() })
}
