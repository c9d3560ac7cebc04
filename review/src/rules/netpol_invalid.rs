//! Policies that the API server refuses, or that mean something other than their text.

use super::{Check, Problem, Rule, RuleSet, Scope};
use crate::address_block::Block;
use crate::manifest::Manifest;
use crate::names::is_port_name;
use crate::network_policy::NetworkPolicy;
use crate::patch::Edit;
use serde_json::Value;

pub(super) const RULE: Rule = Rule {
    id: "netpol/invalid",
    meaning: "The API server refuses the policy, so it protects nothing.",
    source: "Kubernetes 1.33, pkg/apis/networking/validation",
    faq: Some("network-policies"),
    set: RuleSet::Platform,
    check: Check::Object(check),
};

fn check(manifest: &Manifest, _: &Scope<'_>) -> Vec<Problem> {
    if !NetworkPolicy::is(manifest) {
        return Vec::new();
    }
    let spec = &manifest.value()["spec"];
    let mut problems = policy_types(spec);
    for (field, end) in [("ingress", "from"), ("egress", "to")] {
        for (index, rule) in list(&spec[field]).iter().enumerate() {
            let path = format!("spec.{field}[{index}]");
            let peers = list(&rule[end]).iter().enumerate();
            problems.extend(peers.flat_map(|(index, value)| peer(value, &format!("{path}.{end}[{index}]"))));
            let ports = list(&rule["ports"]).iter().enumerate();
            problems.extend(ports.flat_map(|(index, value)| port(value, &format!("{path}.ports[{index}]"))));
        }
    }
    problems
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn policy_types(spec: &Value) -> Vec<Problem> {
    let too_many = (list(&spec["policyTypes"]).len() > 2).then(|| {
        Problem::deny(
            "spec.policyTypes",
            "A policy has at most two types.",
            "Name each of Ingress and Egress at most once.",
        )
    });
    let unknown = list(&spec["policyTypes"])
        .iter()
        .enumerate()
        .filter(|(_, named)| !matches!(named.as_str(), Some("Ingress" | "Egress")))
        .map(|(index, named)| {
            let path = format!("spec.policyTypes[{index}]");
            let message = format!("{named} is no policy type.");
            let meant = ["Ingress", "Egress"].into_iter().find(|kind| is_spelt_differently(named, kind));
            Problem::deny(path.as_str(), message, "Use Ingress and Egress, written like this.")
                .fixed_by(meant.map(|kind| Edit::set(&path, kind)))
        });
    unknown.chain(too_many).collect()
}

/// Whether a text is this name but for the case of its letters.
fn is_spelt_differently(value: &Value, name: &str) -> bool {
    value.as_str().is_some_and(|text| text.eq_ignore_ascii_case(name))
}

fn peer(peer: &Value, path: &str) -> Vec<Problem> {
    let given = |field: &str| peer.get(field).is_some_and(|value| !value.is_null());
    let selectors = given("podSelector") || given("namespaceSelector");
    match (given("ipBlock"), selectors) {
        (false, false) => vec![Problem::deny(
            path,
            "This peer is empty, and the API server refuses it.",
            "Name a podSelector, a namespaceSelector or an ipBlock; to allow anyone, leave the whole list out.",
        )],
        (true, true) => vec![Problem::deny(
            path,
            "An ipBlock cannot stand beside a selector in one peer.",
            "Make two peers of it: either may match.",
        )],
        (true, false) => block(&peer["ipBlock"], path),
        (false, true) => Vec::new(),
    }
}

fn block(block: &Value, path: &str) -> Vec<Problem> {
    let text = block["cidr"].as_str().unwrap_or_default();
    let Some(whole) = Block::parse(text) else {
        let message = format!("{text:?} is not a range of addresses.");
        return vec![Problem::deny(format!("{path}.ipBlock.cidr"), message, "Write it like 203.0.113.0/24.")];
    };
    list(&block["except"])
        .iter()
        .enumerate()
        .filter(|(_, part)| !part.as_str().and_then(Block::parse).is_some_and(|part| whole.holds_less(&part)))
        .map(|(index, part)| {
            Problem::deny(
                format!("{path}.ipBlock.except[{index}]"),
                format!("{part} is not a part of {text}."),
                "Leave out only ranges that lie within the block and are smaller than it.",
            )
        })
        .collect()
}

fn is_port_number(number: u64) -> bool {
    (1..=65535).contains(&number)
}

fn port(port: &Value, path: &str) -> Vec<Problem> {
    let mut problems = Vec::new();
    if !matches!(port["protocol"].as_str(), None | Some("TCP" | "UDP" | "SCTP")) {
        let message = format!("{} is no protocol that a policy can name.", port["protocol"]);
        let meant = ["TCP", "UDP", "SCTP"].into_iter().find(|name| is_spelt_differently(&port["protocol"], name));
        let path = format!("{path}.protocol");
        let problem = Problem::deny(path.as_str(), message, "Use TCP, UDP or SCTP.");
        problems.push(problem.fixed_by(meant.map(|name| Edit::set(&path, name))));
    }
    let number = port["port"].as_u64();
    let is_port = match &port["port"] {
        Value::Null => true,
        Value::String(name) => is_port_name(name),
        _ => number.is_some_and(is_port_number),
    };
    if !is_port {
        problems.push(Problem::deny(
            format!("{path}.port"),
            "A port is a number from 1 to 65535, or the name that a container gives it.",
            "Write the number without quotes, or the name in small letters.",
        ));
    }
    if let Some(end) = port["endPort"].as_u64() {
        let path = format!("{path}.endPort");
        match number {
            None => problems.push(Problem::deny(
                path,
                "endPort needs a port that is a number.",
                "Give the first port of the range as a number.",
            )),
            Some(_) if !is_port_number(end) => {
                problems.push(Problem::deny(path, "The last port of a range is at most 65535.", "Correct the number."));
            }
            Some(first) if end < first => {
                problems.push(Problem::deny(path, "The range ends before it begins.", "Write the lower port first."));
            }
            Some(_) => {}
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use crate::rules::testing::reviewed;

    fn paths(spec: &str) -> Vec<String> {
        let policy =
            format!("{{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {{name: p}}, spec: {spec}}}");
        let findings = reviewed(&policy).findings.into_iter();
        findings.filter(|finding| finding.rule == "netpol/invalid").map(|finding| finding.path).collect()
    }

    fn ingress(rule: &str) -> Vec<String> {
        paths(&format!("{{podSelector: {{}}, ingress: [{rule}]}}"))
    }

    #[test]
    fn an_empty_peer_and_a_block_beside_a_selector_are_refused() {
        assert_eq!(ingress("{from: [{}]}"), ["spec.ingress[0].from[0]"]);
        assert_eq!(ingress("{from: [{podSelector: {}, ipBlock: {cidr: 10.0.0.0/8}}]}"), ["spec.ingress[0].from[0]"]);
        assert!(ingress("{from: [{podSelector: {}, namespaceSelector: {}}]}").is_empty());
    }

    #[test]
    fn an_end_port_needs_a_number_that_is_not_above_it() {
        assert_eq!(ingress("{ports: [{port: http, endPort: 90}]}"), ["spec.ingress[0].ports[0].endPort"]);
        assert_eq!(ingress("{ports: [{endPort: 90}]}"), ["spec.ingress[0].ports[0].endPort"]);
        assert_eq!(ingress("{ports: [{port: 91, endPort: 90}]}"), ["spec.ingress[0].ports[0].endPort"]);
        assert!(ingress("{ports: [{port: 90, endPort: 90}]}").is_empty());
    }

    #[test]
    fn ports_are_numbers_in_range_or_names_and_types_are_two_at_most() {
        for port in ["'80'", "-1", "0", "HTTP", "a--b"] {
            assert_eq!(ingress(&format!("{{ports: [{{port: {port}}}]}}")), ["spec.ingress[0].ports[0].port"], "{port}");
        }
        assert!(ingress("{ports: [{port: http}, {protocol: UDP}]}").is_empty());
        assert_eq!(ingress("{ports: [{port: 80, endPort: 70000}]}"), ["spec.ingress[0].ports[0].endPort"]);
        assert_eq!(paths("{podSelector: {}, policyTypes: [Ingress, Egress, Ingress]}"), ["spec.policyTypes"]);
    }

    #[test]
    fn an_exception_lies_within_its_block() {
        let block = |cidr: &str, except: &str| {
            ingress(&format!("{{from: [{{ipBlock: {{cidr: '{cidr}', except: ['{except}']}}}}]}}"))
        };
        assert!(block("10.0.0.0/8", "10.1.0.0/16").is_empty());
        assert!(block("fd00::/8", "fd12::/16").is_empty());
        assert!(block("0.0.0.0/0", "169.254.169.254/32").is_empty());
        for (cidr, except) in [
            ("10.0.0.0/8", "11.0.0.0/16"),
            ("10.0.0.0/8", "10.0.0.0/8"),
            ("10.0.0.0/8", "fd00::/16"),
            ("10.0.0.0/8", "x"),
        ] {
            assert_eq!(block(cidr, except), ["spec.ingress[0].from[0].ipBlock.except[0]"], "{cidr} {except}");
        }
        assert_eq!(ingress("{from: [{ipBlock: {cidr: 10.0.0.0}}]}"), ["spec.ingress[0].from[0].ipBlock.cidr"]);
    }

    #[test]
    fn types_and_protocols_are_written_as_the_api_writes_them() {
        assert_eq!(paths("{podSelector: {}, policyTypes: [ingress]}"), ["spec.policyTypes[0]"]);
        assert_eq!(ingress("{ports: [{protocol: tcp}]}"), ["spec.ingress[0].ports[0].protocol"]);
        assert_eq!(ingress("{ports: [{port: 70000}]}"), ["spec.ingress[0].ports[0].port"]);
    }

    #[test]
    fn the_patch_writes_names_as_the_api_does() {
        let policy =
            crate::rules::testing::policy("p", "{podSelector: {}, ingress: [{ports: [{protocol: udp, port: 53}]}]}");
        let fixed = crate::rules::testing::fixed("netpol/invalid", &policy);
        assert_eq!(fixed["spec"]["ingress"][0]["ports"][0]["protocol"], "UDP");
    }
}
