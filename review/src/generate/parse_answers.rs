//! The way back: from manifests to answers, and overrides for what answers cannot say.

use super::overrides::{Override, apply_overrides};
use super::{
    Answers, Cidr, KeyedObject, Kind, Opening, Peer, PodAnswers, PodLabels, Port, Variable, VariableValue, Volume,
    VolumeSource, dns, generate, peers,
};
use crate::manifest::Manifest;
use crate::network_policy::NetworkPolicy;
use crate::patch::Operation;
use crate::settings::Settings;
use crate::workload::Workload;
use crate::world::NAMESPACE_NAME;
use serde_json::{Value, json};

/// Manifests, as far as answers can say them.
#[derive(Debug, Clone)]
pub struct ParsedAnswers {
    pub answers: Answers,
    /// Fields of the objects that the answers make again.
    pub overrides: Vec<Override>,
    /// Objects that the answers do not make.
    pub others: Vec<Manifest>,
}

/// Why manifests have no answers. They can still be reviewed and applied as they are.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseAnswersError {
    /// Not exactly one Deployment, Job or Pod.
    #[error("The wizard writes one Deployment, Job or Pod at a time, and here is none or more than one.")]
    NotOneWorkload,
    /// Its pods have no labels, or its name is none that the wizard takes.
    #[error("The workload's pods have no labels, or its name is longer than a label.")]
    NoLabels,
    /// No container, or an image that cannot be read.
    #[error("The workload has no container whose image can be read.")]
    NoImage,
    /// Something would get lost on the way through the answers.
    #[error("The wizard cannot write {0} as it stands here.")]
    Lossy(String),
}

/// Finds the answers that make these manifests. What comes of them again, with the overrides, holds every field that
/// the manifests have; fields that the wizard adds for safety may be there besides.
///
/// # Errors
/// [`ParseAnswersError`] where there are none.
pub fn parse_answers(manifests: &[Manifest], settings: &Settings) -> Result<ParsedAnswers, ParseAnswersError> {
    let workloads: Vec<&Manifest> = manifests.iter().filter(|manifest| Workload::of(manifest).is_some()).collect();
    let [manifest] = workloads.as_slice() else { return Err(ParseAnswersError::NotOneWorkload) };
    let workload = Workload::of(manifest).ok_or(ParseAnswersError::NotOneWorkload)?;
    let labels = workload.selecting_labels().ok_or(ParseAnswersError::NoLabels)?;
    let name = manifest.object().name.clone();
    if !crate::names::is_dns_label(&name) {
        return Err(ParseAnswersError::NoLabels);
    }
    let mut answers = Answers {
        namespace: manifest.object().namespace.clone(),
        name,
        labels,
        ports: ports_of(&workload),
        ingress: Vec::new(),
        egress: Vec::new(),
        dns: false,
        pods: Some(pods(&workload)?),
    };
    let mut taken: Vec<&Manifest> = vec![manifest];
    if let Some(service) = manifests.iter().find(|manifest| is_service_of(manifest, &answers, settings)) {
        taken.push(service);
        set_service(&mut answers);
    }
    let policies: Vec<&Manifest> = manifests.iter().filter(|manifest| selects(manifest, &workload)).collect();
    if let [policy] = policies.as_slice()
        && let Some((ingress, egress, dns)) = openings(policy, &answers, settings)
    {
        (answers.ingress, answers.egress, answers.dns) = (ingress, egress, dns);
        taken.push(policy);
    }
    let others: Vec<Manifest> = manifests
        .iter()
        .filter(|manifest| !taken.iter().any(|taken| std::ptr::eq(*taken, *manifest)))
        .cloned()
        .collect();
    let generated = generate(&answers, settings);
    let mut overrides = overrides_of(&generated, &taken, &answers);
    nothing_lost(generated, &overrides, &taken, &answers)?;
    overrides.extend(renamed_policy(&answers, &others));
    Ok(ParsedAnswers { answers, overrides, others })
}

