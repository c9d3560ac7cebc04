//! Looking somebody up.

use super::identity;
use crate::access::Access;
use crate::actor::Actor;
use crate::audit::{Action, Phase, commitments_of, recorded};
use crate::error::AppError;
use crate::form::{FormErrors, FormOutcome, decode};
use crate::state::AppState;
use axum::extract::State;
use axum::http::request::Parts;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::BTreeSet;

/// Who is looked up, as typed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ViewAsForm {
    /// Their address.
    pub address: String,
    /// Their groups, one a line.
    pub groups: String,
}

/// What was found.
#[derive(Debug, Clone)]
pub struct Viewed {
    /// Who.
    pub form: ViewAsForm,
    /// What they may do.
    pub access: Access,
}

/// `POST /admin/view-as`: no link, as it is recorded whom somebody looked up.
///
/// # Errors
/// [`AppError::NotFound`] for everyone but administrators; when the cluster has never been reached.
pub async fn post_view_as(
    State(state): State<AppState>,
    actor: Actor,
    parts: Parts,
    body: String,
) -> Result<Response, AppError> {
    actor.administrator()?;
    let form: ViewAsForm = decode(&body)?;
    let who = match identity(&form.address, &form.groups, &state.policy.groups) {
        Ok(who) => who,
        Err((field, message)) => {
            let mut errors = FormErrors::default();
            errors.add(field, message);
            return Ok(FormOutcome::again(form, errors).respond(state, parts).await);
        }
    };
    let bindings = state.cluster.bindings_of(&who)?;
    let access = Access::of(&bindings);
    // By the commitments of whoever has that address: the address itself could not be blanked.
    let viewed = commitments_of(&state, form.address.trim()).await?;
    // Only what is a group here: anything may have been typed.
    let groups: BTreeSet<&String> = bindings.iter().filter_map(|binding| binding.subject.group()).collect();
    let detail = json!({ "viewed": viewed, "groups": groups });
    recorded(&state, &actor, Action::ViewAs, Phase::Succeeded, "Person//", detail).await?;
    Ok(FormOutcome::<ViewAsForm>::shown(Viewed { form, access }).respond(state, parts).await)
}
