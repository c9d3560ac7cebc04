//! Forms and downloads of this area, one verb a file.

mod accept;
mod approve;
mod confirm_effect;
mod confirm_removal;
mod decisions;
mod edit_acceptance;
mod export_acceptance;
mod export_catalogue;
mod get_statement;
mod import_catalogue;
mod refuse;
mod repair;
mod review_acceptance;
mod revoke;
mod save_feature;
mod withdraw;

use super::paths;
use crate::actor::Actor;
use crate::error::AppError;
use crate::form::{back_to_page, redirect_to};
use crate::preview::acceptance::Acceptance;
use crate::preview::opt_in::Step;
use crate::preview::service::deciding::take_step;
use crate::state::AppState;
use axum::Router;
use axum::response::Response;
use axum::routing::{get, post};
use record::{Event, OptInStep};

pub fn routes() -> Router<AppState> {
    Router::new()
        .route("/preview-features/{slug}", post(review_acceptance::post))
        .route("/preview-features/{slug}/accept", post(accept::post).get(back_to_page))
        .route("/preview-features/{slug}/edit", post(edit_acceptance::post).get(back_to_page))
        .route("/preview-features/{slug}/statements/{version}", get(get_statement::get))
        .route("/preview-features/acceptances/{id}/withdraw", post(withdraw::post).get(back_to_page))
        .route("/preview-features/acceptances/{id}/revoke", post(revoke::post).get(back_to_page))
        .route("/preview-features/acceptances/{id}/confirm-effect", post(confirm_effect::post).get(back_to_page))
        .route("/preview-features/acceptances/{id}/confirm-removal", post(confirm_removal::post).get(back_to_page))
        .route("/preview-features/acceptances/{id}/repair", post(repair::post).get(back_to_page))
        .route("/preview-features/acceptances/{id}/export", post(export_acceptance::post).get(back_to_page))
        .route("/admin/approvals/approve", post(approve::post).get(back_to_page))
        .route("/admin/approvals/refuse", post(refuse::post).get(back_to_page))
        .route("/admin/features", post(import_catalogue::post))
        .route("/admin/features/catalogue.yaml", post(export_catalogue::post))
        .route("/admin/features/{slug}", post(save_feature::post))
}

/// Takes a step that needs no words, and goes back to the page of the acceptance.
async fn step_and_return(
    state: &AppState,
    actor: &Actor,
    acceptance: &Acceptance,
    step: Step,
    event: fn(OptInStep) -> Event,
) -> Result<Response, AppError> {
    take_step(state, actor, acceptance, step, event, "").await?;
    Ok(redirect_to(&paths::acceptance_done(acceptance.accepted.id)))
}
