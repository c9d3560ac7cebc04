//! Containers that run as root.

use super::{Check, Problem, Rule, RuleSet, Scope};
use crate::patch::Edit;
use crate::workload::Workload;

pub(super) const RULE: Rule = Rule {
    id: "pss/run-as-user",
    meaning: "User 0 is root.",
    source: "Pod Security Standards, restricted, Running as Non-root user, v1.23 and later; allowed in a user \
        namespace since v1.35",
    faq: Some("container-has-runasnonroot"),
    set: RuleSet::Restricted,
    check: Check::Workload(check),
};

/// Above what distributions use for people and services (the platform's own recommendation).
const SOME_USER: u32 = 10_001;

fn check(workload: &Workload<'_>, scope: &Scope<'_>) -> Vec<Problem> {
    if workload.has_user_namespace() && scope.pod_security_version.is_at_least(35) {
        return Vec::new();
    }
    workload
        .security_contexts()
        .filter(|(_, context)| context["runAsUser"] == 0)
        .map(|(path, _)| {
            let path = format!("{path}.runAsUser");
            Problem::deny(path.as_str(), "User 0 is root.", "Use a number above 10000.")
                .fixed_by([Edit::set(&path, SOME_USER)])
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use crate::rules::testing::{paths_of, pod};

    #[test]
    fn user_0_is_named_for_the_pod_and_for_containers() {
        let root = "securityContext: {runAsUser: 0}";
        assert_eq!(
            paths_of("pss/run-as-user", &pod(root, root)),
            ["spec.containers[0].securityContext.runAsUser", "spec.securityContext.runAsUser"]
        );
        assert!(paths_of("pss/run-as-user", &pod("securityContext: {runAsUser: 1}", "")).is_empty());
    }
}
