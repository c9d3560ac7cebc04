//! Filters that lie on the node.

use super::{Check, Problem, Rule, RuleSet, Scope};
use crate::patch::Edit;
use crate::workload::Workload;
use serde_json::json;

pub(super) const RULE: Rule = Rule {
    id: "seccomp/localhost",
    meaning: "A filter that is a file of the node exists only where somebody has put it.",
    source: "Platform safeguard against localhost seccomp profiles",
    faq: Some("pod-security"),
    set: RuleSet::Platform,
    check: Check::Workload(check),
};

fn check(workload: &Workload<'_>, _: &Scope<'_>) -> Vec<Problem> {
    workload
        .security_contexts()
        .filter(|(_, context)| context["seccompProfile"]["type"] == "Localhost")
        .map(|(path, _)| {
            Problem::deny(
                format!("{path}.seccompProfile.type"),
                "The filter on system calls is a file of the node, which the platform does not hand out.",
                "Use RuntimeDefault.",
            )
            .fixed_by([Edit::set(&format!("{path}.seccompProfile"), json!({ "type": "RuntimeDefault" }))])
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use crate::rules::testing::{fixed, paths_of, pod};

    #[test]
    fn a_file_of_the_node_is_refused_and_the_patch_takes_its_name_along() {
        let localhost = pod("securityContext: {seccompProfile: {type: Localhost, localhostProfile: a.json}}", "");
        assert_eq!(paths_of("seccomp/localhost", &localhost), ["spec.securityContext.seccompProfile.type"]);
        let profile = &fixed("seccomp/localhost", &localhost)["spec"]["securityContext"]["seccompProfile"];
        assert_eq!(profile.to_string(), r#"{"type":"RuntimeDefault"}"#);
    }
}
