//! Budgets that never allow a disruption.

use super::{Autoscaler, Check, Problem, Rule, RuleSet, Scope};
use crate::manifest::Manifest;
use crate::patch::Edit;
use crate::selector::Selector;
use crate::workload::{Workload, namespace_or_default};
use serde_json::Value;
use std::fmt;

pub(super) const RULE: Rule = Rule {
    id: "disruption-budget/blocks-upgrades",
    meaning: "A budget that never lets a pod go blocks every upgrade of the nodes.",
    source: "Platform safeguard for PodDisruptionBudgets; Kubernetes API reference, policy/v1",
    faq: None,
    set: RuleSet::Platform,
    check: Check::Object(check),
};

const FIX: &str = "Allow at least one pod to be away, for example maxUnavailable: 1.";

fn check(manifest: &Manifest, scope: &Scope<'_>) -> Vec<Problem> {
    if let Some(workload) = Workload::of(manifest).filter(is_scaled) {
        return against_known_budgets(&workload, scope);
    }
    if !is_budget(manifest) {
        return Vec::new();
    }
    let spec = &manifest.value()["spec"];
    if !spec["maxUnavailable"].is_null() && !spec["minAvailable"].is_null() {
        let message = "A budget has either maxUnavailable or minAvailable; the API server refuses both.";
        let fix = "Keep maxUnavailable: it still holds when the number of replicas changes.";
        return vec![Problem::deny("spec.minAvailable", message, fix).fixed_by([Edit::remove("spec.minAvailable")])];
    }
    if spec["minAvailable"] == "100%" {
        let message = "minAvailable 100% lets no pod be moved, so no node can be upgraded.";
        return vec![Problem::deny("spec.minAvailable", message, FIX).fixed_by(one_may_go())];
    }
    // A budget without a selector selects nothing (policy/v1).
    if spec["selector"].is_null() {
        return Vec::new();
    }
    if lets_none_go(&spec["maxUnavailable"]) {
        let message = "maxUnavailable 0 lets no pod be moved, so no node can be upgraded.";
        return vec![
            Problem::deny("spec.maxUnavailable", message, FIX).fixed_by([Edit::set("spec.maxUnavailable", 1)]),
        ];
    }
    let selector = Selector::from_value(spec.get("selector"));
    scope
        .workloads_in(namespace_or_default(&manifest.object().namespace))
        .filter(|workload| is_scaled(workload) && selector.matches(&workload.pod_labels()))
        .filter_map(|workload| demand(&spec["minAvailable"], workload, scope))
        .map(|demand| {
            let fix = demand.fix();
            let problem = match demand {
                Demand::All { .. } => Problem::deny("spec.minAvailable", demand.to_string(), fix),
                Demand::AllButForAutoscaler { .. } => Problem::warn("spec.minAvailable", demand.to_string(), fix),
            };
            if matches!(demand, Demand::All { .. }) { problem.fixed_by(one_may_go()) } else { problem }
        })
        .collect()
}

/// How a budget stands against the pods of a workload.
enum Demand<'a> {
    All {
        replicas: u64,
        name: &'a str,
    },
    /// As the platform counts, which looks at spec.replicas alone.
    AllButForAutoscaler {
        replicas: u64,
        autoscaler: Autoscaler<'a>,
    },
}

fn demand<'a>(minimum: &Value, workload: &Workload<'a>, scope: &Scope<'a>) -> Option<Demand<'a>> {
    let name = &workload.manifest.object().name;
    match scope.autoscaler_of(workload) {
        Some(autoscaler) if demands_all(minimum, autoscaler.at_least) => {
            Some(Demand::All { replicas: autoscaler.at_least, name })
        }
        Some(autoscaler) => demands_all(minimum, workload.replicas())
            .then(|| Demand::AllButForAutoscaler { replicas: workload.replicas(), autoscaler }),
        None => demands_all(minimum, workload.replicas()).then(|| Demand::All { replicas: workload.replicas(), name }),
    }
}

impl Demand<'_> {
    fn fix(&self) -> String {
        match self {
            Self::All { .. } => FIX.to_owned(),
            Self::AllButForAutoscaler { autoscaler, .. } => format!(
                "Set spec.replicas to {}, the number that {} keeps, so that both count alike.",
                autoscaler.at_least, autoscaler.name
            ),
        }
    }
}

impl fmt::Display for Demand<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All { replicas: 1, name } => {
                write!(f, "minAvailable demands the only pod of {name}, so no node can be upgraded.")
            }
            Self::All { replicas, name } => {
                write!(f, "minAvailable demands all {replicas} pods of {name}, so no node can be upgraded.")
            }
            Self::AllButForAutoscaler { replicas, autoscaler: Autoscaler { name, at_least } } => write!(
                f,
                "The autoscaler {name} keeps at least {at_least} pods, so one may go. The platform's own check looks at \
                 spec.replicas alone, which is {replicas} here, and may refuse the budget."
            ),
        }
    }
}

fn is_budget(manifest: &Manifest) -> bool {
    manifest.group_version().0 == "policy" && manifest.object().kind == "PodDisruptionBudget"
}

