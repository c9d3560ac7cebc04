//! Workloads that no policy selects.

use super::{Check, Problem, Rule, RuleSet, Scope};
use crate::network_policy::NetworkPolicy;
use crate::selector::in_words;
use crate::workload::Workload;

pub(super) const RULE: Rule = Rule {
    id: "netpol/not-selected",
    meaning: "Pods that no NetworkPolicy selects may be reached by everything and may reach everything.",
    source: "Platform safeguard for NetworkPolicies; Kubernetes documentation, Network Policies, isolation",
    faq: Some("why-cant-i-kubectl-run"),
    set: RuleSet::Platform,
    check: Check::Workload(check),
};

fn check(workload: &Workload<'_>, scope: &Scope<'_>) -> Vec<Problem> {
    if workload.uses_host_network() || scope.world.policies_of(workload).next().is_some() {
        return Vec::new();
    }
    let policies = scope.world.policies_in(workload.namespace());
    vec![Problem::warn(
        "",
        format!("{} Everything may reach these pods, and they may reach everything.", reason(workload, policies)),
        "Submit a NetworkPolicy whose podSelector matches the pod's labels; the wizard writes one for you.",
    )]
}

/// Why none selects them: there is none, or this is what the nearest one asks for.
fn reason(workload: &Workload<'_>, policies: &[NetworkPolicy]) -> String {
    let labels = workload.pod_labels();
    let unmet = policies.iter().map(|policy| (policy, policy.pod_selector.unmet(&labels)));
    match unmet.min_by_key(|(_, unmet)| unmet.len()) {
        None => format!("No NetworkPolicy is known in the namespace {}.", workload.namespace()),
        Some((nearest, unmet)) => format!(
            "No NetworkPolicy selects these pods: the nearest, {}, asks for {}, and the pods have {}.",
            nearest.name,
            unmet.join(" and "),
            in_words(&workload.labels())
        ),
    }
}

#[cfg(test)]
mod tests {
    use crate::rules::testing::{pod, policy, reviewed};

    fn message(manifests: &str) -> Option<String> {
        let findings = reviewed(manifests).findings.into_iter();
        findings.filter(|finding| finding.rule == "netpol/not-selected").map(|finding| finding.message).next()
    }

    #[test]
    fn a_pod_and_its_policy_submitted_together_are_judged_together() {
        assert!(
            message(&pod("", ""))
                .is_some_and(|message| message.starts_with("No NetworkPolicy is known in the namespace default."))
        );
        assert_eq!(
            message(&format!("{}{}", pod("", ""), policy("p", "{podSelector: {matchLabels: {app: web}}}"))),
            None
        );
    }

    #[test]
    fn the_nearest_policy_and_what_keeps_it_from_selecting_are_named() {
        let far = policy("far", "{podSelector: {matchLabels: {app: api, tier: back}}}");
        let near = policy("near", "{podSelector: {matchLabels: {app: wbe}}}");
        let message = message(&format!("{}{far}{near}", pod("", ""))).unwrap();
        assert!(message.contains("the nearest, near, asks for app=wbe, and the pods have app=web"), "{message}");
    }
}
