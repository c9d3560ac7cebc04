//! From answers to manifests: a pod spec the restricted standard admits, and a NetworkPolicy that
//! selects it and allows what was asked for, and nothing else.

mod answers;
mod differences;
mod kubectl;
mod overrides;
mod parse_answers;
mod parse_policy;
mod pod_inputs;

pub use answers::{Answers, AnswersError, Cidr, Kind, Opening, Peer, PodAnswers, PodLabels, Port, Protocol};
pub use kubectl::kubectl_commands;
pub use overrides::{Override, OverrideError, apply_overrides};
pub use parse_answers::{ParseAnswersError, ParsedAnswers, parse_answers};
pub use parse_policy::parse_policy;
pub use pod_inputs::{
    KeyedObject, MountPath, MountPathError, Variable, VariableError, VariableValue, Volume, VolumeSource,
};

use crate::manifest::Manifest;
use crate::settings::Settings;
use crate::world::NAMESPACE_NAME;
use serde_json::{Value, json};

/// Writes the workload with its Service and its NetworkPolicy, the policy first so that the pod never runs without.
#[must_use]
pub fn generate(answers: &Answers, settings: &Settings) -> Vec<Manifest> {
    let pods = answers.pods.as_ref();
    let service = pods.filter(|pods| pods.service && !answers.ports.is_empty()).map(|_| service(answers));
    [Some(network_policy(answers, settings)), service, pods.map(|pods| workload(answers, pods))]
        .into_iter()
        .flatten()
        .filter_map(|value| Manifest::from_value(value).ok())
        .collect()
}

fn metadata(answers: &Answers) -> Value {
    json!({ "name": answers.name, "namespace": answers.namespace, "labels": answers.labels })
}

fn workload(answers: &Answers, pods: &PodAnswers) -> Value {
    let template = |restart: Option<&str>| {
        let mut spec = pod_spec(answers, pods);
        if let Some(restart) = restart {
            spec["restartPolicy"] = restart.into();
        }
        json!({ "metadata": { "labels": answers.labels }, "spec": spec })
    };
    let metadata = metadata(answers);
    match pods.kind {
        Kind::Deployment { replicas } => json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata,
            "spec": { "replicas": replicas, "selector": { "matchLabels": answers.labels }, "template": template(None) },
        }),
        Kind::Job => json!({
            "apiVersion": "batch/v1", "kind": "Job", "metadata": metadata,
            "spec": { "backoffLimit": 3, "template": template(Some("Never")) },
        }),
        Kind::Pod => {
            json!({ "apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": pod_spec(answers, pods) })
        }
    }
}

fn service(answers: &Answers) -> Value {
    let named = |port: &Port| {
        let name = format!("{}-{}", port.protocol.word().to_ascii_lowercase(), port.number);
        json!({ "name": name, "port": port.number, "targetPort": port.number, "protocol": port.protocol })
    };
    let ports: Vec<Value> = answers.ports.iter().map(named).collect();
    json!({
        "apiVersion": "v1", "kind": "Service", "metadata": metadata(answers),
        "spec": { "type": "ClusterIP", "selector": answers.labels, "ports": ports },
    })
}

/// Where programs expect to be able to write.
const TMP: &str = "/tmp";

fn pod_spec(answers: &Answers, pods: &PodAnswers) -> Value {
    let memory = format!("{}Mi", pods.memory_mib);
    let mut container = json!({
        "name": answers.name,
        "image": pods.image_text,
        "resources": {
            "requests": { "cpu": format!("{}m", pods.cpu_millis), "memory": memory },
            "limits": { "memory": memory },
        },
        "securityContext": {
            "allowPrivilegeEscalation": false,
            "capabilities": { "drop": ["ALL"] },
            "readOnlyRootFilesystem": pods.read_only_root,
        },
    });
    if !pods.command.is_empty() {
        container["command"] = json!(pods.command);
    }
    if !answers.ports.is_empty() {
        container["ports"] = answers
            .ports
            .iter()
            .map(|port| json!({ "containerPort": port.number, "protocol": port.protocol }))
            .collect();
    }
    if !pods.environment.is_empty() {
        container["env"] = pods.environment.iter().map(Variable::written).collect();
    }
    let mut spec = json!({
        "automountServiceAccountToken": false,
        "securityContext": {
            "runAsNonRoot": true,
            "runAsUser": pods.run_as_user,
            "runAsGroup": pods.run_as_user,
            "fsGroup": pods.run_as_user,
            "seccompProfile": { "type": "RuntimeDefault" },
        },
    });
    let (volumes, mounts) = volumes(pods);
    if !volumes.is_empty() {
        container["volumeMounts"] = mounts.into();
        spec["volumes"] = volumes.into();
    }
    spec["containers"] = json!([container]);
    spec
}

