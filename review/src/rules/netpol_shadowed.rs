//! Policies beside a wider one.

use super::{Check, Problem, Rule, RuleSet, Scope};
use crate::network_policy::{Direction, NetworkPolicy, Rule as PolicyRule};

pub(super) const RULE: Rule = Rule {
    id: "netpol/shadowed",
    meaning: "Policies add up, so limits beside a wider policy for the same pods have no effect.",
    source: "Kubernetes API reference, NetworkPolicySpec networking.k8s.io/v1, policies are additive",
    faq: Some("network-policies"),
    set: RuleSet::Platform,
    check: Check::Policy(check),
};

fn check(policy: &NetworkPolicy, scope: &Scope<'_>) -> Vec<Problem> {
    let endpoints = scope.world.governed_by(policy);
    let covers_its_pods = |other: &&NetworkPolicy| {
        other.name != policy.name
            && (other.pod_selector.is_empty()
                || other.pod_selector == policy.pod_selector
                || (scope.every_workload
                    && !endpoints.is_empty()
                    && endpoints.iter().all(|endpoint| scope.world.selects(other, endpoint))))
    };
    let others: Vec<&NetworkPolicy> =
        scope.world.policies_in(&policy.namespace).iter().filter(covers_its_pods).collect();
    [Direction::Ingress, Direction::Egress]
        .into_iter()
        .filter_map(|direction| {
            let rules = policy.rules(direction)?;
            let wider =
                others.iter().find(|other| other.rules(direction).is_some_and(|wider| is_pointless(rules, wider)))?;
            let message = format!(
                "The policy {} already allows the same pods all of this, so what is said here has no effect.",
                wider.name
            );
            let fix = format!("Remove these rules, or those of {} that are wider than needed.", wider.name);
            Some(Problem::warn(format!("spec.{}", direction.field()), message, fix))
        })
        .collect()
}

/// Whether rules change nothing beside wider ones. Two policies that both allow everything shadow nothing: each has
/// a finding of its own.
fn is_pointless(rules: &[PolicyRule], wider: &[PolicyRule]) -> bool {
    if rules.iter().any(PolicyRule::allows_everything) {
        return false;
    }
    let everything = wider.iter().any(PolicyRule::allows_everything);
    everything
        || (!rules.is_empty() && rules.iter().all(|rule| wider.iter().any(|wider| wider != rule && wider.covers(rule))))
}

#[cfg(test)]
mod tests {
    use crate::rules::testing::{paths_of, pod, policy};

    fn paths(narrow: &str, wide: &str) -> Vec<String> {
        paths_of("netpol/shadowed", &format!("{}{}{}", pod("", ""), policy("narrow", narrow), policy("wide", wide)))
    }

    #[test]
    fn a_policy_beside_one_that_allows_everything_is_pointless() {
        let narrow = "{podSelector: {matchLabels: {app: web}}, ingress: [{ports: [{port: 80}]}]}";
        assert_eq!(paths(narrow, "{podSelector: {}, ingress: [{}]}"), ["spec.ingress"]);
        assert!(paths(narrow, "{podSelector: {matchLabels: {app: other}}, ingress: [{}]}").is_empty());
    }

    #[test]
    fn a_policy_whose_every_rule_is_within_a_wider_one_is_pointless() {
        let narrow = "{podSelector: {}, ingress: [{from: [{podSelector: {}}], ports: [{port: 80}]}]}";
        assert_eq!(
            paths(
                narrow,
                "{podSelector: {matchLabels: {app: web}}, ingress: [{from: [{podSelector: {}}], ports: [{port: 1, \
                 endPort: 99}]}]}"
            ),
            ["spec.ingress"]
        );
        assert!(
            paths(narrow, "{podSelector: {}, ingress: [{from: [{podSelector: {}}], ports: [{port: 81}]}]}").is_empty()
        );
        assert!(
            paths(narrow, "{podSelector: {}, ingress: [{from: [{podSelector: {matchLabels: {app: web}}}]}]}")
                .is_empty()
        );
    }
}
