//! Processes of a Windows node.

use super::{Check, Problem, Rule, RuleSet, Scope};
use crate::patch::Edit;
use crate::workload::Workload;

pub(super) const RULE: Rule = Rule {
    id: "pss/windows-host-process",
    meaning: "A host process of a Windows node controls that node.",
    source: "Pod Security Standards, baseline, HostProcess, v1.22 and later",
    faq: Some("pod-security"),
    set: RuleSet::Baseline,
    check: Check::Workload(check),
};

fn check(workload: &Workload<'_>, _: &Scope<'_>) -> Vec<Problem> {
    workload
        .security_contexts()
        .filter(|(_, context)| context["windowsOptions"]["hostProcess"] == true)
        .map(|(path, _)| {
            let path = format!("{path}.windowsOptions.hostProcess");
            Problem::deny(path.as_str(), "The container runs as a process of the Windows node.", "Remove hostProcess.")
                .fixed_by([Edit::set(&path, false)])
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use crate::rules::testing::{paths_of, pod};

    #[test]
    fn a_process_of_the_node_is_named() {
        let process = pod("securityContext: {windowsOptions: {hostProcess: true}}", "");
        assert_eq!(paths_of("pss/windows-host-process", &process), ["spec.securityContext.windowsOptions.hostProcess"]);
    }
}
