//! The Kubernetes cluster.

use crate::access::{Binding, KubeIdentity};
use crate::namespaces::{Namespace, NamespaceName};
use async_trait::async_trait;
use jiff::Timestamp;
use review::{Cidr, Manifest, ObjectRef, Port};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// The Kubernetes cluster.
#[async_trait]
pub trait Cluster: Send + Sync {
    /// Every binding that names the person or one of the groups; answered from a watch cache.
    ///
    /// # Errors
    /// [`ClusterError::Away`] while the cache has never been filled.
    fn bindings_of(&self, who: &KubeIdentity) -> Result<Vec<Binding>, ClusterError>;

    /// A namespace by name; answered from a watch cache.
    ///
    /// # Errors
    /// [`ClusterError::Away`] while the cache has never been filled.
    fn namespace(&self, name: &str) -> Result<Option<Namespace>, ClusterError>;

    /// Whether the cluster lets the person do this. A yes may be some seconds old; what is then done is decided by the
    /// cluster itself.
    ///
    /// # Errors
    /// When the cluster cannot be asked.
    async fn allows(&self, who: &KubeIdentity, right: &Right) -> Result<bool, ClusterError>;

    /// Whether namespaces are made through HNC, as discovery says now.
    ///
    /// # Errors
    /// When the cluster cannot be asked.
    async fn serves_hierarchy(&self) -> Result<bool, ClusterError>;

    /// Asks HNC, as the person, for a namespace below `parent`.
    ///
    /// # Errors
    /// When the cluster refuses or is away.
    async fn create_subnamespace(
        &self,
        who: &KubeIdentity,
        parent: &str,
        name: &NamespaceName,
    ) -> Result<(), ClusterError>;

    /// How far HNC has come with it, in HNC's words: `Ok`, `Conflict`, `Forbidden`, or empty while it has
    /// not looked yet. Read as the person.
    ///
    /// # Errors
    /// When the cluster refuses or is away.
    async fn subnamespace_state(
        &self,
        who: &KubeIdentity,
        parent: &str,
        name: &NamespaceName,
    ) -> Result<String, ClusterError>;

    /// Creates the objects of a namespace template with the portal's own account, annotated with
    /// who asked. One of the only two writes that are not made as the person.
    ///
    /// # Errors
    /// When the cluster refuses or is away.
    async fn create_from_template(&self, requested_by: &KubeIdentity, objects: &[Manifest])
    -> Result<(), ClusterError>;

    /// The names of all namespaces, in order; answered from a watch cache. Whether somebody may see them all is for
    /// the caller to ask.
    ///
    /// # Errors
    /// [`ClusterError::Away`] while the cache has never been filled.
    fn namespace_names(&self) -> Result<Vec<String>, ClusterError>;

    /// What is in a namespace, as far as the person may list it; answered from watch caches.
    ///
    /// # Errors
    /// When the cluster cannot be asked what the person may list. What it refuses to show is named in the answer.
    async fn objects_in(&self, who: &KubeIdentity, namespace: &str) -> Result<Surroundings, ClusterError>;

    /// A workload of a namespace and everything that was made for it: replica sets, jobs and pods, with their status,
    /// as far as the person may list them; answered from watch caches. And what controllers and the kubelet said
    /// about them, the latest last, read as the person.
    ///
    /// # Errors
    /// When the cluster cannot be asked.
    async fn family(&self, who: &KubeIdentity, workload: &ObjectRef) -> Result<Family, ClusterError>;

    /// Where the API server is: its addresses and its port, as the cluster tells pods.
    ///
    /// # Errors
    /// When the cluster cannot be asked.
    async fn api_server(&self) -> Result<Option<(Vec<Cidr>, Port)>, ClusterError>;

    /// An object as it is now, as the person; nothing where there is none.
    ///
    /// # Errors
    /// When the cluster refuses or is away.
    async fn read(&self, who: &KubeIdentity, object: &Manifest) -> Result<Option<Value>, ClusterError>;

    /// What is in the cluster around a review: what the person may read of the namespace, and the cluster's own
    /// policies, which the portal's own account reads.
    ///
    /// # Errors
    /// When the cluster is away. What it refuses to show is named in the answer.
    async fn surroundings(&self, who: &KubeIdentity, namespace: &str) -> Result<Surroundings, ClusterError>;

    /// Server-side apply of exactly these bytes (one YAML document) as the person.
    ///
    /// # Errors
    /// When the cluster refuses, finds a conflict, or is away.
    async fn apply(
        &self,
        who: &KubeIdentity,
        object: &Manifest,
        bytes: &str,
        run: Run,
    ) -> Result<Applied, ClusterError>;

    /// Makes what an approved opt-in gives in a namespace, with the portal's own account: the other of the two writes
    /// that are not made as the person. Doing it again changes nothing.
    ///
    /// # Errors
    /// When the cluster refuses or is away, or the namespace is not there.
    async fn grant(&self, grant: &Grant) -> Result<(), ClusterError>;

    /// Takes back what an opt-in gave, and nothing else. What is not there any more is not missed.
    ///
    /// # Errors
    /// When the cluster refuses or is away.
    async fn withdraw(&self, grant: &Grant) -> Result<(), ClusterError>;

    /// How a namespace differs from what an opt-in gave, in words; nothing where it does not.
    ///
    /// # Errors
    /// When the cluster refuses or is away.
    async fn difference(&self, grant: &Grant) -> Result<Option<String>, ClusterError>;

