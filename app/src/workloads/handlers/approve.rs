use super::reviews::respond;
use crate::actor::Actor;
use crate::error::AppError;
use crate::form::PathOf;
use crate::state::AppState;
use axum::extract::State;
use axum::http::request::Parts;
use axum::response::Response;
use record::ReviewVerdict;
use uuid::Uuid;

pub async fn post(
    State(state): State<AppState>,
    actor: Actor,
    PathOf(id): PathOf<Uuid>,
    parts: Parts,
    body: String,
) -> Result<Response, AppError> {
    respond(state, &actor, id, parts, &body, ReviewVerdict::Approved).await
}
