//! Peers that fit nobody.

use super::{Check, Problem, Rule, RuleSet, Scope};
use crate::network_policy::{NetworkPolicy, Peer};

pub(super) const RULE: Rule = Rule {
    id: "netpol/peer-selects-nothing",
    meaning: "A peer that fits no workload lets nobody through.",
    source: "Kubernetes API reference, NetworkPolicySpec networking.k8s.io/v1, NetworkPolicyPeer",
    faq: Some("network-policies"),
    set: RuleSet::Platform,
    check: Check::Policy(check),
};

fn check(policy: &NetworkPolicy, scope: &Scope<'_>) -> Vec<Problem> {
    let mut problems = without_namespace(policy, scope);
    problems.extend(without_pods(policy, scope));
    problems
}

/// Peers whose namespaces are none of those that are known.
fn without_namespace(policy: &NetworkPolicy, scope: &Scope<'_>) -> Vec<Problem> {
    let peers = policy.placed_rules().flat_map(|placed| {
        placed.rule.peers.iter().enumerate().map(move |(index, peer)| (placed.peer_path(index), peer))
    });
    peers
        .filter(|(_, peer)| scope.world.fits_no_namespace(peer))
        .filter_map(|(path, peer)| {
            let Peer::Pods { namespaces: Some(selector), .. } = peer else { return None };
            let message = format!(
                "No namespace that was given or is known here has the labels {selector}, so the rule lets nobody through."
            );
            let fix = match scope.world.nearest_namespace_label(selector) {
                Some(nearest) => format!("Perhaps {nearest} is meant."),
                None => "Select by kubernetes.io/metadata.name, which every namespace has.".to_owned(),
            };
            Some(Problem::warn(format!("{path}.namespaceSelector"), message, fix))
        })
        .collect()
}

fn without_pods(policy: &NetworkPolicy, scope: &Scope<'_>) -> Vec<Problem> {
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
    fn a_selector_that_fits_no_namespace_names_the_label_that_is_nearest() {
        use crate::rules::testing::reviewed;
        let edge = "{apiVersion: v1, kind: Namespace, metadata: {name: edge, labels: {name: edge}}}\n---\n\
                    {apiVersion: v1, kind: Namespace, metadata: {name: default}}\n---\n";
        let fix = |label: &str| {
            let spec = format!(
                "{{podSelector: {{}}, ingress: [{{from: [{{namespaceSelector: {{matchLabels: {{{label}}}}}}}]}}]}}"
            );
            let findings = reviewed(&format!("{edge}{}{}", pod("", ""), policy("p", &spec))).findings;
            let found = findings.into_iter().find(|finding| finding.path.ends_with("namespaceSelector"));
            found.filter(|finding| finding.rule == "netpol/peer-selects-nothing").map(|finding| finding.fix)
        };
        let by_name = "Perhaps kubernetes.io/metadata.name=edge is meant.";
        assert_eq!(fix("app.kubernetes.io/name: edge").as_deref(), Some(by_name));
        assert_eq!(fix("name: egde").as_deref(), Some("Perhaps name=edge is meant."));
        assert_eq!(fix("name: edge"), None);
    }

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
