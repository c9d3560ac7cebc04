//! Egress to the whole world.

use super::{Check, Problem, Rule, RuleSet, Scope};
use crate::network_policy::{Direction, NetworkPolicy, Peer, Rule as PolicyRule};

pub(super) const RULE: Rule = Rule {
    id: "netpol/internet-egress",
    meaning: "Pods that may reach every address can carry data anywhere, and reach the metadata service of the cloud.",
    source: "Kubernetes API reference, NetworkPolicySpec networking.k8s.io/v1, egress and ipBlock",
    faq: Some("network-policies"),
    set: RuleSet::Platform,
    check: Check::Policy(check),
};

fn check(policy: &NetworkPolicy, scope: &Scope<'_>) -> Vec<Problem> {
    let words = Words {
        one: "These pods may reach most addresses on the internet, and can carry data to any of them.",
        together: "All rules for these pods together let them reach most addresses on the internet, and carry data to any \
            of them.",
        fix: "Name the addresses that are really needed.",
    };
    check_direction(policy, scope, Direction::Egress, &words)
}

/// What is said of the internet in one direction.
pub(super) struct Words {
    /// Of one rule.
    pub(super) one: &'static str,
    /// Of several together.
    pub(super) together: &'static str,
    pub(super) fix: &'static str,
}

/// Leaving out some of all addresses makes little difference, and so does writing them as several rules or policies.
pub(super) fn check_direction(
    policy: &NetworkPolicy,
    scope: &Scope<'_>,
    direction: Direction,
    words: &Words,
) -> Vec<Problem> {
    let whole: Vec<Problem> = policy
        .placed_rules()
        .filter(|placed| placed.direction == direction && !placed.rule.allows_everything())
        .filter(|placed| placed.rule.peers.is_empty() || placed.rule.holds_most_addresses())
        .map(|placed| Problem::warn(placed.path(), words.one, words.fix))
        .collect();
    let own = policy.rules(direction).unwrap_or_default();
    let has_blocks =
        |rules: &[PolicyRule]| rules.iter().flat_map(|rule| &rule.peers).any(|peer| matches!(peer, Peer::Block { .. }));
    if !whole.is_empty() || own.iter().any(PolicyRule::allows_everything) || !has_blocks(own) {
        return whole;
    }
    let together = scope.world.endpoints_in(&policy.namespace).iter().any(|endpoint| {
        let governing: Vec<&NetworkPolicy> = scope.world.governing(endpoint, direction).collect();
        let narrow = governing.iter().flat_map(|policy| policy.rules(direction).unwrap_or_default());
        governing.iter().any(|other| other.name == policy.name) && PolicyRule::hold_most_addresses(narrow)
    });
    if together || PolicyRule::hold_most_addresses(own.iter()) {
        return vec![Problem::warn(format!("spec.{}", direction.field()), words.together, words.fix)];
    }
    Vec::new()
}

#[cfg(test)]
mod tests {
    use crate::rules::testing::{paths_of, policy};

    #[test]
    fn the_world_in_several_pieces_is_the_world() {
        let quarters = ["0.0.0.0/2", "64.0.0.0/2", "128.0.0.0/2"]
            .map(|cidr| format!("{{to: [{{ipBlock: {{cidr: {cidr}}}}}], ports: [{{port: 443}}]}}"));
        let one = policy("p", &format!("{{podSelector: {{}}, egress: [{}]}}", quarters.join(", ")));
        assert_eq!(paths_of("netpol/internet-egress", &one), ["spec.egress"]);
        let pod = "{apiVersion: v1, kind: Pod, metadata: {name: a, labels: {app: a, tier: b}}, \
            spec: {containers: []}}\n---\n";
        let first = policy(
            "p",
            &format!("{{podSelector: {{matchLabels: {{app: a}}}}, policyTypes: [Egress], egress: [{}]}}", quarters[0]),
        );
        let rest = policy(
            "q",
            &format!(
                "{{podSelector: {{matchLabels: {{tier: b}}}}, policyTypes: [Egress], egress: [{}]}}",
                quarters[1..].join(", ")
            ),
        );
        assert_eq!(
            paths_of("netpol/internet-egress", &format!("{pod}{first}---\n{rest}")),
            ["spec.egress", "spec.egress"]
        );
        assert!(paths_of("netpol/internet-egress", &format!("{pod}{first}")).is_empty());
    }

    #[test]
    fn egress_to_the_world_on_one_port_is_egress_to_the_world() {
        let path = |rule: &str| {
            paths_of("netpol/internet-egress", &policy("p", &format!("{{podSelector: {{}}, egress: [{rule}]}}")))
        };
        assert_eq!(path("{to: [{ipBlock: {cidr: 0.0.0.0/0}}], ports: [{port: 443}]}"), ["spec.egress[0]"]);
        assert_eq!(path("{ports: [{port: 443}]}"), ["spec.egress[0]"]);
        assert_eq!(path("{to: [{ipBlock: {cidr: 0.0.0.0/0, except: [169.254.169.254/32]}}]}"), ["spec.egress[0]"]);
        assert_eq!(path("{to: [{ipBlock: {cidr: '2000::/3'}}], ports: [{port: 443}]}"), ["spec.egress[0]"]);
        assert_eq!(path("{to: [], ports: [{port: 443}]}"), ["spec.egress[0]"]);
        assert!(path("{to: [{ipBlock: {cidr: 203.0.113.0/24}}], ports: [{port: 443}]}").is_empty());
    }
}
