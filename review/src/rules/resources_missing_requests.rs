//! Containers that do not say what they need.

use super::{Check, Problem, Rule, RuleSet, Scope};
use crate::patch::Edit;
use crate::workload::{ContainerKind, Workload};
use serde_json::{Map, Value};

pub(super) const RULE: Rule = Rule {
    id: "resources/missing-requests",
    meaning: "Without requests the scheduler cannot tell where the pod fits, and the platform refuses it.",
    source: "Platform safeguard for resource requests, main containers only",
    faq: Some("resource-requests"),
    set: RuleSet::Platform,
    check: Check::Workload(check),
};

/// A start where nothing is known; what the program needs shows once it runs.
const SOME_CPU: &str = "100m";
const SOME_MEMORY: &str = "128Mi";

/// The API server makes requests of the limits of a Pod, but not inside a template.
fn check(workload: &Workload<'_>, _: &Scope<'_>) -> Vec<Problem> {
    workload
        .containers()
        .filter(|container| container.kind == ContainerKind::Main)
        .filter_map(|container| {
            let resources = &container.value["resources"];
            let missing: Vec<(&str, Value)> = [("cpu", SOME_CPU), ("memory", SOME_MEMORY)]
                .into_iter()
                .filter(|(name, _)| resources["requests"][name].is_null())
                .filter(|(name, _)| workload.makes_pods() || resources["limits"][name].is_null())
                .map(|(name, amount)| (name, amount_for(&resources["limits"][name], amount)))
                .collect();
            let path = format!("{}.resources.requests", container.path);
            let edits = if resources["requests"].is_null() {
                vec![Edit::set(
                    &path,
                    missing.iter().cloned().map(|(name, amount)| (name.to_owned(), amount)).collect::<Map<_, _>>(),
                )]
            } else {
                missing.iter().map(|(name, amount)| Edit::set(&format!("{path}.{name}"), amount.clone())).collect()
            };
            let names: Vec<&str> = missing.iter().map(|(name, _)| *name).collect();
            let message = format!("Container {} does not request {}.", container.name(), names.join(" and "));
            let fix = "Request what it usually needs, for example cpu: 100m and memory: 128Mi.";
            (!names.is_empty()).then(|| Problem::deny(path.as_str(), message, fix).fixed_by(edits))
        })
        .collect()
}

/// A request above the limit is refused, so where there is a limit, it is the request.
fn amount_for(limit: &Value, amount: &str) -> Value {
    if limit.is_null() { amount.into() } else { limit.clone() }
}

#[cfg(test)]
mod tests {
    use crate::rules::testing::{fixed, paths_of, pod};

    #[test]
    fn limits_alone_are_requests_in_a_pod_and_not_in_a_template() {
        let limits = "resources: {limits: {cpu: 1, memory: 64Mi}}";
        assert!(paths_of("resources/missing-requests", &pod("", limits)).is_empty());
        let job = format!(
            "{{apiVersion: batch/v1, kind: Job, metadata: {{name: a}}, \
             spec: {{template: {{spec: {{containers: [{{name: c, {limits}}}]}}}}}}}}"
        );
        let path = "spec.template.spec.containers[0].resources.requests";
        assert_eq!(paths_of("resources/missing-requests", &job), [path]);
        let fixed = fixed("resources/missing-requests", &job);
        let requests = &fixed["spec"]["template"]["spec"]["containers"][0]["resources"]["requests"];
        assert_eq!(requests.to_string(), r#"{"cpu":1,"memory":"64Mi"}"#);
    }

    #[test]
    fn what_is_requested_stays() {
        let cpu = pod("initContainers: [{name: i, image: 'a:1'}]", "resources: {requests: {cpu: 2}}");
        let requests = &fixed("resources/missing-requests", &cpu)["spec"]["containers"][0]["resources"]["requests"];
        assert_eq!(requests.to_string(), r#"{"cpu":2,"memory":"128Mi"}"#);
    }
}
