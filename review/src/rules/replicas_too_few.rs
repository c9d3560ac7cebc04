//! Too few replicas.

use super::{Autoscaler, Check, Problem, Rule, RuleSet, Scope};
use crate::workload::Workload;

pub(super) const RULE: Rule = Rule {
    id: "replicas/too-few",
    meaning: "With too few replicas, rebooting one node stops the application.",
    source: "Platform safeguard for minimum replicas",
    faq: Some("replicas"),
    set: RuleSet::Platform,
    check: Check::Workload(check),
};

/// More replicas are nobody's to start but the author's: what runs once may hold data or a lock. So nothing is fixed here.
fn check(workload: &Workload<'_>, scope: &Scope<'_>) -> Vec<Problem> {
    let (settings, manifest) = (scope.settings, workload.manifest);
    let scaled = matches!(manifest.object().kind.as_str(), "Deployment" | "StatefulSet");
    let exempt = manifest.annotation(&settings.ignore_minimum_replicas_annotation).is_some();
    let (replicas, minimum) = (workload.replicas(), u64::from(settings.minimum_replicas));
    if !scaled || exempt || replicas >= minimum {
        return Vec::new();
    }
    let annotate =
        format!("annotate {}: \"true\" if it cannot run more than once.", settings.ignore_minimum_replicas_annotation);
    let autoscaler = scope.autoscaler_of(workload);
    if let Some(Autoscaler { name, at_least }) = autoscaler.as_ref().filter(|autoscaler| autoscaler.at_least >= minimum)
    {
        let message = format!(
            "The autoscaler {name} keeps at least {at_least} pods. The platform's own check looks at spec.replicas \
             alone, which is {replicas} here, and warns."
        );
        return vec![Problem::info("spec.replicas", message, format!("Nothing needs to change; or {annotate}"))];
    }
    let (runs, fix) = match autoscaler {
        Some(Autoscaler { name, at_least }) => (
            format!("The autoscaler {name} keeps only {}", pods(at_least)),
            format!("Set minReplicas of {name} to {minimum} or more, or {annotate}"),
        ),
        None => (format!("It runs as {}", pods(replicas)), format!("Set replicas to {minimum} or more, or {annotate}")),
    };
    let message = format!("{runs}, so rebooting one node stops the application.");
    vec![Problem::warn("spec.replicas", message, fix)]
}

fn pods(number: u64) -> String {
    if number == 1 { "1 pod".to_owned() } else { format!("{number} pods") }
}

#[cfg(test)]
mod tests {
    use crate::Severity;
    use crate::rules::testing::{paths_of, reviewed};

    fn deployment(metadata: &str, spec: &str) -> String {
        format!(
            "{{apiVersion: apps/v1, kind: Deployment, metadata: {{name: web{metadata}}}, \
             spec: {{template: {{}}{spec}}}}}"
        )
    }

    #[test]
    fn one_replica_is_too_few_unless_the_annotation_says_that_it_cannot_be_more() {
        assert_eq!(paths_of("replicas/too-few", &deployment("", "")), ["spec.replicas"]);
        assert!(paths_of("replicas/too-few", &deployment("", ", replicas: 2")).is_empty());
        let exempt = ", annotations: {elastisys.io/ignore-minimum-replicas: 'true'}";
        assert!(paths_of("replicas/too-few", &deployment(exempt, "")).is_empty());
    }

    #[test]
    fn nothing_is_ever_started_or_doubled() {
        for replicas in ["", ", replicas: 0", ", replicas: 1"] {
            let findings = reviewed(&deployment("", replicas)).findings;
            let found = findings.iter().find(|finding| finding.rule == "replicas/too-few").unwrap();
            assert!(found.patch.is_empty(), "{replicas}");
        }
    }

    #[test]
    fn an_autoscaler_says_how_many_pods_there_are_at_least() {
        let found = |minimum: &str| {
            let autoscaler = format!(
                "{{apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler, metadata: {{name: scaler}}, \
                 spec: {{{minimum}scaleTargetRef: {{apiVersion: apps/v1, kind: Deployment, name: web}}}}}}"
            );
            let findings = reviewed(&format!("{}\n---\n{autoscaler}", deployment("", ", replicas: 1"))).findings;
            findings.into_iter().find(|finding| finding.rule == "replicas/too-few").unwrap()
        };
        assert_eq!(found("minReplicas: 3, ").severity, Severity::Info);
        assert!(found("minReplicas: 3, ").message.contains("The platform's own check looks at spec.replicas alone"));
        // minReplicas defaults to 1 (autoscaling/v2).
        for minimum in ["", "minReplicas: 1, "] {
            assert_eq!(found(minimum).severity, Severity::Warn);
            assert!(found(minimum).message.contains("keeps only 1 pod, so"), "{}", found(minimum).message);
        }
    }
}
