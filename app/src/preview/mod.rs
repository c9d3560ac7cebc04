//! Preview features: their risks, who accepted them for which scope, who approved, and what came of it.

pub mod acceptance;
pub mod errors;
pub mod evidence;
pub mod handlers;
pub mod lifecycle;
pub mod notification;
pub mod opt_in;
pub mod pages;
pub mod paths;
pub mod service;
pub mod statement;
mod store;
pub mod summary;

pub use service::{GrantedFeature, load_granted_in};

/// Of the tests of the store, which need the database that the server's tests have.
#[doc(hidden)]
pub mod store_in_tests {
    pub use super::store::*;
}

use jiff::Timestamp;
use record::Digest;
use serde::{Deserialize, Serialize};
use statement::{RiskStatement, Stage};

/// What is said about a feature; unlike its statement, it may be changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Description {
    /// In the address.
    pub slug: String,
    pub name: String,
    pub purpose: String,
    pub owner: String,
    pub documentation_url: Option<String>,
    /// How far it has come.
    pub stage: Stage,
    /// When what a retired feature gave is taken back, after notices; nothing for at once.
    pub retires_at: Option<Timestamp>,
}

impl Description {
    /// SHA-256 of all that is said: what the record holds of it, as an owner may be a person, whose name it must not
    /// keep.
    #[must_use]
    pub fn digest(&self) -> Digest {
        // A struct of texts always has a text.
        Digest::of(serde_json::to_string(self).unwrap_or_default())
    }
}

/// A published version of a risk statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    pub terms: RiskStatement,
    /// The exact text of it.
    pub document: String,
    /// SHA-256 of that text.
    pub digest: Digest,
    pub published_at: Timestamp,
}

/// A feature with the current version of its risk statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Feature {
    /// What is said about it.
    pub description: Description,
    pub current: Version,
}

/// Who may accept the risks of a feature for a namespace.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AcceptedBy {
    /// Whoever may give others access in it: `admin`.
    #[default]
    NamespaceAdmin,
    /// A lead of the team that the namespace belongs to.
    TeamLead,
}
