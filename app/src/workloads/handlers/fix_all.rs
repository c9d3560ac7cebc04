use super::steps::load_open_draft;
use crate::actor::Actor;
use crate::error::AppError;
use crate::form::{PathOf, decode, redirect_to};
use crate::state::AppState;
use crate::workloads::draft::Step;
use crate::workloads::paths;
use crate::workloads::service::fix_whole_draft;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use uuid::Uuid;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct FixAllForm {
    /// Of the bytes that the person saw.
    digest: String,
    /// Only what this rule finds; everything where there is none.
    rule: Option<String>,
}

/// Changes the draft by the patches of all findings, or of those of one rule.
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
    let form: FixAllForm = decode(&body)?;
    fix_whole_draft(&state, &actor, draft, form.rule.as_deref(), &form.digest).await?;
    Ok(redirect_to(&paths::step(id, Step::Review)))
}
