//! Containers that do not say what the quota of the namespace counts.

use super::quota_exceeded::counted;
use super::{Check, Problem, Rule, RuleSet, Scope};
use crate::pod_resources::PodResources;
use crate::workload::Workload;

pub(super) const RULE: Rule = Rule {
    id: "quota/needs-resources",
    meaning: "A quota counts a resource of every pod, so the cluster refuses pods that do not say how much they take.",
    source: "kubernetes.io/docs/concepts/policy/resource-quotas, \"Compute resource quota\"",
    faq: Some("quotas"),
    set: RuleSet::Platform,
    check: Check::Workload(check),
};

/// The resources that must then be said (kubernetes 1.37, pkg/quota/v1/evaluator/core, `validationSet`).
const MUST_BE_SAID: [&str; 6] = ["cpu", "memory", "requests.cpu", "requests.memory", "limits.cpu", "limits.memory"];

fn check(workload: &Workload<'_>, scope: &Scope<'_>) -> Vec<Problem> {
    let pod = PodResources::of(*workload, scope.limit_ranges_of(workload.namespace()));
    // Then no container need say anything, not even of the other resources.
    if pod.has_pod_level() {
        return Vec::new();
    }
    let mut problems = Vec::new();
    for quota in scope.quotas_of(workload.namespace()) {
        let hard =
            quota.value()["spec"]["hard"].as_object().into_iter().flatten().map(|(resource, _)| resource.as_str());
        for resource in hard.filter(|resource| MUST_BE_SAID.contains(resource)) {
            let Some((bound, name)) = counted(resource) else { continue };
            let silent = pod.containers().filter(|container| pod.of_container(container, bound, name).is_none());
            problems.extend(silent.map(|container| {
                let message = format!(
                    "Container {} does not say its {} of {name}, which the quota {} counts.",
                    container.name(),
                    bound.as_str(),
                    quota.object().name
                );
                let path = format!("{}.resources.{}", container.path, bound.as_str());
                Problem::deny(path, message, "Say how much it takes; the cluster refuses the pod otherwise.")
            }));
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use crate::rules::testing::{paths_of, pod};

    const RULE: &str = "quota/needs-resources";

    fn paths(hard: &str, container: &str, more: &str) -> Vec<String> {
        let quota = format!(
            "{{apiVersion: v1, kind: ResourceQuota, metadata: {{name: team}}, spec: {{hard: {{{hard}}}}}}}\n---\n"
        );
        paths_of(RULE, &format!("{}{quota}{more}", pod("", container)))
    }

    #[test]
    fn what_a_quota_counts_must_be_said() {
        let path = ["spec.containers[0].resources.limits"];
        assert_eq!(paths("limits.memory: 1Gi, pods: 3", "", ""), path);
        assert!(paths("limits.memory: 1Gi", "resources: {limits: {memory: 64Mi}}", "").is_empty());
        assert!(paths("requests.memory: 1Gi", "resources: {limits: {memory: 64Mi}}", "").is_empty());
        assert!(paths("pods: 3, requests.ephemeral-storage: 1Gi", "", "").is_empty());
    }

    #[test]
    fn a_pod_that_says_anything_as_a_whole_need_say_nothing_else() {
        let quota =
            "{apiVersion: v1, kind: ResourceQuota, metadata: {name: team}, spec: {hard: {limits.cpu: 1}}}\n---\n";
        let whole = pod("resources: {requests: {memory: 64Mi}}", "");
        assert!(paths_of(RULE, &format!("{whole}{quota}")).is_empty());
        assert_eq!(paths_of(RULE, &format!("{}{quota}", pod("", ""))).len(), 1);
    }

    #[test]
    fn a_limit_range_that_fills_it_in_says_it() {
        let range = |limits: &str| {
            format!(
                "{{apiVersion: v1, kind: LimitRange, metadata: {{name: l}}, spec: {{limits: [{{type: Container, {limits}}}]}}}}\n---\n"
            )
        };
        assert!(paths("limits.memory: 1Gi", "", &range("default: {memory: 64Mi}")).is_empty());
        assert!(paths("requests.memory: 1Gi", "", &range("max: {memory: 64Mi}")).is_empty());
        assert_eq!(paths("limits.memory: 1Gi", "", &range("defaultRequest: {memory: 64Mi}")).len(), 1);
    }
}
