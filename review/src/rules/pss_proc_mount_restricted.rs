//! The masks over /proc, also in a user namespace.

use super::pss_proc_mount::unmasked;
use super::{Check, Problem, Rule, RuleSet, Scope};
use crate::workload::Workload;

pub(super) const RULE: Rule = Rule {
    id: "pss/proc-mount-restricted",
    meaning: "Without the masks over /proc, a container can read and change more of the kernel, even in a user \
        namespace of its own.",
    source: "Pod Security Standards, restricted, /proc Mount Type, v1.35 and later",
    faq: Some("pod-security"),
    set: RuleSet::Restricted,
    check: Check::Workload(check),
};

/// Where baseline allows it; where baseline does not, it has spoken already.
fn check(workload: &Workload<'_>, scope: &Scope<'_>) -> Vec<Problem> {
    let relaxed = workload.has_user_namespace() && scope.pod_security_version.is_at_least(35);
    if relaxed { unmasked(workload) } else { Vec::new() }
}

#[cfg(test)]
mod tests {
    use crate::rules::testing::{paths_of, pod};

    #[test]
    fn it_speaks_where_baseline_does_not() {
        let unmasked = "securityContext: {procMount: Unmasked}";
        assert_eq!(paths_of("pss/proc-mount-restricted", &pod("hostUsers: false", unmasked)).len(), 1);
        assert!(paths_of("pss/proc-mount-restricted", &pod("", unmasked)).is_empty());
    }
}
