//! What the buttons of a step share.

use crate::actor::Actor;
use crate::error::AppError;
use crate::form::{FormOutcome, PathOf, redirect_to};
use crate::state::AppState;
use crate::workloads::draft::{Draft, DraftForm, Step};
use crate::workloads::paths;
use crate::workloads::service::{load_draft, submission_of};
use axum::http::request::Parts;
use axum::response::Response;
use uuid::Uuid;

/// The draft and the step of an address; or where the draft has gone, when a button was pressed twice or in another
/// window.
pub(super) async fn load_step(
    state: &AppState,
    actor: &Actor,
    id: Uuid,
    step: &str,
) -> Result<Result<(Draft, Step), Response>, AppError> {
    let step = Step::from_slug(step).filter(|step| *step != Step::Review).ok_or(AppError::NotFound)?;
    Ok(load_open_draft(state, actor, id).await?.map(|draft| (draft, step)))
}

pub(super) async fn load_open_draft(
    state: &AppState,
    actor: &Actor,
    id: Uuid,
) -> Result<Result<Draft, Response>, AppError> {
    match load_draft(state, actor, id).await {
        Ok(draft) => Ok(Ok(draft)),
        Err(AppError::NotFound) => Ok(Err(redirect_to(&paths::submission(submission_of(state, actor, id).await?)))),
        Err(error) => Err(error),
    }
}

pub(super) async fn respond(
    outcome: FormOutcome<DraftForm>,
    draft: Uuid,
    step: Step,
    state: AppState,
    parts: Parts,
) -> Response {
    outcome.respond_on(&paths::step(draft, step), state, parts).await
}

/// For whoever opens, or reloads, the address of a button of the review.
pub async fn to_review(PathOf(id): PathOf<Uuid>) -> Response {
    redirect_to(&paths::step(id, Step::Review))
}
