//! Resources that the API server does not know.

use super::{Check, Problem, Rule, RuleSet, Scope};
use crate::workload::Workload;

pub(super) const RULE: Rule = Rule {
    id: "resources/unknown-name",
    meaning: "A container's resource is one of the standard ones or has the name of who provides it before a slash.",
    source: "Kubernetes 1.37, pkg/apis/core/validation, validateContainerResourceName",
    faq: None,
    set: RuleSet::Platform,
    check: Check::Workload(check),
};

const STANDARD: [&str; 3] = ["cpu", "memory", "ephemeral-storage"];

fn check(workload: &Workload<'_>, _: &Scope<'_>) -> Vec<Problem> {
    let mut problems = Vec::new();
    for container in workload.containers() {
        for field in ["limits", "requests"] {
            let amounts = container.value["resources"][field].as_object();
            for name in amounts.into_iter().flatten().map(|(name, _)| name).filter(|name| !is_known(name)) {
                let message = format!("{name} is no resource of a container, so the API server refuses it.");
                let fix = "Use cpu, memory, ephemeral-storage, hugepages-SIZE, or a name such as example.com/gpu.";
                problems.push(Problem::deny(format!("{}.resources.{field}", container.path), message, fix));
            }
        }
    }
    problems
}

fn is_known(name: &str) -> bool {
    STANDARD.contains(&name) || name.starts_with("hugepages-") || name.contains('/')
}

#[cfg(test)]
mod tests {
    use crate::rules::testing::{paths_of, pod};

    fn paths(resources: &str) -> Vec<String> {
        paths_of("resources/unknown-name", &pod("", &format!("resources: {resources}")))
    }

    #[test]
    fn an_invented_name_is_named_wherever_it_stands() {
        assert_eq!(paths("{limits: {foobar: 1, cpu: 1}}"), ["spec.containers[0].resources.limits"]);
        assert_eq!(paths("{requests: {memroy: 1Gi}}"), ["spec.containers[0].resources.requests"]);
    }

    #[test]
    fn standard_names_and_those_of_providers_are_known() {
        assert!(
            paths("{limits: {cpu: 1, memory: 1Gi, ephemeral-storage: 1Gi, hugepages-2Mi: 4Mi, example.com/gpu: 1}}")
                .is_empty()
        );
    }
}
