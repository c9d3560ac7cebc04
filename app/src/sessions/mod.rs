//! Sessions: a person's own, to see and to end, and those of others for administrators. What is in them belongs to the
//! server; here they are rows with a name.

pub mod errors;
mod failures;
pub mod handlers;
pub mod pages;
pub mod service;
mod store;

pub use failures::SignInFailures;

use jiff::Timestamp;
use jiff::civil::Date;
use uuid::Uuid;

/// A session, as people see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionSummary {
    pub id: Uuid,
    /// Such as "Firefox on Linux".
    pub browser: String,
    /// Where it was begun from, where that is known.
    pub address: Option<String>,
    pub began_at: Timestamp,
    pub last_used_at: Timestamp,
}

/// Somebody who is signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedInPerson {
    pub id: Uuid,
    pub name: String,
    pub email: String,
    pub sessions: i64,
    pub last_used_at: Timestamp,
}

/// How often sign-ins failed for one reason on one day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedSignIns {
    pub day: Date,
    pub code: String,
    pub count: i64,
}

/// What became of the provider's own session when somebody signed out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SignedOut {
    /// The provider has no way to end its own.
    HereOnly,
    /// The browser goes there to end it.
    AtProvider { address: String },
    /// The provider could not be asked where.
    ProviderAway,
}
