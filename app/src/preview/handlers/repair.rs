use crate::actor::Actor;
use crate::error::AppError;
use crate::form::{PathOf, redirect_to};
use crate::preview::paths;
use crate::preview::service::deciding::load_acceptance;
use crate::preview::service::repair;
use crate::state::AppState;
use axum::extract::State;
use axum::response::Response;
use uuid::Uuid;

/// Makes what an effective opt-in gives once more, where the cluster differs.
pub async fn post(State(state): State<AppState>, actor: Actor, PathOf(id): PathOf<Uuid>) -> Result<Response, AppError> {
    let view = load_acceptance(&state, &actor, id).await?;
    if !view.may_administer() || view.is_manual() {
        return Err(AppError::NotFound);
    }
    repair(&state, &actor, &view.acceptance).await?;
    Ok(redirect_to(&paths::acceptance_done(id)))
}
