use crate::actor::Actor;
use crate::error::AppError;
use crate::form::{PathOf, decode};
use crate::preview::service::catalogue::{FeatureForm, save_feature};
use crate::state::AppState;
use axum::extract::State;
use axum::http::request::Parts;
use axum::response::Response;

/// Saves a feature, and publishes the next version of its statement where that says something new. The slug `new` is a
/// new one.
pub async fn post(
    State(state): State<AppState>,
    actor: Actor,
    PathOf(slug): PathOf<String>,
    parts: Parts,
    body: String,
) -> Result<Response, AppError> {
    actor.administrator()?;
    let form: FeatureForm = decode(&body)?;
    let outcome = save_feature(&state, &actor, &slug, form).await?;
    Ok(outcome.respond(state, parts).await)
}
