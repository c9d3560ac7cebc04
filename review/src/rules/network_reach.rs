//! Policies that are right by the letter and do not do what their author thinks.

use super::{Check, Problem, Rule, Scope};
use crate::manifest::Manifest;
use crate::network_policy::{Direction, NetworkPolicy};
use crate::world::{Endpoint, World};
use std::net::Ipv4Addr;

pub(crate) const SELECTS_NOTHING: Rule =
    Rule { id: "netpol/selects-nothing", faq: Some("network-policies"), check: Check::Object(selects_nothing) };
pub(crate) const PEER_SELECTS_NOTHING: Rule = Rule {
    id: "netpol/peer-selects-nothing",
    faq: Some("network-policies"),
    check: Check::Object(peer_selects_nothing),
};
pub(crate) const UNKNOWN_PORT: Rule =
    Rule { id: "netpol/unknown-port", faq: Some("network-policies"), check: Check::Object(unknown_port) };
pub(crate) const METADATA: Rule =
    Rule { id: "netpol/metadata-address", faq: Some("network-policies"), check: Check::Object(metadata_address) };
pub(crate) const SHADOWED: Rule =
    Rule { id: "netpol/shadowed", faq: Some("network-policies"), check: Check::Object(shadowed) };

/// Where clouds hand out a machine's credentials (RFC 3927 link-local, the same in all large clouds).
const METADATA_ADDRESS: Ipv4Addr = Ipv4Addr::new(169, 254, 169, 254);

const DIRECTIONS: [(Direction, &str, &str); 2] =
    [(Direction::Ingress, "ingress", "from"), (Direction::Egress, "egress", "to")];

/// The policy as the world knows it, and the workloads it governs.
fn governed<'a>(manifest: &Manifest, world: &'a World) -> Option<(&'a NetworkPolicy, Vec<&'a Endpoint>)> {
    let policy = world.find_policy(&NetworkPolicy::of(manifest)?)?;
    let endpoints = world.endpoints().iter().filter(|endpoint| world.selects(policy, endpoint)).collect();
    Some((policy, endpoints))
}

/// Only where something of the namespace is known: a policy reviewed all alone says nothing about it.
fn selects_nothing(manifest: &Manifest, scope: &Scope<'_>) -> Vec<Problem> {
    let Some((policy, endpoints)) = governed(manifest, &scope.world) else { return Vec::new() };
    let known =
        scope.every_workload && scope.world.endpoints().iter().any(|endpoint| endpoint.namespace == policy.namespace);
    if !known || !endpoints.is_empty() || policy.pod_selector.is_empty() {
        return Vec::new();
    }
    vec![Problem::warn(
        "spec.podSelector",
        format!("No workload has the labels {}, so this policy protects nothing.", policy.pod_selector),
        "Compare the labels with those of the pods: for a Deployment, with its template's.",
    )]
}

fn peer_selects_nothing(manifest: &Manifest, scope: &Scope<'_>) -> Vec<Problem> {
    let world = &scope.world;
    let Some((policy, _)) = governed(manifest, world).filter(|_| scope.every_workload) else { return Vec::new() };
    let mut problems = Vec::new();
    for (direction, field, end) in DIRECTIONS {
        for (rule_index, rule) in policy.rules(direction).unwrap_or_default().iter().enumerate() {
            for (index, peer) in rule.peers.iter().enumerate() {
                if world.knows_place_of(&policy.namespace, peer) && !world.has_peer(&policy.namespace, peer) {
                    problems.push(Problem::info(
                        format!("spec.{field}[{rule_index}].{end}[{index}]"),
                        "No workload that is known here fits this peer, so the rule lets nobody through.",
                        "Compare its labels with those of the pods and namespaces meant.",
                    ));
                }
            }
        }
    }
    problems
}

fn unknown_port(manifest: &Manifest, scope: &Scope<'_>) -> Vec<Problem> {
    let Some((policy, endpoints)) = governed(manifest, &scope.world) else { return Vec::new() };
    if endpoints.is_empty() {
        return Vec::new();
    }
    let mut problems = Vec::new();
    for (rule_index, rule) in policy.rules(Direction::Ingress).unwrap_or_default().iter().enumerate() {
        for (index, port) in rule.ports.iter().enumerate() {
            let Some(name) = port.port.as_deref().filter(|name| name.parse::<u64>().is_err()) else { continue };
            if !endpoints.iter().any(|endpoint| endpoint.has_named_port(&port.protocol, name)) {
                problems.push(Problem::warn(
                    format!("spec.ingress[{rule_index}].ports[{index}].port"),
                    format!(
                        "No container of the selected pods has a {} port named {name}, so nothing is opened.",
                        port.protocol
                    ),
                    "Use the name that the container gives the port, or its number. Names of Services do not count.",
                ));
            }
        }
    }
    problems
}

