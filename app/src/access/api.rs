//! Reading a person's access.

use super::{Binding, NamespaceAccess, by_namespace, cluster_wide};
use crate::actor::Actor;
use crate::error::AppError;
use crate::state::AppState;

/// Everything the access page shows.
pub struct Access {
    /// Namespaces the person reaches through RoleBindings.
    pub namespaces: Vec<NamespaceAccess>,
    /// Bindings that hold everywhere.
    pub everywhere: Vec<Binding>,
}

/// What the person's groups give, and why.
///
/// # Errors
/// When the cluster has never been reached.
pub fn load_access(state: &AppState, actor: &Actor) -> Result<Access, AppError> {
    let bindings = state.cluster.bindings_of(&actor.kube)?;
    Ok(Access { namespaces: by_namespace(&bindings), everywhere: cluster_wide(&bindings) })
}
