//! Forms and downloads of this area, one verb a file.

mod add_policies;
mod add_row;
mod add_workload;
mod apply;
mod approve;
mod begin_draft;
mod comment;
mod delete_draft;
mod fix;
mod fix_all;
mod get_kustomize;
mod get_manifest;
mod get_picture;
mod import;
mod live_review;
mod refuse;
mod remove_row;
mod request_changes;
mod reviews;
mod save_step;
mod search;
mod steps;
mod submit;
mod undo;

use crate::form::back_to_page;
use crate::state::AppState;
use axum::Router;
use axum::routing::{get, post};

pub fn routes() -> Router<AppState> {
    Router::new()
        .route("/workloads/new", post(begin_draft::post))
        .route("/workloads/import", post(import::post))
        .route("/workloads/drafts/{id}/manifest.yaml", get(get_manifest::get))
        .route("/workloads/drafts/{id}/picture.svg", get(get_picture::get))
        .route("/workloads/drafts/{id}/kustomize.zip", get(get_kustomize::get))
        .route("/workloads/drafts/{id}/delete", post(delete_draft::post))
        .route("/workloads/drafts/{id}/submit", post(submit::post).get(steps::to_review))
        .route("/workloads/drafts/{id}/fix", post(fix::post).get(steps::to_review))
        .route("/workloads/drafts/{id}/fix-all", post(fix_all::post).get(steps::to_review))
        .route("/workloads/drafts/{id}/add-policies", post(add_policies::post).get(steps::to_review))
        .route("/workloads/drafts/{id}/{step}", post(save_step::post))
        .route("/workloads/drafts/{id}/{step}/live-review", post(live_review::post).get(back_to_page))
        .route("/workloads/drafts/{id}/{step}/add-row", post(add_row::post).get(back_to_page))
        .route("/workloads/drafts/{id}/{step}/remove-row", post(remove_row::post).get(back_to_page))
        .route("/workloads/drafts/{id}/{step}/add-workload", post(add_workload::post).get(back_to_page))
        .route("/workloads/drafts/{id}/{step}/search", post(search::post).get(back_to_page))
        .route("/workloads/{id}/approve", post(approve::post).get(back_to_page))
        .route("/workloads/{id}/request-changes", post(request_changes::post).get(back_to_page))
        .route("/workloads/{id}/refuse", post(refuse::post).get(back_to_page))
        .route("/workloads/{id}/comment", post(comment::post).get(back_to_page))
        .route("/workloads/{id}/apply", post(apply::post).get(back_to_page))
        .route("/workloads/{id}/undo", post(undo::post).get(back_to_page))
}
