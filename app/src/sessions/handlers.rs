//! Buttons that end sessions.

use super::service::{end_other_sessions, end_own_session, end_sessions_of};
use crate::actor::Actor;
use crate::error::AppError;
use crate::form::{PathOf, redirect_to};
use crate::state::AppState;
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing;
use uuid::Uuid;

pub fn routes() -> Router<AppState> {
    Router::new()
        .route("/sessions/end-others", routing::post(end_others))
        .route("/sessions/{id}/end", routing::post(end_own))
        .route("/admin/sessions/{id}/end", routing::post(end_all_of))
}

async fn end_own(State(state): State<AppState>, actor: Actor, PathOf(id): PathOf<Uuid>) -> Result<Response, AppError> {
    end_own_session(&state, &actor, id).await?;
    Ok(redirect_to("/sessions?ended=yes"))
}

async fn end_others(State(state): State<AppState>, actor: Actor) -> Result<Response, AppError> {
    end_other_sessions(&state, &actor).await?;
    Ok(redirect_to("/sessions?ended=yes"))
}

async fn end_all_of(
    State(state): State<AppState>,
    actor: Actor,
    PathOf(person): PathOf<Uuid>,
) -> Result<Response, AppError> {
    end_sessions_of(&state, actor.administrator()?, person).await?;
    Ok(redirect_to("/admin/sessions?ended=yes"))
}
