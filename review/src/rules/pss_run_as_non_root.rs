//! Containers that may run as root.

use super::{Check, Problem, Rule, RuleSet, Scope};
use crate::patch::Edit;
use crate::workload::Workload;
use serde_json::Value;

pub(super) const RULE: Rule = Rule {
    id: "pss/run-as-non-root",
    meaning: "A container that is not kept from running as root is root on the node once it breaks out.",
    source: "Pod Security Standards, restricted, Running as Non-root, all versions; not asked for in a user namespace \
        since v1.35",
    faq: Some("container-has-runasnonroot"),
    set: RuleSet::Restricted,
    check: Check::Workload(check),
};

fn check(workload: &Workload<'_>, scope: &Scope<'_>) -> Vec<Problem> {
    if workload.has_user_namespace() && scope.pod_security_version.is_at_least(35) {
        return Vec::new();
    }
    let pod_path = workload.path("securityContext.runAsNonRoot");
    let pod = &workload.spec()["securityContext"]["runAsNonRoot"];
    // `false` for the pod is refused whatever its containers say.
    let explicit = (*pod == false).then(|| {
        Problem::deny(pod_path.as_str(), "The pod says that it may run as root.", "Set runAsNonRoot: true.")
            .fixed_by([Edit::set(&pod_path, true)])
    });
    let of_containers = workload.containers().filter_map(|container| {
        let (path, context) = container.security_context();
        let path = format!("{path}.runAsNonRoot");
        let edit = match &context["runAsNonRoot"] {
            Value::Null if *pod == true => return None,
            Value::Null => Edit::set(&pod_path, true),
            own if *own == true => return None,
            _ => Edit::set(&path, true),
        };
        let message = format!("Container {} is not kept from running as root.", container.name());
        Some(Problem::deny(path, message, "Set runAsNonRoot: true, for the pod or for the container.").fixed_by([edit]))
    });
    explicit.into_iter().chain(of_containers).collect()
}

#[cfg(test)]
mod tests {
    use crate::rules::testing::{fixed, paths_of, pod};

    #[test]
    fn the_pod_or_every_container_must_say_so_and_nobody_the_opposite() {
        let say = |value: bool| format!("securityContext: {{runAsNonRoot: {value}}}");
        let (of_pod, of_container) =
            ("spec.securityContext.runAsNonRoot", "spec.containers[0].securityContext.runAsNonRoot");
        let paths = |spec: &str, container: &str| paths_of("pss/run-as-non-root", &pod(spec, container));
        assert_eq!(paths("", ""), [of_container]);
        assert!(paths(&say(true), "").is_empty());
        assert!(paths("", &say(true)).is_empty());
        assert_eq!(paths(&say(true), &say(false)), [of_container]);
        assert_eq!(paths(&say(false), &say(true)), [of_pod]);
        assert!(paths("hostUsers: false", "").is_empty());
    }

    #[test]
    fn the_patch_says_it_for_the_pod() {
        assert_eq!(fixed("pss/run-as-non-root", &pod("", ""))["spec"]["securityContext"]["runAsNonRoot"], true);
    }
}
