//! Features and opt-ins as lists show them: without the documents that they are about.

use super::lifecycle::Lifecycle;
use super::statement::{Scope, Stage};
use jiff::Timestamp;
use record::StatusKind;
use std::fmt;
use std::str::FromStr;
use uuid::Uuid;

/// A feature as lists show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeatureSummary {
    pub slug: String,
    pub name: String,
    pub purpose: String,
    pub stage: Stage,
}

#[derive(Debug, Clone)]
pub struct OptInSummary {
    /// Of its acceptance.
    pub id: Uuid,
    pub person_id: Uuid,
    pub feature: String,
    pub feature_name: String,
    pub scope: Scope,
    /// Nothing where it was erased.
    pub person_name: Option<String>,
    pub accepted_at: Timestamp,
    pub status: StatusKind,
    pub status_words: String,
    /// What was said with the last step.
    pub comment: String,
    /// An administrator makes the effect, and takes it back.
    pub is_manual: bool,
    /// What was in the way of the effect last; empty where nothing was.
    pub problem: String,
    /// How the cluster differs from what was granted; empty where it does not.
    pub drift: String,
    /// Without its notices.
    pub lifecycle: Lifecycle,
}

impl OptInSummary {
    #[must_use]
    pub fn person(&self) -> &str {
        self.person_name.as_deref().unwrap_or("(erased)")
    }

    #[must_use]
    pub fn cursor(&self) -> Cursor {
        Cursor { is_waiting: self.status == StatusKind::Waiting, accepted_at: self.accepted_at, id: self.id }
    }
}

/// A page of a list, and where the next one begins.
#[derive(Debug, Clone, Default)]
pub struct OptInPage {
    pub summaries: Vec<OptInSummary>,
    pub next: Option<Cursor>,
}

/// A place in a list of opt-ins: that of the last one shown. Those that wait for a decision come before the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    pub is_waiting: bool,
    pub accepted_at: Timestamp,
    pub id: Uuid,
}

/// As addresses have it: `waiting.1795564800000000.UUID` (microseconds since 1970).
impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.is_waiting { "waiting" } else { "decided" };
        write!(f, "{kind}.{}.{}", self.accepted_at.as_microsecond(), self.id)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is no place in a list")]
pub struct CursorError;

impl FromStr for Cursor {
    type Err = CursorError;

    fn from_str(text: &str) -> Result<Self, CursorError> {
        let [kind, at, id] = text.split('.').collect::<Vec<_>>()[..] else { return Err(CursorError) };
        let is_waiting = match kind {
            "waiting" => true,
            "decided" => false,
            _ => return Err(CursorError),
        };
        let micros = at.parse().map_err(|_| CursorError)?;
        let accepted_at = Timestamp::from_microsecond(micros).map_err(|_| CursorError)?;
        Ok(Self { is_waiting, accepted_at, id: id.parse().map_err(|_| CursorError)? })
    }
}

/// Somebody who sees what they accepted themselves, what was accepted for the scopes that they act for, and what
/// reaches a namespace that they administer.
#[derive(Debug, Clone)]
pub struct Viewer {
    pub person: Uuid,
    pub scopes: Vec<Scope>,
    pub namespaces: Vec<String>,
}

impl Viewer {
    /// Kinds and names of the scopes, as the database compares them.
    #[must_use]
    pub fn scope_columns(&self) -> (Vec<&str>, Vec<&str>) {
        self.scopes.iter().map(|scope| (scope.kind.as_str(), scope.name.as_str())).unzip()
    }
}
