//! What manifests say beyond the answers: set again on whatever the answers make, so that nothing is dropped.

use crate::manifest::{Manifest, ObjectError};
use crate::patch::Operation;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Fields of one generated object that answers cannot say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Override {
    /// Of the object of this kind.
    pub kind: String,
    /// What is set, removed, or added to a list (`-`), in order. An item of a list is named by what identifies it, as
    /// in
    /// `/ports/containerPort=8080/name`, so that it is found again when the list has changed; the first container is 0.
    pub operations: Vec<Operation>,
}

/// Why an override cannot be applied.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OverrideError {
    /// The answers make no object of that kind any more.
    #[error("The answers write no {0} any more, and there are overridden fields for one.")]
    NoObject(String),
    /// A field leads through something that is neither a map nor a list.
    #[error("The field {0} has no place in what the answers write.")]
    NoPlace(String),
    /// What comes of it is no object.
    #[error("With the overridden fields the object cannot be read: {0}")]
    NoManifest(String),
}

/// Sets overridden fields of generated objects.
///
/// # Errors
/// [`OverrideError`] where something has no place: nothing is passed over.
pub fn apply_overrides(generated: Vec<Manifest>, overrides: &[Override]) -> Result<Vec<Manifest>, OverrideError> {
    let mut values: Vec<(String, Value)> =
        generated.into_iter().map(|manifest| (manifest.object().kind.clone(), manifest.value().clone())).collect();
    for Override { kind, operations } in overrides {
        let Some((_, value)) = values.iter_mut().find(|(found, _)| found == kind) else {
            return Err(OverrideError::NoObject(kind.clone()));
        };
        for operation in operations {
            place(value, operation).ok_or_else(|| OverrideError::NoPlace(operation.path().to_owned()))?;
        }
    }
    let read = |(_, value)| {
        Manifest::from_value(value).map_err(|error: ObjectError| OverrideError::NoManifest(error.to_string()))
    };
    values.into_iter().map(read).collect()
}

/// Does one operation, making what is missing on the way. Unlike JSON Patch, adding what is there replaces it and
/// removing what is not there is fine: the answers may have changed since.
fn place(object: &mut Value, operation: &Operation) -> Option<()> {
    let steps: Vec<String> =
        operation.path().split('/').skip(1).map(|step| step.replace("~1", "/").replace("~0", "~")).collect();
    let (last, way) = steps.split_last()?;
    let mut at = object;
    for (step, next) in way.iter().zip(steps.iter().skip(1)) {
        at = entered(at, step, next == "-" || next == "0")?;
    }
    match (operation, at) {
        (Operation::Remove { .. }, Value::Object(fields)) => drop(fields.remove(last)),
        (Operation::Remove { .. }, Value::Array(items)) => {
            if let Some(index) = position(items, last) {
                items.remove(index);
            }
        }
        (Operation::Add { value, .. } | Operation::Replace { value, .. }, Value::Object(fields)) => {
            fields.insert(last.clone(), value.clone());
        }
        (Operation::Add { value, .. } | Operation::Replace { value, .. }, Value::Array(items)) => {
            match position(items, last) {
                Some(index) => items[index] = value.clone(),
                None => items.push(value.clone()),
            }
        }
        _ => return None,
    }
    Some(())
}

/// Where an item of a list is: by its place, or by a field that names it.
fn position(items: &[Value], step: &str) -> Option<usize> {
    match step.split_once('=') {
        None => step.parse().ok().filter(|index| *index < items.len()),
        Some((field, text)) => items.iter().position(|item| match &item[field] {
            Value::String(found) => found == text,
            Value::Number(found) => found.to_string() == text,
            _ => false,
        }),
    }
}

/// The value behind a step, made where it is missing.
fn entered<'a>(at: &'a mut Value, step: &str, is_list: bool) -> Option<&'a mut Value> {
    let made = || if is_list { Value::Array(Vec::new()) } else { Value::Object(Map::new()) };
    let found = match at {
        Value::Object(fields) => fields.entry(step.to_owned()).or_insert_with(made),
        Value::Array(items) => {
            let index = position(items, step)?;
            &mut items[index]
        }
        _ => return None,
    };
    if found.is_null() {
        *found = made();
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn pod(spec: Value) -> Vec<Manifest> {
        let value = json!({ "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "a" }, "spec": spec });
        vec![Manifest::from_value(value).unwrap()]
    }

    fn overrides_of(operations: Value) -> Vec<Override> {
        vec![Override { kind: "Pod".into(), operations: serde_json::from_value(operations).unwrap() }]
    }

    #[test]
    fn fields_are_set_again_with_the_way_to_them() {
        let operations = json!([
            { "op": "add", "path": "/metadata/annotations/a.example~1b", "value": "1" },
            { "op": "add", "path": "/spec/containers/-", "value": { "name": "sidecar" } },
            { "op": "add", "path": "/spec/tolerations/-", "value": { "key": "x" } },
            { "op": "remove", "path": "/spec/nothing" },
        ]);
        let made = apply_overrides(pod(json!({ "containers": [{ "name": "a" }] })), &overrides_of(operations)).unwrap();
        assert_eq!(made[0].annotation("a.example/b"), Some("1"));
        assert_eq!(made[0].value()["spec"]["containers"][1]["name"], "sidecar");
        assert_eq!(made[0].value()["spec"]["tolerations"][0]["key"], "x");
    }

    #[test]
    fn an_item_of_a_list_is_found_again_by_what_names_it() {
        let spec =
            json!({ "containers": [{ "name": "a", "ports": [{ "containerPort": 9090 }, { "containerPort": 8080 }] }] });
        let path = "/spec/containers/0/ports/containerPort=8080/name";
        let operations = json!([{ "op": "add", "path": path, "value": "http" }]);
        let made = apply_overrides(pod(spec), &overrides_of(operations.clone())).unwrap();
        let ports = &made[0].value()["spec"]["containers"][0]["ports"];
        assert_eq!((&ports[0]["name"], &ports[1]["name"]), (&Value::Null, &json!("http")));
        let gone = json!({ "containers": [{ "name": "a", "ports": [{ "containerPort": 9090 }] }] });
        assert_eq!(
            apply_overrides(pod(gone), &overrides_of(operations)).unwrap_err(),
            OverrideError::NoPlace(path.into())
        );
    }

    #[test]
    fn what_has_no_place_is_said_and_not_dropped() {
        let operations = json!([{ "op": "add", "path": "/spec/containers/3/image", "value": "x" }]);
        let error = apply_overrides(pod(json!({ "containers": [] })), &overrides_of(operations)).unwrap_err();
        assert_eq!(error, OverrideError::NoPlace("/spec/containers/3/image".into()));
        let gone = vec![Override { kind: "Job".into(), operations: Vec::new() }];
        assert_eq!(apply_overrides(pod(json!({})), &gone).unwrap_err(), OverrideError::NoObject("Job".into()));
    }
}
