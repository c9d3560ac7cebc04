//! Peers whose namespaces cannot be told.

use super::{Check, Problem, Rule, RuleSet, Scope};
use crate::network_policy::NetworkPolicy;

pub(super) const RULE: Rule = Rule {
    id: "netpol/unknown-namespace",
    meaning: "A peer selects namespaces by labels that are not known here, so it is open whom it lets through.",
    source: "Kubernetes API reference, NetworkPolicyPeer networking.k8s.io/v1, namespaceSelector",
    faq: Some("network-policies"),
    set: RuleSet::Platform,
    check: Check::Policy(check),
};

fn check(policy: &NetworkPolicy, scope: &Scope<'_>) -> Vec<Problem> {
    policy
        .placed_rules()
        .flat_map(|placed| {
            placed.rule.peers.iter().enumerate().map(move |(index, peer)| (placed.peer_path(index), peer))
        })
        .filter_map(|(path, peer)| {
            let undecided: Vec<&str> = scope.world.undecided(peer).take(MOST).collect();
            let message =
                format!("Whether this peer means {} depends on labels that are not known here.", undecided.join(", "));
            let fix = "Give the namespaces along, or select by kubernetes.io/metadata.name, which every namespace has.";
            (!undecided.is_empty()).then(|| Problem::info(format!("{path}.namespaceSelector"), message, fix))
        })
        .collect()
}

/// Names enough to know what is meant.
const MOST: usize = 5;

#[cfg(test)]
mod tests {
    use crate::rules::testing::{paths_of, pod, policy};

    fn paths(selector: &str, more: &str) -> Vec<String> {
        let policy =
            policy("p", &format!("{{podSelector: {{}}, ingress: [{{from: [{{namespaceSelector: {selector}}}]}}]}}"));
        paths_of("netpol/unknown-namespace", &format!("{}{policy}{more}", pod("", "")))
    }

    #[test]
    fn labels_that_are_not_known_are_said_to_be_missing() {
        let path = ["spec.ingress[0].from[0].namespaceSelector"];
        assert_eq!(paths("{matchLabels: {team: shop}}", ""), path);
        assert!(
            paths("{matchLabels: {team: shop}}", "{apiVersion: v1, kind: Namespace, metadata: {name: default}}")
                .is_empty()
        );
        assert!(paths("{}", "").is_empty());
        assert!(paths("{matchLabels: {kubernetes.io/metadata.name: default}}", "").is_empty());
    }
}
