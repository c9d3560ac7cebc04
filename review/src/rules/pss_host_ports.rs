//! Ports of the node.

use super::{Check, Problem, Rule, RuleSet, Scope};
use crate::patch::Edit;
use crate::workload::Workload;

pub(super) const RULE: Rule = Rule {
    id: "pss/host-ports",
    meaning: "A port of the node bypasses NetworkPolicies, and only one pod of each node can have it.",
    source: "Pod Security Standards, baseline, Host Ports, all versions",
    faq: Some("pod-security"),
    set: RuleSet::Baseline,
    check: Check::Workload(check),
};

fn check(workload: &Workload<'_>, _: &Scope<'_>) -> Vec<Problem> {
    let mut problems = Vec::new();
    for container in workload.containers() {
        for (index, port) in container.value["ports"].as_array().into_iter().flatten().enumerate() {
            if port["hostPort"].as_u64().is_some_and(|port| port != 0) {
                let path = format!("{}.ports[{index}].hostPort", container.path);
                let message = format!("Container {} takes a port of the node.", container.name());
                let problem =
                    Problem::deny(path.as_str(), message, "Remove hostPort and reach the pod through a Service.");
                problems.push(problem.fixed_by([Edit::remove(&path)]));
            }
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use crate::rules::testing::{paths_of, pod};

    #[test]
    fn a_port_of_the_node_is_named_and_zero_is_none() {
        let ports = pod("", "ports: [{containerPort: 1, hostPort: 0}, {containerPort: 2, hostPort: 2}]");
        assert_eq!(paths_of("pss/host-ports", &ports), ["spec.containers[0].ports[1].hostPort"]);
    }
}
