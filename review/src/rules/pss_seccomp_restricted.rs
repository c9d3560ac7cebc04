//! No filter on system calls.

use super::{Check, Problem, Rule, RuleSet, Scope};
use crate::patch::Edit;
use crate::workload::Workload;
use serde_json::{Value, json};

pub(super) const RULE: Rule = Rule {
    id: "pss/seccomp-restricted",
    meaning: "Unless a filter on system calls is asked for, some nodes run the container without one.",
    source: "Pod Security Standards, restricted, Seccomp, v1.19 and later; Windows exempt since v1.25",
    faq: Some("pod-security"),
    set: RuleSet::Restricted,
    check: Check::Workload(check),
};

fn check(workload: &Workload<'_>, _: &Scope<'_>) -> Vec<Problem> {
    if workload.is_windows() {
        return Vec::new();
    }
    let of = |context: &Value| context["seccompProfile"]["type"].as_str().unwrap_or_default().to_owned();
    let wrong = |kind: &str| !matches!(kind, "" | "RuntimeDefault" | "Localhost");
    let explicit = workload.security_contexts().filter(|(_, context)| wrong(&of(context))).map(|(path, context)| {
        let path = format!("{path}.seccompProfile.type");
        let message = format!("{} is no filter on system calls.", of(context));
        Problem::deny(path.as_str(), message, "Use RuntimeDefault.")
            .fixed_by([Edit::set(path.trim_end_matches(".type"), json!({ "type": "RuntimeDefault" }))])
    });
    let pod_says = !of(&workload.spec()["securityContext"]).is_empty();
    let pod_path = workload.path("securityContext.seccompProfile.type");
    let missing = workload
        .containers()
        .filter(|container| !pod_says && of(container.security_context().1).is_empty())
        .map(|container| {
            Problem::deny(
                format!("{}.seccompProfile.type", container.security_context().0),
                format!("Container {} runs without a filter on system calls.", container.name()),
                "Set seccompProfile.type: RuntimeDefault, for the pod or for the container.",
            )
            .fixed_by([Edit::set(&pod_path, "RuntimeDefault")])
        });
    explicit.chain(missing).collect()
}

#[cfg(test)]
mod tests {
    use crate::rules::testing::{fixed, paths_of, pod};

    #[test]
    fn a_filter_for_the_pod_or_for_every_container_is_enough() {
        let path = "spec.containers[0].securityContext.seccompProfile.type";
        let default = "securityContext: {seccompProfile: {type: RuntimeDefault}}";
        assert_eq!(paths_of("pss/seccomp-restricted", &pod("", "")), [path]);
        assert!(paths_of("pss/seccomp-restricted", &pod(default, "")).is_empty());
        assert!(paths_of("pss/seccomp-restricted", &pod("", default)).is_empty());
        let off = "securityContext: {seccompProfile: {type: Unconfined}}";
        assert_eq!(paths_of("pss/seccomp-restricted", &pod(off, "")), ["spec.securityContext.seccompProfile.type"]);
        assert_eq!(paths_of("pss/seccomp-restricted", &pod(default, off)), [path]);
        assert_eq!(
            fixed("pss/seccomp-restricted", &pod("", ""))["spec"]["securityContext"]["seccompProfile"]["type"],
            "RuntimeDefault"
        );
    }
}
