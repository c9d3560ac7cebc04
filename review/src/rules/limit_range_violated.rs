//! Containers and pods outside what a limit range allows.

use super::{Check, Problem, Rule, RuleSet, Scope};
use crate::pod_resources::{Bound, PodResources, limits_for};
use crate::quantity::Quantity;
use crate::workload::Workload;
use serde_json::Value;

pub(super) const RULE: Rule = Rule {
    id: "limit-range/violated",
    meaning: "A limit range of the namespace allows less, or asks for more, so the cluster refuses the pods.",
    source: "kubernetes.io/docs/concepts/policy/limit-range; ratios are not compared",
    faq: Some("quotas"),
    set: RuleSet::Platform,
    check: Check::Workload(check),
};

fn check(workload: &Workload<'_>, scope: &Scope<'_>) -> Vec<Problem> {
    let ranges = || scope.limit_ranges_of(workload.namespace());
    let pod = PodResources::of(*workload, ranges());
    let mut problems = Vec::new();
    for range in ranges() {
        let name = &range.object().name;
        for limits in limits_for(range, "Container") {
            for container in pod.containers() {
                let amount = |bound, resource: &str| pod.of_container(&container, bound, resource);
                let found = violations(limits, amount).map(|Violation { bound, said }| {
                    let message = format!("Container {} has {said} by the limit range {name}.", container.name());
                    Problem::deny(format!("{}.resources.{}", container.path, bound.as_str()), message, FIX)
                });
                problems.extend(found);
            }
        }
        for limits in limits_for(range, "Pod") {
            let found =
                violations(limits, |bound, resource| pod.of_pod(bound, resource)).map(|Violation { said, .. }| {
                    let message = format!("A pod has {said} by the limit range {name}.");
                    Problem::deny(workload.path("containers"), message, FIX)
                });
            problems.extend(found);
        }
    }
    problems
}

const FIX: &str = "Stay inside the limit range, or ask an administrator to change it.";

struct Violation {
    bound: Bound,
    /// For example `limits of 2Gi of memory, and at most 1Gi are allowed`.
    said: String,
}

/// The request must reach the least, and the limit, or else the request, must not pass the most.
fn violations(limits: &Value, amount: impl Fn(Bound, &str) -> Option<Quantity>) -> impl Iterator<Item = Violation> {
    let of = |field: &str| {
        let amounts = limits[field].as_object().into_iter().flatten();
        amounts.filter_map(|(resource, value)| Some((resource.clone(), Quantity::of(value)?))).collect::<Vec<_>>()
    };
    let mut found = Vec::new();
    let mut tell = |bound: Bound, amount: Quantity, resource: &str, allowed: String| {
        found.push(Violation { bound, said: format!("{} of {amount} of {resource}, and {allowed}", bound.as_str()) });
    };
    for (resource, least) in of("min") {
        if let Some(request) = amount(Bound::Requests, &resource).filter(|request| *request < least) {
            tell(Bound::Requests, request, &resource, format!("at least {least} are asked for"));
        }
    }
    for (resource, most) in of("max") {
        let bounds = [Bound::Limits, Bound::Requests].into_iter();
        let mut amounts = bounds.filter_map(|bound| Some((bound, amount(bound, &resource)?)));
        if let Some((bound, amount)) = amounts.find(|(_, amount)| *amount > most) {
            tell(bound, amount, &resource, format!("at most {most} are allowed"));
        }
    }
    found.into_iter()
}

#[cfg(test)]
mod tests {
    use crate::rules::testing::{pod, reviewed};

    fn said(limits: &str, container: &str) -> Vec<String> {
        let range = format!(
            "{{apiVersion: v1, kind: LimitRange, metadata: {{name: team}}, spec: {{limits: [{{{limits}}}]}}}}\n---\n"
        );
        let findings = reviewed(&format!("{range}{}", pod("", container))).findings.into_iter();
        findings.filter(|finding| finding.rule == "limit-range/violated").map(|finding| finding.message).collect()
    }

    #[test]
    fn what_is_outside_is_refused_with_both_amounts() {
        assert_eq!(
            said("type: Container, max: {memory: 1Gi}", "resources: {limits: {memory: 2Gi}}"),
            ["Container c has limits of 2Gi of memory, and at most 1Gi are allowed by the limit range team."]
        );
        assert_eq!(
            said("type: Pod, min: {cpu: 100m}", "resources: {requests: {cpu: 50m}}"),
            ["A pod has requests of 50m of cpu, and at least 100m are asked for by the limit range team."]
        );
    }

    #[test]
    fn what_is_inside_or_filled_in_is_not() {
        assert!(said("type: Container, max: {memory: 1Gi}", "resources: {limits: {memory: 1Gi}}").is_empty());
        assert!(said("type: Container, max: {memory: 1Gi}, min: {memory: 1Mi}", "").is_empty());
        assert!(said("type: PersistentVolumeClaim, max: {storage: 1Gi}", "").is_empty());
    }
}
