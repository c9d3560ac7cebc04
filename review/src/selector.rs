//! Label selectors (Kubernetes API reference, `LabelSelector` v1 meta).

use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;

/// Labels of an object.
pub(crate) type Labels = BTreeMap<String, String>;

/// A label selector. Empty selects everything.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Selector {
    requirements: Vec<Requirement>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Requirement {
    In(String, Vec<String>),
    NotIn(String, Vec<String>),
    Exists(String),
    DoesNotExist(String),
}

impl Selector {
    /// Reads a `LabelSelector`; null or missing means empty. Unknown operators select nothing,
    /// as an object that holds one cannot exist in a cluster.
    #[must_use]
    pub fn from_value(value: Option<&Value>) -> Self {
        let Some(value) = value else { return Self::default() };
        let mut requirements = Vec::new();
        for (key, wanted) in value["matchLabels"].as_object().into_iter().flatten() {
            requirements.push(Requirement::In(key.clone(), vec![wanted.as_str().unwrap_or_default().to_owned()]));
        }
        for expression in value["matchExpressions"].as_array().into_iter().flatten() {
            let key = expression["key"].as_str().unwrap_or_default().to_owned();
            let values = expression["values"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .map(str::to_owned)
                .collect();
            requirements.push(match expression["operator"].as_str() {
                Some("NotIn") => Requirement::NotIn(key, values),
                Some("Exists") => Requirement::Exists(key),
                Some("DoesNotExist") => Requirement::DoesNotExist(key),
                Some("In") => Requirement::In(key, values),
                _ => Requirement::In(key, Vec::new()),
            });
        }
        Self { requirements }
    }

    /// Reads the plain map of labels that Services and ReplicationControllers select by.
    #[must_use]
    pub(crate) fn of_labels(value: &Value) -> Self {
        let requirements = labels(value).into_iter().map(|(key, value)| Requirement::In(key, vec![value])).collect();
        Self { requirements }
    }

    /// The labels that it asks for, each with one value; nothing where it asks for anything else.
    pub(crate) fn plain_labels(&self) -> Option<Labels> {
        let label = |requirement: &Requirement| match requirement {
            Requirement::In(key, values) if values.len() == 1 => Some((key.clone(), values[0].clone())),
            _ => None,
        };
        self.requirements.iter().map(label).collect()
    }

    /// What keeps labels from being selected, in words.
    pub(crate) fn unmet(&self, labels: &impl Labelled) -> Vec<String> {
        self.requirements.iter().filter(|requirement| !requirement.holds(labels)).map(ToString::to_string).collect()
    }

    /// Whether it selects everything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.requirements.is_empty()
    }

    /// Each label with a value that it asks for.
    pub(crate) fn wanted(&self) -> impl Iterator<Item = (&str, &str)> {
        self.requirements.iter().flat_map(|requirement| match requirement {
            Requirement::In(key, values) => values.iter().map(|value| (key.as_str(), value.as_str())).collect(),
            _ => Vec::new(),
        })
    }

    /// Whether it asks for another label than this one.
    pub(crate) fn asks_beyond(&self, label: &str) -> bool {
        self.requirements.iter().any(|requirement| match requirement {
            Requirement::In(key, _)
            | Requirement::NotIn(key, _)
            | Requirement::Exists(key)
            | Requirement::DoesNotExist(key) => key != label,
        })
    }

    /// The value that this one label must have, where nothing else is asked for.
    #[must_use]
    pub(crate) fn sole_value_of(&self, label: &str) -> Option<&str> {
        match self.requirements.as_slice() {
            [Requirement::In(key, values)] if key == label && values.len() == 1 => values.first().map(String::as_str),
            _ => None,
        }
    }

    /// Whether an object with these labels is selected; for several pods, whether some of them are.
    #[must_use]
    pub(crate) fn matches(&self, labels: &impl Labelled) -> bool {
        self.requirements.iter().all(|requirement| requirement.holds(labels))
    }
}

impl Requirement {
    fn holds(&self, labels: &impl Labelled) -> bool {
        match self {
            Self::In(key, values) => labels.may_be_in(key, values),
            // An absent key satisfies NotIn (apimachinery, labels.Requirement.Matches).
            Self::NotIn(key, values) => !labels.has(key) || labels.may_be_outside(key, values),
            Self::Exists(key) => labels.has(key),
            Self::DoesNotExist(key) => !labels.has(key),
        }
    }
}

/// What has labels: an object, or the pods of a workload, which need not all have the same.
pub(crate) trait Labelled {
    fn has(&self, key: &str) -> bool;
    /// Whether some have one of these values.
    fn may_be_in(&self, key: &str, values: &[String]) -> bool;
    /// Whether some have a value that is none of these.
    fn may_be_outside(&self, key: &str, values: &[String]) -> bool;
}

impl Labelled for Labels {
    fn has(&self, key: &str) -> bool {
        self.contains_key(key)
    }

    fn may_be_in(&self, key: &str, values: &[String]) -> bool {
        self.get(key).is_some_and(|own| values.contains(own))
    }

    fn may_be_outside(&self, key: &str, values: &[String]) -> bool {
        self.get(key).is_some_and(|own| !values.contains(own))
    }
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::In(key, values) if values.len() == 1 => write!(f, "{key}={}", values[0]),
            Self::In(key, values) => write!(f, "{key} in ({})", values.join(", ")),
            Self::NotIn(key, values) => write!(f, "{key} not in ({})", values.join(", ")),
            Self::Exists(key) => write!(f, "{key} set"),
            Self::DoesNotExist(key) => write!(f, "{key} not set"),
        }
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.requirements.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))
    }
}

/// Labels in words, `a=b, c=d`.
pub(crate) fn in_words(labels: &Labels) -> String {
    if labels.is_empty() {
        return "no labels".to_owned();
    }
    labels.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(", ")
}

/// Reads a map of labels.
#[must_use]
pub(crate) fn labels(value: &Value) -> Labels {
    value
        .as_object()
        .into_iter()
        .flatten()
        .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn matches(selector: Value, labels_value: Value) -> bool {
        Selector::from_value(Some(&selector)).matches(&labels(&labels_value))
    }

    #[test]
    fn missing_null_and_empty_selectors_select_everything() {
        let none = labels(&json!({}));
        assert!(Selector::from_value(None).matches(&none));
        assert!(Selector::from_value(Some(&Value::Null)).matches(&none));
        assert!(Selector::from_value(Some(&json!({}))).matches(&none));
    }

    #[test]
    fn every_requirement_must_hold() {
        let selector = json!({"matchLabels": {"a": "1"}, "matchExpressions": [{"key": "b", "operator": "Exists"}]});
        assert!(matches(selector.clone(), json!({"a": "1", "b": ""})));
        assert!(!matches(selector, json!({"a": "1"})));
    }

    #[test]
    fn an_absent_key_satisfies_not_in() {
        let selector = json!({"matchExpressions": [{"key": "a", "operator": "NotIn", "values": ["1"]}]});
        assert!(matches(selector.clone(), json!({})));
        assert!(!matches(selector, json!({"a": "1"})));
    }
}
