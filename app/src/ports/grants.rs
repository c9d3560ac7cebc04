use super::ClusterError;
use async_trait::async_trait;
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// What approved opt-ins give, made with the portal's own account.
#[async_trait]
pub trait ClusterGrants: Send + Sync {
    /// Makes what an approved opt-in gives in a namespace, with the portal's own account: one of its own
    /// writes. Doing it again changes nothing.
    ///
    /// # Errors
    /// When the cluster refuses or is unavailable, or the namespace is not there.
    async fn grant(&self, grant: &Grant) -> Result<(), ClusterError>;

    /// Takes back what an opt-in gave, and nothing else. What is not there any more is not missed.
    ///
    /// # Errors
    /// When the cluster refuses or is unavailable.
    async fn withdraw(&self, grant: &Grant) -> Result<(), ClusterError>;

    /// How a namespace differs from what an opt-in gave; nothing where it does not.
    ///
    /// # Errors
    /// When the cluster refuses or is unavailable.
    async fn drift(&self, grant: &Grant) -> Result<Option<Drift>, ClusterError>;

    /// What is left of what an opt-in gave, where another one keeps something of the same kind in its place;
    /// nothing where nothing is left but that.
    ///
    /// # Errors
    /// When the cluster refuses or is unavailable.
    async fn leftover(&self, grant: &Grant, kept: &Grant) -> Result<Option<Leftover>, ClusterError>;
}

/// What an opt-in gives in one namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// The feature: what is made is named after it.
    pub feature: String,
    pub namespace: String,
    /// What the cluster must know that namespace by; nothing where the name is enough.
    pub uid: Option<String>,
    pub content: GrantContent,
    /// Which acceptance it is for, for the annotation on what is made.
    pub granted_for: String,
    /// Other features that rightly give something in the same namespace.
    pub other_features: BTreeSet<String>,
    /// When the feature came into the catalogue: nothing was given because of it before.
    pub since: Timestamp,
}

/// The two kinds of things that opt-ins give.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GrantContent {
    /// Labels and annotations of the namespace.
    Metadata {
        /// Labels.
        labels: BTreeMap<String, String>,
        /// Annotations.
        annotations: BTreeMap<String, String>,
    },
    RoleBinding {
        cluster_role: String,
        /// The groups, as the cluster names them.
        groups: Vec<String>,
    },
}

/// How the cluster differs from what was granted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Drift {
    NamespaceGone {
        namespace: String,
    },
    /// A label or an annotation; nothing found where it is missing.
    Metadata {
        namespace: String,
        key: String,
        wanted: String,
        found: Option<String>,
    },
    BindingGone {
        namespace: String,
        binding: String,
    },
    BindingChanged {
        namespace: String,
        binding: String,
    },
    /// The role is also given by bindings that Fairway did not make.
    OtherBindings {
        namespace: String,
        bindings: Vec<String>,
    },
}

/// What is left of what was granted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Leftover {
    /// Somebody else keeps a label or an annotation.
    Metadata { namespace: String, key: String },
    /// The role is still given by these bindings.
    Bindings { namespace: String, bindings: Vec<String> },
}
