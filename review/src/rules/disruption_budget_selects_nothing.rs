//! Budgets without pods.

use super::{Check, Problem, Rule, RuleSet, Scope};
use crate::manifest::Manifest;
use crate::selector::Selector;
use crate::workload::namespace_or_default;

pub(super) const RULE: Rule = Rule {
    id: "disruption-budget/selects-nothing",
    meaning: "A budget whose selector fits no pod protects nothing.",
    source: "Kubernetes API reference, PodDisruptionBudgetSpec policy/v1, selector",
    faq: None,
    set: RuleSet::Platform,
    check: Check::Object(check),
};

fn check(manifest: &Manifest, scope: &Scope<'_>) -> Vec<Problem> {
    if manifest.object().kind != "PodDisruptionBudget" {
        return Vec::new();
    }
    let selector = &manifest.value()["spec"]["selector"];
    if selector.is_null() {
        let message = "A budget without a selector selects nothing, so it protects nothing.";
        return vec![Problem::warn("spec.selector", message, "Select the pods by their labels; {} selects all.")];
    }
    let namespace = namespace_or_default(&manifest.object().namespace);
    let selector = Selector::from_value(Some(selector));
    scope.selecting_nothing(namespace, &selector, "spec.selector", "budget protects nothing").into_iter().collect()
}

#[cfg(test)]
mod tests {
    use crate::rules::testing::{paths_of, pod};

    #[test]
    fn a_selector_that_fits_no_known_pod_is_named() {
        let budget = |app: &str| {
            format!(
                "{}{{apiVersion: policy/v1, kind: PodDisruptionBudget, metadata: {{name: a}}, \
                 spec: {{selector: {{matchLabels: {{app: {app}}}}}}}}}",
                pod("", "")
            )
        };
        assert_eq!(paths_of("disruption-budget/selects-nothing", &budget("wbe")), ["spec.selector"]);
        assert!(paths_of("disruption-budget/selects-nothing", &budget("web")).is_empty());
    }
}
