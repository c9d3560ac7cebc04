//! Kernel settings.

use super::{Check, Problem, Rule, RuleSet, Scope};
use crate::patch::Edit;
use crate::workload::Workload;
use serde_json::Value;

pub(super) const RULE: Rule = Rule {
    id: "pss/sysctls",
    meaning: "A kernel setting outside the safe ones changes the node for everybody.",
    source: "Pod Security Standards, baseline, Sysctls, all versions; more are safe since v1.27, v1.29 and v1.32",
    faq: Some("pod-security"),
    set: RuleSet::Baseline,
    check: Check::Workload(check),
};

/// Safe settings, and the minor version since which they are.
const SAFE: &[(&str, u8)] = &[
    ("kernel.shm_rmid_forced", 0),
    ("net.ipv4.ip_local_port_range", 0),
    ("net.ipv4.ip_unprivileged_port_start", 0),
    ("net.ipv4.tcp_syncookies", 0),
    ("net.ipv4.ping_group_range", 0),
    ("net.ipv4.ip_local_reserved_ports", 27),
    ("net.ipv4.tcp_keepalive_time", 29),
    ("net.ipv4.tcp_fin_timeout", 29),
    ("net.ipv4.tcp_keepalive_intvl", 29),
    ("net.ipv4.tcp_keepalive_probes", 29),
    ("net.ipv4.tcp_rmem", 32),
    ("net.ipv4.tcp_wmem", 32),
];

fn check(workload: &Workload<'_>, scope: &Scope<'_>) -> Vec<Problem> {
    let name = |sysctl: &Value| sysctl["name"].as_str().unwrap_or_default().to_owned();
    let is_safe = |sysctl: &Value| {
        SAFE.iter().any(|(safe, since)| *safe == name(sysctl) && scope.pod_security_version.is_at_least(*since))
    };
    let path = workload.path("securityContext.sysctls");
    let all = workload.spec()["securityContext"]["sysctls"].as_array().map(Vec::as_slice).unwrap_or_default();
    let safe: Vec<Value> = all.iter().filter(|sysctl| is_safe(sysctl)).cloned().collect();
    all.iter()
        .enumerate()
        .filter(|(_, sysctl)| !is_safe(sysctl))
        .enumerate()
        .map(|(place, (index, sysctl))| {
            let message = format!("The kernel setting {} affects the whole node.", name(sysctl));
            // One change takes all of them away.
            let edit = (place == 0).then(|| Edit::set(&path, safe.clone()));
            Problem::deny(format!("{path}[{index}]"), message, "Remove it.").fixed_by(edit)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use crate::rules::testing::{fixed, paths_of, pod};

    #[test]
    fn settings_of_the_node_are_denied_and_safe_ones_stay() {
        let sysctls = pod(
            "securityContext: {sysctls: [{name: net.ipv4.tcp_syncookies, value: '1'}, {name: kernel.msgmax, value: \
             '1'}]}",
            "",
        );
        assert_eq!(paths_of("pss/sysctls", &sysctls), ["spec.securityContext.sysctls[1]"]);
        let left = &fixed("pss/sysctls", &sysctls)["spec"]["securityContext"]["sysctls"];
        assert_eq!(left.as_array().map(Vec::len), Some(1));
    }
}
