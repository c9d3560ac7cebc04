//! What opt-ins mean for a namespace, for everybody who reaches it.

use crate::actor::Actor;
use crate::error::AppError;
use crate::namespaces::load_namespace;
use crate::preview::opt_in::Status;
use crate::preview::statement::{Effect, Scope};
use crate::preview::store::{self, GrantedIn};
use crate::state::AppState;
use record::StatusKind;

/// A feature that somebody opted in to, without who it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrantedFeature {
    pub slug: String,
    pub name: String,
    pub scope: Scope,
    /// What it gives, in words.
    pub gives: String,
    pub status: StatusKind,
    pub status_words: String,
}

/// The features that give something in a namespace, or whose effect is still being made or taken back.
///
/// # Errors
/// [`AppError::NotFound`] where the person does not reach the namespace.
pub async fn load_granted_in(
    state: &AppState,
    actor: &Actor,
    namespace: &str,
) -> Result<Vec<GrantedFeature>, AppError> {
    load_namespace(state, actor, namespace)?;
    let found = store::list_granted_in(&state.database, namespace).await?;
    Ok(found.into_iter().map(granted).collect())
}

fn granted(found: GrantedIn) -> GrantedFeature {
    let gives = match &found.effect {
        Effect::RoleBinding { cluster_role } => {
            format!("The ClusterRole {cluster_role} for {}.", found.groups.join(", "))
        }
        effect => effect.in_words(),
    };
    GrantedFeature {
        slug: found.feature,
        name: found.feature_name,
        scope: found.scope,
        gives,
        status: found.status,
        status_words: Status::words(found.status, 0, found.end_reason),
    }
}
