use crate::actor::Actor;
use crate::error::AppError;
use crate::preview::service::catalogue::export_catalogue;
use crate::state::AppState;
use axum::extract::State;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};

/// No link, as every export is recorded.
pub async fn post(State(state): State<AppState>, actor: Actor) -> Result<Response, AppError> {
    let yaml = export_catalogue(&state, &actor).await?;
    let headers =
        [(CONTENT_TYPE, "application/yaml"), (CONTENT_DISPOSITION, "attachment; filename=\"preview-features.yaml\"")];
    Ok((headers, yaml).into_response())
}