    /// What is left of what an opt-in gave, in words, where another one keeps something of the same kind in its place;
    /// nothing where nothing is left but that.
    ///
    /// # Errors
    /// When the cluster refuses or is away.
    async fn leftover(&self, grant: &Grant, kept: &Grant) -> Result<Option<String>, ClusterError>;

    /// Writes a value into a ConfigMap that is there already, with the portal's own account; other values stay.
    ///
    /// # Errors
    /// When the cluster refuses or is away.
    async fn keep(&self, namespace: &str, config_map: &str, key: &str, value: &str) -> Result<(), ClusterError>;

    /// Asks the API server for its version: is it there?
    ///
    /// # Errors
    /// When it is not.
    async fn check(&self) -> Result<(), ClusterError>;
}

/// What an opt-in gives in one namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// The feature: what is made is named after it.
    pub feature: String,
    /// Where.
    pub namespace: String,
    /// What the cluster must know that namespace by; nothing where the name is enough.
    pub uid: Option<String>,
    /// What.
    pub given: Given,
    /// Which acceptance it is for, for the annotation on what is made.
    pub mandate: String,
    /// Other features that rightly give something in the same namespace.
    pub beside: BTreeSet<String>,
    /// When the feature came into the catalogue: nothing was given because of it before.
    pub since: Timestamp,
}

/// The two kinds of things that opt-ins give.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Given {
    /// Labels and annotations of the namespace.
    Metadata {
        /// Labels.
        labels: BTreeMap<String, String>,
        /// Annotations.
        annotations: BTreeMap<String, String>,
    },
    /// A RoleBinding.
    RoleBinding {
        /// The ClusterRole.
        cluster_role: String,
        /// The groups, as the cluster names them.
        groups: Vec<String>,
    },
}

/// What a review takes into account beside what it reviews.
#[derive(Debug, Clone, Default)]
pub struct Surroundings {
    /// Namespace, workloads, services, budgets and policies; and ConstraintTemplates and Constraints.
    pub objects: Vec<Manifest>,
    /// What the cluster did not show, in words for people.
    pub unread: Vec<String>,
}

/// A workload and what was made for it.
#[derive(Debug, Clone, Default)]
pub struct Family {
    /// The workload itself, if it is there.
    pub workload: Option<Manifest>,
    /// Replica sets, jobs and pods.
    pub made: Vec<Manifest>,
    /// What was said about any of them.
    pub events: Vec<ClusterEvent>,
}

/// Something a controller or the kubelet said about an object (Kubernetes API, Event v1 core).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterEvent {
    /// For example `FailedCreate`.
    pub reason: String,
    /// In the cluster's words.
    pub message: String,
    /// `Normal` is false.
    pub is_warning: bool,
}

/// Whether an apply is only tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Run {
    /// Admission included, nothing stored.
    Dry,
    /// For good.
    Real,
}

/// Something a person may or may not do.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Right {
    /// For example `create`.
    pub verb: &'static str,
    /// API group; empty for the core group.
    pub group: String,
    /// For example `deployments`.
    pub resource: String,
    /// Where; `None` for the whole cluster.
    pub namespace: Option<String>,
}

impl Right {
    /// A right in one namespace.
    #[must_use]
    pub fn within(namespace: String, verb: &'static str, group: &str, resource: &str) -> Self {
        Self { verb, group: group.to_owned(), resource: resource.to_owned(), namespace: Some(namespace) }
    }
}

/// What the API server answered to an apply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// The object as it is now, or would be.
    pub object: Value,
    /// Texts of the `Warning:` headers (RFC 7234, 5.5).
    pub warnings: Vec<String>,
}

impl Applied {
    /// The version the object has now; empty after a dry run that made one.
    #[must_use]
    pub fn resource_version(&self) -> &str {
        self.object["metadata"]["resourceVersion"].as_str().unwrap_or_default()
    }
}

/// A field that somebody else manages (kubernetes.io/docs/reference/using-api/server-side-apply, conflicts).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldConflict {
    /// For example `.spec.replicas`.
    pub field: String,
    /// Who manages it.
    pub manager: String,
}

/// What the cluster may answer instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClusterError {
    /// RBAC, an admission webhook or validation said no.
    #[error("refused: {0}")]
    Refused(String),
    /// Another field manager owns a field, or the object exists.
    #[error("conflict: {message}")]
    Conflict {
        /// In the cluster's words.
        message: String,
        /// Which fields, where it is about fields.
        fields: Vec<FieldConflict>,
    },
    /// Not reachable, or not answering in time; the request was never taken.
    #[error("away: {0}")]
    Away(String),
    /// The connection broke after a write was sent.
    #[error("outcome unknown: {0}")]
    Unknown(String),
}

impl From<ClusterError> for crate::error::AppError {
    fn from(error: ClusterError) -> Self {
        use crate::error::Part::Cluster;
        match error {
            ClusterError::Refused(message) => Self::ClusterRefused { message },
            ClusterError::Conflict { message, .. } => Self::Conflict { message },
            ClusterError::Away(cause) => {
                tracing::warn!(cause, "cluster away");
                Self::Away { part: Cluster }
            }
            ClusterError::Unknown(cause) => {
                tracing::warn!(cause, "outcome of a cluster write unknown");
                Self::OutcomeUnknown { part: Cluster }
            }
        }
    }
}
