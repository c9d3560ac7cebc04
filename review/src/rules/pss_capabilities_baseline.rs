//! Capabilities beyond the usual ones.

use super::{Check, Problem, Rule, RuleSet, Scope};
use crate::workload::Workload;

pub(super) const RULE: Rule = Rule {
    id: "pss/capabilities-baseline",
    meaning: "A capability beyond the usual ones gives the container rights over the kernel.",
    source: "Pod Security Standards, baseline, Capabilities, all versions",
    faq: Some("pod-security"),
    set: RuleSet::Baseline,
    check: Check::Workload(check),
};

const ADDABLE: &[&str] = &[
    "AUDIT_WRITE",
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "MKNOD",
    "NET_BIND_SERVICE",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
];

fn check(workload: &Workload<'_>, _: &Scope<'_>) -> Vec<Problem> {
    workload
        .containers()
        .filter_map(|container| {
            let added = container.added_capabilities_beyond(ADDABLE)?;
            let message = format!("Container {} adds the capabilities {}.", container.name(), added.names);
            Some(Problem::deny(added.path, message, format!("Remove {}.", added.names)).fixed_by([added.edit]))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use crate::rules::testing::{fixed, paths_of, pod};

    #[test]
    fn a_capability_beyond_the_usual_ones_is_denied_and_the_patch_keeps_the_others() {
        let added = pod("", "securityContext: {capabilities: {add: [CHOWN, SYS_ADMIN, NET_RAW]}}");
        assert_eq!(paths_of("pss/capabilities-baseline", &added).len(), 1);
        let capabilities =
            &fixed("pss/capabilities-baseline", &added)["spec"]["containers"][0]["securityContext"]["capabilities"];
        assert_eq!(capabilities["add"], serde_json::json!(["CHOWN"]));
    }
}
