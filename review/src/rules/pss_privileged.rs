//! Privileged containers.

use super::{Check, Problem, Rule, RuleSet, Scope};
use crate::patch::Edit;
use crate::workload::Workload;

pub(super) const RULE: Rule = Rule {
    id: "pss/privileged",
    meaning: "A privileged container controls the whole node.",
    source: "Pod Security Standards, baseline, Privileged Containers, all versions",
    faq: Some("pod-security"),
    set: RuleSet::Baseline,
    check: Check::Workload(check),
};

fn check(workload: &Workload<'_>, _: &Scope<'_>) -> Vec<Problem> {
    let privileged = |context: &serde_json::Value| context["privileged"] == true;
    workload
        .containers()
        .filter(|container| privileged(container.security_context().1))
        .map(|container| {
            let path = format!("{}.privileged", container.security_context().0);
            let message = format!("Container {} is privileged: it controls the whole node.", container.name());
            Problem::deny(path.as_str(), message, "Remove privileged.").fixed_by([Edit::set(&path, false)])
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use crate::rules::testing::{fixed, paths_of, pod};

    #[test]
    fn a_privileged_container_is_denied_and_the_patch_takes_the_privilege_away() {
        let privileged = pod("", "securityContext: {privileged: true}");
        assert_eq!(paths_of("pss/privileged", &privileged), ["spec.containers[0].securityContext.privileged"]);
        assert_eq!(
            fixed("pss/privileged", &privileged)["spec"]["containers"][0]["securityContext"]["privileged"],
            false
        );
        assert!(paths_of("pss/privileged", &pod("", "securityContext: {privileged: false}")).is_empty());
    }
}
