//! Exceptions that accept nothing.

use super::rules;
use super::{Check, Problem, Rule, RuleSet, Scope};
use crate::exception::{Exceptions, names};
use crate::manifest::Manifest;

pub(super) const RULE: Rule = Rule {
    id: "review/exception",
    meaning: "An annotation asks for an exception that cannot be given.",
    source: "Fairway itself",
    faq: None,
    set: RuleSet::Platform,
    check: Check::Object(check),
};

fn check(manifest: &Manifest, scope: &Scope<'_>) -> Vec<Problem> {
    Exceptions::of(manifest, scope.settings)
        .asked()
        .filter_map(|(name, reason)| {
            let path = format!("metadata.annotations[\"{}/{name}\"]", scope.settings.exception_annotation_prefix);
            let is_policy = name.starts_with("policy.");
            if !is_policy && !rules().iter().any(|rule| names(name, rule.id)) {
                let fix = "Write the rule's id with a dot for the slash, such as netpol.internet-egress.";
                return Some(Problem::warn(path, format!("There is no rule {name}, so this accepts nothing."), fix));
            }
            reason.is_empty().then(|| {
                let message = format!("The exception for {name} gives no reason, so it is not given.");
                Problem::warn(path, message, "Say in the annotation's value why it is fine here.")
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use crate::rules::testing::reviewed;
    use crate::{Finding, Severity};

    fn findings(rule: &str, annotation: &str) -> Vec<Finding> {
        let pod = format!(
            "{{apiVersion: v1, kind: Pod, metadata: {{name: web, \
             annotations: {{exception.fairway.dev/{annotation}}}}}, spec: {{containers: [{{name: c, \
             image: 'nginx:1'}}]}}}}"
        );
        reviewed(&pod).findings.into_iter().filter(|finding| finding.rule == rule).collect()
    }

    #[test]
    fn a_warning_with_a_reason_is_shown_as_accepted() {
        let found = findings("image/untrusted-registry", "image.untrusted-registry: 'Mirrored next week, ticket 7.'");
        assert_eq!(
            (found[0].severity, found[0].exception.as_deref()),
            (Severity::Info, Some("Mirrored next week, ticket 7."))
        );
    }

    #[test]
    fn what_the_platform_refuses_cannot_be_accepted_by_annotation() {
        let found = findings("resources/missing-requests", "resources.missing-requests: 'Because.'");
        assert_eq!((found[0].severity, found[0].exception.as_deref()), (Severity::Deny, None));
    }

    #[test]
    fn an_exception_without_reason_or_for_no_rule_is_named_and_accepts_nothing() {
        for annotation in ["image.untrusted-registry: ' '", "image.untrusted: 'Because.'"] {
            assert_eq!(findings("review/exception", annotation).len(), 1, "{annotation}");
            assert_eq!(findings("image/untrusted-registry", annotation)[0].severity, Severity::Warn);
        }
    }
}
