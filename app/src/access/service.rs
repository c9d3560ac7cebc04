//! Reading a person's access.

use super::Access;
use crate::actor::Actor;
use crate::error::AppError;
use crate::state::AppState;

/// What the person's groups give, and why.
///
/// # Errors
/// When the cluster has never been reached.
pub fn load_access(state: &AppState, actor: &Actor) -> Result<Access, AppError> {
    Ok(Access::of(&state.cluster.bindings_of(&actor.kube)?))
}
