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

/// Peers whose namespaces are none of those that are there, or, where the cluster is not known, none of those that are
/// known.
fn without_namespace(policy: &NetworkPolicy, scope: &Scope<'_>) -> Vec<Problem> {
    let peers = policy.placed_rules().flat_map(|placed| {
        placed.rule.peers.iter().enumerate().map(move |(index, peer)| (placed.peer_path(index), peer))
    });
    peers
        .filter_map(|(path, peer)| {
            let Peer::Pods { namespaces: Some(selector), .. } = peer else { return None };
            let missing = scope.namespaces.and_then(|namespaces| namespaces.missing(peer));
            let message = match missing {
                Some(name) => format!("There is no namespace {name}, so the rule lets nobody through."),
                None if scope.world.fits_no_namespace(peer) => format!(
                    "No namespace that was given or is known here has the labels {selector}, so the rule lets nobody \
                     through."
                ),
                None => return None,
            };
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
        .filter(|(_, peer)| is_known(&policy.namespace, peer, scope))
        .filter(|(_, peer)| {
            !world.around(&policy.namespace, peer).any(|endpoint| world.is_peer(&policy.namespace, peer, endpoint))
        })
        .map(|(path, _)| {
            let fix = "Compare its labels with those of the pods and namespaces meant.";
            match scope.namespaces {
                Some(_) => Problem::warn(path, "No workload fits this peer, so the rule lets nobody through.", fix),
                None => {
                    let message = "No workload that is known here fits this peer, so the rule lets nobody through.";
                    Problem::info(path, message, fix)
                }
            }
        })
        .collect()
}

/// Whether all is known that is in the one namespace that a peer speaks of. Without the cluster, that can be said of one
/// of which something was given.
fn is_known(namespace: &str, peer: &Peer, scope: &Scope<'_>) -> bool {
    match scope.namespaces {
        Some(cluster) => cluster.has_read(namespace, peer),
        None => peer.is_of_one_namespace() && scope.world.around(namespace, peer).next().is_some(),
    }
}

#[cfg(test)]
mod tests {
    use crate::rules::testing::{paths_of, pod, policy};
    use crate::{ClusterNamespaces, Context, Selection, Settings, Severity, decode, review};
    use std::convert::Infallible;

    /// What is said of a peer where the cluster has the namespaces default, of which all is known, pay, of which
    /// nothing is, and empty.
    fn beside_the_cluster(peer: &str) -> Vec<(Severity, String)> {
        let spec = format!("{{podSelector: {{}}, ingress: [{{from: [{peer}]}}]}}");
        let manifests = decode("test", &format!("{}{}", pod("", ""), policy("p", &spec))).unwrap();
        let Ok(namespaces) =
            ClusterNamespaces::of(&manifests, |name| Ok::<_, Infallible>(["default", "pay", "empty"].contains(&name)));
        let namespaces = namespaces.with_read(["default", "empty"].map(str::to_owned).into());
        let known =
            ["default", "empty"].map(|name| format!("{{apiVersion: v1, kind: Namespace, metadata: {{name: {name}}}}}"));
        let context = Context {
            existing: decode("known", &known.join("\n---\n")).unwrap(),
            every_workload: true,
            namespaces: Some(namespaces),
            ..Context::default()
        };
        let found = review(&manifests, &context, &Settings::default(), Selection::default()).findings.into_iter();
        let found = found.filter(|finding| finding.rule == "netpol/peer-selects-nothing");
        found.map(|finding| (finding.severity, finding.message)).collect()
    }

    #[test]
    fn beside_a_cluster_a_peer_that_is_not_there_is_a_warning_and_of_what_cannot_be_seen_nothing_is_said() {
        let of =
            |name: &str| format!("{{namespaceSelector: {{matchLabels: {{kubernetes.io/metadata.name: {name}}}}}}}");
        let warned = |message: &str| vec![(Severity::Warn, message.to_owned())];
        let nobody = "No workload fits this peer, so the rule lets nobody through.";
        assert_eq!(
            beside_the_cluster(&of("payy")),
            warned("There is no namespace payy, so the rule lets nobody through.")
        );
        assert_eq!(beside_the_cluster(&of("empty")), warned(nobody));
        assert_eq!(beside_the_cluster("{podSelector: {matchLabels: {app: wbe}}}"), warned(nobody));
        for there in ["{podSelector: {matchLabels: {app: web}}}", "{namespaceSelector: {}}", &of("pay"), &of("default")]
        {
            assert_eq!(beside_the_cluster(there), [], "{there}");
        }
    }

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
