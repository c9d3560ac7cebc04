//! Preview features: their risks, who accepted them for which scope, who approved, and what came of it.

pub mod acceptance;
pub mod api;
pub mod evidence;
pub mod life;
pub mod notification;
pub mod opt_in;
pub mod page;
pub mod store;
pub mod terms;

pub use api::{EnabledFeature, load_enabled_in};

use crate::digest::Digest;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use terms::{Stage, Terms};

/// What is said about a feature; unlike its statement, it may be changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Description {
    /// In the address.
    pub slug: String,
    /// Its name.
    pub name: String,
    /// What it is for.
    pub purpose: String,
    /// Who answers for it.
    pub owner: String,
    /// Where it is documented.
    pub documentation_url: Option<String>,
    /// How far it has come.
    pub stage: Stage,
    /// When what a retired feature gave is taken back, after notices; nothing for at once.
    pub retires_at: Option<Timestamp>,
}

impl Description {
    /// SHA-256 of all that is said: what the record holds of it, as an owner may be a person, whose name it must not keep.
    #[must_use]
    pub fn digest(&self) -> Digest {
        // A struct of texts always has a text.
        Digest::of(serde_json::to_string(self).unwrap_or_default())
    }
}

/// A published version of a risk statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// What it says.
    pub terms: Terms,
    /// The exact text of it.
    pub document: String,
    /// SHA-256 of that text.
    pub digest: Digest,
    /// When it was published.
    pub published_at: Timestamp,
}

/// A feature with the current version of its risk statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Feature {
    /// What is said about it.
    pub description: Description,
    /// Its current statement.
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
