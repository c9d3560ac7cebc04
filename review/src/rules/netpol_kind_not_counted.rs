//! Policies of kinds that are not modelled.

use super::{Check, Problem, Rule, RuleSet, Scope};
use crate::manifest::Manifest;
use crate::uncounted::Uncounted;

pub(super) const RULE: Rule = Rule {
    id: "netpol/kind-not-counted",
    meaning: "A policy of a kind that is not modelled governs traffic as well, so what is said of connections is said \
        without it.",
    source: "Fairway itself, which models NetworkPolicy of networking.k8s.io",
    faq: Some("network-policies"),
    set: RuleSet::Platform,
    check: Check::Object(check),
};

fn check(manifest: &Manifest, _: &Scope<'_>) -> Vec<Problem> {
    if Uncounted::of(manifest).is_none() {
        return Vec::new();
    }
    let message = format!(
        "{} of {} governs traffic as well, and is not counted: what is said of connections here is said without it.",
        manifest.object().kind,
        manifest.api_version()
    );
    vec![Problem::warn("kind", message, "Read it beside what is said here.")]
}

#[cfg(test)]
mod tests {
    use crate::rules::testing::rules_broken;

    #[test]
    fn a_policy_that_is_not_counted_is_named() {
        let is_named = |version: &str, kind: &str| {
            let object = format!("{{apiVersion: {version}, kind: {kind}, metadata: {{name: a}}}}");
            rules_broken(&object).contains(&"netpol/kind-not-counted".to_owned())
        };
        assert!(is_named("cilium.io/v2", "CiliumNetworkPolicy"));
        assert!(!is_named("v1", "ConfigMap"));
    }
}
