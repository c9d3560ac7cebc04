use super::decisions::{Decision, decide};
use crate::actor::Actor;
use crate::error::AppError;
use crate::preview::opt_in::Step;
use crate::state::AppState;
use axum::extract::State;
use axum::http::request::Parts;
use axum::response::Response;
use record::Event;

pub async fn post(
    State(state): State<AppState>,
    actor: Actor,
    parts: Parts,
    body: String,
) -> Result<Response, AppError> {
    let by = actor.administrator()?.actor().person_id;
    let decision = Decision { step: Step::Approve { by }, event: Event::RiskApprove, needs_comment: None };
    decide(state, &actor, parts, &body, decision).await
}
