//! Network rules: every workload is selected by a policy, and the policies are no wider than meant.

use super::{Check, Problem, Rule, Scope};
use crate::manifest::Manifest;
use crate::network_policy::{Direction, NetworkPolicy, Peer, Rule as PolicyRule};
use crate::workload::Workload;

pub(crate) const NOT_SELECTED: Rule =
    Rule { id: "netpol/not-selected", faq: Some("why-cant-i-kubectl-run"), check: Check::Workload(not_selected) };
pub(crate) const ALLOWS_ALL: Rule =
    Rule { id: "netpol/allows-all", faq: Some("network-policies"), check: Check::Object(allows_all) };
pub(crate) const INTERNET_EGRESS: Rule =
    Rule { id: "netpol/internet-egress", faq: Some("network-policies"), check: Check::Object(internet_egress) };
pub(crate) const NO_DNS: Rule =
    Rule { id: "netpol/no-dns", faq: Some("network-policies"), check: Check::Object(no_dns) };

fn not_selected(workload: &Workload<'_>, scope: &Scope<'_>) -> Vec<Problem> {
    if workload.uses_host_network() || scope.policies.iter().any(|policy| policy.selects_workload(workload)) {
        return Vec::new();
    }
    vec![Problem::warn(
        "",
        "No NetworkPolicy selects these pods, so everything may reach them and they may reach everything.",
        "Submit a NetworkPolicy whose podSelector matches the pod's labels; the wizard writes one for you.",
    )]
}

fn rules(policy: &NetworkPolicy) -> impl Iterator<Item = (Direction, usize, &PolicyRule)> {
    [Direction::Ingress, Direction::Egress].into_iter().flat_map(move |direction| {
        policy
            .rules(direction)
            .unwrap_or_default()
            .iter()
            .enumerate()
            .map(move |(index, rule)| (direction, index, rule))
    })
}

fn path(direction: Direction, index: usize) -> String {
    match direction {
        Direction::Ingress => format!("spec.ingress[{index}]"),
        Direction::Egress => format!("spec.egress[{index}]"),
    }
}

fn allows_all(manifest: &Manifest, _: &Scope<'_>) -> Vec<Problem> {
    let Some(policy) = NetworkPolicy::of(manifest) else { return Vec::new() };
    rules(&policy)
        .filter(|(.., rule)| rule.allows_everything())
        .map(|(direction, index, _)| {
            let what = match direction {
                Direction::Ingress => "Anyone may reach these pods on every port.",
                Direction::Egress => "These pods may reach anything on every port.",
            };
            Problem::warn(
                path(direction, index),
                what,
                "Name the pods or addresses, and the ports, that are really needed.",
            )
        })
        .collect()
}

fn internet_egress(manifest: &Manifest, _: &Scope<'_>) -> Vec<Problem> {
    let Some(policy) = NetworkPolicy::of(manifest) else { return Vec::new() };
    rules(&policy)
        .filter(|(direction, _, rule)| {
            *direction == Direction::Egress && !rule.allows_everything() && rule.peers.iter().any(Peer::is_anywhere)
        })
        .map(|(direction, index, _)| {
            Problem::warn(
                path(direction, index),
                "These pods may reach every address on the internet, and the metadata service of the cloud.",
                "Name the addresses that are really needed.",
            )
        })
        .collect()
}

/// Egress limited without port 53: nothing resolves a name any more, and the error says so only
/// after a timeout. Other policies may allow it, so all that select the same pods are looked at.
fn no_dns(manifest: &Manifest, scope: &Scope<'_>) -> Vec<Problem> {
    let Some(policy) = NetworkPolicy::of(manifest) else { return Vec::new() };
    let limits_egress = policy.rules(Direction::Egress).is_some_and(|rules| !rules.is_empty());
    let reaches_dns = |policy: &NetworkPolicy| {
        policy
            .rules(Direction::Egress)
            .unwrap_or_default()
            .iter()
            .any(|rule| rule.ports.is_empty() || rule.ports.iter().any(|port| port.port.as_deref() == Some("53")))
    };
    let same_pods = |other: &&NetworkPolicy| {
        other.namespace == policy.namespace
            && (other.pod_selector.is_empty() || other.pod_selector == policy.pod_selector)
    };
    if !limits_egress || scope.policies.iter().filter(same_pods).any(reaches_dns) {
        return Vec::new();
    }
    vec![Problem::warn(
        "spec.egress",
        "Egress is limited and DNS is not allowed: no name will resolve.",
        "Allow UDP and TCP port 53 to pods labelled k8s-app=kube-dns in kube-system.",
    )]
}

#[cfg(test)]
mod tests {
    use crate::rules::testing::rules_broken;

    fn netpol(spec: &str) -> Vec<String> {
        rules_broken(&format!(
            "{{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {{name: p}}, spec: {spec}}}"
        ))
    }

    #[test]
    fn a_pod_and_its_policy_submitted_together_are_judged_together() {
        let pod = "{apiVersion: v1, kind: Pod, metadata: {name: web, labels: {app: web}}, spec: {}}";
        let policy = "{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: p}, spec: {podSelector: {matchLabels: {app: web}}}}";
        assert!(rules_broken(pod).contains(&"netpol/not-selected".to_owned()));
        assert!(!rules_broken(&format!("{pod}\n---\n{policy}")).contains(&"netpol/not-selected".to_owned()));
    }

    #[test]
    fn the_policy_people_copy_is_called_what_it_is() {
        assert_eq!(
            netpol("{podSelector: {}, policyTypes: [Ingress, Egress], ingress: [{}], egress: [{}]}"),
            ["netpol/allows-all"]
        );
    }

    #[test]
    fn egress_to_the_world_on_one_port_is_egress_to_the_world() {
        assert_eq!(
            netpol("{podSelector: {}, egress: [{to: [{ipBlock: {cidr: 0.0.0.0/0}}], ports: [{port: 443}]}]}"),
            ["netpol/internet-egress", "netpol/no-dns"]
        );
    }

    #[test]
    fn no_egress_at_all_does_not_ask_for_dns() {
        assert!(netpol("{podSelector: {}, policyTypes: [Egress]}").is_empty());
    }
}
