//! Too few replicas.

use super::{Check, Problem, Rule, RuleSet, Scope};
use crate::patch::Edit;
use crate::workload::Workload;

pub(super) const RULE: Rule = Rule {
    id: "replicas/too-few",
    meaning: "With too few replicas, rebooting one node stops the application.",
    source: "Platform safeguard for minimum replicas",
    faq: Some("replicas"),
    set: RuleSet::Platform,
    check: Check::Workload(check),
};

fn check(workload: &Workload<'_>, scope: &Scope<'_>) -> Vec<Problem> {
    let (settings, manifest) = (scope.settings, workload.manifest);
    let scaled = matches!(manifest.object().kind.as_str(), "Deployment" | "StatefulSet");
    let exempt = manifest.annotation(&settings.ignore_minimum_replicas_annotation).is_some();
    let (replicas, minimum) = (workload.replicas(), settings.minimum_replicas);
    if !scaled || exempt || replicas >= u64::from(minimum) {
        return Vec::new();
    }
    let message = format!("With {replicas} of {minimum} replicas, rebooting one node stops the application.");
    let fix = format!(
        "Set replicas to {minimum} or more, or annotate {}: \"true\" if it cannot run more than once.",
        settings.ignore_minimum_replicas_annotation
    );
    let edit = may_run_more_often(workload, scope).then(|| Edit::set("spec.replicas", minimum));
    vec![Problem::warn("spec.replicas", message, fix).fixed_by(edit)]
}

/// Whether more replicas can do no harm, as far as the objects tell: not where one holds data or a lock, is switched
/// off, or is scaled by something else.
fn may_run_more_often(workload: &Workload<'_>, scope: &Scope<'_>) -> bool {
    let spec = &workload.manifest.value()["spec"];
    workload.manifest.object().kind == "Deployment"
        && spec["replicas"].as_u64().is_some_and(|replicas| replicas > 0)
        && spec["strategy"]["type"] != "Recreate"
        && !scope.is_autoscaled(workload)
}

#[cfg(test)]
mod tests {
    use crate::rules::testing::{fixed, paths_of, reviewed};

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
        assert_eq!(fixed("replicas/too-few", &deployment("", ", replicas: 1"))["spec"]["replicas"], 2);
    }

    #[test]
    fn nothing_is_started_or_doubled_that_should_run_once() {
        let autoscaler = "{apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler, metadata: {name: a}, \
            spec: {scaleTargetRef: {kind: Deployment, name: web}}}";
        for yaml in [
            deployment("", ""),
            deployment("", ", replicas: 0"),
            deployment("", ", replicas: 1, strategy: {type: Recreate}"),
            deployment("", ", replicas: 1").replace("Deployment", "StatefulSet"),
            format!("{}\n---\n{autoscaler}", deployment("", ", replicas: 1")),
        ] {
            let findings = reviewed(&yaml).findings;
            let found = findings.iter().find(|finding| finding.rule == "replicas/too-few").unwrap();
            assert!(found.patch.is_empty(), "{yaml}");
        }
    }
}
