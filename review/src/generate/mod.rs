//! From answers to manifests: a pod spec the restricted standard admits, and a NetworkPolicy that
//! selects it and allows what was asked for, and nothing else.

mod answers;
mod kubectl;

pub use answers::{Answers, AnswersError, Cidr, EgressPeer, IngressPeer, Kind, PodLabels, Port, Protocol};
pub use kubectl::kubectl_commands;

use crate::manifest::Manifest;
use crate::world::NAMESPACE_NAME;
use serde_json::{Value, json};

/// The label by which generated policies select generated pods
/// (kubernetes.io/docs/concepts/overview/working-with-objects/common-labels).
const NAME_LABEL: &str = "app.kubernetes.io/name";

/// Writes the workload and its NetworkPolicy, the policy first so that the pod never runs without.
#[must_use]
pub fn generate(answers: &Answers) -> Vec<Manifest> {
    [network_policy(answers), workload(answers)]
        .into_iter()
        .filter_map(|value| Manifest::from_value(value).ok())
        .collect()
}

fn labels(answers: &Answers) -> Value {
    json!({ NAME_LABEL: answers.name })
}

fn workload(answers: &Answers) -> Value {
    let metadata = json!({ "name": answers.name, "namespace": answers.namespace, "labels": labels(answers) });
    let template = |restart: Option<&str>| {
        let mut spec = pod_spec(answers);
        if let Some(restart) = restart {
            spec["restartPolicy"] = restart.into();
        }
        json!({ "metadata": { "labels": labels(answers) }, "spec": spec })
    };
    match answers.kind {
        Kind::Deployment { replicas } => json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata,
            "spec": { "replicas": replicas, "selector": { "matchLabels": labels(answers) }, "template": template(None) },
        }),
        Kind::Job => json!({
            "apiVersion": "batch/v1", "kind": "Job", "metadata": metadata,
            "spec": { "backoffLimit": 3, "template": template(Some("Never")) },
        }),
        Kind::Pod => json!({ "apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": pod_spec(answers) }),
    }
}

fn pod_spec(answers: &Answers) -> Value {
    let memory = format!("{}Mi", answers.memory_mib);
    let mut container = json!({
        "name": answers.name,
        "image": answers.image_text,
        "resources": {
            "requests": { "cpu": format!("{}m", answers.cpu_millis), "memory": memory },
            "limits": { "memory": memory },
        },
        "securityContext": {
            "allowPrivilegeEscalation": false,
            "capabilities": { "drop": ["ALL"] },
            "readOnlyRootFilesystem": answers.read_only_root,
        },
    });
    if !answers.command.is_empty() {
        container["command"] = json!(answers.command);
    }
    if !answers.ports.is_empty() {
        container["ports"] = answers
            .ports
            .iter()
            .map(|port| json!({ "containerPort": port.number, "protocol": port.protocol }))
            .collect();
    }
    let mut spec = json!({
        "automountServiceAccountToken": false,
        "securityContext": {
            "runAsNonRoot": true,
            "runAsUser": answers.run_as_user,
            "runAsGroup": answers.run_as_user,
            "fsGroup": answers.run_as_user,
            "seccompProfile": { "type": "RuntimeDefault" },
        },
    });
    if answers.read_only_root {
        container["volumeMounts"] = json!([{ "name": "tmp", "mountPath": "/tmp" }]);
        spec["volumes"] = json!([{ "name": "tmp", "emptyDir": {} }]);
    }
    spec["containers"] = json!([container]);
    spec
}

fn network_policy(answers: &Answers) -> Value {
    let ingress: Vec<Value> = if answers.ingress.is_empty() || answers.ports.is_empty() {
        Vec::new()
    } else {
        let from: Vec<Value> = answers.ingress.iter().map(peer).collect();
        vec![json!({ "from": from, "ports": ports(&answers.ports) })]
    };
    let asked =
        answers.egress.iter().map(|egress| json!({ "to": [peer(&egress.peer)], "ports": ports(&egress.ports) }));
    let egress: Vec<Value> = answers.dns.then(dns).into_iter().chain(asked).collect();
    json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
        "metadata": { "name": answers.name, "namespace": answers.namespace, "labels": labels(answers) },
        "spec": {
            "podSelector": { "matchLabels": labels(answers) },
            "policyTypes": ["Ingress", "Egress"],
            "ingress": ingress,
            "egress": egress,
        },
    })
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

fn peer(peer: &IngressPeer) -> Value {
    match peer {
        IngressPeer::SameNamespace => json!({ "podSelector": {} }),
        IngressPeer::Namespace(name) => {
            json!({ "namespaceSelector": { "matchLabels": { NAMESPACE_NAME: name } } })
        }
        IngressPeer::Pods(labels) => json!({ "podSelector": { "matchLabels": labels } }),
        IngressPeer::Addresses(cidr) => json!({ "ipBlock": { "cidr": cidr } }),
    }
}

fn ports(ports: &[Port]) -> Value {
    ports.iter().map(|port| json!({ "port": port.number, "protocol": port.protocol })).collect()
}

#[cfg(test)]
mod tests;
