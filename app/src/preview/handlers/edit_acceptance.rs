use crate::actor::Actor;
use crate::error::AppError;
use crate::form::{FormOutcome, PathOf, decode};
use crate::preview::paths;
use crate::preview::service::accepting::{OptInForm, digest_errors, find_feature};
use crate::state::AppState;
use axum::extract::State;
use axum::http::request::Parts;
use axum::response::Response;

/// Goes back from what would be recorded to the form, with everything that was typed.
pub async fn post(
    State(state): State<AppState>,
    _: Actor,
    PathOf(slug): PathOf<String>,
    parts: Parts,
    body: String,
) -> Result<Response, AppError> {
    let feature = find_feature(&state, &slug).await?;
    let form: OptInForm = decode(&body)?;
    let errors = digest_errors(&feature, &form);
    Ok(FormOutcome::again(form, errors).respond_on(&paths::feature(&slug), state, parts).await)
}
