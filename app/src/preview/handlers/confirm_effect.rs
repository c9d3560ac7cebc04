use super::step_and_return;
use crate::actor::Actor;
use crate::error::AppError;
use crate::form::PathOf;
use crate::preview::opt_in::Step;
use crate::preview::service::deciding::load_acceptance;
use crate::state::AppState;
use axum::extract::State;
use axum::response::Response;
use record::Event;
use uuid::Uuid;

/// An administrator has enabled by hand what was approved.
pub async fn post(State(state): State<AppState>, actor: Actor, PathOf(id): PathOf<Uuid>) -> Result<Response, AppError> {
    let view = load_acceptance(&state, &actor, id).await?;
    if !(view.may_administer() && view.is_manual()) {
        return Err(AppError::NotFound);
    }
    step_and_return(&state, &actor, &view.acceptance, Step::TakeEffect, Event::EffectTake).await
}
