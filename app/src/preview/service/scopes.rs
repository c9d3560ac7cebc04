//! For what somebody may accept risks.

use crate::access::KubeName;
use crate::actor::Actor;
use crate::error::AppError;
use crate::namespaces::namespaces_where;
use crate::ports::Right;
use crate::preview::AcceptedBy;
use crate::preview::statement::{Scope, ScopeKind};
use crate::preview::summary::Viewer;
use crate::state::AppState;
use futures::future::try_join_all;
use std::collections::BTreeSet;

/// A scope that somebody may accept for, and what it means today.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScopeChoice {
    pub scope: Scope,
    pub namespaces: Vec<String>,
}

/// What somebody may act for, and the namespaces that they administer.
#[derive(Debug, Clone)]
pub(super) struct OptInScopes {
    choices: Vec<ScopeChoice>,
    administered: BTreeSet<String>,
}

impl OptInScopes {
    /// The scopes of some kinds.
    pub(super) fn for_kinds(&self, kinds: &[ScopeKind]) -> impl Iterator<Item = &ScopeChoice> {
        self.choices.iter().filter(move |choice| kinds.contains(&choice.scope.kind))
    }
}

/// What somebody sees of the acceptances of others; while their scopes are not known, none.
pub(super) fn viewer(actor: &Actor, scopes: &Result<OptInScopes, AppError>) -> Viewer {
    let known = scopes.as_ref().ok();
    Viewer {
        person: actor.person_id,
        scopes: known.iter().flat_map(|known| &known.choices).map(|choice| choice.scope.clone()).collect(),
        namespaces: known.iter().flat_map(|known| &known.administered).cloned().collect(),
    }
}

/// Who may give others access in a namespace.
fn admin_right(namespace: String) -> Right {
    Right::within(namespace, "create", "rbac.authorization.k8s.io", "rolebindings")
}

/// What the person may accept risks for, and administers.
///
/// # Errors
/// When the cluster is unavailable.
pub(super) async fn load_opt_in_scopes(state: &AppState, actor: &Actor) -> Result<OptInScopes, AppError> {
    let administered: BTreeSet<String> = namespaces_where(state, actor, admin_right).await?.into_iter().collect();
    let own: BTreeSet<String> = match state.policy.risks_accepted_by {
        AcceptedBy::NamespaceAdmin => administered.clone(),
        AcceptedBy::TeamLead => {
            let led = state.policy.teams.iter().filter(|team| is_member(actor, &team.leads));
            led.flat_map(|team| team.namespaces.iter().cloned()).collect()
        }
    };
    let namespaces = own.iter().map(|name| (ScopeKind::Namespace, name.clone(), vec![name.clone()]));
    let is_all_own = |names: &[String]| !names.is_empty() && names.iter().all(|name| own.contains(name));
    let environments = state.policy.environments.iter().filter(|environment| is_all_own(&environment.namespaces));
    let environments = environments
        .map(|environment| (ScopeKind::Environment, environment.name.clone(), environment.namespaces.clone()));
    let reached = namespaces.chain(environments);
    let mut choices: Vec<ScopeChoice> =
        reached.map(|(kind, name, namespaces)| ScopeChoice { scope: Scope { kind, name }, namespaces }).collect();
    choices.extend(teams_of(state, actor, &own));
    Ok(OptInScopes { choices, administered })
}

/// Teams that the person leads, or, where a team has no leads, whose namespaces are all theirs to administer.
fn teams_of(state: &AppState, actor: &Actor, own: &BTreeSet<String>) -> Vec<ScopeChoice> {
    let may_act = |team: &&crate::access::Team| match team.leads.is_empty() {
        true => is_member(actor, &team.groups) && team.namespaces.iter().all(|name| own.contains(name)),
        false => is_member(actor, &team.leads),
    };
    let teams = state.policy.teams.iter().filter(|team| !team.namespaces.is_empty()).filter(may_act);
    teams
        .map(|team| ScopeChoice {
            scope: Scope { kind: ScopeKind::Team, name: team.name.clone() },
            namespaces: team.namespaces.clone(),
        })
        .collect()
}

fn is_member(actor: &Actor, groups: &[String]) -> bool {
    actor.profile.groups.iter().any(|group| groups.contains(group))
}

/// The groups that an effect is for, as the cluster names them: a team's own, or those of the person's groups that make
/// them an administrator of every namespace of the scope. A group that only reads there gets nothing.
///
/// # Errors
/// When the cluster is unavailable.
pub(super) async fn load_groups(
    state: &AppState,
    actor: &Actor,
    choice: &ScopeChoice,
) -> Result<Vec<String>, AppError> {
    if choice.scope.kind == ScopeKind::Team {
        let prefix = &state.policy.groups.group_prefix;
        let team = state.policy.teams.iter().find(|team| team.name == choice.scope.name);
        return Ok(team.iter().flat_map(|team| &team.groups).map(|group| format!("{prefix}{group}")).collect());
    }
    // Each group by itself: somebody who administers by name would with any group.
    let mut administering = Vec::new();
    for some in actor.kube.groups.chunks(GROUPS_AT_ONCE) {
        let answers = try_join_all(some.iter().map(|group| administers(state, group, &choice.namespaces))).await?;
        let yes = some.iter().zip(answers).filter(|(_, administers)| *administers);
        administering.extend(yes.map(|(group, _)| group.to_string()));
    }
    Ok(administering)
}

/// How many groups the cluster is asked about at once.
const GROUPS_AT_ONCE: usize = 8;

async fn administers(state: &AppState, group: &KubeName, namespaces: &[String]) -> Result<bool, AppError> {
    for namespace in namespaces {
        if !state.cluster.allows_group(group, &admin_right(namespace.clone())).await? {
            return Ok(false);
        }
    }
    Ok(true)
}
