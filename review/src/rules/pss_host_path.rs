//! Folders of the node.

use super::{Check, Problem, Rule, RuleSet, Scope};
use crate::workload::Workload;

pub(super) const RULE: Rule = Rule {
    id: "pss/host-path",
    meaning: "A folder of the node lets a pod read or change what the node and others have.",
    source: "Pod Security Standards, baseline, HostPath Volumes, all versions",
    faq: Some("pod-security"),
    set: RuleSet::Baseline,
    check: Check::Workload(check),
};

fn check(workload: &Workload<'_>, _: &Scope<'_>) -> Vec<Problem> {
    workload
        .volumes()
        .filter(|(_, volume)| !volume["hostPath"].is_null())
        .map(|(path, _)| {
            Problem::deny(
                format!("{path}.hostPath"),
                "The volume is a folder of the node.",
                "Use a persistentVolumeClaim, or emptyDir for scratch space.",
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use crate::rules::testing::{paths_of, pod};

    #[test]
    fn a_folder_of_the_node_is_named() {
        let volumes = pod("volumes: [{name: a, emptyDir: {}}, {name: b, hostPath: {path: /etc}}]", "");
        assert_eq!(paths_of("pss/host-path", &volumes), ["spec.volumes[1].hostPath"]);
    }
}
