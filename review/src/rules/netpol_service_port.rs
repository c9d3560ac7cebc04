//! Ports of Services in rules, which are enforced on the ports of pods.

use super::{Check, Problem, Rule, RuleSet, Scope};
use crate::network_policy::{Direction, NetworkPolicy, Peer, PlacedRule, PolicyPort};
use crate::port_set::{PortSet, Transport};
use crate::selector::Selector;
use crate::workload::namespace_or_default;
use crate::world::{Endpoint, port_range};
use serde_json::Value;

pub(super) const RULE: Rule = Rule {
    id: "netpol/service-port",
    meaning: "A rule is enforced on the pod's port, after the Service has translated it, so a Service's port opens nothing.",
    source: "Kubernetes documentation, Network Policies; ServicePort v1 core, targetPort",
    faq: Some("network-policies"),
    set: RuleSet::Platform,
    check: Check::Policy(check),
};

fn check(policy: &NetworkPolicy, scope: &Scope<'_>) -> Vec<Problem> {
    policy.placed_rules().flat_map(|placed| of_rule(policy, placed, scope)).collect()
}

fn of_rule(policy: &NetworkPolicy, placed: PlacedRule<'_>, scope: &Scope<'_>) -> Vec<Problem> {
    let receivers = receivers(policy, placed, scope);
    let ports = placed.rule.ports.iter().enumerate();
    ports
        .filter_map(|(index, port)| {
            let mistaken = mistaken(port, &receivers, scope)?;
            let message = format!(
                "{port} is the port of the Service {}, and its pods listen on {}. Rules are enforced on the pods' port, so \
                 this opens nothing.",
                mistaken.service, mistaken.target
            );
            let fix = format!("Name {} instead.", mistaken.target);
            Some(Problem::warn(placed.port_path(index), message, fix))
        })
        .collect()
}

/// The pods that a rule lets somebody reach.
fn receivers<'a>(policy: &'a NetworkPolicy, placed: PlacedRule<'a>, scope: &'a Scope<'_>) -> Vec<&'a Endpoint> {
    match placed.direction {
        Direction::Ingress => scope.world.governed_by(policy),
        Direction::Egress => {
            let pods = placed.rule.peers.iter().filter(|peer| matches!(peer, Peer::Pods { .. }));
            pods.flat_map(|peer| {
                let around = scope.world.around(&policy.namespace, peer);
                around.filter(|endpoint| scope.world.is_peer(&policy.namespace, peer, endpoint))
            })
            .collect()
        }
    }
}

struct Mistaken<'a> {
    service: &'a str,
    target: u64,
}

/// Where each pod that is meant says what it listens on, and none does on this port, the Service that does.
fn mistaken<'a>(port: &PolicyPort, receivers: &[&Endpoint], scope: &Scope<'a>) -> Option<Mistaken<'a>> {
    let number: u16 = port.port.as_ref()?.parse().ok()?;
    let transport = Transport::from_name(&port.protocol)?;
    let range = port_range(port, None);
    let listens = |endpoint: &&Endpoint| !endpoint.declared().intersection(&range).is_empty();
    if receivers.is_empty() || port.end_port.is_some() || !receivers.iter().all(|endpoint| endpoint.declares_ports()) {
        return None;
    }
    if receivers.iter().any(listens) {
        return None;
    }
    scope.services().find_map(|service| {
        let object = service.object();
        let selector = Selector::of_labels(&service.value()["spec"]["selector"]);
        let receiver = receivers.iter().find(|endpoint| {
            endpoint.namespace == namespace_or_default(&object.namespace)
                && !selector.is_empty()
                && endpoint.is_selected_by(&selector)
        })?;
        let ports = service.value()["spec"]["ports"].as_array()?;
        let own = ports.iter().find(|own| own["port"] == number && transport_of(own) == Some(transport))?;
        let target = target_of(own, transport, receiver)?;
        (target != u64::from(number)).then_some(Mistaken { service: &object.name, target })
    })
}

fn transport_of(port: &Value) -> Option<Transport> {
    Transport::from_name(port["protocol"].as_str().unwrap_or_default())
}

fn target_of(port: &Value, transport: Transport, receiver: &Endpoint) -> Option<u64> {
    match &port["targetPort"] {
        Value::Null => port["port"].as_u64(),
        Value::String(name) => receiver.number_of(transport, name).map(u64::from),
        number => number.as_u64().filter(|_| !receiver.declared().intersection(&PortSet::every(transport)).is_empty()),
    }
}

#[cfg(test)]
mod tests {
    use crate::rules::testing::{pod, policy, reviewed};

    fn said(port: &str, target: &str) -> Vec<String> {
        let pod = pod("", "ports: [{name: http, containerPort: 8080}]");
        let service = format!(
            "{{apiVersion: v1, kind: Service, metadata: {{name: front}}, spec: {{selector: {{app: web}}, ports: \
             [{{port: 80{target}}}]}}}}\n---\n"
        );
        let egress = format!(
            "{{podSelector: {{}}, egress: [{{to: [{{podSelector: {{matchLabels: {{app: web}}}}}}], ports: [{{port: {port}}}]}}]}}"
        );
        let findings = reviewed(&format!("{pod}{service}{}", policy("p", &egress))).findings;
        findings
            .into_iter()
            .filter(|finding| finding.rule == "netpol/service-port")
            .map(|finding| finding.fix)
            .collect()
    }

    #[test]
    fn the_port_of_a_service_is_named_with_the_port_that_works() {
        assert_eq!(said("80", ", targetPort: 8080"), ["Name 8080 instead."]);
        assert_eq!(said("80", ", targetPort: http"), ["Name 8080 instead."]);
    }

    #[test]
    fn the_port_of_the_pods_is_right() {
        assert!(said("8080", ", targetPort: 8080").is_empty());
        assert!(said("443", ", targetPort: 8080").is_empty());
    }
}
