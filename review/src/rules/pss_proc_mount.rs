//! The masks over /proc.

use super::{Check, Problem, Rule, RuleSet, Scope};
use crate::patch::Edit;
use crate::workload::Workload;

pub(super) const RULE: Rule = Rule {
    id: "pss/proc-mount",
    meaning: "Without the masks over /proc, a container can read and change more of the kernel.",
    source: "Pod Security Standards, baseline, /proc Mount Type, all versions; allowed in a user namespace since v1.35",
    faq: Some("pod-security"),
    set: RuleSet::Baseline,
    check: Check::Workload(check),
};

fn check(workload: &Workload<'_>, scope: &Scope<'_>) -> Vec<Problem> {
    // In a user namespace of its own, what is unmasked is the pod's.
    let relaxed = workload.has_user_namespace() && scope.pod_security_version.is_at_least(35);
    if relaxed { Vec::new() } else { unmasked(workload) }
}

/// Containers that take the masks away.
pub(super) fn unmasked(workload: &Workload<'_>) -> Vec<Problem> {
    workload
        .containers()
        .map(|container| container.security_context())
        .filter(|(_, context)| context["procMount"].as_str().is_some_and(|kind| kind != "Default"))
        .map(|(path, _)| {
            let path = format!("{path}.procMount");
            Problem::deny(path.as_str(), "The masks over /proc are taken away.", "Remove procMount.")
                .fixed_by([Edit::set(&path, "Default")])
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use crate::rules::testing::{paths_of, pod};

    #[test]
    fn the_masks_may_go_in_a_user_namespace_only() {
        let unmasked = "securityContext: {procMount: Unmasked}";
        assert_eq!(paths_of("pss/proc-mount", &pod("", unmasked)), ["spec.containers[0].securityContext.procMount"]);
        assert!(paths_of("pss/proc-mount", &pod("hostUsers: false", unmasked)).is_empty());
    }
}
