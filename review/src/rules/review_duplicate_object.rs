//! Objects that stand twice in what is given.

use super::{Check, Problem, Rule, RuleSet, Scope};
use crate::manifest::Manifest;

pub(super) const RULE: Rule = Rule {
    id: "review/duplicate-object",
    meaning: "Of two objects of one kind, namespace and name, the later replaces the earlier.",
    source: "kubectl apply, which sends objects in their order",
    faq: None,
    set: RuleSet::Platform,
    check: Check::Object(check),
};

/// The later one is judged as what will be there; the earlier one has no effect on connections.
fn check(manifest: &Manifest, scope: &Scope<'_>) -> Vec<Problem> {
    let Some(later) = scope.replaced_by(manifest) else { return Vec::new() };
    let place = match (later.file(), later.line_of("")) {
        (Some(file), Some(line)) if manifest.file() == Some(file) => format!("line {line}"),
        (Some(file), Some(line)) => format!("{file}, line {line}"),
        _ => "a later place".to_owned(),
    };
    let message = format!(
        "{} stands again at {place}. kubectl apply sends both in their order, so the later one replaces this one.",
        manifest.object()
    );
    vec![Problem::warn("metadata.name", message, "Remove one of them, or give one another name.")]
}

#[cfg(test)]
mod tests {
    use crate::rules::testing::{pod, policy, reviewed};
    use crate::{World, connections, decode};

    #[test]
    fn the_pair_is_named_and_connections_count_the_last_only() {
        let closed = policy("p", "{podSelector: {}, policyTypes: [Ingress]}");
        let open = policy("p", "{podSelector: {}, ingress: [{}]}");
        let yaml = format!("{}{closed}{open}", pod("", ""));
        let findings = reviewed(&yaml).findings;
        let found: Vec<_> = findings.iter().filter(|finding| finding.rule == "review/duplicate-object").collect();
        assert_eq!(found.len(), 1);
        assert!(found[0].message.contains("so the later one replaces this one"), "{}", found[0].message);
        let world = |yaml: &str| connections(&World::new(decode("test", yaml).unwrap()));
        assert_eq!(world(&yaml), world(&format!("{}{open}", pod("", ""))));
    }

    #[test]
    fn the_same_name_in_another_namespace_or_of_another_kind_is_another_object() {
        let named = |kind: &str, namespace: &str| {
            format!("{{apiVersion: v1, kind: {kind}, metadata: {{name: a, namespace: {namespace}}}}}\n---\n")
        };
        let yaml = format!("{}{}{}", named("ConfigMap", "one"), named("ConfigMap", "two"), named("Service", "one"));
        assert!(!reviewed(&yaml).findings.iter().any(|finding| finding.rule == "review/duplicate-object"));
    }
}
