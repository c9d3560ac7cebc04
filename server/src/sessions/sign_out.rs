//! `/sign-out`.

use super::{CURRENT, Current, read, request_id, unavailable};
use app::actor::Actor;
use app::audit::{Intent, RecordActor};
use app::error::AppError;
use app::form::FormOutcome;
use app::sessions::SignedOut;
use app::state::AppState;
use axum::extract::State;
use axum::http::request::Parts;
use axum::response::Response;
use record::Event;
use std::time::Duration;
use tower_sessions::Session;

/// Ends the session here, whatever becomes of the provider's own.
pub(super) async fn post(
    State(state): State<AppState>,
    session: Session,
    mut parts: Parts,
) -> Result<Response, AppError> {
    let current: Option<Current> = read(&session, CURRENT).await?;
    let signed_out = match current {
        Some(current) => {
            let actor =
                RecordActor { profile: current.signed_in.profile.clone(), request_id: request_id(&parts.headers) };
            let intent = Intent::announce(&state.database, actor, Event::SignOut {}).await?;
            let ended = session.flush().await.map_err(unavailable);
            intent.conclude(&state.database, ended).await?;
            at_provider(&state, &current).await
        }
        None => {
            session.flush().await.map_err(unavailable)?;
            SignedOut::HereOnly
        }
    };
    // The page is shown to nobody in particular.
    parts.extensions.remove::<Actor>();
    Ok(FormOutcome::<()>::shown(signed_out).respond(state, parts).await)
}

/// How long the provider is waited for: whoever signs out is signed out here already.
const PATIENCE: Duration = Duration::from_secs(1);

async fn at_provider(state: &AppState, current: &Current) -> SignedOut {
    // The address may be known although the provider is away, and would then end in an error of the browser.
    let answer = tokio::time::timeout(PATIENCE, state.identity_provider.check()).await;
    if !matches!(answer, Ok(Ok(()))) {
        return SignedOut::ProviderAway;
    }
    match state.identity_provider.sign_out_url(&current.signed_in).await {
        Ok(Some(url)) => SignedOut::AtProvider { address: url.to_string() },
        Ok(None) => SignedOut::HereOnly,
        Err(error) => {
            tracing::warn!(%error, "the provider could not be told of a sign-out");
            SignedOut::ProviderAway
        }
    }
}
