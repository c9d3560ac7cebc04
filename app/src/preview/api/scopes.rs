//! For what somebody may accept risks.

use crate::access::KubeIdentity;
use crate::actor::Actor;
use crate::error::AppError;
use crate::namespaces::namespaces_where;
use crate::ports::Right;
use crate::preview::AcceptedBy;
use crate::preview::store::Viewer;
use crate::preview::terms::{Scope, ScopeKind};
use crate::state::AppState;
use std::collections::BTreeSet;

/// A scope that somebody may accept for, and what it means today.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScopeChoice {
    /// The scope.
    pub scope: Scope,
    /// Its namespaces.
    pub namespaces: Vec<String>,
}

/// What the person sees of the acceptances of others; while the cluster is away, none.
pub(super) async fn load_viewer(state: &AppState, actor: &Actor) -> Viewer {
    let choices = load_scopes(state, actor, &ScopeKind::ALL).await.unwrap_or_default();
    Viewer {
        person: actor.person_id,
        scopes: choices.into_iter().map(|choice| choice.scope).collect(),
        namespaces: namespaces_where(state, actor, admin_right).await.unwrap_or_default(),
    }
}

/// Who may give others access in a namespace.
fn admin_right(namespace: String) -> Right {
    Right::within(namespace, "create", "rbac.authorization.k8s.io", "rolebindings")
}

/// The scopes of these kinds for which the person may accept risks.
///
/// # Errors
/// When the cluster is away.
pub async fn load_scopes(state: &AppState, actor: &Actor, kinds: &[ScopeKind]) -> Result<Vec<ScopeChoice>, AppError> {
    let own: BTreeSet<String> = match state.policy.risks_accepted_by {
        AcceptedBy::NamespaceAdmin => namespaces_where(state, actor, admin_right).await?.into_iter().collect(),
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
    let reached = namespaces.chain(environments).filter(|(kind, ..)| kinds.contains(kind));
    let mut choices: Vec<ScopeChoice> =
        reached.map(|(kind, name, namespaces)| ScopeChoice { scope: Scope { kind, name }, namespaces }).collect();
    if kinds.contains(&ScopeKind::Team) {
        choices.extend(teams_of(state, actor, &own));
    }
    Ok(choices)
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
/// When the cluster is away.
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
    // Whoever administers by themselves, without any group, does so with each: then this says nothing of the group.
    let nobody_else = KubeIdentity { user: actor.kube.user.clone(), groups: Vec::new() };
    if administers(state, &nobody_else, &choice.namespaces).await? {
        return Ok(Vec::new());
    }
    let mut administering = Vec::new();
    for group in &actor.kube.groups {
        let alone = KubeIdentity { user: actor.kube.user.clone(), groups: vec![group.clone()] };
        if administers(state, &alone, &choice.namespaces).await? {
            administering.push(group.to_string());
        }
    }
    Ok(administering)
}

async fn administers(state: &AppState, who: &KubeIdentity, namespaces: &[String]) -> Result<bool, AppError> {
    for namespace in namespaces {
        if !state.cluster.allows(who, &admin_right(namespace.clone())).await? {
            return Ok(false);
        }
    }
    Ok(true)
}
