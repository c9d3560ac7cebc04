use super::steps::{load_step, respond};
use crate::actor::Actor;
use crate::error::AppError;
use crate::form::{PathOf, decode};
use crate::state::AppState;
use crate::workloads::service::SentStep;
use axum::extract::State;
use axum::http::request::Parts;
use axum::response::Response;
use serde::Deserialize;
use url::form_urlencoded;
use uuid::Uuid;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct SearchForm {
    search: String,
}

/// Saves a step, and searches for workloads to pick.
pub async fn post(
    State(state): State<AppState>,
    actor: Actor,
    PathOf((id, step)): PathOf<(Uuid, String)>,
    parts: Parts,
    body: String,
) -> Result<Response, AppError> {
    let (draft, step) = match load_step(&state, &actor, id, &step).await? {
        Ok(found) => found,
        Err(gone) => return Ok(gone),
    };
    let SearchForm { search } = decode(&body)?;
    let query = form_urlencoded::Serializer::new(String::new()).append_pair("search", search.trim()).finish();
    let outcome = SentStep::read(&state, &actor, &draft, step, &body)?.save_and_stay(&format!("?{query}#find")).await?;
    Ok(respond(outcome, id, step, state.clone(), parts).await)
}
