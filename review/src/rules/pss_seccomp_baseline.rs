//! The filter on system calls switched off.

use super::{Check, Problem, Rule, RuleSet, Scope};
use crate::patch::Edit;
use crate::workload::Workload;
use serde_json::json;

pub(super) const RULE: Rule = Rule {
    id: "pss/seccomp-baseline",
    meaning: "Without a filter on system calls, a container may use every one that the kernel has.",
    source: "Pod Security Standards, baseline, Seccomp, v1.19 and later",
    faq: Some("pod-security"),
    set: RuleSet::Baseline,
    check: Check::Workload(check),
};

fn check(workload: &Workload<'_>, _: &Scope<'_>) -> Vec<Problem> {
    workload
        .security_contexts()
        .filter(|(_, context)| {
            context["seccompProfile"]["type"]
                .as_str()
                .is_some_and(|kind| !["RuntimeDefault", "Localhost"].contains(&kind))
        })
        .map(|(path, _)| {
            let path = format!("{path}.seccompProfile.type");
            Problem::deny(path.as_str(), "The filter on system calls is switched off.", "Use RuntimeDefault.")
                .fixed_by([Edit::set(path.trim_end_matches(".type"), json!({ "type": "RuntimeDefault" }))])
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use crate::rules::testing::{paths_of, pod};

    #[test]
    fn a_filter_that_is_switched_off_is_named() {
        let off = pod("", "securityContext: {seccompProfile: {type: Unconfined}}");
        assert_eq!(paths_of("pss/seccomp-baseline", &off), ["spec.containers[0].securityContext.seccompProfile.type"]);
        assert!(paths_of("pss/seccomp-baseline", &pod("", "")).is_empty());
    }
}
