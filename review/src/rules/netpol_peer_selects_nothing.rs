//! Peers that fit nobody.

use super::{Check, Problem, Rule, RuleSet, Scope};
use crate::network_policy::NetworkPolicy;

pub(super) const RULE: Rule = Rule {
    id: "netpol/peer-selects-nothing",
    meaning: "A peer that fits no workload lets nobody through.",
    source: "Kubernetes API reference, NetworkPolicySpec networking.k8s.io/v1, NetworkPolicyPeer",
    faq: Some("network-policies"),
    set: RuleSet::Platform,
    check: Check::Policy(check),
};

fn check(policy: &NetworkPolicy, scope: &Scope<'_>) -> Vec<Problem> {
    let world = &scope.world;
    if !scope.every_workload {
        return Vec::new();
    }
    policy
        .placed_rules()
        .flat_map(|placed| {
            placed.rule.peers.iter().enumerate().map(move |(index, peer)| (placed.peer_path(index), peer))
        })
        .filter(|(_, peer)| peer.is_of_one_namespace())
        .filter(|(_, peer)| {
            let mut around = world.around(&policy.namespace, peer).peekable();
            // Of namespaces where nothing is known, nothing can be said.
            around.peek().is_some() && !around.any(|endpoint| world.is_peer(&policy.namespace, peer, endpoint))
        })
        .map(|(path, _)| {
            Problem::info(
                path,
                "No workload that is known here fits this peer, so the rule lets nobody through.",
                "Compare its labels with those of the pods and namespaces meant.",
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use crate::rules::testing::{paths_of, pod, policy};

    #[test]
    fn a_peer_that_fits_no_known_workload_is_named_and_one_of_an_unknown_namespace_is_not() {
        let paths = |peers: &str| {
            let policy = policy("p", &format!("{{podSelector: {{}}, ingress: [{{from: [{peers}]}}]}}"));
            paths_of("netpol/peer-selects-nothing", &format!("{}{policy}", pod("", "")))
        };
        assert_eq!(paths("{podSelector: {matchLabels: {app: wbe}}}, {podSelector: {}}"), ["spec.ingress[0].from[0]"]);
        assert!(paths("{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: pay}}}").is_empty());
    }
}
