//! Users that are not known.

use super::{Check, Problem, Rule, RuleSet, Scope};
use crate::workload::Workload;
use serde_json::Value;

pub(super) const RULE: Rule = Rule {
    id: "user/not-set",
    meaning: "With runAsNonRoot, a container starts only if the kubelet can see a numeric user that is not root.",
    source: "Kubernetes kubelet, verifyRunAsNonRoot",
    faq: Some("container-has-runasnonroot"),
    set: RuleSet::Platform,
    check: Check::Workload(check),
};

fn check(workload: &Workload<'_>, _: &Scope<'_>) -> Vec<Problem> {
    let user = |value: &Value| value["securityContext"]["runAsUser"].as_u64();
    if workload.is_windows() || user(workload.spec()).is_some() {
        return Vec::new();
    }
    workload
        .containers()
        .filter(|container| user(container.value).is_none())
        .map(|container| {
            Problem::info(
                format!("{}.securityContext.runAsUser", container.path),
                format!(
                    "Container {} does not say which user it runs as. It starts only if its image names a numeric \
                    user that is not root.",
                    container.name()
                ),
                "Set runAsUser to a number above 10000, or make sure the image has a numeric USER.",
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use crate::rules::testing::{paths_of, pod};

    #[test]
    fn a_user_for_the_pod_or_for_the_container_is_enough() {
        let user = "securityContext: {runAsUser: 10001}";
        assert_eq!(paths_of("user/not-set", &pod("", "")), ["spec.containers[0].securityContext.runAsUser"]);
        assert!(paths_of("user/not-set", &pod(user, "")).is_empty());
        assert!(paths_of("user/not-set", &pod("", user)).is_empty());
    }
}
