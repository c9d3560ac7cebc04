use serde::{Deserialize, Serialize};
use std::fmt;
use uuid::Uuid;

/// What an event is about: filters find it by its id, its name, and the namespace, team or environment that it belongs
/// to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectRef {
    pub kind: ObjectKind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<Uuid>,
    #[serde(flatten, default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<ObjectScope>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ObjectKind {
    Session,
    Request,
    Person,
    Record,
    Namespace,
    Draft,
    Submission,
    Feature,
    Catalogue,
    OptIn,
    ConfigMap,
    Webhook,
}

impl ObjectKind {
    #[must_use]
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Session => "session",
            Self::Request => "request",
            Self::Person => "person",
            Self::Record => "record",
            Self::Namespace => "namespace",
            Self::Draft => "draft",
            Self::Submission => "submission",
            Self::Feature => "preview feature",
            Self::Catalogue => "catalogue of preview features",
            Self::OptIn => "opt-in",
            Self::ConfigMap => "ConfigMap",
            Self::Webhook => "webhook",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ObjectScope {
    Namespace(String),
    Team(String),
    Environment(String),
}

impl ObjectRef {
    #[must_use]
    pub fn of(kind: ObjectKind) -> Self {
        Self { kind, id: None, scope: None, name: None }
    }

    #[must_use]
    pub fn named(self, name: impl Into<String>) -> Self {
        Self { name: Some(name.into()), ..self }
    }

    #[must_use]
    pub fn within(self, scope: ObjectScope) -> Self {
        Self { scope: Some(scope), ..self }
    }

    #[must_use]
    pub fn with_id(self, id: Uuid) -> Self {
        Self { id: Some(id), ..self }
    }
}

/// `submission web in namespace shop`.
impl fmt::Display for ObjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.in_words())?;
        if let Some(name) = &self.name {
            write!(f, " {name}")?;
        }
        match &self.scope {
            None => Ok(()),
            Some(scope) => write!(f, " in {scope}"),
        }
    }
}

/// `namespace shop`.
impl fmt::Display for ObjectScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Namespace(name) => write!(f, "namespace {name}"),
            Self::Team(name) => write!(f, "team {name}"),
            Self::Environment(name) => write!(f, "environment {name}"),
        }
    }
}
