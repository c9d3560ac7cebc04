//! `/healthz` and `/readyz`.

use app::state::AppState;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;
use std::fmt::Display;
use std::future::Future;
use std::time::Duration;

/// Probes give up after a second or two by default.
const PATIENCE: Duration = Duration::from_millis(900);

pub async fn healthz() -> &'static str {
    "alive\n"
}

/// What the portal depends on, each part by name. 503 without database or cluster; without the provider
/// nobody new can sign in, but those who are go on.
pub async fn readyz(State(state): State<AppState>) -> Response {
    let (database, cluster, identity_provider) = tokio::join!(
        answer("database", sqlx::query_scalar!("select 1 as \"one!\"").fetch_one(&state.database)),
        answer("cluster", state.cluster.check()),
        answer("identity_provider", state.identity_provider.check()),
    );
    let ready = database == READY && cluster == READY;
    let body = json!({ "database": database, "cluster": cluster, "identity_provider": identity_provider });
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(body)).into_response()
}

const READY: &str = "ready";

/// What one part says, in time for a probe. The cause goes to the log only.
async fn answer<T, E: Display>(part: &str, asked: impl Future<Output = Result<T, E>>) -> &'static str {
    match tokio::time::timeout(PATIENCE, asked).await {
        Ok(Ok(_)) => return READY,
        Ok(Err(error)) => tracing::warn!(part, %error, "not ready"),
        Err(_) => tracing::warn!(part, "no answer in time"),
    }
    "unavailable"
}
