//! Services without pods.

use super::{Check, Problem, Rule, RuleSet, Scope};
use crate::manifest::Manifest;
use crate::selector::Selector;
use crate::workload::namespace_or_default;

pub(super) const RULE: Rule = Rule {
    id: "service/selects-nothing",
    meaning: "A Service whose selector fits no pod leads nowhere.",
    source: "Kubernetes API reference, ServiceSpec v1 core, selector",
    faq: None,
    set: RuleSet::Platform,
    check: Check::Object(check),
};

fn check(manifest: &Manifest, scope: &Scope<'_>) -> Vec<Problem> {
    if manifest.api_version() != "v1" || manifest.object().kind != "Service" {
        return Vec::new();
    }
    let namespace = namespace_or_default(&manifest.object().namespace);
    let selector = Selector::of_labels(&manifest.value()["spec"]["selector"]);
    scope.selecting_nothing(namespace, &selector, "spec.selector", "Service leads nowhere").into_iter().collect()
}

#[cfg(test)]
mod tests {
    use crate::rules::testing::{paths_of, pod};

    #[test]
    fn a_selector_that_fits_no_known_pod_is_named_unless_nothing_is_known() {
        let service = |app: &str| {
            format!("{{apiVersion: v1, kind: Service, metadata: {{name: a}}, spec: {{selector: {{app: {app}}}}}}}")
        };
        let together = |app: &str| paths_of("service/selects-nothing", &format!("{}{}", pod("", ""), service(app)));
        assert_eq!(together("wbe"), ["spec.selector"]);
        assert!(together("web").is_empty());
        assert!(paths_of("service/selects-nothing", &service("wbe")).is_empty());
    }
}
