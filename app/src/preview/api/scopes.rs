//! For what somebody may accept risks.

use crate::access::Subject;
use crate::actor::Actor;
use crate::error::AppError;
use crate::namespaces::namespaces_where;
use crate::ports::Right;
use crate::preview::AcceptedBy;
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
    /// The groups that an effect is for, as the cluster names them.
    pub groups: Vec<String>,
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
    let reached =
        namespaces.chain(environments).filter(|(kind, ..)| kinds.contains(kind)).map(|(kind, name, namespaces)| {
            let groups = groups_in(state, actor, &namespaces)?;
            Ok(ScopeChoice { scope: Scope { kind, name }, namespaces, groups })
        });
    let mut choices = reached.collect::<Result<Vec<_>, AppError>>()?;
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
    let prefix = &state.policy.groups.group_prefix;
    let teams = state.policy.teams.iter().filter(|team| !team.namespaces.is_empty()).filter(may_act);
    teams
        .map(|team| ScopeChoice {
            scope: Scope { kind: ScopeKind::Team, name: team.name.clone() },
            namespaces: team.namespaces.clone(),
            groups: team.groups.iter().map(|group| format!("{prefix}{group}")).collect(),
        })
        .collect()
}

fn is_member(actor: &Actor, groups: &[String]) -> bool {
    actor.profile.groups.iter().any(|group| groups.contains(group))
}

/// The groups through which the person reaches every one of these namespaces.
fn groups_in(state: &AppState, actor: &Actor, namespaces: &[String]) -> Result<Vec<String>, AppError> {
    let bindings = state.cluster.bindings_of(&actor.kube)?;
    let of = |namespace: &String| -> BTreeSet<String> {
        let here = bindings.iter().filter(|binding| binding.namespace.as_ref() == Some(namespace));
        here.filter_map(|binding| match &binding.subject {
            Subject::Group(group) => Some(group.clone()),
            Subject::User(_) => None,
        })
        .collect()
    };
    let common = namespaces.iter().map(of).reduce(|all, here| all.intersection(&here).cloned().collect());
    Ok(common.unwrap_or_default().into_iter().collect())
}
