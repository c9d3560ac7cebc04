use crate::actor::Actor;
use crate::error::AppError;
use crate::form::PathOf;
use crate::preview::service::accepting::find_statement;
use crate::state::AppState;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};

/// The exact text of a version, whose SHA-256 is its digest.
pub async fn get(
    State(state): State<AppState>,
    _: Actor,
    PathOf((slug, version)): PathOf<(String, i32)>,
) -> Result<Response, AppError> {
    let found = find_statement(&state, &slug, version).await?;
    Ok(([(CONTENT_TYPE, "application/json")], found.document).into_response())
}
