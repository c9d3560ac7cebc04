//! What manifests have that those of their answers have not: as overrides, or as a reason why there are no answers.

use super::overrides::{Override, apply_overrides};
use super::parse_answers::ParseAnswersError;
use super::{Answers, generate};
use crate::manifest::Manifest;
use crate::patch::Operation;
use crate::settings::Settings;
use crate::workload::Workload;
use serde_json::Value;

/// Makes the objects again, and compares them with the given ones field by field.
pub(super) fn nothing_lost(
    generated: Vec<Manifest>,
    overrides: &[Override],
    taken: &[&Manifest],
    answers: &Answers,
) -> Result<(), ParseAnswersError> {
    let lossy = |path: String| ParseAnswersError::Lossy(path);
    let made = apply_overrides(generated, overrides).map_err(|error| lossy(error.to_string()))?;
    for given in taken {
        let kind = &given.object().kind;
        let found = made.iter().find(|made| made.object().kind == *kind).ok_or_else(|| lossy(kind.clone()))?;
        if let Some(path) = missing(&comparable(given, answers), found.value(), kind.clone()) {
            return Err(lossy(path));
        }
    }
    Ok(())
}

/// The path of the first field that `given` has and `made` has not, or has otherwise. Lists may be in another order,
/// but an item of one stands for no more than one of the other.
pub(super) fn missing(given: &Value, made: &Value, path: String) -> Option<String> {
    match (given, made) {
        (Value::Null, _) => None,
        (Value::Object(given), Value::Object(_)) => {
            given.iter().find_map(|(key, value)| missing(value, &made[key], format!("{path}.{key}")))
        }
        (Value::Array(given), Value::Array(made)) => {
            let mut left: Vec<&Value> = made.iter().collect();
            given.iter().enumerate().find_map(|(place, item)| {
                match left.iter().position(|other| missing(item, other, String::new()).is_none()) {
                    Some(found) => {
                        left.remove(found);
                        None
                    }
                    None => Some(format!("{path}[{place}]")),
                }
            })
        }
        (given, made) => (given != made).then_some(path),
    }
}

/// What the given objects have beyond the generated ones.
pub(super) fn overrides_of(generated: &[Manifest], given: &[&Manifest], answers: &Answers) -> Vec<Override> {
    generated
        .iter()
        .filter_map(|made| {
            let given = given.iter().find(|given| given.object().kind == made.object().kind)?;
            let mut operations = left_out(given);
            beyond(&comparable(given, answers), made.value(), String::new(), &mut operations);
            let kind = made.object().kind.clone();
            (!operations.is_empty()).then_some(Override { kind, operations })
        })
        .collect()
}

/// What the wizard would add and what could keep the workload from running as it does: a limit of memory where there is
/// none, and taking away the token of an account of its own.
fn left_out(given: &Manifest) -> Vec<Operation> {
    let Some(workload) = Workload::of(given) else { return Vec::new() };
    let pointer = workload.path("").replace('.', "/");
    let spec = workload.spec();
    let limit = &spec["containers"][0]["resources"]["limits"]["memory"];
    let uses_account = spec["serviceAccountName"].is_string() && spec.get("automountServiceAccountToken").is_none();
    let remove = |field: &str| Operation::Remove { path: format!("/{pointer}{field}") };
    let no_limit = limit.is_null().then(|| remove("containers/0/resources/limits/memory"));
    no_limit.into_iter().chain(uses_account.then(|| remove("automountServiceAccountToken"))).collect()
}

