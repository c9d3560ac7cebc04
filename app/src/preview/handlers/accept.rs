use crate::actor::Actor;
use crate::error::AppError;
use crate::form::{FormOutcome, PathOf, decode};
use crate::preview::paths;
use crate::preview::service::accepting::{Confirmation, OptInForm, accept, check, find_feature};
use crate::state::AppState;
use axum::extract::State;
use axum::http::request::Parts;
use axum::response::Response;

/// Records what the person has seen. Groups and namespaces may have changed meanwhile: then what would be recorded now
/// is shown first.
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
        Ok(document) if form.shown == document.digest_as_shown().to_string() => {
            let id = accept(&state, &actor, &document).await?;
            FormOutcome::Done(format!("{}?accepted=yes", paths::acceptance(id)))
        }
        Ok(document) => FormOutcome::<OptInForm>::shown(Confirmation { form, document, is_changed: true }),
        Err(errors) => FormOutcome::again(form, errors),
    };
    Ok(outcome.respond_on(&paths::feature(&slug), state, parts).await)
}
