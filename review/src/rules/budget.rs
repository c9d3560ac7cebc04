//! A PodDisruptionBudget that never allows a disruption blocks every node upgrade.

use super::{Check, Problem, Rule, Scope};
use crate::manifest::Manifest;
use crate::selector::Selector;
use crate::workload::Workload;
use serde_json::Value;

pub(crate) const BUDGET: Rule =
    Rule { id: "disruption-budget/blocks-upgrades", faq: None, check: Check::Object(check) };

fn check(manifest: &Manifest, scope: &Scope<'_>) -> Vec<Problem> {
    if manifest.object().kind != "PodDisruptionBudget" {
        return Vec::new();
    }
    let spec = &manifest.value()["spec"];
    let fix = "Allow at least one pod to be away, for example maxUnavailable: 1.";
    if is_zero(&spec["maxUnavailable"]) {
        return vec![Problem::deny(
            "spec.maxUnavailable",
            "maxUnavailable 0 lets no pod be moved, so no node can be upgraded.",
            fix,
        )];
    }
    let selector = Selector::from_value(spec.get("selector"));
    let protects = |other: &&Manifest| {
        other.object().namespace == manifest.object().namespace
            && Workload::of(other).is_some_and(|workload| selector.matches(&workload.labels()))
    };
    scope
        .manifests
        .iter()
        .filter(protects)
        .filter_map(|workload| {
            let replicas = workload.value()["spec"]["replicas"].as_u64().unwrap_or(1);
            demands_all(&spec["minAvailable"], replicas).then(|| {
                Problem::deny(
                    "spec.minAvailable",
                    format!(
                        "minAvailable demands all {replicas} pods of {}, so no node can be upgraded.",
                        workload.object().name
                    ),
                    fix,
                )
            })
        })
        .collect()
}

fn is_zero(value: &Value) -> bool {
    value.as_u64() == Some(0) || matches!(value.as_str(), Some("0" | "0%"))
}

fn demands_all(minimum: &Value, replicas: u64) -> bool {
    minimum.as_u64().is_some_and(|minimum| minimum >= replicas) || minimum.as_str() == Some("100%")
}

#[cfg(test)]
mod tests {
    use crate::rules::testing::rules_broken;

    fn broken_by(budget: &str) -> bool {
        let yaml = format!(
            "{{apiVersion: apps/v1, kind: Deployment, metadata: {{name: web}}, spec: {{replicas: 2, template: {{metadata: {{labels: {{app: web}}}}, spec: {{}}}}}}}}\n---\n{{apiVersion: policy/v1, kind: PodDisruptionBudget, metadata: {{name: web}}, spec: {{selector: {{matchLabels: {{app: web}}}}, {budget}}}}}"
        );
        rules_broken(&yaml).iter().any(|rule| rule.starts_with("disruption-budget/"))
    }

    #[test]
    fn a_budget_that_allows_no_disruption_is_denied() {
        assert!(broken_by("maxUnavailable: 0"));
        assert!(broken_by("minAvailable: 2"));
        assert!(broken_by("minAvailable: 100%"));
    }

    #[test]
    fn a_budget_that_allows_one_is_fine() {
        assert!(!broken_by("maxUnavailable: 1"));
        assert!(!broken_by("minAvailable: 1"));
    }
}