/// A workload can make a budget that is there already demand all of its pods. Budgets under review speak themselves.
fn against_known_budgets(workload: &Workload<'_>, scope: &Scope<'_>) -> Vec<Problem> {
    let selects = |budget: &Manifest| {
        let selector = &budget.value()["spec"]["selector"];
        !selector.is_null() && Selector::from_value(Some(selector)).matches(&workload.pod_labels())
    };
    scope
        .existing()
        .iter()
        .filter(|other| is_budget(other) && namespace_or_default(&other.object().namespace) == workload.namespace())
        .filter(|budget| {
            demands_all(&budget.value()["spec"]["minAvailable"], scope.least_replicas(workload)) && selects(budget)
        })
        .map(|budget| {
            let name = &budget.object().name;
            let message = match scope.least_replicas(workload) {
                1 => format!("The budget {name} in the cluster demands the only pod, so no node can be upgraded."),
                replicas => format!(
                    "The budget {name} in the cluster demands all {replicas} of these pods, so no node can be upgraded."
                ),
            };
            Problem::deny("spec.replicas", message, "Run more replicas, or let the budget allow one pod to be away.")
        })
        .collect()
}

fn one_may_go() -> [Edit; 2] {
    [Edit::remove("spec.minAvailable"), Edit::set("spec.maxUnavailable", 1)]
}

/// Kinds whose replicas a budget counts.
fn is_scaled(workload: &Workload<'_>) -> bool {
    matches!(
        workload.manifest.object().kind.as_str(),
        "Deployment" | "StatefulSet" | "ReplicaSet" | "ReplicationController"
    )
}

fn lets_none_go(maximum: &Value) -> bool {
    maximum.as_u64() == Some(0) || matches!(maximum.as_str(), Some("0" | "0%"))
}

/// Percentages are rounded up (policy/v1: `GetScaledValueFromIntOrPercent` with rounding up).
fn demands_all(minimum: &Value, replicas: u64) -> bool {
    let percent = minimum.as_str().and_then(|text| text.strip_suffix('%')?.parse::<u64>().ok());
    let minimum = percent.map(|percent| percent.saturating_mul(replicas).div_ceil(100)).or_else(|| minimum.as_u64());
    minimum.is_some_and(|minimum| minimum > 0 && minimum >= replicas)
}

#[cfg(test)]
mod tests {
    use crate::rules::testing::reviewed;

    fn review_of(budget: &str) -> Vec<crate::Finding> {
        let yaml = format!(
            "{{apiVersion: policy/v1, kind: PodDisruptionBudget, metadata: {{name: web}}, \
             spec: {{selector: {{matchLabels: {{app: web}}}}, {budget}}}}}\n---\n{{apiVersion: apps/v1, \
             kind: Deployment, metadata: {{name: web}}, spec: {{replicas: 2, \
             template: {{metadata: {{labels: {{app: web}}}}, spec: {{}}}}}}}}"
        );
        let findings = reviewed(&yaml).findings.into_iter();
        findings.filter(|finding| finding.rule == "disruption-budget/blocks-upgrades").collect()
    }

    #[test]
    fn a_budget_that_allows_no_disruption_is_denied() {
        for budget in
            ["maxUnavailable: 0", "maxUnavailable: 0%", "minAvailable: 2", "minAvailable: 100%", "minAvailable: 51%"]
        {
            assert_eq!(review_of(budget).len(), 1, "{budget}");
        }
    }

    #[test]
    fn a_workload_is_held_against_the_budgets_of_the_cluster() {
        use crate::{Context, Selection, Settings, decode, review};
        let budget = "{apiVersion: policy/v1, kind: PodDisruptionBudget, metadata: {name: known}, \
            spec: {minAvailable: 2, selector: {matchLabels: {app: web}}}}";
        let context =
            Context { existing: decode("known", budget).unwrap(), every_workload: true, ..Context::default() };
        let found = |replicas: u32| {
            let web = format!(
                "{{apiVersion: apps/v1, kind: Deployment, metadata: {{name: web}}, spec: {{replicas: {replicas}, \
                 template: {{metadata: {{labels: {{app: web}}}}, spec: {{}}}}}}}}"
            );
            let report = review(&decode("web", &web).unwrap(), &context, &Settings::default(), Selection::default());
            report.findings.iter().any(|finding| finding.rule == super::RULE.id)
        };
        assert!(found(2) && !found(3));
    }

    #[test]
    fn a_percentage_beyond_all_bounds_is_a_demand_for_all() {
        assert_eq!(review_of("minAvailable: '18446744073709551615%'").len(), 1);
    }

    #[test]
    fn both_fields_are_refused_and_no_selector_selects_nothing() {
        assert_eq!(review_of("minAvailable: 1, maxUnavailable: 0").len(), 1);
        let alone = |spec: &str| {
            let budget =
                format!("{{apiVersion: policy/v1, kind: PodDisruptionBudget, metadata: {{name: web}}, spec: {spec}}}");
            crate::rules::testing::paths_of("disruption-budget/blocks-upgrades", &budget)
        };
        assert_eq!(alone("{minAvailable: 100%}"), ["spec.minAvailable"]);
        assert!(alone("{minAvailable: 5}").is_empty());
    }

    #[test]
    fn a_budget_that_allows_one_is_fine() {
        for budget in
            ["maxUnavailable: 1", "maxUnavailable: 1%", "minAvailable: 1", "minAvailable: 50%", "minAvailable: 0"]
        {
            assert!(review_of(budget).is_empty(), "{budget}");
        }
    }

    #[test]
    fn the_patch_lets_one_pod_go() {
        let mut object = serde_json::json!({"spec": {"minAvailable": 2}});
        review_of("minAvailable: 2")[0].patch.apply(&mut object);
        assert_eq!(object.to_string(), r#"{"spec":{"maxUnavailable":1}}"#);
    }
}
