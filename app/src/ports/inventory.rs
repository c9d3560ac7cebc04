use super::ClusterError;
use crate::access::KubeIdentity;
use crate::namespaces::Namespace;
use async_trait::async_trait;
use review::{Cidr, Manifest, ObjectRef, Port};
use serde_json::Value;

/// What there is in the cluster.
#[async_trait]
pub trait ClusterInventory: Send + Sync {
    /// A namespace by name; answered from a watch cache.
    ///
    /// # Errors
    /// [`ClusterError::Unavailable`] while the cache has never been filled.
    fn namespace(&self, name: &str) -> Result<Option<Namespace>, ClusterError>;

    /// The names of all namespaces, in order; answered from a watch cache. Whether somebody may see them all is for
    /// the caller to ask.
    ///
    /// # Errors
    /// [`ClusterError::Unavailable`] while the cache has never been filled.
    fn namespace_names(&self) -> Result<Vec<String>, ClusterError>;

    /// Whether the watch caches of namespaces and bindings have been filled once: without them nobody reaches anything.
    fn caches_are_filled(&self) -> bool;

    /// What is in a namespace, as far as the person may list it; answered from watch caches.
    ///
    /// # Errors
    /// When the cluster cannot be asked what the person may list. What it refuses to show is named in the answer.
    async fn objects_in(&self, who: &KubeIdentity, namespace: &str) -> Result<NamespaceSnapshot, ClusterError>;

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
    /// When the cluster refuses or is unavailable.
    async fn read(&self, who: &KubeIdentity, object: &Manifest) -> Result<Option<Value>, ClusterError>;

    /// What is in the cluster around a review: what the person may read of the namespace, and the cluster's own
    /// policies, which the portal's own account reads.
    ///
    /// # Errors
    /// When the cluster is unavailable. What it refuses to show is named in the answer.
    async fn namespace_snapshot(&self, who: &KubeIdentity, namespace: &str) -> Result<NamespaceSnapshot, ClusterError>;

    /// Whether namespaces are made through HNC, as discovery says now.
    ///
    /// # Errors
    /// When the cluster cannot be asked.
    async fn serves_hierarchy(&self) -> Result<bool, ClusterError>;

    /// Asks the API server for its version: is it there?
    ///
    /// # Errors
    /// When it is not.
    async fn check(&self) -> Result<(), ClusterError>;
}

/// What a review takes into account beside what it reviews.
#[derive(Debug, Clone, Default)]
pub struct NamespaceSnapshot {
    /// Namespace, workloads, services, budgets and policies; and ConstraintTemplates and Constraints.
    pub objects: Vec<Manifest>,
    /// What the cluster did not show, in words for people.
    pub unread: Vec<String>,
    /// Whether everything was shown that has pods or says what they may reach.
    pub every_workload: bool,
    pub version: SnapshotVersion,
}

/// Says whether two snapshots of a namespace that this process took hold the same objects: then it is the same.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct SnapshotVersion(String);

impl SnapshotVersion {
    #[must_use]
    pub fn new(version: String) -> Self {
        Self(version)
    }

    /// Of the objects of both.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        Self(format!("{}&{}", self.0, other.0))
    }
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
