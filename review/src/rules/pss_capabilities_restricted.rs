//! Capabilities that nobody needs.

use super::{Check, Problem, Rule, RuleSet, Scope};
use crate::patch::Edit;
use crate::workload::{Container, Workload};
use serde_json::json;

pub(super) const RULE: Rule = Rule {
    id: "pss/capabilities-restricted",
    meaning: "A container that keeps its capabilities has rights over the kernel that it does not need.",
    source: "Pod Security Standards, restricted, Capabilities, v1.22 and later",
    faq: Some("pod-security"),
    set: RuleSet::Restricted,
    check: Check::Workload(check),
};

const ADDABLE: &[&str] = &["NET_BIND_SERVICE"];

fn check(workload: &Workload<'_>, _: &Scope<'_>) -> Vec<Problem> {
    if workload.is_windows() {
        return Vec::new();
    }
    workload.containers().flat_map(|container| kept(&container).into_iter().chain(added(&container))).collect()
}

fn kept(container: &Container<'_>) -> Option<Problem> {
    let (path, context) = container.security_context();
    let drops_all = context["capabilities"]["drop"].as_array().is_some_and(|drop| drop.contains(&"ALL".into()));
    let path = format!("{path}.capabilities.drop");
    let message = format!("Container {} keeps rights over the kernel that it does not need.", container.name());
    let edit = Edit::set(&path, json!(["ALL"]));
    (!drops_all).then(|| Problem::deny(path, message, "Set capabilities.drop: [ALL].").fixed_by([edit]))
}

fn added(container: &Container<'_>) -> Option<Problem> {
    let added = container.added_capabilities_beyond(ADDABLE)?;
    let message = format!(
        "Container {} adds the capabilities {}; only NET_BIND_SERVICE is allowed.",
        container.name(),
        added.names
    );
    Some(Problem::deny(added.path, message, format!("Remove {}.", added.names)).fixed_by([added.edit]))
}

#[cfg(test)]
mod tests {
    use crate::rules::testing::{fixed, paths_of, pod};

    #[test]
    fn all_capabilities_are_to_be_dropped_and_only_low_ports_may_be_asked_for() {
        let path = "spec.containers[0].securityContext.capabilities";
        let all = |capabilities: &str| {
            paths_of(
                "pss/capabilities-restricted",
                &pod("", &format!("securityContext: {{capabilities: {capabilities}}}")),
            )
        };
        assert!(all("{drop: [ALL], add: [NET_BIND_SERVICE]}").is_empty());
        assert_eq!(all("{drop: [NET_RAW]}"), [format!("{path}.drop")]);
        assert_eq!(all("{drop: [ALL], add: [CHOWN]}"), [format!("{path}.add")]);
        assert!(paths_of("pss/capabilities-restricted", &pod("os: {name: windows}", "")).is_empty());
    }

    #[test]
    fn the_patch_drops_all() {
        let container = &fixed("pss/capabilities-restricted", &pod("", ""))["spec"]["containers"][0];
        assert_eq!(container["securityContext"]["capabilities"]["drop"], serde_json::json!(["ALL"]));
    }
}
