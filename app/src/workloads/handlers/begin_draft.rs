use crate::actor::Actor;
use crate::error::AppError;
use crate::form::{decode, redirect_to};
use crate::state::AppState;
use crate::workloads::paths;
use crate::workloads::service::begin_draft;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct BeginForm {
    namespace: String,
    /// A workload that runs, as connections write it: then only its policy is written.
    running: String,
}

pub async fn post(State(state): State<AppState>, actor: Actor, body: String) -> Result<Response, AppError> {
    let form: BeginForm = decode(&body)?;
    let (id, first) = begin_draft(&state, &actor, form.namespace, &form.running).await?;
    Ok(redirect_to(&paths::step(id, first)))
}
