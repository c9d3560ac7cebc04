use crate::actor::Actor;
use crate::error::AppError;
use crate::form::{FormErrors, FormOutcome, PathOf, decode};
use crate::preview::errors::PreviewError;
use crate::preview::opt_in::{EndReason, Status, Step};
use crate::preview::paths;
use crate::preview::service::deciding::{LONGEST_COMMENT, RevokeForm, load_acceptance, take_step};
use crate::state::AppState;
use axum::extract::State;
use axum::http::request::Parts;
use axum::response::Response;
use record::Event;
use uuid::Uuid;

/// Ends an opt-in before its time. What waits is for its owner to withdraw, and for administrators to refuse.
pub async fn post(
    State(state): State<AppState>,
    actor: Actor,
    PathOf(id): PathOf<Uuid>,
    parts: Parts,
    body: String,
) -> Result<Response, AppError> {
    let form: RevokeForm = decode(&body)?;
    let view = load_acceptance(&state, &actor, id).await?;
    view.require(view.may_revoke())?;
    if matches!(view.acceptance.status(), Status::Waiting { .. }) {
        return Err(PreviewError::NotGranted.into());
    }
    let comment = form.comment.trim().to_owned();
    let mut errors = FormErrors::default();
    if comment.is_empty() {
        errors.add("comment", "Say why it is revoked; whoever accepted reads it.");
    }
    if comment.chars().count() > LONGEST_COMMENT {
        errors.add("comment", format!("Enter at most {LONGEST_COMMENT} characters."));
    }
    let outcome = if errors.is_empty() {
        let step = Step::End(EndReason::Revoked);
        take_step(&state, &actor, &view.acceptance, step, Event::RiskRevoke, &comment).await?;
        FormOutcome::Done(paths::acceptance_done(id))
    } else {
        FormOutcome::again(form, errors)
    };
    Ok(outcome.respond_on(&paths::acceptance(id), state, parts).await)
}
