//! Who can reach a workload and what it can reach, in words: the policies that govern it, added up.

use crate::generate::{PodLabels, is_internet};
use crate::manifest::Manifest;
use crate::network_policy::{Direction, NetworkPolicy, Peer, PolicyPort, Rule};
use crate::selector::Selector;
use crate::workload::Workload;
use crate::world::NAMESPACE_NAME;
use serde_json::json;

/// What the policies allow in one direction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    /// No policy governs this direction: everything is allowed.
    Open,
    /// Only these; none at all where the list is empty.
    Only(Vec<ReachRow>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReachRow {
    /// The other end, in words.
    pub peer: String,
    /// The ports, for example `TCP 80, UDP 53`, or `every port`.
    pub ports: String,
    /// Name of the policy that allows it.
    pub policy: String,
}

/// Adds up what `policies` allow the pods of `workload` in `direction`.
#[must_use]
pub fn reach<'a>(
    workload: &Workload<'_>,
    policies: impl IntoIterator<Item = &'a Manifest>,
    direction: Direction,
) -> Reach {
    let governing: Vec<NetworkPolicy> = policies
        .into_iter()
        .filter_map(NetworkPolicy::of)
        .filter(|policy| policy.selects_workload(workload) && policy.rules(direction).is_some())
        .collect();
    if governing.is_empty() {
        return Reach::Open;
    }
    let mut rows = Vec::new();
    for policy in &governing {
        for rule in policy.rules(direction).into_iter().flatten() {
            rows.extend(rows_of(policy, rule));
        }
    }
    Reach::Only(rows)
}

fn rows_of(policy: &NetworkPolicy, rule: &Rule) -> Vec<ReachRow> {
    let row = |peer: String| ReachRow { peer, ports: ports_in_words(&rule.ports), policy: policy.name.clone() };
    if rule.peers.is_empty() {
        return vec![row("anyone, inside and outside the cluster".to_owned())];
    }
    rule.peers.iter().map(|peer| row(peer_in_words(&policy.namespace, peer))).collect()
}

fn ports_in_words(ports: &[PolicyPort]) -> String {
    if ports.is_empty() {
        return "every port".to_owned();
    }
    ports.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// What pods with these labels are called in a picture or a table.
#[must_use]
pub fn pods_in_words(labels: &PodLabels, namespace: &str) -> String {
    let selector = Selector::from_value(Some(&json!({ "matchLabels": labels })));
    format!("pods with {selector} in {namespace}")
}

/// What a policy of `own_namespace` means by a peer.
pub(crate) fn peer_in_words(own_namespace: &str, peer: &Peer) -> String {
    match peer {
        Peer::Block { cidr, except } if except.is_empty() => match cidr.as_str() {
            "0.0.0.0/0" | "::/0" => format!("any address ({cidr})"),
            _ => format!("addresses {cidr}"),
        },
        Peer::Block { cidr, except } if is_internet(cidr, except) => match cidr.as_str() {
            "::/0" => "the internet over IPv6".to_owned(),
            _ => "the internet".to_owned(),
        },
        Peer::Block { cidr, except } => format!("addresses {cidr} except {}", except.join(", ")),
        Peer::Pods { namespaces, pods } => {
            let place = match namespaces {
                None => format!("in {own_namespace}"),
                Some(selector) if selector.is_empty() => "in any namespace".to_owned(),
                Some(selector) => match selector.sole_value_of(NAMESPACE_NAME) {
                    Some(name) => format!("in {name}"),
                    None => format!("in namespaces with {selector}"),
                },
            };
            if pods.is_empty() { format!("every pod {place}") } else { format!("pods with {pods} {place}") }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::decode;

    const POD: &str = "{apiVersion: v1, kind: Pod, metadata: {name: web, namespace: shop, labels: {app: web}}}";

    fn ingress(policies: &str) -> Reach {
        let pod = decode("pod", POD).unwrap();
        reach(&Workload::of(&pod[0]).unwrap(), &decode("policies", policies).unwrap(), Direction::Ingress)
    }

    #[test]
    fn a_pod_that_no_policy_selects_is_open() {
        assert_eq!(
            ingress(
                "{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: p, namespace: shop}, \
                 spec: {podSelector: {matchLabels: {app: other}}}}"
            ),
            Reach::Open
        );
    }

    #[test]
    fn policies_add_up_and_name_who_allows_what() {
        let policies = "
{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: deny, namespace: shop}, \
spec: {podSelector: {}}}
---
{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: web, namespace: shop}, \
spec: {podSelector: {matchLabels: {app: web}}, ingress: [{from: [{podSelector: {}}], ports: [{port: 80}]}]}}";
        assert_eq!(
            ingress(policies),
            Reach::Only(vec![ReachRow {
                peer: "every pod in shop".into(),
                ports: "TCP 80".into(),
                policy: "web".into()
            }])
        );
    }

    #[test]
    fn a_namespace_chosen_by_its_name_is_called_by_its_name() {
        let policies = "{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: p, namespace: shop}, \
            spec: {podSelector: {}, ingress: [{from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: \
            pay}}}]}]}}";
        let Reach::Only(rows) = ingress(policies) else { panic!("open") };
        assert_eq!(rows[0].peer, "every pod in pay");
    }

    #[test]
    fn a_policy_of_another_namespace_does_not_govern() {
        assert_eq!(
            ingress(
                "{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: p, namespace: other}, \
                 spec: {podSelector: {}}}"
            ),
            Reach::Open
        );
    }
}
