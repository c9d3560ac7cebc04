use crate::actor::Actor;
use crate::error::AppError;
use crate::form::PathOf;
use crate::state::AppState;
use crate::workloads::draft::Step;
use crate::workloads::pages::Panel;
use crate::workloads::service::{load_draft, with_step};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Html;
use uuid::Uuid;

/// Reviews a draft as it stands in the browser, and gives the panel beside the form; stores nothing. A failure is a
/// status alone: nobody reads a page here, and the record would get a row for every pause in typing beside a draft that
/// is gone.
pub async fn post(
    State(state): State<AppState>,
    actor: Actor,
    PathOf((id, step)): PathOf<(Uuid, String)>,
    body: String,
) -> Result<Html<String>, StatusCode> {
    let reviewed = review(&state, &actor, id, &step, &body).await;
    reviewed
        .map(Html)
        .map_err(|error| StatusCode::from_u16(error.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR))
}

async fn review(state: &AppState, actor: &Actor, id: Uuid, step: &str, body: &str) -> Result<String, AppError> {
    let step = Step::from_slug(step).ok_or(AppError::NotFound)?;
    let saved = load_draft(state, actor, id).await?;
    Ok(Panel::of(state, actor, &with_step(saved.form, step, body)?).await.html())
}
