use super::ClusterError;
use crate::access::KubeIdentity;
use crate::namespaces::NamespaceName;
use async_trait::async_trait;
use review::Manifest;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Objects that are made or changed.
#[async_trait]
pub trait ClusterApply: Send + Sync {
    /// Asks HNC, as the person, for a namespace below `parent`.
    ///
    /// # Errors
    /// When the cluster refuses or is unavailable.
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
    /// When the cluster refuses or is unavailable.
    async fn subnamespace_state(
        &self,
        who: &KubeIdentity,
        parent: &str,
        name: &NamespaceName,
    ) -> Result<String, ClusterError>;

    /// Creates the objects of a namespace template with the portal's own account, annotated with
    /// who asked. One of the account's own writes.
    ///
    /// # Errors
    /// When the cluster refuses or is unavailable.
    async fn create_from_template(&self, requested_by: &KubeIdentity, objects: &[Manifest])
    -> Result<(), ClusterError>;

    /// Server-side apply of exactly these bytes (one YAML document) as the person.
    ///
    /// # Errors
    /// When the cluster refuses, finds a conflict, or is unavailable.
    async fn apply(
        &self,
        who: &KubeIdentity,
        object: &Manifest,
        bytes: &str,
        run: Run,
    ) -> Result<Applied, ClusterError>;

    /// Writes a value into a ConfigMap that is there already, with the portal's own account; other values stay.
    ///
    /// # Errors
    /// When the cluster refuses or is unavailable.
    async fn keep(&self, namespace: &str, config_map: &str, key: &str, value: &str) -> Result<(), ClusterError>;
}

/// Whether an apply is only tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Run {
    /// Admission included, nothing stored.
    Dry,
    /// For good.
    Real,
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
    pub manager: String,
}