/// The object with what its answers say in their way, so that only the rest differs from what they make.
fn comparable(given: &Manifest, answers: &Answers) -> Value {
    let mut value = given.value().clone();
    if let Some(fields) = value.as_object_mut() {
        fields.remove("status");
    }
    if given.object().kind == "NetworkPolicy" {
        let made = generate(answers, &Settings::default());
        for field in ["ingress", "egress", "policyTypes"] {
            value["spec"][field] = made[0].value()["spec"][field].clone();
        }
    }
    let spec = if value["spec"]["template"].is_object() { "/spec/template/spec" } else { "/spec" };
    let pod_user = value.pointer(&format!("{spec}/securityContext/runAsUser")).cloned().unwrap_or_default();
    let Some(container) = value.pointer_mut(&format!("{spec}/containers/0")) else { return value };
    // A request that is no whole number of MiB is an override, with its limit, or the two would not fit.
    let is_said = memory_mib(&container["resources"]["requests"]["memory"]).is_some();
    for (kind, fields) in [("requests", ["cpu", "memory"]), ("limits", ["cpu", "memory"])] {
        for field in fields {
            let read = &container["resources"][kind][field];
            let written = match field {
                "cpu" => cpu_millis(read).map(|millis| format!("{millis}m")),
                _ => memory_mib(read).filter(|_| is_said).map(|mib| format!("{mib}Mi")),
            };
            if let Some(written) = written {
                container["resources"][kind][field] = written.into();
            }
        }
    }
    for port in container["ports"].as_array_mut().into_iter().flatten() {
        if port.get("protocol").is_none() {
            port["protocol"] = "TCP".into();
        }
    }
    // The wizard sets the user for the whole pod.
    let user = answers.pods.as_ref().map(|pods| pods.run_as_user).filter(|_| pod_user.is_null());
    if let Some(context) = container["securityContext"].as_object_mut()
        && user.is_some_and(|user| context.get("runAsUser").and_then(Value::as_u64) == Some(user.into()))
    {
        context.remove("runAsUser");
    }
    value
}

/// Notes what `given` has that `made` has not. Items of lists are found again by what names them; the first container
/// is the answers' own.
fn beyond(given: &Value, made: &Value, path: String, operations: &mut Vec<Operation>) {
    match (given, made) {
        (Value::Null, _) => {}
        (given, made) if given == made => {}
        (Value::Object(given), Value::Object(made)) => {
            for (key, value) in given.iter().filter(|(_, value)| !value.is_null()) {
                let path = format!("{path}/{}", key.replace('~', "~0").replace('/', "~1"));
                match made.get(key) {
                    Some(there) => beyond(value, there, path, operations),
                    None => operations.push(Operation::Add { path, value: value.clone() }),
                }
            }
        }
        (Value::Array(given), Value::Array(made)) if given.iter().chain(made).all(Value::is_object) => {
            for (place, item) in given.iter().enumerate() {
                let is_own = path.ends_with("/containers") && place == 0;
                let is_other = path.ends_with("/containers") && place > 0;
                let found = if is_own { made.first() } else { made.iter().find(|other| are_one(item, other)) };
                match found.filter(|_| !is_other) {
                    Some(there) => {
                        let step = if is_own { "0".to_owned() } else { naming(item) };
                        beyond(item, there, format!("{path}/{step}"), operations);
                    }
                    None => operations.push(Operation::Add { path: format!("{path}/-"), value: item.clone() }),
                }
            }
        }
        (given, _) => operations.push(Operation::Replace { path, value: given.clone() }),
    }
}

/// The fields by which items of the lists of a workload are told apart (Kubernetes API, list map keys).
const NAMING: [&str; 4] = ["mountPath", "containerPort", "port", "name"];

/// The field that names an item, and what it says there.
fn named(item: &Value) -> Option<(&'static str, &Value)> {
    NAMING.into_iter().find_map(|field| Some((field, item.get(field)?)))
}

/// Whether two items of a list are about the same thing.
fn are_one(one: &Value, other: &Value) -> bool {
    named(one).is_some() && named(one) == named(other) && one.get("protocol") == other.get("protocol")
}

/// An item as a step of a path.
fn naming(item: &Value) -> String {
    let text = match named(item) {
        Some((field, Value::String(text))) => format!("{field}={text}"),
        Some((field, other)) => format!("{field}={other}"),
        None => String::new(),
    };
    text.replace('~', "~0").replace('/', "~1")
}

/// A quantity of CPU (Kubernetes API, Quantity), where it is a whole number of thousandths.
pub(super) fn cpu_millis(value: &Value) -> Option<u32> {
    match value {
        Value::Number(number) => u32::try_from(number.as_u64()?).ok()?.checked_mul(1000),
        Value::String(text) => match text.strip_suffix('m') {
            Some(millis) => millis.parse().ok(),
            None => text.parse::<u32>().ok()?.checked_mul(1000),
        },
        _ => None,
    }
    .filter(|millis| *millis > 0)
}

/// A quantity of memory, where it is a whole number of MiB.
pub(super) fn memory_mib(value: &Value) -> Option<u32> {
    let text = value.as_str()?;
    let (number, factor) = match (text.strip_suffix("Mi"), text.strip_suffix("Gi")) {
        (Some(number), _) => (number, 1),
        (_, Some(number)) => (number, 1024),
        _ => return None,
    };
    number.parse::<u32>().ok()?.checked_mul(factor).filter(|mib| *mib > 0)
}
