//! `/healthz` and `/readyz`.

use app::state::AppState;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use std::fmt::Display;

/// The process is alive.
pub async fn healthz() -> &'static str {
    "alive\n"
}

/// What the portal depends on, each part by name. 503 without database or cluster; without the provider
/// nobody new can sign in, but those who are go on.
pub async fn readyz(State(state): State<AppState>) -> Response {
    let (database, cluster, identity_provider) = tokio::join!(
        sqlx::query_scalar!("select 1 as \"one!\"").fetch_one(&state.database),
        state.cluster.check(),
        state.identity_provider.check()
    );
    let ready = database.is_ok() && cluster.is_ok();
    let body = json!({ "database": said("database", database.map(drop)), "cluster": said("cluster", cluster), "identity_provider": said("identity_provider", identity_provider) });
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(body)).into_response()
}

/// The cause goes to the log only.
fn said<E: Display>(part: &str, result: Result<(), E>) -> Value {
    match result {
        Ok(()) => "ready".into(),
        Err(error) => {
            tracing::warn!(part, %error, "not ready");
            "away".into()
        }
    }
}