/// The volumes of the pod, and where the container has them.
fn volumes(pods: &PodAnswers) -> (Vec<Value>, Vec<Value>) {
    let has_tmp = pods.volumes.iter().any(|volume| volume.path.to_string().trim_end_matches('/') == TMP);
    let is_taken = pods.volumes.iter().any(|volume| volume.name == "tmp");
    let name = if is_taken { "tmp-folder" } else { "tmp" };
    let tmp = (pods.read_only_root && !has_tmp)
        .then(|| (json!({ "name": name, "emptyDir": {} }), json!({ "name": name, "mountPath": TMP })));
    tmp.into_iter().chain(pods.volumes.iter().map(|volume| (volume.written(), volume.mount()))).unzip()
}

fn network_policy(answers: &Answers, settings: &Settings) -> Value {
    let ingress: Vec<Value> = ingress_rules(answers);
    let out = |opening: &Opening| json!({ "to": peers(&opening.peer), "ports": ports(&opening.ports) });
    let egress: Vec<Value> = answers.dns.then(dns).into_iter().chain(answers.egress.iter().map(out)).collect();
    let mut metadata = metadata(answers);
    if let Some(reason) = internet_reason(answers) {
        let annotation = format!("{}/netpol.internet-egress", settings.exception_annotation_prefix);
        metadata["annotations"] = json!({ annotation: reason });
    }
    json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": metadata,
        "spec": {
            "podSelector": { "matchLabels": answers.labels },
            "policyTypes": ["Ingress", "Egress"],
            "ingress": ingress,
            "egress": egress,
        },
    })
}

/// Why the workload may reach the internet, if it may.
fn internet_reason(answers: &Answers) -> Option<&str> {
    answers.egress.iter().find_map(|opening| match &opening.peer {
        Peer::Internet { reason } => Some(reason.as_str()),
        _ => None,
    })
}

/// A rule for each set of ports, in the order of the answers: peers that may reach the same ports share one.
fn ingress_rules(answers: &Answers) -> Vec<Value> {
    let mut by_ports: Vec<(&[Port], Vec<Value>)> = Vec::new();
    for opening in &answers.ingress {
        let open = if opening.ports.is_empty() { &answers.ports } else { &opening.ports };
        if open.is_empty() {
            continue;
        }
        match by_ports.iter_mut().find(|(ports, _)| *ports == open.as_slice()) {
            Some((_, from)) => from.extend(peers(&opening.peer)),
            None => by_ports.push((open, peers(&opening.peer))),
        }
    }
    by_ports.into_iter().map(|(open, from)| json!({ "from": from, "ports": ports(open) })).collect()
}

/// Without UDP and TCP 53 to the cluster's DNS, no name resolves.
fn dns() -> Value {
    json!({
        "to": [{
            "namespaceSelector": { "matchLabels": { NAMESPACE_NAME: "kube-system" } },
            "podSelector": { "matchLabels": { "k8s-app": "kube-dns" } },
        }],
        "ports": [{ "port": 53, "protocol": "UDP" }, { "port": 53, "protocol": "TCP" }],
    })
}

/// Addresses that are nobody's on the internet: private (RFC 1918, RFC 4193), shared (RFC 6598), link-local
/// (RFC 3927, RFC 4291) and loopback. Inside them lie the cluster, its neighbours and the metadata service of the
/// cloud.
const NOT_INTERNET_V4: &[&str] =
    &["10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16"];
const NOT_INTERNET_V6: &[&str] = &["::1/128", "fc00::/7", "fe80::/10"];

/// Whether a block is all public addresses of its family, as the wizard writes it.
pub(crate) fn is_internet(cidr: &str, except: &[String]) -> bool {
    match cidr {
        "0.0.0.0/0" => except == NOT_INTERNET_V4,
        "::/0" => except == NOT_INTERNET_V6,
        _ => false,
    }
}

fn peers(peer: &Peer) -> Vec<Value> {
    let in_namespace = |name: &str| json!({ "matchLabels": { NAMESPACE_NAME: name } });
    match peer {
        Peer::SameNamespace => vec![json!({ "podSelector": {} })],
        Peer::Namespace(name) => vec![json!({ "namespaceSelector": in_namespace(name) })],
        Peer::Pods { namespace: None, labels } => vec![json!({ "podSelector": { "matchLabels": labels } })],
        Peer::Pods { namespace: Some(name), labels } => {
            vec![json!({ "namespaceSelector": in_namespace(name), "podSelector": { "matchLabels": labels } })]
        }
        Peer::Addresses(blocks) => blocks.iter().map(|block| json!({ "ipBlock": { "cidr": block } })).collect(),
        Peer::Internet { .. } => [("0.0.0.0/0", NOT_INTERNET_V4), ("::/0", NOT_INTERNET_V6)]
            .map(|(cidr, except)| json!({ "ipBlock": { "cidr": cidr, "except": except } }))
            .into(),
    }
}

fn ports(ports: &[Port]) -> Value {
    ports.iter().map(|port| json!({ "port": port.number, "protocol": port.protocol })).collect()
}

#[cfg(test)]
mod tests;
