//! Changes that fix an object, as JSON Patch (RFC 6902).

use crate::field_path::{FieldPath, Step};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// What a rule wants changed; the path need not exist yet.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Edit {
    Set(FieldPath, Value),
    Remove(FieldPath),
}

impl Edit {
    /// Gives the field this value, whatever of the way to it is missing.
    pub(crate) fn set(path: &str, value: impl Into<Value>) -> Self {
        Self::Set(FieldPath::parse(path), value.into())
    }

    /// Takes the field away, if it is there.
    pub(crate) fn remove(path: &str) -> Self {
        Self::Remove(FieldPath::parse(path))
    }
}

/// One step of a [`Patch`] (RFC 6902, section 4).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "lowercase")]
pub enum Operation {
    /// The field is not there, and what is around it is.
    Add {
        /// A JSON pointer (RFC 6901).
        path: String,
        value: Value,
    },
    Replace {
        path: String,
        /// What to put there instead.
        value: Value,
    },
    /// The field is there and goes.
    Remove { path: String },
}

impl Operation {
    /// The JSON pointer it works on.
    #[must_use]
    pub fn path(&self) -> &str {
        match self {
            Self::Add { path, .. } | Self::Replace { path, .. } | Self::Remove { path } => path,
        }
    }
}

/// The smallest change of one object that fixes one finding: operations of JSON Patch, to be done in their order.
/// Empty where nothing can be fixed without knowing more.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Patch(Vec<Operation>);

impl Patch {
    /// The operations that make these edits of `object`.
    pub(crate) fn new(object: &Value, edits: &[Edit]) -> Self {
        match edits {
            [] => Self::default(),
            [edit] => Self(operation(object, edit).into_iter().collect()),
            edits => {
                let mut object = object.clone();
                let mut operations = Vec::new();
                // Each later edit is made of what the earlier ones leave.
                for edit in edits {
                    if let Some(operation) = operation(&object, edit) {
                        apply(&mut object, &operation);
                        operations.push(operation);
                    }
                }
                Self(operations)
            }
        }
    }

    /// Whether there is nothing to change.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Its operations, in their order.
    #[must_use]
    pub fn operations(&self) -> &[Operation] {
        &self.0
    }

    /// Whether it touches what `other` touches, so that one must be made anew after the other is done.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        let within = |one: &str, other: &str| {
            one.strip_prefix(other).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        self.0
            .iter()
            .any(|one| other.0.iter().any(|other| within(one.path(), other.path()) || within(other.path(), one.path())))
    }

    /// Changes `object`. An operation whose place is not there changes nothing.
    pub fn apply(&self, object: &mut Value) {
        for operation in &self.0 {
            apply(object, operation);
        }
    }
}

fn operation(object: &Value, edit: &Edit) -> Option<Operation> {
    match edit {
        Edit::Remove(path) => path.of(object).map(|_| Operation::Remove { path: path.pointer() }),
        Edit::Set(path, value) => Some(setting(object, path, value)),
    }
}

/// Replaces what is there, or adds the first part that is missing with all that is below it.
fn setting(object: &Value, path: &FieldPath, value: &Value) -> Operation {
    let steps = path.steps();
    let there = (1..=steps.len())
        .take_while(|depth| FieldPath::from(steps[..*depth].to_vec()).of(object).is_some_and(|found| !found.is_null()))
        .count();
    if there == steps.len() {
        return Operation::Replace { path: path.pointer(), value: value.clone() };
    }
    let missing = FieldPath::from(steps[..=there].to_vec());
    let value = steps[there + 1..].iter().rev().fold(value.clone(), |inner, step| match step {
        Step::Key(key) => json!({ key: inner }),
        Step::Index(_) => json!([inner]),
    });
    // `securityContext:` with nothing behind it is there, and null.
    match missing.of(object) {
        Some(_) => Operation::Replace { path: missing.pointer(), value },
        None => Operation::Add { path: missing.pointer(), value },
    }
}

/// A token of a JSON pointer as the key that it means (RFC 6901, section 4).
pub(crate) fn unescaped(token: &str) -> String {
    token.replace("~1", "/").replace("~0", "~")
}

fn apply(object: &mut Value, operation: &Operation) {
    let (parent, token) = operation.path().rsplit_once('/').unwrap_or(("", ""));
    let Some(parent) = object.pointer_mut(parent) else { return };
    match (parent, operation) {
        (Value::Object(fields), operation) => {
            change_map(fields, &unescaped(token), operation);
        }
        (Value::Array(items), operation) => change_list(items, token, operation),
        _ => {}
    }
}

fn change_map(fields: &mut Map<String, Value>, key: &str, operation: &Operation) {
    match operation {
        Operation::Add { value, .. } | Operation::Replace { value, .. } => {
            fields.insert(key.to_owned(), value.clone());
        }
        Operation::Remove { .. } => {
            fields.shift_remove(key);
        }
    }
}

fn change_list(items: &mut Vec<Value>, token: &str, operation: &Operation) {
    let Ok(index) = token.parse::<usize>() else { return };
    match operation {
        Operation::Add { value, .. } if index <= items.len() => items.insert(index, value.clone()),
        Operation::Replace { value, .. } if index < items.len() => items[index] = value.clone(),
        Operation::Remove { .. } if index < items.len() => {
            items.remove(index);
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patched(object: &Value, edits: &[Edit]) -> (Value, Value) {
        let patch = Patch::new(object, edits);
        let mut after = object.clone();
        patch.apply(&mut after);
        (serde_json::to_value(&patch).unwrap_or_default(), after)
    }

    #[test]
    fn what_is_missing_on_the_way_is_added_with_what_is_set() {
        let pod = json!({"spec": {"containers": [{"name": "c"}]}});
        let (patch, after) =
            patched(&pod, &[Edit::set("spec.containers[0].securityContext.capabilities.drop", json!(["ALL"]))]);
        assert_eq!(
            patch,
            json!([{
                "op": "add", "path": "/spec/containers/0/securityContext", "value": {"capabilities": {"drop": ["ALL"]}}
            }])
        );
        assert_eq!(after["spec"]["containers"][0]["securityContext"]["capabilities"]["drop"], json!(["ALL"]));
    }

    #[test]
    fn what_is_there_is_replaced_and_what_is_null_counts_as_missing() {
        let pod = json!({"spec": {"securityContext": null, "hostPID": true}});
        assert_eq!(
            patched(&pod, &[Edit::set("spec.hostPID", false)]).0,
            json!([{"op": "replace", "path": "/spec/hostPID", "value": false}])
        );
        assert_eq!(
            patched(&pod, &[Edit::set("spec.securityContext.runAsNonRoot", true)]).0,
            json!([{"op": "replace", "path": "/spec/securityContext", "value": {"runAsNonRoot": true}}])
        );
    }

    #[test]
    fn later_edits_build_on_earlier_ones() {
        let (patch, after) = patched(
            &json!({"a": 1}),
            &[Edit::set("b.c", 1), Edit::set("b.d", 2), Edit::remove("a"), Edit::remove("x")],
        );
        assert_eq!(after, json!({"b": {"c": 1, "d": 2}}));
        assert_eq!(patch.as_array().map(Vec::len), Some(3));
    }

    #[test]
    fn patches_overlap_where_one_lies_in_the_other() {
        let pod = json!({"spec": {}});
        let patch = |path: &str| Patch::new(&pod, &[Edit::Set(FieldPath::parse(path), json!(1))]);
        assert!(patch("spec.a.b").overlaps(&patch("spec.a.c")));
        assert!(!patch("spec.a").overlaps(&patch("spec.ab")));
    }
}
