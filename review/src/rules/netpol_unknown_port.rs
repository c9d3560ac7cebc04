//! Ports that no container has.

use super::{Check, Problem, Rule, RuleSet, Scope};
use crate::network_policy::{Direction, NetworkPolicy, PolicyPort};
use crate::world::{Endpoint, port_range};

pub(super) const RULE: Rule = Rule {
    id: "netpol/unknown-port",
    meaning: "A rule for a port that no container has opens nothing.",
    source: "Kubernetes API reference, NetworkPolicySpec networking.k8s.io/v1, NetworkPolicyPort",
    faq: Some("network-policies"),
    set: RuleSet::Platform,
    check: Check::Policy(check),
};

fn check(policy: &NetworkPolicy, scope: &Scope<'_>) -> Vec<Problem> {
    let endpoints = scope.world.governed_by(policy);
    if endpoints.is_empty() {
        return Vec::new();
    }
    let ports = policy.placed_rules().filter(|placed| placed.direction == Direction::Ingress).flat_map(|placed| {
        placed.rule.ports.iter().enumerate().map(move |(index, port)| (placed.port_path(index), port))
    });
    ports.filter_map(|(path, port)| unknown(path, port, &endpoints)).collect()
}

fn unknown(path: String, port: &PolicyPort, endpoints: &[&Endpoint]) -> Option<Problem> {
    let PolicyPort { protocol, port: Some(name), .. } = port else { return None };
    let fix =
        "Use the name that the container gives the port, or its number. Names and ports of Services do not count.";
    if name.parse::<u64>().is_err() {
        let named = endpoints.iter().any(|endpoint| endpoint.has_named_port(protocol, name));
        let message =
            format!("No container of the selected pods has a {protocol} port named {name}, so nothing is opened.");
        return (!named).then(|| Problem::warn(path, message, fix));
    }
    // Containers need not say which ports they listen on: only where each says something, a number can be missed.
    let all_say = endpoints.iter().all(|endpoint| endpoint.declares_ports());
    let range = port_range(port, None);
    let declared = endpoints.iter().any(|endpoint| !endpoint.declared().intersection(&range).is_empty());
    let message = format!("No container of the selected pods says that it listens on {protocol} port {name}.");
    (all_say && !declared).then(|| Problem::info(path, message, fix))
}

#[cfg(test)]
mod tests {
    use crate::Severity;
    use crate::rules::testing::{pod, policy, reviewed};

    fn found(port: &str) -> Vec<(Severity, String)> {
        let pod = pod("", "ports: [{name: http, containerPort: 8080}]");
        let policy = policy("p", &format!("{{podSelector: {{}}, ingress: [{{ports: [{port}]}}]}}"));
        let findings = reviewed(&format!("{pod}{policy}")).findings.into_iter();
        findings
            .filter(|finding| finding.rule == "netpol/unknown-port")
            .map(|finding| (finding.severity, finding.path))
            .collect()
    }

    #[test]
    fn a_named_port_that_no_container_has_opens_nothing() {
        let path = "spec.ingress[0].ports[0].port".to_owned();
        assert!(found("{port: http}").is_empty());
        assert_eq!(found("{port: web}"), [(Severity::Warn, path.clone())]);
        assert_eq!(found("{port: http, protocol: UDP}"), [(Severity::Warn, path)]);
    }

    #[test]
    fn a_number_that_no_container_declares_is_worth_a_look() {
        assert!(found("{port: 8000, endPort: 8100}").is_empty());
        assert_eq!(found("{port: 80}"), [(Severity::Info, "spec.ingress[0].ports[0].port".to_owned())]);
    }
}
