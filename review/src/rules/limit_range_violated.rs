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
                if problems.len() > MOST_PROBLEMS {
                    return problems;
                }
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

/// The most resources of a limit range that are compared.
const MOST_RESOURCES: usize = 16;

/// Enough to know what is wrong.
const MOST_PROBLEMS: usize = 200;

const FIX: &str = "Stay inside the limit range, or ask an administrator to change it.";

struct Violation {
    bound: Bound,
    /// For example `limits of 2Gi of memory, and at most 1Gi are allowed`.
    said: String,
}

/// Both must be between the least and the most; a request must be there for the one, and a limit for the other
/// (kubernetes 1.37, plugin/pkg/admission/limitranger, `minConstraint` and `maxConstraint`).
fn violations(limits: &Value, amount: impl Fn(Bound, &str) -> Option<Quantity>) -> impl Iterator<Item = Violation> {
    let of = |field: &str| {
        let amounts = limits[field].as_object().into_iter().flatten().take(MOST_RESOURCES);
        amounts.filter_map(|(resource, value)| Some((resource.clone(), Quantity::of(value)?))).collect::<Vec<_>>()
    };
    let mut found = Vec::new();
    let mut tell = |bound: Bound, amount: Option<Quantity>, resource: &str, allowed: String| {
        let said = match amount {
            Some(amount) => format!("{} of {amount} of {resource}, and {allowed}", bound.as_str()),
            None => format!("no {} of {resource}, and {allowed}", bound.as_str()),
        };
        found.push(Violation { bound, said });
    };
    for (resource, least) in of("min") {
        let allowed = || format!("at least {least} are asked for");
        let request = amount(Bound::Requests, &resource);
        let limit = amount(Bound::Limits, &resource);
        if request.is_none_or(|request| request < least) {
            tell(Bound::Requests, request, &resource, allowed());
        } else if limit.is_some_and(|limit| limit < least) {
            tell(Bound::Limits, limit, &resource, allowed());
        }
    }
    for (resource, most) in of("max") {
        let allowed = || format!("at most {most} are allowed");
        let request = amount(Bound::Requests, &resource);
        let limit = amount(Bound::Limits, &resource);
        if limit.is_none_or(|limit| limit > most) {
            tell(Bound::Limits, limit, &resource, allowed());
        } else if request.is_some_and(|request| request > most) {
            tell(Bound::Requests, request, &resource, allowed());
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
    fn a_pod_that_says_nothing_is_refused_where_pods_are_limited() {
        assert_eq!(
            said("type: Pod, max: {memory: 1Gi}", "resources: {requests: {memory: 64Mi}}"),
            ["A pod has no limits of memory, and at most 1Gi are allowed by the limit range team."]
        );
        assert!(said("type: Pod, max: {memory: 1Gi}", "resources: {limits: {memory: 64Mi}}").is_empty());
    }

    #[test]
    fn what_is_inside_or_filled_in_is_not() {
        assert!(said("type: Container, max: {memory: 1Gi}", "resources: {limits: {memory: 1Gi}}").is_empty());
        assert!(said("type: Container, max: {memory: 1Gi}, min: {memory: 1Mi}", "").is_empty());
        assert!(said("type: PersistentVolumeClaim, max: {storage: 1Gi}", "").is_empty());
    }
}
