use super::service::create_namespace;
use crate::actor::Actor;
use crate::error::AppError;
use crate::form::decode;
use crate::state::AppState;
use axum::Router;
use axum::extract::State;
use axum::http::request::Parts;
use axum::response::Response;
use axum::routing;

pub fn routes() -> Router<AppState> {
    Router::new().route("/namespaces/new", routing::post(post))
}

async fn post(State(state): State<AppState>, actor: Actor, parts: Parts, body: String) -> Result<Response, AppError> {
    let outcome = create_namespace(&state, &actor, decode(&body)?).await?;
    Ok(outcome.respond(state, parts).await)
}
