use super::ClusterError;
use crate::access::{Binding, KubeIdentity, KubeName};
use async_trait::async_trait;

/// What the cluster lets people do.
#[async_trait]
pub trait ClusterAccess: Send + Sync {
    /// Every binding that names the person or one of the groups; answered from a watch cache.
    ///
    /// # Errors
    /// [`ClusterError::Unavailable`] while the cache has never been filled.
    fn bindings_of(&self, who: &KubeIdentity) -> Result<Vec<Binding>, ClusterError>;

    /// Whether the cluster lets the person do this. A yes may be some seconds old; what is then done is decided by the
    /// cluster itself.
    ///
    /// # Errors
    /// When the cluster cannot be asked.
    async fn allows(&self, who: &KubeIdentity, right: &Right) -> Result<bool, ClusterError>;

    /// Whether the cluster lets the members of a group do this, whoever else they are. Asked with the portal's account.
    ///
    /// # Errors
    /// When the cluster cannot be asked.
    async fn allows_group(&self, group: &KubeName, right: &Right) -> Result<bool, ClusterError>;
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
