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
    vec![Problem::warn("spec.replicas", message, fix).mended_by([Edit::set("spec.replicas", minimum)])]
}

#[cfg(test)]
mod tests {
    use crate::rules::testing::{mended, paths_of};

    fn deployment(metadata: &str, spec: &str) -> String {
        format!(
            "{{apiVersion: apps/v1, kind: Deployment, metadata: {{name: web{metadata}}}, spec: {{template: {{}}{spec}}}}}"
        )
    }

    #[test]
    fn one_replica_is_too_few_unless_the_annotation_says_that_it_cannot_be_more() {
        assert_eq!(paths_of("replicas/too-few", &deployment("", "")), ["spec.replicas"]);
        assert!(paths_of("replicas/too-few", &deployment("", ", replicas: 2")).is_empty());
        let exempt = ", annotations: {elastisys.io/ignore-minimum-replicas: 'true'}";
        assert!(paths_of("replicas/too-few", &deployment(exempt, "")).is_empty());
        assert_eq!(mended("replicas/too-few", &deployment("", ", replicas: 1"))["spec"]["replicas"], 2);
    }
}
