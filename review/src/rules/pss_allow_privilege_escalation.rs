//! Processes that gain rights.

use super::{Check, Problem, Rule, RuleSet, Scope};
use crate::patch::Edit;
use crate::workload::Workload;

pub(super) const RULE: Rule = Rule {
    id: "pss/allow-privilege-escalation",
    meaning: "Processes in the container may gain more rights than they start with, for example by set-user-id files.",
    source: "Pod Security Standards, restricted, Privilege Escalation, v1.8 and later; Windows exempt since v1.25",
    faq: Some("pod-security"),
    set: RuleSet::Restricted,
    check: Check::Workload(check),
};

fn check(workload: &Workload<'_>, _: &Scope<'_>) -> Vec<Problem> {
    if workload.is_windows() {
        return Vec::new();
    }
    workload
        .containers()
        .filter(|container| container.security_context().1["allowPrivilegeEscalation"] != false)
        .map(|container| {
            let path = format!("{}.allowPrivilegeEscalation", container.security_context().0);
            let message =
                format!("Processes in container {} may gain more rights than they start with.", container.name());
            Problem::deny(path.as_str(), message, "Set allowPrivilegeEscalation: false.")
                .fixed_by([Edit::set(&path, false)])
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use crate::rules::testing::{fixed, paths_of, pod};

    #[test]
    fn it_must_be_said_that_rights_cannot_be_gained() {
        let path = "spec.containers[0].securityContext.allowPrivilegeEscalation";
        assert_eq!(paths_of("pss/allow-privilege-escalation", &pod("", "")), [path]);
        assert!(
            paths_of("pss/allow-privilege-escalation", &pod("", "securityContext: {allowPrivilegeEscalation: false}"))
                .is_empty()
        );
        let fixed = fixed("pss/allow-privilege-escalation", &pod("", ""));
        assert_eq!(fixed["spec"]["containers"][0]["securityContext"]["allowPrivilegeEscalation"], false);
    }
}
