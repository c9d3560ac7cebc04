//! What the API server makes of an object: whether each field has its type, and which fields it does not know
//! (Kubernetes API reference, by the types of k8s-openapi).

use crate::field_path::{FieldPath, Step};
use k8s_openapi::api::{apps, batch, core, networking, policy};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_path_to_error::Segment;

/// A field of the wrong type: where, and what the type is.
pub(crate) type WrongType = (FieldPath, String);

/// Reads an object by the type of its kind, and gives the fields that the type does not have; none for kinds that are
/// not known here.
pub(crate) fn unknown_fields(value: &Value) -> Result<Vec<FieldPath>, WrongType> {
    match (value["apiVersion"].as_str().unwrap_or_default(), value["kind"].as_str().unwrap_or_default()) {
        ("v1", "Pod") => by_type::<core::v1::Pod>(value),
        ("v1", "ReplicationController") => by_type::<core::v1::ReplicationController>(value),
        ("v1", "Service") => by_type::<core::v1::Service>(value),
        ("v1", "Namespace") => by_type::<core::v1::Namespace>(value),
        ("apps/v1", "Deployment") => by_type::<apps::v1::Deployment>(value),
        ("apps/v1", "StatefulSet") => by_type::<apps::v1::StatefulSet>(value),
        ("apps/v1", "DaemonSet") => by_type::<apps::v1::DaemonSet>(value),
        ("apps/v1", "ReplicaSet") => by_type::<apps::v1::ReplicaSet>(value),
        ("batch/v1", "Job") => by_type::<batch::v1::Job>(value),
        ("batch/v1", "CronJob") => by_type::<batch::v1::CronJob>(value),
        ("networking.k8s.io/v1", "NetworkPolicy") => by_type::<networking::v1::NetworkPolicy>(value),
        ("policy/v1", "PodDisruptionBudget") => by_type::<policy::v1::PodDisruptionBudget>(value),
        _ => Ok(Vec::new()),
    }
}

fn by_type<T: DeserializeOwned + Serialize>(value: &Value) -> Result<Vec<FieldPath>, WrongType> {
    let value = with_quantities_as_text(value.clone());
    let typed: T =
        serde_path_to_error::deserialize(&value).map_err(|error| (path(error.path()), error.inner().to_string()))?;
    let mut unknown = Vec::new();
    if let Ok(known) = serde_json::to_value(&typed) {
        collect_unknown(&value, &known, &mut Vec::new(), &mut unknown);
    }
    Ok(unknown)
}

fn path(path: &serde_path_to_error::Path) -> FieldPath {
    let steps = path.iter().filter_map(|segment| match segment {
        Segment::Seq { index } => Some(Step::Index(*index)),
        Segment::Map { key } => Some(Step::Key(key.clone())),
        Segment::Enum { .. } | Segment::Unknown => None,
    });
    steps.collect::<Vec<_>>().into()
}

/// The API server takes quantities as numbers, too; the types take texts only.
fn with_quantities_as_text(value: Value) -> Value {
    let text = |value: Value| if value.is_number() { value.to_string().into() } else { value };
    match value {
        Value::Array(items) => items.into_iter().map(with_quantities_as_text).collect(),
        Value::Object(fields) => fields
            .into_iter()
            .map(|(key, value)| match (key.as_str(), value) {
                ("requests" | "limits" | "overhead", Value::Object(amounts)) => {
                    let amounts = amounts.into_iter().map(|(name, amount)| (name, text(amount)));
                    (key, Value::Object(amounts.collect()))
                }
                ("sizeLimit" | "divisor", value) => (key, text(value)),
                (_, value) => (key, with_quantities_as_text(value)),
            })
            .collect(),
        value => value,
    }
}

/// What is given and did not come back. Nulls and empty values may be left out by the types.
fn collect_unknown(given: &Value, known: &Value, way: &mut Vec<Step>, unknown: &mut Vec<FieldPath>) {
    match (given, known) {
        (Value::Object(given), Value::Object(known)) => {
            for (key, value) in given {
                way.push(Step::Key(key.clone()));
                match known.get(key) {
                    Some(known) => collect_unknown(value, known, way, unknown),
                    None if is_nothing(value) => {}
                    None => unknown.push(way.clone().into()),
                }
                way.pop();
            }
        }
        (Value::Array(given), Value::Array(known)) => {
            for (index, (given, known)) in given.iter().zip(known).enumerate() {
                way.push(Step::Index(index));
                collect_unknown(given, known, way, unknown);
                way.pop();
            }
        }
        _ => {}
    }
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn pod(spec: Value) -> Value {
        json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "a", "creationTimestamp": null }, "spec": spec
        })
    }

    fn unknown(spec: Value) -> Vec<String> {
        unknown_fields(&pod(spec)).unwrap().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_field_that_is_spelt_wrong_is_unknown() {
        let container = json!({
            "name": "c", "securityContext": { "runAsNonroot": true },
            "resources": { "requests": { "cpu": 1, "memory": "1Gi" } }
        });
        let spec = json!({
            "containers": [container], "hostnetwork": true, "volumes": [{ "name": "v", "emptyDir": { "sizeLimit": 5 } }]
        });
        assert_eq!(unknown(spec), ["spec.containers[0].securityContext.runAsNonroot", "spec.hostnetwork"]);
    }

    #[test]
    fn what_is_empty_or_null_is_not_unknown() {
        assert!(
            unknown(json!({ "containers": [], "volumes": null, "securityContext": {}, "nodeSelector": {} })).is_empty()
        );
    }

    #[test]
    fn a_wrong_type_is_named_with_its_field() {
        let wrong = |spec: Value| unknown_fields(&pod(spec)).unwrap_err();
        let (path, message) =
            wrong(json!({ "containers": [{ "name": "c", "securityContext": { "privileged": "true" } }] }));
        assert_eq!(path.to_string(), "spec.containers[0].securityContext.privileged");
        assert!(message.contains("boolean"), "{message}");
        assert_eq!(wrong(json!({ "containers": { "name": "c" } })).0.to_string(), "spec.containers");
    }

    #[test]
    fn other_kinds_pass() {
        assert_eq!(unknown_fields(&json!({ "apiVersion": "v1", "kind": "Secret", "x": 1 })), Ok(Vec::new()));
    }
}
