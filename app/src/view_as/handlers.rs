//! Looking somebody up.

use super::identity;
use crate::access::Access;
use crate::actor::Actor;
use crate::audit::{commitments_of, record_event};
use crate::error::AppError;
use crate::form::{FormErrors, FormOutcome, decode};
use crate::state::AppState;
use axum::Router;
use axum::extract::State;
use axum::http::request::Parts;
use axum::response::Response;
use axum::routing;
use record::Event;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

pub fn routes() -> Router<AppState> {
    Router::new().route("/admin/view-as", routing::post(post))
}

/// Who is looked up, as typed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ViewAsForm {
    pub address: String,
    /// Their groups, one a line.
    pub groups: String,
}

#[derive(Debug, Clone)]
pub struct Viewed {
    pub form: ViewAsForm,
    pub access: Access,
}

/// No link, as it is recorded whom somebody looked up.
pub async fn post(
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
    // By the commitments of whoever has that address: the address itself could not be erased.
    let viewed = commitments_of(&state, form.address.trim()).await?;
    // Only what is a group here: anything may have been typed.
    let groups: BTreeSet<&String> = bindings.iter().filter_map(|binding| binding.subject.group()).collect();
    let event = Event::ViewAs { viewed, groups: groups.into_iter().cloned().collect() };
    record_event(&state, &actor, &event).await?;
    Ok(FormOutcome::<ViewAsForm>::shown(Viewed { form, access }).respond(state, parts).await)
}
