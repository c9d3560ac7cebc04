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

/// Whoever accepted takes it back before it is decided.
pub async fn post(State(state): State<AppState>, actor: Actor, PathOf(id): PathOf<Uuid>) -> Result<Response, AppError> {
    let view = load_acceptance(&state, &actor, id).await?;
    // What is decided already is refused by the rules, which say so.
    view.require(view.may_revoke())?;
    step_and_return(&state, &actor, &view.acceptance, Step::Withdraw { by: actor.person_id }, Event::RiskWithdraw).await
}
