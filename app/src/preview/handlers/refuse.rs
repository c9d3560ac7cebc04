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
    let needs_comment = Some("Say why it is refused, so that the person knows what to do.");
    let decision = Decision { step: Step::Refuse { by }, event: Event::RiskRefuse, needs_comment };
    decide(state, &actor, parts, &body, decision).await
}
