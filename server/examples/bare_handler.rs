//! The most that a page of the portal could reach: axum alone, with the portal's own session query. `make bench`
//! measures the pages beside it, in the same run.

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header::COOKIE};
use axum::response::Html;
use axum::routing::get;
use server::config::SessionLimits;
use server::sessions::PgSessionStore;
use sqlx::postgres::PgPoolOptions;
use std::time::Duration;
use tower_sessions::SessionStore;

const DAY: Duration = Duration::from_secs(86_400);

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let variable = |name| std::env::var(name);
    let database = PgPoolOptions::new().max_connections(20).connect(&variable("DATABASE_URL")?).await?;
    let limits = SessionLimits { idle: DAY, absolute: DAY, groups_max_age: DAY, provider_away: DAY };
    let app = Router::new().route("/", get(answer)).with_state(PgSessionStore::new(database, limits));
    let listener = tokio::net::TcpListener::bind(variable("FAIRWAY_LISTEN")?).await?;
    Ok(axum::serve(listener, app).await?)
}

async fn answer(State(store): State<PgSessionStore>, headers: HeaderMap) -> Result<Html<&'static str>, StatusCode> {
    let cookie = headers.get(COOKIE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let id = cookie.strip_prefix("__Host-fairway=").and_then(|id| id.parse().ok()).ok_or(StatusCode::FORBIDDEN)?;
    let session = store.load(&id).await.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    session.map(|_| Html("<!DOCTYPE html><title>Bare</title>")).ok_or(StatusCode::FORBIDDEN)
}
