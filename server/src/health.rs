//! `/healthz` and `/readyz`. Anybody may ask, so what is answered was found out before.

use crate::database_check::check_database;
use app::state::AppState;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use std::fmt::Display;
use std::future::Future;
use std::time::Duration;
use tokio::sync::watch;

pub async fn healthz() -> &'static str {
    "alive\n"
}

/// How a part stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum PartState {
    Ready,
    Unavailable,
    NotAsked,
}

#[derive(Debug, Clone, Copy, Serialize)]
struct Parts {
    database: PartState,
    cluster: PartState,
    identity_provider: PartState,
}

/// What was found out last.
#[derive(Debug, Clone, Copy)]
struct Found {
    parts: Parts,
    /// Whether the watch caches have been filled once. The cluster away later leaves the portal ready: its pages say what
    /// is old.
    caches_filled: bool,
}

impl Found {
    const NOTHING: Self = {
        let (database, cluster, identity_provider) = (PartState::NotAsked, PartState::NotAsked, PartState::NotAsked);
        Self { parts: Parts { database, cluster, identity_provider }, caches_filled: false }
    };

    /// Without the provider nobody new can sign in, but those who are go on.
    fn is_ready(self) -> bool {
        self.parts.database == PartState::Ready && self.caches_filled
    }
}

/// Whether requests can be answered, as it was found out a moment ago.
#[derive(Debug, Clone)]
pub struct Readiness(watch::Receiver<Found>);

/// How often it is found out.
const PAUSE: Duration = Duration::from_secs(1);

/// The provider is somebody else's, and asked less often.
const ROUNDS_OF_PROVIDER: u32 = 5;

/// How long a part may take to answer.
const PATIENCE: Duration = Duration::from_millis(900);

impl Readiness {
    /// Finds out from now on, for as long as somebody may ask.
    #[must_use]
    pub fn watch(state: AppState) -> Self {
        let (sender, receiver) = watch::channel(Found::NOTHING);
        tokio::spawn(async move {
            for round in 0_u32.. {
                if sender.is_closed() {
                    return;
                }
                let before = sender.borrow().parts;
                let asks_provider = round % ROUNDS_OF_PROVIDER == 0;
                sender.send_replace(find(&state, before, asks_provider).await);
                tokio::time::sleep(PAUSE).await;
            }
        });
        Self(receiver)
    }
}

async fn find(state: &AppState, before: Parts, asks_provider: bool) -> Found {
    let provider = async {
        match asks_provider {
            true => ask("identity_provider", before.identity_provider, state.identity_provider.check()).await,
            false => before.identity_provider,
        }
    };
    let (database, cluster, identity_provider) = tokio::join!(
        ask("database", before.database, check_database(&state.database)),
        ask("cluster", before.cluster, state.cluster.check()),
        provider,
    );
    Found { parts: Parts { database, cluster, identity_provider }, caches_filled: state.cluster.caches_are_filled() }
}

/// What one part says. The cause goes to the log only, once.
async fn ask<T, E: Display>(part: &str, before: PartState, asked: impl Future<Output = Result<T, E>>) -> PartState {
    let cause = match tokio::time::timeout(PATIENCE, asked).await {
        Ok(Ok(_)) => return PartState::Ready,
        Ok(Err(error)) => error.to_string(),
        Err(_) => "no answer in time".to_owned(),
    };
    if before != PartState::Unavailable {
        tracing::warn!(part, cause, "not ready");
    }
    PartState::Unavailable
}

/// What the portal depends on, each part by name.
pub async fn readyz(State(readiness): State<Readiness>) -> Response {
    let found = *readiness.0.borrow();
    let status = if found.is_ready() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(found.parts)).into_response()
}
