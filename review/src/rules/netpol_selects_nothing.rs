//! Policies without pods.

use super::{Check, Problem, Rule, RuleSet, Scope};
use crate::network_policy::NetworkPolicy;

pub(super) const RULE: Rule = Rule {
    id: "netpol/selects-nothing",
    meaning: "A policy whose selector fits no pod protects nothing.",
    source: "Kubernetes API reference, NetworkPolicySpec networking.k8s.io/v1, podSelector",
    faq: Some("network-policies"),
    set: RuleSet::Platform,
    check: Check::Policy(check),
};

fn check(policy: &NetworkPolicy, scope: &Scope<'_>) -> Vec<Problem> {
    let consequence = "policy protects nothing";
    scope
        .selecting_nothing(&policy.namespace, &policy.pod_selector, "spec.podSelector", consequence)
        .into_iter()
        .collect()
}

#[cfg(test)]
mod tests {
    use crate::rules::testing::{paths_of, pod, policy};

    #[test]
    fn a_selector_that_fits_no_known_workload_is_named_unless_nothing_is_known() {
        let dangling = policy("p", "{podSelector: {matchLabels: {app: wbe}}}");
        assert_eq!(paths_of("netpol/selects-nothing", &format!("{}{dangling}", pod("", ""))), ["spec.podSelector"]);
        assert!(paths_of("netpol/selects-nothing", &dangling).is_empty());
    }
}
