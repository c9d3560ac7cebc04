//! Egress to the whole world.

use super::{Check, Problem, Rule, RuleSet, Scope};
use crate::network_policy::{Direction, NetworkPolicy};

pub(super) const RULE: Rule = Rule {
    id: "netpol/internet-egress",
    meaning: "Pods that may reach every address can carry data anywhere, and reach the metadata service of the cloud.",
    source: "Kubernetes API reference, NetworkPolicySpec networking.k8s.io/v1, egress and ipBlock",
    faq: Some("network-policies"),
    set: RuleSet::Platform,
    check: Check::Policy(check),
};

/// Leaving out some of all addresses makes little difference.
fn check(policy: &NetworkPolicy, _: &Scope<'_>) -> Vec<Problem> {
    policy
        .placed_rules()
        .filter(|placed| placed.direction == Direction::Egress && !placed.rule.allows_everything())
        .filter(|placed| placed.rule.peers.is_empty() || placed.rule.holds_most_addresses())
        .map(|placed| {
            Problem::warn(
                placed.path(),
                "These pods may reach most addresses on the internet, and can carry data to any of them.",
                "Name the addresses that are really needed.",
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use crate::rules::testing::{paths_of, policy};

    #[test]
    fn egress_to_the_world_on_one_port_is_egress_to_the_world() {
        let path = |rule: &str| {
            paths_of("netpol/internet-egress", &policy("p", &format!("{{podSelector: {{}}, egress: [{rule}]}}")))
        };
        assert_eq!(path("{to: [{ipBlock: {cidr: 0.0.0.0/0}}], ports: [{port: 443}]}"), ["spec.egress[0]"]);
        assert_eq!(path("{ports: [{port: 443}]}"), ["spec.egress[0]"]);
        assert_eq!(path("{to: [{ipBlock: {cidr: 0.0.0.0/0, except: [169.254.169.254/32]}}]}"), ["spec.egress[0]"]);
        assert!(path("{to: [{ipBlock: {cidr: 203.0.113.0/24}}], ports: [{port: 443}]}").is_empty());
    }
}