/// Blocks that hold the address without meaning to. A rule for every address is another rule's finding.
fn metadata_address(manifest: &Manifest, scope: &Scope<'_>) -> Vec<Problem> {
    let Some((policy, _)) = governed(manifest, &scope.world) else { return Vec::new() };
    let mut problems = Vec::new();
    for (rule_index, rule) in policy.rules(Direction::Egress).unwrap_or_default().iter().enumerate() {
        for (index, peer) in rule.peers.iter().enumerate() {
            if !peer.is_anywhere() && peer.holds_address(METADATA_ADDRESS.into()) {
                problems.push(Problem::warn(
                    format!("spec.egress[{rule_index}].to[{index}]"),
                    format!(
                        "These addresses include {METADATA_ADDRESS}, where a cloud hands out the machine's credentials."
                    ),
                    format!("Leave {METADATA_ADDRESS}/32 out with except."),
                ));
            }
        }
    }
    problems
}

/// A rule that allows everything to all these pods makes every narrower one beside it pointless.
fn shadowed(manifest: &Manifest, scope: &Scope<'_>) -> Vec<Problem> {
    let Some((policy, _)) = governed(manifest, &scope.world) else { return Vec::new() };
    let wider = |direction| {
        scope.world.policies_in(&policy.namespace).iter().find(|other| {
            other.name != policy.name
                && (other.pod_selector.is_empty() || other.pod_selector == policy.pod_selector)
                && other.rules(direction).unwrap_or_default().iter().any(|rule| rule.allows_everything())
        })
    };
    DIRECTIONS
        .into_iter()
        .filter(|(direction, ..)| {
            policy.rules(*direction).is_some_and(|rules| !rules.iter().any(|rule| rule.allows_everything()))
        })
        .filter_map(|(direction, field, _)| Some((field, wider(direction)?)))
        .map(|(field, other)| {
            Problem::warn(
                format!("spec.{field}"),
                format!(
                    "The policy {} already allows everything to the same pods, so the limits here have no effect.",
                    other.name
                ),
                format!("Remove the rule of {} that allows everything, once all that is needed is named.", other.name),
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use crate::rules::testing::reviewed;

    const POD: &str = "{apiVersion: v1, kind: Pod, metadata: {name: web, labels: {app: web}}, spec: {containers: [{name: c, image: 'harbor.example.com/a:1', ports: [{name: http, containerPort: 8080}]}]}}\n---\n";

    fn found(manifests: &str) -> Vec<(String, String)> {
        let ours = [
            "netpol/selects-nothing",
            "netpol/peer-selects-nothing",
            "netpol/unknown-port",
            "netpol/metadata-address",
            "netpol/shadowed",
        ];
        let findings = reviewed(manifests).findings.into_iter();
        findings
            .filter(|finding| ours.contains(&finding.rule.as_str()))
            .map(|finding| (finding.rule, finding.path))
            .collect()
    }

    fn policy(name: &str, spec: &str) -> String {
        format!(
            "{{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {{name: {name}}}, spec: {spec}}}\n---\n"
        )
    }

    fn one(rule: &str, path: &str) -> Vec<(String, String)> {
        vec![(rule.to_owned(), path.to_owned())]
    }

    #[test]
    fn a_selector_that_fits_no_known_workload_is_named_unless_nothing_is_known() {
        let dangling = policy("p", "{podSelector: {matchLabels: {app: wbe}}}");
        assert_eq!(found(&format!("{POD}{dangling}")), one("netpol/selects-nothing", "spec.podSelector"));
        assert!(found(&dangling).is_empty());
    }

    #[test]
    fn a_peer_that_fits_no_known_workload_is_named() {
        let spec =
            "{podSelector: {}, ingress: [{from: [{podSelector: {matchLabels: {app: wbe}}}, {podSelector: {}}]}]}";
        assert_eq!(
            found(&format!("{POD}{}", policy("p", spec))),
            one("netpol/peer-selects-nothing", "spec.ingress[0].from[0]")
        );
        // Of other namespaces nothing is known here.
        let elsewhere = "{podSelector: {}, ingress: [{from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: pay}}}]}]}";
        assert!(found(&format!("{POD}{}", policy("p", elsewhere))).is_empty());
    }

    #[test]
    fn a_named_port_that_no_container_has_opens_nothing() {
        let named = |name: &str| {
            format!("{POD}{}", policy("p", &format!("{{podSelector: {{}}, ingress: [{{ports: [{{port: {name}}}]}}]}}")))
        };
        assert!(found(&named("http")).is_empty());
        assert_eq!(found(&named("web")), one("netpol/unknown-port", "spec.ingress[0].ports[0].port"));
    }

    #[test]
    fn a_block_that_holds_the_metadata_address_is_named() {
        let egress =
            |block: &str| policy("p", &format!("{{podSelector: {{}}, egress: [{{to: [{{ipBlock: {block}}}]}}]}}"));
        assert_eq!(found(&egress("{cidr: 169.0.0.0/8}")), one("netpol/metadata-address", "spec.egress[0].to[0]"));
        assert!(found(&egress("{cidr: 169.0.0.0/8, except: [169.254.0.0/16]}")).is_empty());
        assert!(found(&egress("{cidr: 10.0.0.0/8}")).is_empty());
    }

    #[test]
    fn a_policy_beside_one_that_allows_everything_is_pointless() {
        let narrow = policy("narrow", "{podSelector: {matchLabels: {app: web}}, ingress: [{ports: [{port: 80}]}]}");
        let wide = policy("wide", "{podSelector: {}, ingress: [{}]}");
        assert_eq!(found(&format!("{POD}{narrow}{wide}")), one("netpol/shadowed", "spec.ingress"));
    }
}
