use crate::actor::Actor;
use crate::error::AppError;
use crate::form::{FormOutcome, PathOf, decode};
use crate::preview::service::accepting::{Confirmation, OptInForm, check, find_feature};
use crate::state::AppState;
use axum::extract::State;
use axum::http::request::Parts;
use axum::response::Response;

/// Shows exactly what would be recorded, before it is.
pub async fn post(
    State(state): State<AppState>,
    actor: Actor,
    PathOf(slug): PathOf<String>,
    parts: Parts,
    body: String,
) -> Result<Response, AppError> {
    let feature = find_feature(&state, &slug).await?;
    let form: OptInForm = decode(&body)?;
    let outcome = match check(&state, &actor, &feature, &form).await? {
        Ok(document) => FormOutcome::<OptInForm>::shown(Confirmation { form, document, is_changed: false }),
        Err(errors) => FormOutcome::again(form, errors),
    };
    Ok(outcome.respond(state, parts).await)
}
