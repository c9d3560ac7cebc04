//! Probes and hooks that name a host.

use super::{Check, Problem, Rule, RuleSet, Scope};
use crate::patch::Edit;
use crate::workload::Workload;

pub(super) const RULE: Rule = Rule {
    id: "pss/host-probes",
    meaning: "A probe or hook with a host makes the node itself call wherever the pod wants.",
    source: "Pod Security Standards, baseline, Host Probes / Lifecycle Hooks, v1.34 and later",
    faq: Some("pod-security"),
    set: RuleSet::Baseline,
    check: Check::Workload(check),
};

fn check(workload: &Workload<'_>, scope: &Scope<'_>) -> Vec<Problem> {
    if !scope.pod_security_version.is_at_least(34) {
        return Vec::new();
    }
    let mut problems = Vec::new();
    for container in workload.containers() {
        for place in ["livenessProbe", "readinessProbe", "startupProbe", "lifecycle.postStart", "lifecycle.preStop"] {
            let handler = place.split('.').fold(container.value, |value, segment| &value[segment]);
            for kind in ["httpGet", "tcpSocket"] {
                if handler[kind]["host"].as_str().is_some_and(|host| !host.is_empty()) {
                    let path = format!("{}.{place}.{kind}.host", container.path);
                    let message = format!(
                        "A probe or hook of container {} names a host, so the node itself would call it.",
                        container.name()
                    );
                    let problem = Problem::deny(path.as_str(), message, "Remove host: the probe then calls the pod.");
                    problems.push(problem.fixed_by([Edit::remove(&path)]));
                }
            }
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use crate::rules::testing::{paths_of, pod};

    #[test]
    fn probes_and_hooks_with_a_host_are_named() {
        let probes = pod(
            "",
            "livenessProbe: {httpGet: {port: 1, host: ''}}, lifecycle: {preStop: {tcpSocket: {port: 1, host: \
             10.0.0.1}}}",
        );
        assert_eq!(paths_of("pss/host-probes", &probes), ["spec.containers[0].lifecycle.preStop.tcpSocket.host"]);
    }
}