/// Finds the answers that make the policy of a workload that runs. What comes of them again, with the overrides, holds
/// every field of the policy.
///
/// # Errors
/// [`ParseAnswersError`] where there are none.
pub fn parse_policy(
    policy: &Manifest,
    workload: &Workload<'_>,
    settings: &Settings,
) -> Result<ParsedAnswers, ParseAnswersError> {
    let object = workload.manifest.object();
    let mut answers = Answers {
        namespace: workload.namespace().to_owned(),
        name: object.name.clone(),
        labels: workload.selecting_labels().ok_or(ParseAnswersError::NoLabels)?,
        ports: workload.declared_ports(),
        ingress: Vec::new(),
        egress: Vec::new(),
        dns: false,
        pods: None,
    };
    let lossy = || ParseAnswersError::Lossy(policy.object().to_string());
    (answers.ingress, answers.egress, answers.dns) = openings(policy, &answers, settings).ok_or_else(lossy)?;
    let generated = generate(&answers, settings);
    let overrides = overrides_of(&generated, &[policy], &answers);
    nothing_lost(generated, &overrides, &[policy], &answers)?;
    Ok(ParsedAnswers { answers, overrides, others: Vec::new() })
}

/// Makes the objects again, and compares them with the given ones field by field.
fn nothing_lost(
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
fn missing(given: &Value, made: &Value, path: String) -> Option<String> {
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

fn set_service(answers: &mut Answers) {
    if let Some(pods) = &mut answers.pods {
        pods.service = true;
    }
}

/// A policy that stays as it is may have the name that the wizard's would get.
fn renamed_policy(answers: &Answers, others: &[Manifest]) -> Option<Override> {
    let is_policy_named =
        |name: &str| others.iter().any(|other| other.object().kind == "NetworkPolicy" && other.object().name == name);
    is_policy_named(&answers.name).then(|| {
        let free = (1..).map(|number| format!("{}-wizard-{number}", answers.name)).find(|name| !is_policy_named(name));
        let value = free.unwrap_or_default().into();
        Override {
            kind: "NetworkPolicy".into(),
            operations: vec![Operation::Replace { path: "/metadata/name".into(), value }],
        }
    })
}

fn selects(manifest: &Manifest, workload: &Workload<'_>) -> bool {
    NetworkPolicy::of(manifest).is_some_and(|policy| policy.selects_workload(workload))
}

/// Whether it is the Service that the wizard would write: another one stays as it is.
fn is_service_of(manifest: &Manifest, answers: &Answers, settings: &Settings) -> bool {
    let mut with_service = answers.clone();
    set_service(&mut with_service);
    let made = generate(&with_service, settings);
    let written = made.iter().find(|made| made.object().kind == "Service");
    manifest.api_version() == "v1"
        && written.is_some_and(|written| {
            written.object() == manifest.object() && missing(manifest.value(), written.value(), String::new()).is_none()
        })
}

/// Ports of the first container; those of others are overrides.
fn ports_of(workload: &Workload<'_>) -> Vec<Port> {
    let first = workload.spec()["containers"][0]["ports"].as_array().into_iter().flatten();
    first.filter_map(Port::of_container).collect()
}

fn pods(workload: &Workload<'_>) -> Result<PodAnswers, ParseAnswersError> {
    let container = &workload.spec()["containers"][0];
    let image_text = container["image"].as_str().ok_or(ParseAnswersError::NoImage)?.to_owned();
    let kind = match workload.manifest.object().kind.as_str() {
        "Deployment" => Kind::Deployment { replicas: u32::try_from(workload.replicas()).unwrap_or(1) },
        "Job" => Kind::Job,
        "Pod" => Kind::Pod,
        _ => return Err(ParseAnswersError::NotOneWorkload),
    };
    let context = |field: &str| {
        let own = &container["securityContext"][field];
        if own.is_null() { &workload.spec()["securityContext"][field] } else { own }
    };
    let user = context("runAsUser").as_u64().and_then(|user| u32::try_from(user).ok()).filter(|user| *user > 0);
    Ok(PodAnswers {
        kind,
        image: image_text.parse().map_err(|_| ParseAnswersError::NoImage)?,
        image_text,
        command: typed(&container["command"]),
        environment: variables(list(&container["env"])),
        volumes: mounted(workload.spec(), container),
        service: false,
        cpu_millis: cpu_millis(&container["resources"]["requests"]["cpu"]).unwrap_or(100),
        memory_mib: memory_mib(&container["resources"]["requests"]["memory"]).unwrap_or(128),
        run_as_user: user.unwrap_or(10_001),
        read_only_root: container["securityContext"]["readOnlyRootFilesystem"] == true,
    })
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

/// A command that can be typed in one line; any other is an override.
fn typed(command: &Value) -> Vec<String> {
    let words: Option<Vec<String>> = list(command).iter().map(|word| word.as_str().map(str::to_owned)).collect();
    words.filter(|words| !words.iter().any(|word| word.contains(char::is_control))).unwrap_or_default()
}

/// Variables refer to those before them: where one cannot be said, all are overrides, in their order.
fn variables(given: &[Value]) -> Vec<Variable> {
    given.iter().map(variable).collect::<Option<Vec<_>>>().unwrap_or_default()
}

fn variable(value: &Value) -> Option<Variable> {
    let from = &value["valueFrom"];
    let key = |object: KeyedObject, reference: &Value| VariableValue::Key {
        object,
        name: reference["name"].as_str().unwrap_or_default().to_owned(),
        key: reference["key"].as_str().unwrap_or_default().to_owned(),
    };
    let name = value["name"].as_str()?.to_owned();
    let read = match (&from["secretKeyRef"], &from["configMapKeyRef"], from) {
        (secret @ Value::Object(_), ..) => key(KeyedObject::Secret, secret),
        (_, map @ Value::Object(_), _) => key(KeyedObject::ConfigMap, map),
        (_, _, Value::Null) => VariableValue::Text(value["value"].as_str().unwrap_or_default().to_owned()),
        _ => return None,
    };
    let variable = Variable { name, value: read };
    // What would be written in another way, or cannot be typed in one line, is an override.
    let line = variable.to_string();
    let says_the_same = variable.written() == *value && line.parse() == Ok(variable.clone());
    (says_the_same && !line.contains(char::is_control) && !line.starts_with('#')).then_some(variable)
}

/// Volumes that the first container mounts once, as a whole.
fn mounted(spec: &Value, container: &Value) -> Vec<Volume> {
    let mounts = list(&container["volumeMounts"]);
    let found = list(&spec["volumes"]).iter().filter_map(|volume| {
        let name = volume["name"].as_str()?;
        let mut here = mounts.iter().filter(|mount| mount["name"] == name);
        let (Some(mount), None) = (here.next(), here.next()) else { return None };
        let named = |reference: &Value, field: &str| reference[field].as_str().map(str::to_owned);
        let source = if volume["emptyDir"].is_object() {
            VolumeSource::Scratch
        } else if let Some(of) = named(&volume["configMap"], "name") {
            VolumeSource::ConfigMap(of)
        } else if let Some(of) = named(&volume["secret"], "secretName") {
            VolumeSource::Secret(of)
        } else {
            VolumeSource::Claim(named(&volume["persistentVolumeClaim"], "claimName")?)
        };
        let volume = Volume { name: name.to_owned(), path: mount["mountPath"].as_str()?.parse().ok()?, source };
        Some(volume).filter(|volume| mount.get("subPath").is_none() && volume.path.to_string() == mount["mountPath"])
    });
    found.collect()
}

/// A quantity of CPU (Kubernetes API, Quantity), where it is a whole number of thousandths.
fn cpu_millis(value: &Value) -> Option<u32> {
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
fn memory_mib(value: &Value) -> Option<u32> {
    let text = value.as_str()?;
    let (number, factor) = match (text.strip_suffix("Mi"), text.strip_suffix("Gi")) {
        (Some(number), _) => (number, 1),
        (_, Some(number)) => (number, 1024),
        _ => return None,
    };
    number.parse::<u32>().ok()?.checked_mul(factor).filter(|mib| *mib > 0)
}

/// What a policy opens, if answers can say all of it.
fn openings(policy: &Manifest, answers: &Answers, settings: &Settings) -> Option<(Vec<Opening>, Vec<Opening>, bool)> {
    let spec = &policy.value()["spec"];
    let both = json!(["Ingress", "Egress"]);
    let selector = &spec["podSelector"];
    let is_plain = selector["matchLabels"] == json!(answers.labels) && selector.get("matchExpressions").is_none();
    let types = list(&spec["policyTypes"]);
    if !is_plain || types.len() != 2 || !list(&both).iter().all(|one| types.contains(one)) {
        return None;
    }
    let annotation = format!("{}/netpol.internet-egress", settings.exception_annotation_prefix);
    let reason = policy.annotation(&annotation).map(str::to_owned);
    let mut ingress = Vec::new();
    for rule in list(&spec["ingress"]) {
        let ports = ports(&rule["ports"])?;
        let ports = if ports == answers.ports { Vec::new() } else { ports };
        for peer in peers_of(&rule["from"], reason.as_deref())? {
            ingress.push(Opening { peer, ports: ports.clone() });
        }
    }
    let is_internet = |opening: &Opening| matches!(opening.peer, Peer::Internet { .. });
    if ingress.iter().any(is_internet) {
        return None;
    }
    let (names, others): (Vec<&Value>, Vec<&Value>) = list(&spec["egress"]).iter().partition(|rule| **rule == dns());
    let mut egress = Vec::new();
    for rule in others {
        let ports = ports(&rule["ports"])?;
        for peer in peers_of(&rule["to"], reason.as_deref())? {
            egress.push(Opening { peer, ports: ports.clone() });
        }
    }
    if egress.iter().filter(|opening| is_internet(opening)).count() > 1 {
        return None;
    }
    Some((ingress, egress, !names.is_empty()))
}

/// Numbered ports, each alone; no ports would mean all.
fn ports(value: &Value) -> Option<Vec<Port>> {
    let read = |port: &Value| {
        let number = port["port"].as_u64()?;
        let plain = json!({ "containerPort": number, "protocol": port["protocol"] });
        Port::of_container(&plain).filter(|_| port.get("endPort").is_none())
    };
    let ports: Vec<Port> = list(value).iter().map(read).collect::<Option<_>>()?;
    (!ports.is_empty()).then_some(ports)
}

/// Peers that answers can say; addresses that stand beside each other are one answer.
fn peers_of(value: &Value, reason: Option<&str>) -> Option<Vec<Peer>> {
    let all = list(value);
    if all.is_empty() {
        return None;
    }
    let internet = Peer::Internet { reason: reason.unwrap_or_default().to_owned() };
    if *value == json!(peers(&internet)) {
        return reason.map(|_| vec![internet]);
    }
    let mut found: Vec<Peer> = Vec::new();
    for one in all {
        match (peer_of(one)?, found.last_mut()) {
            (Peer::Addresses(more), Some(Peer::Addresses(blocks))) => blocks.extend(more),
            (peer, _) => found.push(peer),
        }
    }
    Some(found)
}

fn peer_of(value: &Value) -> Option<Peer> {
    let fields = value.as_object()?;
    let labels = |selector: &Value| -> Option<PodLabels> {
        let is_plain = selector.as_object()?.keys().eq(["matchLabels"]);
        serde_json::from_value(selector["matchLabels"].clone()).ok().filter(|_| is_plain)
    };
    let namespace = |selector: &Value| -> Option<String> {
        let name = selector["matchLabels"][NAMESPACE_NAME].as_str()?.to_owned();
        (*selector == json!({ "matchLabels": { NAMESPACE_NAME: name } })).then_some(name)
    };
    let (names, pods, block) = (fields.get("namespaceSelector"), fields.get("podSelector"), fields.get("ipBlock"));
    match (names, pods, block) {
        (None, Some(pods), None) if *pods == json!({}) => Some(Peer::SameNamespace),
        (None, Some(pods), None) => Some(Peer::Pods { namespace: None, labels: labels(pods)? }),
        (Some(names), None, None) => Some(Peer::Namespace(namespace(names)?)),
        (Some(names), Some(pods), None) => {
            Some(Peer::Pods { namespace: Some(namespace(names)?), labels: labels(pods)? })
        }
        (None, None, Some(block)) => {
            let cidr: Cidr = block["cidr"].as_str()?.parse().ok()?;
            (*block == json!({ "cidr": cidr })).then(|| Peer::Addresses(vec![cidr]))
        }
        _ => None,
    }
}

/// What the given objects have beyond the generated ones.
fn overrides_of(generated: &[Manifest], given: &[&Manifest], answers: &Answers) -> Vec<Override> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generate::tests::any_answers;
    use crate::manifest::decode;
    use proptest::prelude::*;

    fn read(yaml: &str) -> Vec<Manifest> {
        decode("given", yaml).unwrap()
    }

    /// What comes of manifests that went through the answers.
    fn again(manifests: &[Manifest]) -> Vec<Manifest> {
        let settings = Settings::default();
        let parsed = parse_answers(manifests, &settings).unwrap();
        let mut made = apply_overrides(generate(&parsed.answers, &settings), &parsed.overrides).unwrap();
        made.extend(parsed.others);
        made
    }

    proptest! {
        #[test]
        fn what_the_wizard_wrote_comes_back_as_its_answers(answers in any_answers()) {
            let settings = Settings::default();
            let made = generate(&answers, &settings);
            let parsed = parse_answers(&made, &settings).unwrap();
            let again = apply_overrides(generate(&parsed.answers, &settings), &parsed.overrides).unwrap();
            prop_assert_eq!(&again, &made);
            prop_assert!(parsed.others.is_empty() && parsed.overrides.is_empty(), "{:#?}", parsed);
        }
    }

    proptest! {
        #[test]
        fn a_policy_comes_back_as_the_answers_that_made_it(answers in any_answers()) {
            let settings = Settings::default();
            let made = generate(&answers, &settings);
            let workload = made.iter().find_map(Workload::of);
            let policy = made.iter().find(|made| made.object().kind == "NetworkPolicy").unwrap();
            if let Some(workload) = workload {
                prop_assert_eq!(workload.own_policies(&made), [policy]);
                let parsed = parse_policy(policy, &workload, &settings).unwrap();
                let again = apply_overrides(generate(&parsed.answers, &settings), &parsed.overrides).unwrap();
                prop_assert_eq!(&again[..], std::slice::from_ref(policy));
            }
        }
    }

    #[test]
    fn a_policy_of_another_name_keeps_its_name_and_what_it_says_beside_the_answers() {
        let objects = read(
            "{apiVersion: apps/v1, kind: Deployment, metadata: {name: web, namespace: shop}, spec: {selector: {matchLabels: \
             {app: web}}, template: {metadata: {labels: {app: web}}, spec: {containers: [{name: c, ports: \
             [{containerPort: 80}]}]}}}}\n---\n\
             {apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: front, namespace: shop, labels: \
             {team: a}}, spec: {podSelector: {matchLabels: {app: web}}, policyTypes: [Ingress, Egress], ingress: [{from: \
             [{podSelector: {}}], ports: [{port: 80, protocol: TCP}]}]}}\n---\n\
             {apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: default-deny, namespace: shop}, spec: \
             {podSelector: {}}}",
        );
        let (settings, workload) = (Settings::default(), Workload::of(&objects[0]).unwrap());
        let own = workload.own_policies(&objects);
        assert_eq!(own, [&objects[1]]);
        let parsed = parse_policy(own[0], &workload, &settings).unwrap();
        assert_eq!(parsed.answers.ingress, [Opening { peer: Peer::SameNamespace, ports: Vec::new() }]);
        let again = apply_overrides(generate(&parsed.answers, &settings), &parsed.overrides).unwrap();
        assert_eq!((again.len(), again[0].object().name.as_str()), (1, "front"));
        assert_eq!(again[0].value()["metadata"]["labels"]["team"], "a");
    }

    #[test]
    fn a_policy_that_answers_cannot_say_is_no_answers() {
        let objects = read(
            "{apiVersion: v1, kind: Pod, metadata: {name: web, namespace: shop, labels: {app: web}}, spec: {containers: \
             [{name: c}]}}\n---\n\
             {apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: web, namespace: shop}, spec: \
             {podSelector: {matchLabels: {app: web}}, policyTypes: [Ingress]}}",
        );
        let parsed = parse_policy(&objects[1], &Workload::of(&objects[0]).unwrap(), &Settings::default());
        assert_eq!(parsed.unwrap_err(), ParseAnswersError::Lossy("NetworkPolicy/shop/web".to_owned()));
    }

    const DEPLOYMENT: &str = r#"
apiVersion: apps/v1
kind: Deployment
metadata: {name: shop, namespace: shop, labels: {team: a}, annotations: {note: mine}}
spec:
  replicas: 3
  strategy: {type: Recreate}
  selector: {matchLabels: {app: shop}}
  template:
    metadata: {labels: {app: shop, version: v7}}
    spec:
      serviceAccountName: shop
      containers:
      - name: main
        image: harbor.example.com/shop/web:1.4.2
        args: [serve]
        ports: [{containerPort: 8080, name: http}]
        env:
        - {name: LEVEL, value: info}
        - {name: NODE, valueFrom: {fieldRef: {fieldPath: spec.nodeName}}}
        - {name: PASSWORD, valueFrom: {secretKeyRef: {name: db, key: password}}}
        resources: {requests: {cpu: "1", memory: 1Gi}, limits: {memory: 2Gi}}
        livenessProbe: {httpGet: {path: /, port: 8080}}
        securityContext: {runAsUser: 1000}
        volumeMounts: [{name: data, mountPath: /data}, {name: settings, mountPath: /etc/a, subPath: a}]
      - {name: sidecar, image: harbor.example.com/shop/side:2}
      volumes:
      - {name: data, emptyDir: {}}
      - {name: settings, configMap: {name: settings}}
"#;

    #[test]
    fn what_answers_can_say_becomes_answers() {
        let answers = parse_answers(&read(DEPLOYMENT), &Settings::default()).unwrap().answers;
        let pods = answers.pods.unwrap();
        assert_eq!((answers.name.as_str(), answers.labels.to_string().as_str()), ("shop", "app=shop"));
        assert_eq!(pods.kind, Kind::Deployment { replicas: 3 });
        assert_eq!((pods.cpu_millis, pods.memory_mib, pods.run_as_user), (1000, 1024, 1000));
        let variables: Vec<String> = pods.environment.iter().map(ToString::to_string).collect();
        assert_eq!(variables, Vec::<String>::new(), "one of them cannot be said");
        assert_eq!(pods.volumes.len(), 1);
    }

    #[test]
    fn what_answers_cannot_say_becomes_an_override() {
        let given = read(DEPLOYMENT);
        let made = again(&given);
        let deployment = made.iter().find(|made| made.object().kind == "Deployment").unwrap().value();
        let spec = &deployment["spec"]["template"]["spec"];
        assert_eq!(spec["serviceAccountName"], "shop");
        assert_eq!(spec["containers"][0]["livenessProbe"]["httpGet"]["path"], "/");
        assert_eq!(spec["containers"][0]["args"], json!(["serve"]));
        assert_eq!(spec["containers"][0]["resources"]["limits"]["memory"], "2048Mi");
        assert_eq!(spec["containers"][1]["name"], "sidecar");
        assert_eq!(deployment["spec"]["strategy"]["type"], "Recreate");
        assert_eq!(deployment["metadata"]["annotations"]["note"], "mine");
        let names: Vec<&Value> = list(&spec["containers"][0]["env"]).iter().map(|variable| &variable["name"]).collect();
        assert_eq!(names, ["LEVEL", "NODE", "PASSWORD"], "variables refer to those before them");
    }

    #[test]
    fn a_second_container_that_is_called_like_the_workload_is_not_taken_for_the_first() {
        let yaml = "{apiVersion: v1, kind: Pod, metadata: {name: web, labels: {app: web}}, \
            spec: {containers: [{name: proxy, image: 'a/p:1'}, {name: web, image: 'a/w:1'}]}}";
        let made = again(&read(yaml));
        let pod = made.iter().find(|made| made.object().kind == "Pod").unwrap();
        let images: Vec<&Value> =
            list(&pod.value()["spec"]["containers"]).iter().map(|container| &container["image"]).collect();
        assert_eq!(images, ["a/p:1", "a/w:1"]);
    }

    #[test]
    fn values_of_several_lines_are_kept_and_not_torn_apart() {
        let yaml = "{apiVersion: v1, kind: Pod, metadata: {name: web, labels: {app: web}}, \
            spec: {containers: [{name: web, image: 'a/w:1', command: [sh, -c, \"a\\nb\"], env: [{name: A, \
            value: \"a=1\\n#b=2\"}]}]}}";
        let parsed = parse_answers(&read(yaml), &Settings::default()).unwrap();
        let pods = parsed.answers.pods.as_ref().unwrap();
        assert!(pods.environment.is_empty() && pods.command.is_empty());
        let made = again(&read(yaml));
        let container = &made.last().unwrap().value()["spec"]["containers"][0];
        assert_eq!((&container["env"][0]["value"], &container["command"][2]), (&json!("a=1\n#b=2"), &json!("a\nb")));
    }

    #[test]
    fn limits_users_and_services_keep_their_meaning() {
        let pod = |resources: &str, context: &str| {
            format!(
                "{{apiVersion: v1, kind: Pod, metadata: {{name: web, labels: {{app: web}}}}, \
                 spec: {{securityContext: {{runAsUser: 2000}}, containers: [{{name: web, image: 'a/w:1', \
                 ports: [{{containerPort: 8080}}], resources: {resources}, securityContext: {context}}}]}}}}"
            )
        };
        let made = again(&read(&pod("{requests: {cpu: 1500m, memory: 512M}}", "{runAsUser: 1000}")));
        let spec = &made.last().unwrap().value()["spec"];
        assert_eq!(spec["containers"][0]["resources"]["requests"]["memory"], "512M");
        assert_eq!(spec["containers"][0]["resources"]["limits"].get("memory"), None);
        assert_eq!(
            (&spec["securityContext"]["runAsUser"], &spec["containers"][0]["securityContext"]["runAsUser"]),
            (&json!(2000), &json!(1000))
        );
        let service = "{apiVersion: v1, kind: Service, metadata: {name: web}, spec: {selector: {app: web}, \
            ports: [{port: 80, targetPort: 8080}]}}";
        let given = read(&format!("{}\n---\n{service}", pod("{}", "{}")));
        let parsed = parse_answers(&given, &Settings::default()).unwrap();
        assert!(!parsed.answers.pods.unwrap().service);
        assert_eq!(parsed.others[0].object().to_string(), "Service/web");
    }

    #[test]
    fn other_objects_and_policies_that_answers_cannot_say_stay_as_they_are() {
        let policy = "{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: shop, \
            namespace: shop}, spec: {podSelector: {matchLabels: {app: shop}}, policyTypes: [Ingress, Egress], \
            ingress: [{from: [{podSelector: {}}], ports: [{port: 1, endPort: 9}]}]}}";
        let map = "{apiVersion: v1, kind: ConfigMap, metadata: {name: settings, namespace: shop}, data: {a: b}}";
        let given = read(&format!("{DEPLOYMENT}\n---\n{policy}\n---\n{map}"));
        let made = again(&given);
        let names: Vec<String> = made.iter().map(|made| made.object().to_string()).collect();
        assert_eq!(
            names,
            [
                "NetworkPolicy/shop/shop-wizard-1",
                "Deployment/shop/shop",
                "NetworkPolicy/shop/shop",
                "ConfigMap/shop/settings"
            ]
        );
    }

    #[test]
    fn a_policy_that_answers_can_say_keeps_its_name() {
        let policy = "{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: allow-shop, \
            namespace: shop}, spec: {podSelector: {matchLabels: {app: shop}}, policyTypes: [Egress, Ingress], \
            ingress: [{from: [{podSelector: {matchLabels: {app: api}}}], ports: [{port: 8080}]}]}}";
        let given = read(&format!("{DEPLOYMENT}\n---\n{policy}"));
        let answers = parse_answers(&given, &Settings::default()).unwrap().answers;
        assert_eq!(answers.ingress.len(), 1);
        assert!(answers.ingress[0].ports.is_empty() && !answers.dns);
        assert!(again(&given).iter().any(|made| made.object().to_string() == "NetworkPolicy/shop/allow-shop"));
    }

    #[test]
    fn manifests_without_one_workload_have_no_answers() {
        let map = "{apiVersion: v1, kind: ConfigMap, metadata: {name: a}}";
        assert_eq!(parse_answers(&read(map), &Settings::default()).unwrap_err(), ParseAnswersError::NotOneWorkload);
        assert_eq!(
            parse_answers(&read(&format!("{DEPLOYMENT}\n---\n{DEPLOYMENT}")), &Settings::default()).unwrap_err(),
            ParseAnswersError::NotOneWorkload
        );
    }
}
