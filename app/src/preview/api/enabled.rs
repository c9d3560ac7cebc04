//! What opt-ins mean for a namespace, for everybody who reaches it.

use crate::actor::Actor;
use crate::error::AppError;
use crate::namespaces::load_namespace;
use crate::preview::acceptance::Acceptance;
use crate::preview::opt_in::Standing;
use crate::preview::store::{self, AcceptanceQuery};
use crate::preview::terms::{Effect, Scope};
use crate::state::AppState;

/// A feature that somebody opted in to, without who it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnabledFeature {
    /// In its address.
    pub slug: String,
    /// Its name.
    pub name: String,
    /// For what.
    pub scope: Scope,
    /// What it gives, in words.
    pub gives: String,
    /// How it stands.
    pub standing: Standing,
}

/// The features that give something in a namespace, or whose gift is still being made or taken back.
///
/// # Errors
/// [`AppError::NotFound`] where the person does not reach the namespace.
pub async fn load_enabled_in(
    state: &AppState,
    actor: &Actor,
    namespace: &str,
) -> Result<Vec<EnabledFeature>, AppError> {
    load_namespace(state, actor, namespace)?;
    let standings = Some(["approved", "effective", "ending"].map(str::to_owned).to_vec());
    let namespaces = Some(vec![namespace.to_owned()]);
    let query = AcceptanceQuery { namespaces, standings, is_whole: true, ..AcceptanceQuery::default() };
    let found = store::list_acceptances(&state.database, &query).await?;
    Ok(found.iter().map(enabled).collect())
}

fn enabled(acceptance: &Acceptance) -> EnabledFeature {
    let accepted = &acceptance.accepted;
    let gives = match &acceptance.terms.effect {
        Effect::RoleBinding { cluster_role } => {
            format!("The ClusterRole {cluster_role} for {}.", accepted.groups.join(", "))
        }
        effect => effect.in_words(),
    };
    EnabledFeature {
        slug: accepted.feature.clone(),
        name: acceptance.feature_name.clone(),
        scope: accepted.scope.clone(),
        gives,
        standing: acceptance.standing().clone(),
    }
}
