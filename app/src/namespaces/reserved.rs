//! Names that nobody gets by asking for them: policies let the platform's own namespaces in by their names, and settings
//! give teams what is in theirs.

use super::{NamespaceName, is_dns_label};
use crate::access::Team;
use crate::actor::Actor;
use crate::policy::{Policy, PolicyMistake};
use crate::workloads::places::PlaceAt;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ReservedNamespaces {
    /// Names, or the beginning or the end of names with `*` for the rest.
    pub patterns: Vec<String>,
    /// What whoever asks for one is told.
    pub explanation: String,
}

impl Default for ReservedNamespaces {
    fn default() -> Self {
        let patterns =
            ["default", "monitoring", "kube-*", "hnc-*", "openshift-*", "ingress-*", "*-system", "*-operator"];
        Self {
            patterns: patterns.map(str::to_owned).into(),
            explanation: "Choose another name, for example one that begins with your team's.".to_owned(),
        }
    }
}

/// Why a name is not to be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReservedError {
    #[error("The name {name} is reserved for the platform. {explanation}")]
    ByPlatform { name: String, explanation: String },
    #[error("The name {name} is reserved for the team {team}. Ask one of its members to create it.")]
    ByTeam { name: String, team: String },
}

impl ReservedNamespaces {
    pub fn mistakes(&self) -> impl Iterator<Item = PolicyMistake> {
        let is_pattern = |pattern: &&String| {
            let rest = pattern.strip_prefix('*').or_else(|| pattern.strip_suffix('*')).unwrap_or(pattern);
            let rest = rest.trim_matches('-');
            is_dns_label(rest)
        };
        let wrong = self.patterns.iter().filter(move |pattern| !is_pattern(pattern));
        wrong.map(|pattern| {
            let message = format!(
                "{pattern:?} cannot be a reserved name: write a name, or the beginning or the end of one with *, such as \
                 kube-*"
            );
            PolicyMistake::new(pattern, message)
        })
    }

    fn holds(&self, name: &str) -> bool {
        self.patterns.iter().any(|pattern| match (pattern.strip_prefix('*'), pattern.strip_suffix('*')) {
            (Some(end), _) => name.ends_with(end),
            (None, Some(begin)) => name.starts_with(begin),
            (None, None) => name == pattern,
        })
    }
}

/// Whether somebody may have a namespace of this name.
///
/// # Errors
/// [`ReservedError`] where it is the platform's, or another team's.
pub fn check_reserved(policy: &Policy, actor: &Actor, name: &NamespaceName) -> Result<(), ReservedError> {
    let name = name.as_ref();
    let of_place =
        policy.places.iter().any(|place| matches!(&place.at, PlaceAt::Pods { namespace, .. } if namespace == name));
    let of_record = policy.record.heads_in.as_ref().is_some_and(|heads| heads.namespace == name);
    let of_environment = policy.environments.iter().any(|environment| holds(&environment.namespaces, name));
    let by_platform = || {
        let explanation = policy.reserved_namespaces.explanation.clone();
        Err(ReservedError::ByPlatform { name: name.to_owned(), explanation })
    };
    if of_place || of_record {
        return by_platform();
    }
    let mut teams = policy.teams.iter().filter(|team| holds(&team.namespaces, name)).peekable();
    if let Some(team) = teams.peek().copied() {
        let is_theirs = teams.any(|team| is_member(actor, team));
        let team = team.name.clone();
        return if is_theirs { Ok(()) } else { Err(ReservedError::ByTeam { name: name.to_owned(), team }) };
    }
    if of_environment || policy.reserved_namespaces.holds(name) { by_platform() } else { Ok(()) }
}

fn holds(namespaces: &[String], name: &str) -> bool {
    namespaces.iter().any(|namespace| namespace == name)
}

fn is_member(actor: &Actor, team: &Team) -> bool {
    team.groups.iter().chain(&team.leads).any(|group| actor.profile.groups.contains(group))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::{Environment, KubeIdentity};
    use crate::actor::{Profile, RoleGroups};
    use uuid::Uuid;

    fn actor(groups: &[&str]) -> Actor {
        let groups = groups.iter().map(ToString::to_string).collect();
        let profile = Profile { groups, ..Profile::fairway() };
        let kube = KubeIdentity::new("robin@example.com".to_owned().try_into().unwrap(), Vec::new());
        Actor::new(Uuid::nil(), profile, kube, &RoleGroups::default(), String::new())
    }

    fn policy() -> Policy {
        let team = Team {
            name: "pay".into(),
            groups: vec!["team-pay".into()],
            namespaces: vec!["pay".into()],
            ..Team::default()
        };
        let environment = Environment { name: "demo".into(), namespaces: vec!["demo".into()] };
        Policy { teams: vec![team], environments: vec![environment], ..Policy::default() }
    }

    fn may(groups: &[&str], name: &str) -> bool {
        check_reserved(&policy(), &actor(groups), &name.parse().unwrap()).is_ok()
    }

    #[test]
    fn what_policies_and_settings_rely_on_is_not_to_be_had() {
        for name in
            ["monitoring", "ingress-nginx", "gatekeeper-system", "postgres-operator", "default", "kube-x", "demo"]
        {
            assert!(!may(&["team-pay"], name), "{name}");
        }
        assert!(may(&[], "shop-staging") && may(&[], "monitoring-of-shop"));
    }

    #[test]
    fn the_namespace_of_a_team_is_for_its_members_unless_the_record_is_kept_there() {
        assert!(may(&["team-pay"], "pay") && !may(&["team-shop"], "pay"));
        let mut policy = policy();
        policy.teams[0].namespaces.push("monitoring".into());
        assert!(check_reserved(&policy, &actor(&["team-pay"]), &"monitoring".parse().unwrap()).is_err());
    }

    #[test]
    fn whoever_asks_reads_the_operators_words() {
        let words =
            ReservedNamespaces { explanation: "Ask the platform team.".into(), ..ReservedNamespaces::default() };
        let policy = Policy { reserved_namespaces: words, ..policy() };
        let refused = check_reserved(&policy, &actor(&[]), &"monitoring".parse().unwrap()).unwrap_err();
        assert_eq!(refused.to_string(), "The name monitoring is reserved for the platform. Ask the platform team.");
    }

    #[test]
    fn a_pattern_is_a_name_or_one_end_of_it() {
        let mistakes = |pattern: &str| {
            let reserved = ReservedNamespaces { patterns: vec![pattern.into()], ..ReservedNamespaces::default() };
            reserved.mistakes().count()
        };
        assert_eq!(["kube-*", "*-system", "default"].map(mistakes), [0, 0, 0]);
        assert_eq!(["*", "a*b", "", "Kube-*", "*a*"].map(mistakes), [1, 1, 1, 1, 1]);
        assert_eq!(ReservedNamespaces::default().mistakes().count(), 0);
    }
}
