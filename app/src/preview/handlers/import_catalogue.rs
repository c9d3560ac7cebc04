use crate::actor::Actor;
use crate::error::AppError;
use crate::form::decode;
use crate::preview::service::catalogue::{CatalogueForm, import_catalogue};
use crate::state::AppState;
use axum::extract::State;
use axum::http::request::Parts;
use axum::response::Response;

pub async fn post(
    State(state): State<AppState>,
    actor: Actor,
    parts: Parts,
    body: String,
) -> Result<Response, AppError> {
    actor.administrator()?;
    let form: CatalogueForm = decode(&body)?;
    let outcome = import_catalogue(&state, &actor, form).await?;
    Ok(outcome.respond(state, parts).await)
}
