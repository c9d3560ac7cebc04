//! Namespaces of the node.

use super::{Check, Problem, Rule, RuleSet, Scope};
use crate::patch::Edit;
use crate::workload::Workload;

pub(super) const RULE: Rule = Rule {
    id: "pss/host-namespaces",
    meaning: "A pod in the node's own network, process or IPC namespace can watch or reach what others run there.",
    source: "Pod Security Standards, baseline, Host Namespaces, all versions",
    faq: Some("pod-security"),
    set: RuleSet::Baseline,
    check: Check::Workload(check),
};

fn check(workload: &Workload<'_>, _: &Scope<'_>) -> Vec<Problem> {
    ["hostNetwork", "hostPID", "hostIPC"]
        .into_iter()
        .filter(|field| workload.spec()[field] == true)
        .map(|field| {
            let path = workload.path(field);
            let message = format!("{field} shares the node's own namespace with the pod.");
            Problem::deny(path.as_str(), message, format!("Remove {field}.")).fixed_by([Edit::set(&path, false)])
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use crate::rules::testing::{paths_of, pod};

    #[test]
    fn each_namespace_of_the_node_is_named() {
        let paths = paths_of("pss/host-namespaces", &pod("hostNetwork: true, hostPID: false, hostIPC: true", ""));
        assert_eq!(paths, ["spec.hostIPC", "spec.hostNetwork"]);
    }
}
