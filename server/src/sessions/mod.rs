//! Sessions: kept in Postgres, ids hashed, data sealed; signing in and out; who is asking.

mod authenticate;
mod back_channel_logout;
mod device;
mod person;
mod renewal;
mod return_path;
mod seal;
mod sign_in;
mod sign_in_error;
mod sign_out;
mod store;

pub use authenticate::{Authenticate, authenticate};
pub use return_path::ReturnPath;
pub use store::PgSessionStore;

use self::device::Device;
use app::error::{AppError, Dependency};
use app::ports::{PendingSignIn, SignedIn};
use app::state::AppState;
use axum::Router;
use axum::http::HeaderMap;
use axum::routing::{get, post};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use tower_sessions::Session;
use uuid::Uuid;

/// The addresses of signing in and out.
pub fn routes() -> Router<AppState> {
    Router::new()
        .route("/sign-in", get(sign_in::begin))
        .route("/sign-in/callback", get(sign_in::finish))
        .route("/sign-out", post(sign_out::post))
        .route("/back-channel-logout", post(back_channel_logout::post))
}

/// Key of [`PendingSignIns`] in the session.
const PENDING: &str = "pending";
/// Key of [`Current`] in the session.
const CURRENT: &str = "current";

/// Sign-ins of one browser that have left for the provider, the oldest first: every tab may begin one.
#[derive(Clone, Default, Serialize, Deserialize)]
struct PendingSignIns(Vec<Pending>);

impl PendingSignIns {
    /// More tabs than anyone signs in with at once.
    const MOST: usize = 8;

    fn push(&mut self, pending: Pending) {
        if self.0.len() == Self::MOST {
            self.0.remove(0);
        }
        self.0.push(pending);
    }

    /// Longest time, in seconds, that somebody may take at the provider.
    const LONGEST: i64 = 15 * 60;

    /// Takes out the one with that state, so that an answer can be used only once; nothing where it began too long ago.
    fn take(&mut self, state: &str, now: i64) -> Option<Pending> {
        let place = self.0.iter().position(|pending| pending.sign_in.state == state)?;
        Some(self.0.remove(place)).filter(|pending| now - pending.begun_at <= Self::LONGEST)
    }
}

/// A sign-in that has left for the provider.
#[derive(Clone, Serialize, Deserialize)]
struct Pending {
    sign_in: PendingSignIn,
    return_path: ReturnPath,
    /// Seconds since the epoch.
    begun_at: i64,
}

/// A completed sign-in.
#[derive(Clone, Serialize, Deserialize)]
struct Current {
    person_id: Uuid,
    signed_in: SignedIn,
    /// When the groups were last read, seconds since the epoch.
    groups_read_at: i64,
    device: Device,
}

/// Seconds since the epoch.
fn now() -> i64 {
    OffsetDateTime::now_utc().unix_timestamp()
}

/// What a session holds under a key. What another version of Fairway has written is as good as nothing.
async fn read<T: DeserializeOwned>(session: &Session, key: &str) -> Result<Option<T>, AppError> {
    match session.get(key).await {
        Err(tracing_error @ tower_sessions::session::Error::SerdeJson(_)) => {
            tracing::warn!(error = %tracing_error, key, "a session that cannot be read");
            Ok(None)
        }
        other => other.map_err(unavailable),
    }
}

/// A session that cannot be read is a database that cannot be reached.
fn unavailable(error: tower_sessions::session::Error) -> AppError {
    tracing::warn!(%error, "session");
    AppError::Unavailable { dependency: Dependency::Database }
}

/// The id that the router gave the request.
fn request_id(headers: &HeaderMap) -> String {
    headers.get("x-request-id").and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
}
