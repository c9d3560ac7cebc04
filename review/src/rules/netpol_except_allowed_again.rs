//! Parts that one policy leaves out and another lets in.

use super::{Check, Problem, Rule, RuleSet, Scope};
use crate::network_policy::{Direction, NetworkPolicy};
use crate::world::ports_of;

pub(super) const RULE: Rule = Rule {
    id: "netpol/except-allowed-again",
    meaning: "Policies add up: what one leaves out with except, another rule for the same pods may allow.",
    source: "Kubernetes API reference, IPBlock networking.k8s.io/v1, except; policies are additive",
    faq: Some("network-policies"),
    set: RuleSet::Platform,
    check: Check::Policy(check),
};

fn check(policy: &NetworkPolicy, scope: &Scope<'_>) -> Vec<Problem> {
    let mut problems = Vec::new();
    for placed in policy.placed_rules() {
        for (index, peer) in placed.rule.peers.iter().enumerate() {
            for except in peer.except() {
                let Some(other) = allowing(policy, placed.direction, except, placed.rule, scope) else { continue };
                let message =
                    format!("{except} is left out here, and the policy {other} allows the same pods to use it.");
                let message = match placed.direction {
                    Direction::Egress => message,
                    Direction::Ingress => {
                        format!("{except} is left out here, and the policy {other} lets it in to the same pods.")
                    }
                };
                let fix = format!("Leave {except} out in {other} as well.");
                problems.push(Problem::warn(format!("{}.ipBlock.except", placed.peer_path(index)), message, fix));
            }
        }
    }
    problems
}

/// Another rule that holds all of a block on some of the same ports, for some of the same pods.
fn allowing<'a>(
    policy: &NetworkPolicy,
    direction: Direction,
    except: &str,
    rule: &crate::network_policy::Rule,
    scope: &'a Scope<'_>,
) -> Option<&'a str> {
    let governed = scope.world.governed_by(policy);
    let meets = |other: &&NetworkPolicy| {
        other.pod_selector.is_empty()
            || policy.pod_selector.is_empty()
            || other.pod_selector == policy.pod_selector
            || governed.iter().any(|endpoint| scope.world.selects(other, endpoint))
    };
    let ports = ports_of(rule, None);
    let opens = |other: &&NetworkPolicy| {
        other.rules(direction).unwrap_or_default().iter().any(|wider| {
            wider != rule && wider.holds_block(except) && !ports_of(wider, None).intersection(&ports).is_empty()
        })
    };
    let policies = scope.world.policies_in(&policy.namespace).iter();
    policies.filter(meets).find(opens).map(|other| other.name.as_str())
}

#[cfg(test)]
mod tests {
    use crate::rules::testing::{paths_of, policy};

    fn egress(name: &str, except: &str, port: u16) -> String {
        policy(
            name,
            &format!(
                "{{podSelector: {{}}, egress: [{{to: [{{ipBlock: {{cidr: 0.0.0.0/0, except: [{except}]}}}}], ports: [{{port: \
                 {port}}}]}}]}}"
            ),
        )
    }

    fn paths(one: &str, other: &str) -> usize {
        paths_of("netpol/except-allowed-again", &format!("{one}{other}")).len()
    }

    #[test]
    fn two_policies_that_each_leave_out_another_part_leave_out_nothing() {
        let (one, other) = (egress("a", "203.0.113.10/32", 80), egress("b", "203.0.113.20/32", 80));
        assert_eq!(paths(&one, &other), 2);
    }

    #[test]
    fn what_both_leave_out_and_what_is_open_on_other_ports_stays_left_out() {
        assert_eq!(paths(&egress("a", "203.0.113.0/24", 80), &egress("b", "203.0.113.0/24", 80)), 0);
        assert_eq!(paths(&egress("a", "203.0.113.10/32", 80), &egress("b", "203.0.113.20/32", 443)), 0);
    }
}
