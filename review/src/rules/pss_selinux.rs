//! SELinux contexts of one's own.

use super::{Check, Problem, Rule, RuleSet, Scope};
use crate::patch::Edit;
use crate::workload::Workload;

pub(super) const RULE: Rule = Rule {
    id: "pss/selinux",
    meaning: "A type, user or role of one's own leaves the confinement that SELinux gives containers.",
    source: "Pod Security Standards, baseline, SELinux, all versions; container_engine_t since v1.31",
    faq: Some("pod-security"),
    set: RuleSet::Baseline,
    check: Check::Workload(check),
};

const TYPES: &[&str] = &["", "container_t", "container_init_t", "container_kvm_t"];

fn check(workload: &Workload<'_>, scope: &Scope<'_>) -> Vec<Problem> {
    let allowed = |kind: &str| {
        TYPES.contains(&kind) || (kind == "container_engine_t" && scope.pod_security_version.is_at_least(31))
    };
    let mut problems = Vec::new();
    for (path, context) in workload.security_contexts() {
        let options = &context["seLinuxOptions"];
        let mut found = |field: &str, message: String| {
            let path = format!("{path}.seLinuxOptions.{field}");
            problems.push(Problem::deny(path.as_str(), message, "Remove it.").fixed_by([Edit::remove(&path)]));
        };
        let kind = options["type"].as_str().unwrap_or_default();
        if !allowed(kind) {
            found("type", format!("SELinux type {kind} is not one of the container types."));
        }
        for field in ["user", "role"] {
            if options[field].as_str().is_some_and(|value| !value.is_empty()) {
                found(field, format!("A custom SELinux {field} is set."));
            }
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use crate::rules::testing::{paths_of, pod};

    #[test]
    fn types_of_containers_are_fine_and_users_and_roles_are_not() {
        let options = pod("", "securityContext: {seLinuxOptions: {type: container_t, user: system_u}}");
        assert_eq!(paths_of("pss/selinux", &options), ["spec.containers[0].securityContext.seLinuxOptions.user"]);
        let of_a_node = pod("securityContext: {seLinuxOptions: {type: spc_t}}", "");
        assert_eq!(paths_of("pss/selinux", &of_a_node), ["spec.securityContext.seLinuxOptions.type"]);
    }
}
