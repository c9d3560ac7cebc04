//! Ingress from the whole world.

use super::netpol_internet_egress::{Words, check_direction};
use super::{Check, Problem, Rule, RuleSet, Scope};
use crate::network_policy::{Direction, NetworkPolicy};

pub(super) const RULE: Rule = Rule {
    id: "netpol/internet-ingress",
    meaning: "Pods that everybody on the internet may reach are as safe as the software in them, on the day its next flaw \
        is found.",
    source: "Kubernetes API reference, NetworkPolicySpec networking.k8s.io/v1, ingress and ipBlock",
    faq: Some("network-policies"),
    set: RuleSet::Platform,
    check: Check::Policy(check),
};

fn check(policy: &NetworkPolicy, scope: &Scope<'_>) -> Vec<Problem> {
    let words = Words {
        one: "Most addresses on the internet may reach these pods.",
        together: "All rules for these pods together let most addresses on the internet reach them.",
        fix: "Allow the ingress controller alone, which people come through, or name the addresses that need to.",
    };
    check_direction(policy, scope, Direction::Ingress, &words)
}

#[cfg(test)]
mod tests {
    use crate::rules::testing::{paths_of, policy};

    #[test]
    fn the_whole_internet_is_found_however_it_is_written() {
        let paths = |rules: &str| {
            paths_of("netpol/internet-ingress", &policy("p", &format!("{{podSelector: {{}}, ingress: [{rules}]}}")))
        };
        for rule in [
            "{from: [{ipBlock: {cidr: 0.0.0.0/0}}], ports: [{port: 443}]}",
            "{from: [{ipBlock: {cidr: 0.0.0.0/1}}, {ipBlock: {cidr: 128.0.0.0/1}}], ports: [{port: 443}]}",
            "{from: [{ipBlock: {cidr: 0.0.0.0/0, except: [10.0.0.0/8, 192.168.0.0/16]}}], ports: [{port: 443}]}",
            "{from: [{ipBlock: {cidr: '::/0'}}], ports: [{port: 443}]}",
            "{from: [{ipBlock: {cidr: '2000::/3'}}], ports: [{port: 443}]}",
            "{from: [], ports: [{port: 443}]}",
            "{ports: [{port: 443}]}",
        ] {
            assert_eq!(paths(rule), ["spec.ingress[0]"], "{rule}");
        }
        let halves = ["0.0.0.0/1", "128.0.0.0/1"]
            .map(|cidr| format!("{{from: [{{ipBlock: {{cidr: {cidr}}}}}], ports: [{{port: 1}}]}}"));
        assert_eq!(paths(&halves.join(", ")).len(), 2, "each is half of it");
        assert!(paths("{from: [{ipBlock: {cidr: 10.0.0.0/8}}], ports: [{port: 443}]}").is_empty());
        assert!(paths("{from: [{namespaceSelector: {}}], ports: [{port: 443}]}").is_empty());
    }
}
