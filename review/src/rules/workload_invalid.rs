//! Workloads that the API server refuses.

use super::{Check, Problem, Rule, RuleSet, Scope};
use crate::names::is_dns_label;
use crate::selector::{Selector, in_words};
use crate::workload::Workload;
use std::collections::HashSet;

pub(super) const RULE: Rule = Rule {
    id: "workload/invalid",
    meaning: "The API server refuses a workload without containers, with two of one name, or that does not select its \
        own pods.",
    source: "Kubernetes 1.33, pkg/apis/core/validation and pkg/apis/apps/validation",
    faq: None,
    set: RuleSet::Platform,
    check: Check::Workload(check),
};

fn check(workload: &Workload<'_>, _: &Scope<'_>) -> Vec<Problem> {
    no_containers(workload).into_iter().chain(names(workload)).chain(own_pods(workload)).collect()
}

fn no_containers(workload: &Workload<'_>) -> Option<Problem> {
    let has_some = workload.spec()["containers"].as_array().is_some_and(|containers| !containers.is_empty());
    (!has_some).then(|| {
        Problem::deny(workload.path("containers"), "There is no container to run.", "Add at least one container.")
    })
}

fn names(workload: &Workload<'_>) -> Vec<Problem> {
    let mut seen = HashSet::new();
    workload
        .containers()
        .filter_map(|container| {
            let name = container.value["name"].as_str().unwrap_or_default();
            let path = format!("{}.name", container.path);
            if !is_dns_label(name) {
                let message = format!("{name:?} cannot be the name of a container.");
                return Some(Problem::deny(path, message, "Use small letters, digits and '-', at most 63 of them."));
            }
            (!seen.insert(name)).then(|| {
                Problem::deny(
                    path,
                    format!("Two containers are named {name}."),
                    "Give each container a name of its own.",
                )
            })
        })
        .collect()
}

/// A controller of apps/v1 must select the pods that it makes.
fn own_pods(workload: &Workload<'_>) -> Option<Problem> {
    if workload.manifest.group_version().0 != "apps" {
        return None;
    }
    let selector = Selector::from_value(workload.manifest.value()["spec"].get("selector"));
    let labels = workload.labels();
    if selector.is_empty() {
        let fix = "Select the labels of the template, for example by matchLabels.";
        return Some(Problem::deny("spec.selector", "It does not say which pods are its own.", fix));
    }
    let unmet = selector.unmet(&labels);
    (!unmet.is_empty()).then(|| {
        let message = format!("It selects {}, and its own pods have {}.", unmet.join(" and "), in_words(&labels));
        Problem::deny("spec.selector", message, "Give the template the labels that are selected.")
    })
}

#[cfg(test)]
mod tests {
    use crate::rules::testing::{paths_of, pod};

    #[test]
    fn containers_are_there_and_have_names_of_their_own() {
        assert!(paths_of("workload/invalid", &pod("", "")).is_empty());
        let broken = |spec: &str| {
            paths_of("workload/invalid", &format!("{{apiVersion: v1, kind: Pod, metadata: {{name: a}}, spec: {spec}}}"))
        };
        assert_eq!(broken("{}"), ["spec.containers"]);
        assert_eq!(broken("{containers: [{name: c}], initContainers: [{name: c}]}"), ["spec.initContainers[0].name"]);
        assert_eq!(broken("{containers: [{name: A}]}"), ["spec.containers[0].name"]);
    }

    #[test]
    fn a_controller_selects_its_own_pods() {
        let deployment = |selector: &str| {
            format!(
                "{{apiVersion: apps/v1, kind: Deployment, metadata: {{name: a}}, \
                 spec: {{{selector}template: {{metadata: {{labels: {{app: web}}}}, \
                 spec: {{containers: [{{name: c}}]}}}}}}}}"
            )
        };
        assert!(paths_of("workload/invalid", &deployment("selector: {matchLabels: {app: web}}, ")).is_empty());
        assert_eq!(
            paths_of("workload/invalid", &deployment("selector: {matchLabels: {app: api}}, ")),
            ["spec.selector"]
        );
        assert_eq!(paths_of("workload/invalid", &deployment("")), ["spec.selector"]);
    }
}
