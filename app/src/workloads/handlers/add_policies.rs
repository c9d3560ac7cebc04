use super::steps::load_open_draft;
use crate::actor::Actor;
use crate::error::AppError;
use crate::form::{PathOf, decode, redirect_to};
use crate::state::AppState;
use crate::workloads::draft::Step;
use crate::workloads::paths;
use crate::workloads::service::add_policies;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use uuid::Uuid;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct AddPoliciesForm {
    /// Of the bytes that the person saw.
    digest: String,
    /// Names of the proposed policies that were chosen.
    policy: Vec<String>,
}

/// Adds proposed policies to the draft.
pub async fn post(
    State(state): State<AppState>,
    actor: Actor,
    PathOf(id): PathOf<Uuid>,
    body: String,
) -> Result<Response, AppError> {
    let draft = match load_open_draft(&state, &actor, id).await? {
        Ok(draft) => draft,
        Err(gone) => return Ok(gone),
    };
    let form: AddPoliciesForm = decode(&body)?;
    add_policies(&state, &actor, draft, &form.policy, &form.digest).await?;
    Ok(redirect_to(&paths::step(id, Step::Review)))
}
