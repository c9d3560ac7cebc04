//! Containers and pods outside what a limit range allows.

use super::{Check, Problem, Rule, RuleSet, Scope};
use crate::manifest::Manifest;
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
    let problems = ranges().flat_map(|range| of_containers(range, &pod).chain(of_pods(range, &pod, workload)));
    problems.take(MOST_PROBLEMS).collect()
}

fn of_containers(range: &Manifest, pod: &PodResources<'_, '_>) -> impl Iterator<Item = Problem> {
    let pairs = limits_for(range, "Container").flat_map(|limits| pod.containers().map(move |one| (limits, one)));
    pairs.flat_map(move |(limits, container)| {
        let found = violations(limits, |bound, resource| pod.of_container(&container, bound, resource));
        found.into_iter().map(move |Violation { bound, said }| {
            let (name, range) = (container.name(), &range.object().name);
            let message = format!("Container {name} has {said} by the limit range {range}.");
            Problem::deny(format!("{}.resources.{}", container.path, bound.as_str()), message, FIX)
        })
    })
}

fn of_pods(range: &Manifest, pod: &PodResources<'_, '_>, workload: &Workload<'_>) -> impl Iterator<Item = Problem> {
    let found =
        limits_for(range, "Pod").flat_map(|limits| violations(limits, |bound, resource| pod.of_pod(bound, resource)));
    found.map(|Violation { said, .. }| {
        let message = format!("A pod has {said} by the limit range {}.", range.object().name);
        Problem::deny(workload.path("containers"), message, FIX)
    })
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
fn violations(limits: &Value, amount: impl Fn(Bound, &str) -> Option<Quantity>) -> Vec<Violation> {
    let too_little = amounts(limits, "min").filter_map(|(resource, least)| {
        let order = [Bound::Requests, Bound::Limits];
        let (bound, found) = outside(order, |bound| amount(bound, resource), |amount| amount < least)?;
        Some(violation(bound, found, resource, &format!("at least {least} are asked for")))
    });
    let too_much = amounts(limits, "max").filter_map(|(resource, most)| {
        let order = [Bound::Limits, Bound::Requests];
        let (bound, found) = outside(order, |bound| amount(bound, resource), |amount| amount > most)?;
        Some(violation(bound, found, resource, &format!("at most {most} are allowed")))
    });
    too_little.chain(too_much).collect()
}

fn amounts<'l>(limits: &'l Value, field: &str) -> impl Iterator<Item = (&'l str, Quantity)> {
    let amounts = limits[field].as_object().into_iter().flatten().take(MOST_RESOURCES);
    amounts.filter_map(|(resource, value)| Some((resource.as_str(), Quantity::of(value)?)))
}

/// Which of the two is outside, with what it is: the first must be there, the second may.
fn outside(
    [must, may]: [Bound; 2],
    amount: impl Fn(Bound) -> Option<Quantity>,
    is_outside: impl Fn(Quantity) -> bool,
) -> Option<(Bound, Option<Quantity>)> {
    match amount(must) {
        Some(found) if !is_outside(found) => Some((may, Some(amount(may).filter(|found| is_outside(*found))?))),
        found => Some((must, found)),
    }
}

fn violation(bound: Bound, found: Option<Quantity>, resource: &str, allowed: &str) -> Violation {
    let said = match found {
        Some(found) => format!("{} of {found} of {resource}, and {allowed}", bound.as_str()),
        None => format!("no {} of {resource}, and {allowed}", bound.as_str()),
    };
    Violation { bound, said }
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
