//! What no rule looks at is said, so that silence always means that something was looked at.

use super::{Check, Problem, Rule, RuleSet, Scope};
use crate::api_versions::{Standing, standing};
use crate::manifest::Manifest;
use crate::network_policy::NetworkPolicy;
use crate::uncounted::Uncounted;
use crate::workload::Workload;

pub(super) const RULE: Rule = Rule {
    id: "review/kind-not-reviewed",
    meaning: "No rule knows this kind, so nothing is said about it.",
    source: "Fairway itself",
    faq: None,
    set: RuleSet::Platform,
    check: Check::Object(check),
};

fn check(manifest: &Manifest, _: &Scope<'_>) -> Vec<Problem> {
    let kind = manifest.object().kind.as_str();
    let known = matches!(
        (manifest.api_version(), kind),
        ("v1", "Namespace" | "Service") | ("policy/v1", "PodDisruptionBudget")
    );
    let (group, version) = manifest.group_version();
    let is_served = standing(group, version, kind).is_none_or(|standing| standing == Standing::Served);
    if known || !is_served || Workload::of(manifest).is_some() || NetworkPolicy::is(manifest) {
        return Vec::new();
    }
    if Uncounted::of(manifest).is_some() {
        let message = format!(
            "{kind} of {} governs traffic as well, and is not counted: what is said of connections here is said without it.",
            manifest.api_version()
        );
        return vec![Problem::warn("kind", message, "Read it beside what is said here.")];
    }
    vec![Problem::info(
        "kind",
        format!("No rule knows the kind {kind} of {}, so nothing is said about it.", manifest.api_version()),
        "Review it by hand.",
    )]
}

#[cfg(test)]
mod tests {
    use crate::rules::testing::rules_broken;

    fn is_named(object: &str) -> bool {
        rules_broken(object).contains(&"review/kind-not-reviewed".to_owned())
    }

    #[test]
    fn other_kinds_are_named() {
        assert!(is_named("{apiVersion: v1, kind: ConfigMap, metadata: {name: a}}"));
        // A policy is a program: it is never run because somebody sends it.
        let template = "{apiVersion: templates.gatekeeper.sh/v1, kind: ConstraintTemplate, metadata: {name: a}}";
        assert!(is_named(template));
        // That it cannot be applied is another rule's finding.
        assert!(!is_named("{apiVersion: extensions/v1beta1, kind: Deployment, metadata: {name: a}}"));
    }

    #[test]
    fn kinds_that_rules_look_at_are_not() {
        for object in [
            "apiVersion: v1, kind: Service",
            "apiVersion: apps/v1, kind: Deployment",
            "apiVersion: batch/v1, kind: CronJob",
        ] {
            assert!(!is_named(&format!("{{{object}, metadata: {{name: a}}}}")), "{object}");
        }
    }
}
