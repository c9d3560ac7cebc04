//! `/back-channel-logout`: the provider itself says that somebody has signed out there, or was signed out (OpenID Connect
//! Back-Channel Logout 1.0).

use super::request_id;
use app::error::AppError;
use app::ports::ProviderError;
use app::sessions::service::end_logged_out;
use app::state::AppState;
use axum::extract::State;
use axum::http::header::CACHE_CONTROL;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use url::form_urlencoded;

/// What it answers is for a program: 200, or 400 where the token is not accepted (2.8).
pub(super) async fn post(
    State(state): State<AppState>,
    headers: HeaderMap,
    body: String,
) -> Result<Response, AppError> {
    let token = form_urlencoded::parse(body.as_bytes()).find(|(name, _)| name == "logout_token");
    let Some((_, token)) = token else { return Ok(answer(StatusCode::BAD_REQUEST)) };
    match state.identity_provider.logged_out(&token).await {
        Ok(ended) => {
            end_logged_out(&state, &ended, &request_id(&headers)).await?;
            Ok(answer(StatusCode::OK))
        }
        Err(ProviderError::Unavailable(cause)) => {
            tracing::warn!(cause, "a logout token could not be checked");
            Ok(answer(StatusCode::SERVICE_UNAVAILABLE))
        }
        Err(error) => {
            tracing::warn!(%error, "a logout token was not accepted");
            Ok(answer(StatusCode::BAD_REQUEST))
        }
    }
}

fn answer(status: StatusCode) -> Response {
    (status, [(CACHE_CONTROL, "no-store")]).into_response()
}
