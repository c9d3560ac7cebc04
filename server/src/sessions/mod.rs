//! Sessions: kept in Postgres, ids hashed, data sealed; signing in and out; who is asking.

mod person;
mod return_path;
mod seal;
mod sign_in;
mod store;
mod who;

pub use return_path::ReturnPath;
pub use sign_in::routes;
pub use store::PgSessionStore;
pub use who::{Identify, identify};

use app::ports::{PendingSignIn, SignedIn};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Key of [`Pending`] in the session.
const PENDING: &str = "pending";
/// Key of [`Current`] in the session.
const CURRENT: &str = "current";

/// A sign-in that has left for the provider.
#[derive(Clone, Serialize, Deserialize)]
struct Pending {
    sign_in: PendingSignIn,
    return_path: ReturnPath,
}

/// A completed sign-in.
#[derive(Clone, Serialize, Deserialize)]
struct Current {
    person_id: Uuid,
    signed_in: SignedIn,
    /// When the groups were last read, seconds since the epoch.
    groups_read_at: i64,
}
