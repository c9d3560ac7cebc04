//! Rules that allow everything.

use super::{Check, Problem, Rule, RuleSet, Scope};
use crate::network_policy::{Direction, NetworkPolicy};

pub(super) const RULE: Rule = Rule {
    id: "netpol/allows-all",
    meaning: "A rule without peers and ports, or with every address, is no limit at all.",
    source: "Kubernetes API reference, NetworkPolicySpec networking.k8s.io/v1, ingress and egress",
    faq: Some("network-policies"),
    set: RuleSet::Platform,
    check: Check::Policy(check),
};

fn check(policy: &NetworkPolicy, _: &Scope<'_>) -> Vec<Problem> {
    policy
        .placed_rules()
        .filter(|placed| placed.rule.allows_everything())
        .map(|placed| {
            let what = match placed.direction {
                Direction::Ingress => "Anyone may reach these pods on every port.",
                Direction::Egress => "These pods may reach anything on every port.",
            };
            Problem::warn(placed.path(), what, "Name the pods or addresses, and the ports, that are really needed.")
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use crate::rules::testing::{paths_of, policy, rules_broken};

    #[test]
    fn the_policy_people_copy_is_called_what_it_is() {
        let copied = policy("p", "{podSelector: {}, policyTypes: [Ingress, Egress], ingress: [{}], egress: [{}]}");
        assert_eq!(rules_broken(&copied), ["netpol/allows-all"]);
        assert_eq!(paths_of("netpol/allows-all", &copied), ["spec.egress[0]", "spec.ingress[0]"]);
    }

    #[test]
    fn every_address_and_every_port_is_everything_too() {
        let all = policy("p", "{podSelector: {}, ingress: [{from: [{ipBlock: {cidr: 0.0.0.0/0}}]}]}");
        assert_eq!(paths_of("netpol/allows-all", &all), ["spec.ingress[0]"]);
        for rule in [
            "{from: [{ipBlock: {cidr: 0.0.0.0/1}}, {ipBlock: {cidr: 128.0.0.0/1}}]}",
            "{from: [{ipBlock: {cidr: 1.2.3.4/0}}]}",
            "{ports: [{protocol: TCP}, {protocol: UDP}, {protocol: SCTP}]}",
        ] {
            let all = policy("p", &format!("{{podSelector: {{}}, ingress: [{rule}]}}"));
            assert_eq!(paths_of("netpol/allows-all", &all), ["spec.ingress[0]"], "{rule}");
        }
    }
}
