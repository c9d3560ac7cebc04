//! Egress without DNS.

use super::{Check, Problem, Rule, RuleSet, Scope};
use crate::network_policy::{Direction, NetworkPolicy, Peer};
use crate::patch::Edit;
use crate::port_set::{PortSet, Transport};
use crate::world::{NAMESPACE_NAME, ports_of};
use serde_json::json;

pub(super) const RULE: Rule = Rule {
    id: "netpol/no-dns",
    meaning: "Where egress is limited and DNS is not allowed, no name resolves, and the error says so only after a \
        timeout.",
    source: "Kubernetes documentation, DNS for Services and Pods; platform documentation on network policies",
    faq: Some("network-policies"),
    set: RuleSet::Platform,
    check: Check::Policy(check),
};

fn check(policy: &NetworkPolicy, scope: &Scope<'_>) -> Vec<Problem> {
    let Some(rules) = policy.rules(Direction::Egress).filter(|rules| !rules.is_empty()) else { return Vec::new() };
    let allowed = allowed(policy, scope);
    let (udp, tcp) = (allowed.contains(Transport::Udp, DNS), allowed.contains(Transport::Tcp, DNS));
    let message = match (udp, tcp) {
        (true, true) => return Vec::new(),
        (false, false) => "Egress is limited and DNS is not allowed: no name will resolve.",
        (true, false) => "DNS is allowed by UDP only: names with long answers will not resolve.",
        (false, true) => "DNS is allowed by TCP only, and programs ask by UDP first: no name will resolve.",
    };
    let rule = json!({
        "to": [{
            "namespaceSelector": { "matchLabels": { NAMESPACE_NAME: "kube-system" } },
            "podSelector": { "matchLabels": { "k8s-app": "kube-dns" } },
        }],
        "ports": [{ "port": DNS, "protocol": "UDP" }, { "port": DNS, "protocol": "TCP" }],
    });
    let fix = "Allow UDP and TCP port 53 to pods labelled k8s-app=kube-dns in kube-system.";
    vec![
        Problem::warn("spec.egress", message, fix)
            .fixed_by([Edit::set(&format!("spec.egress[{}]", rules.len()), rule)]),
    ]
}

const DNS: u16 = 53;

/// What is open towards DNS for all the pods of a policy. Policies add up: where the pods are known, all that govern
/// them count, and otherwise those that certainly do.
fn allowed(policy: &NetworkPolicy, scope: &Scope<'_>) -> PortSet {
    let union = |policies: &mut dyn Iterator<Item = &NetworkPolicy>| {
        policies.fold(PortSet::default(), |all, policy| all.union(&towards_dns(policy)))
    };
    let endpoints = scope.world.governed_by(policy);
    if endpoints.is_empty() {
        let is_together =
            |other: &&NetworkPolicy| other.pod_selector.is_empty() || other.pod_selector == policy.pod_selector;
        return union(&mut scope.world.policies_in(&policy.namespace).iter().filter(is_together));
    }
    endpoints.into_iter().fold(PortSet::all(), |all, endpoint| {
        all.intersection(&union(&mut scope.world.governing(endpoint, Direction::Egress)))
    })
}

/// The ports that a policy opens towards peers that may be the cluster's DNS.
fn towards_dns(policy: &NetworkPolicy) -> PortSet {
    let rules = policy.rules(Direction::Egress).unwrap_or_default().iter();
    rules
        .filter(|rule| rule.peers.is_empty() || rule.peers.iter().any(|peer| may_be_dns(policy, peer)))
        .fold(PortSet::default(), |all, rule| all.union(&ports_of(rule, None)))
}

/// The cluster's DNS lies in another namespace than people's own; a DNS of the node has an address.
fn may_be_dns(policy: &NetworkPolicy, peer: &Peer) -> bool {
    match peer {
        Peer::Block { .. } => true,
        Peer::Pods { namespaces: None, .. } => policy.namespace == "kube-system",
        Peer::Pods { namespaces: Some(namespaces), .. } => {
            namespaces.sole_value_of(NAMESPACE_NAME).is_none_or(|name| name == "kube-system" || name.contains("dns"))
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::rules::testing::{fixed, paths_of, policy, rules_broken};

    fn is_found(spec: &str) -> bool {
        !paths_of("netpol/no-dns", &policy("p", spec)).is_empty()
    }

    #[test]
    fn limited_egress_without_dns_is_named() {
        assert!(is_found(
            "{podSelector: {}, egress: [{to: [{ipBlock: {cidr: 203.0.113.0/24}}], ports: [{port: 443}]}]}"
        ));
        assert!(is_found("{podSelector: {}, egress: [{to: [{podSelector: {}}]}]}"));
        assert!(!is_found(
            "{podSelector: {}, egress: [{to: [{namespaceSelector: {}}], ports: [{port: 1, endPort: 100}, {port: 53, \
             protocol: UDP}]}]}"
        ));
    }

    #[test]
    fn no_egress_at_all_does_not_ask_for_dns() {
        assert!(rules_broken(&policy("p", "{podSelector: {}, policyTypes: [Egress]}")).is_empty());
    }

    #[test]
    fn dns_needs_both_udp_and_tcp() {
        let one = |protocol: &str| {
            is_found(&format!(
                "{{podSelector: {{}}, egress: [{{to: [{{namespaceSelector: {{}}}}], ports: [{{port: 53, protocol: \
                 {protocol}}}]}}]}}"
            ))
        };
        assert!(one("UDP") && one("TCP"));
    }

    #[test]
    fn a_namespace_of_another_name_is_no_dns() {
        let to = |name: &str| {
            is_found(&format!(
                "{{podSelector: {{}}, egress: [{{to: [{{namespaceSelector: {{matchLabels: \
                 {{kubernetes.io/metadata.name: {name}}}}}}}]}}]}}"
            ))
        };
        assert!(to("payments"));
        assert!(!to("kube-system") && !to("openshift-dns"));
    }

    #[test]
    fn known_pods_may_get_it_from_a_policy_that_selects_them_otherwise() {
        let pod = crate::rules::testing::pod("", "");
        let dns = policy(
            "dns",
            "{podSelector: {matchExpressions: [{key: app, operator: Exists}]}, egress: [{ports: [{port: 53, protocol: \
             UDP}, {port: 53}]}]}",
        );
        let web = policy(
            "web",
            "{podSelector: {matchLabels: {app: web}}, egress: [{to: [{podSelector: {}}], ports: [{port: 80}]}]}",
        );
        assert!(paths_of("netpol/no-dns", &format!("{pod}{dns}{web}")).is_empty());
    }

    #[test]
    fn another_policy_of_the_same_pods_may_allow_it() {
        let dns = policy("dns", "{podSelector: {}, egress: [{ports: [{port: 53, protocol: UDP}, {port: 53}]}]}");
        let web = policy(
            "web",
            "{podSelector: {matchLabels: {app: web}}, egress: [{to: [{podSelector: {}}], ports: [{port: 80}]}]}",
        );
        assert!(paths_of("netpol/no-dns", &format!("{dns}{web}")).is_empty());
    }

    #[test]
    fn the_patch_allows_it() {
        let web = policy("web", "{podSelector: {}, egress: [{to: [{podSelector: {}}], ports: [{port: 80}]}]}");
        let fixed = fixed("netpol/no-dns", &web);
        assert_eq!(fixed["spec"]["egress"].as_array().map(Vec::len), Some(2));
        assert!(!rules_broken(&fixed.to_string()).contains(&"netpol/no-dns".to_owned()));
    }
}
