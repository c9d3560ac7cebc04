//! Selectors that the API server refuses.

use super::{Check, Problem, Rule, RuleSet, Scope};
use crate::field_path::FieldPath;
use crate::manifest::Manifest;
use crate::names::{is_label_key, is_label_value};
use crate::network_policy::NetworkPolicy;
use serde_json::Value;

pub(super) const RULE: Rule = Rule {
    id: "selector/invalid",
    meaning: "The API server refuses a selector with an unknown operator, or with labels that cannot exist.",
    source: "Kubernetes API reference, LabelSelector meta/v1; apimachinery, pkg/apis/meta/v1/validation",
    faq: None,
    set: RuleSet::Platform,
    check: Check::Object(check),
};

fn check(manifest: &Manifest, _: &Scope<'_>) -> Vec<Problem> {
    selectors(manifest)
        .into_iter()
        .flat_map(|(path, selector)| {
            of_labels(&path, selector).chain(of_expressions(&path, selector)).collect::<Vec<_>>()
        })
        .collect()
}

/// Every label selector of an object, with its path.
fn selectors(manifest: &Manifest) -> Vec<(String, &Value)> {
    let spec = &manifest.value()["spec"];
    if NetworkPolicy::is(manifest) {
        return policy_selectors(spec);
    }
    match (manifest.group_version().0, manifest.object().kind.as_str()) {
        ("apps", _) | ("batch", "Job") | ("policy", "PodDisruptionBudget") => {
            vec![("spec.selector".to_owned(), &spec["selector"])]
        }
        _ => Vec::new(),
    }
}

fn policy_selectors(spec: &Value) -> Vec<(String, &Value)> {
    let mut found = vec![("spec.podSelector".to_owned(), &spec["podSelector"])];
    for (field, end) in [("ingress", "from"), ("egress", "to")] {
        for (rule, value) in spec[field].as_array().into_iter().flatten().enumerate() {
            for (index, peer) in value[end].as_array().into_iter().flatten().enumerate() {
                for selector in ["podSelector", "namespaceSelector"] {
                    found.push((format!("spec.{field}[{rule}].{end}[{index}].{selector}"), &peer[selector]));
                }
            }
        }
    }
    found
}

fn of_labels<'a>(path: &'a str, selector: &'a Value) -> impl Iterator<Item = Problem> + 'a {
    let labels = selector["matchLabels"].as_object().into_iter().flatten();
    labels.filter(|(key, value)| !is_label_key(key) || !value.as_str().is_some_and(is_label_value)).map(
        move |(key, value)| {
            Problem::deny(
                FieldPath::parse(path).key("matchLabels").key(key).to_string(),
                format!("No object can have the label {key}={value}."),
                LABELS,
            )
        },
    )
}

const LABELS: &str =
    "Labels have up to 63 letters, digits, '-', '_' and '.', and begin and end with a letter or digit.";

fn of_expressions<'a>(path: &'a str, selector: &'a Value) -> impl Iterator<Item = Problem> + 'a {
    let expressions = selector["matchExpressions"].as_array().into_iter().flatten().enumerate();
    expressions.filter_map(move |(index, expression)| {
        let path = format!("{path}.matchExpressions[{index}]");
        let values = expression["values"].as_array().map(Vec::as_slice).unwrap_or_default();
        let is_key = expression["key"].as_str().is_some_and(is_label_key);
        if !is_key || !values.iter().all(|value| value.as_str().is_some_and(is_label_value)) {
            return Some(Problem::deny(path, "No object can have such a label.", LABELS));
        }
        match (expression["operator"].as_str(), values.is_empty()) {
            (Some("In" | "NotIn"), false) | (Some("Exists" | "DoesNotExist"), true) => None,
            (Some("In" | "NotIn"), true) => {
                Some(Problem::deny(format!("{path}.values"), "In and NotIn need values.", "Name at least one value."))
            }
            (Some("Exists" | "DoesNotExist"), false) => Some(Problem::deny(
                format!("{path}.values"),
                "Exists and DoesNotExist take no values.",
                "Use In or NotIn, or leave the values out.",
            )),
            _ => {
                let message = format!("{} is no operator of a selector.", expression["operator"]);
                Some(Problem::deny(
                    format!("{path}.operator"),
                    message,
                    "Use In, NotIn, Exists or DoesNotExist, written like this.",
                ))
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use crate::rules::testing::{paths_of, policy};

    fn paths(selector: &str) -> Vec<String> {
        paths_of("selector/invalid", &policy("p", &format!("{{podSelector: {selector}}}")))
    }

    #[test]
    fn operators_and_values_go_together() {
        let expression = |text: &str| paths(&format!("{{matchExpressions: [{text}]}}"));
        assert!(expression("{key: a, operator: In, values: [b]}, {key: a, operator: Exists}").is_empty());
        assert_eq!(expression("{key: a, operator: In}"), ["spec.podSelector.matchExpressions[0].values"]);
        assert_eq!(
            expression("{key: a, operator: Exists, values: [b]}"),
            ["spec.podSelector.matchExpressions[0].values"]
        );
        assert_eq!(
            expression("{key: a, operator: Equals, values: [b]}"),
            ["spec.podSelector.matchExpressions[0].operator"]
        );
    }

    #[test]
    fn labels_that_cannot_exist_are_named_wherever_they_are_selected() {
        assert_eq!(paths("{matchLabels: {'a b': c}}"), ["spec.podSelector.matchLabels[\"a b\"]"]);
        let peer = policy("p", "{podSelector: {}, egress: [{to: [{namespaceSelector: {matchLabels: {a: 'b c'}}}]}]}");
        assert_eq!(paths_of("selector/invalid", &peer), ["spec.egress[0].to[0].namespaceSelector.matchLabels.a"]);
    }
}
