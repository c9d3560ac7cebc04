//! What policies see: the objects that come to admission, and those that are there already.

use crate::manifest::Manifest;
use crate::workload::{Workload, namespace_or_default};
use serde_json::{Map, Value, json};
use std::cell::OnceCell;
use std::collections::HashMap;

/// Kinds without a namespace, of those that manifests of teams and platforms usually hold.
const CLUSTER_SCOPED: &[&str] = &[
    "APIService",
    "ClusterIssuer",
    "ClusterRole",
    "ClusterRoleBinding",
    "ConstraintTemplate",
    "CustomResourceDefinition",
    "IngressClass",
    "MutatingWebhookConfiguration",
    "Namespace",
    "Node",
    "PersistentVolume",
    "PriorityClass",
    "RuntimeClass",
    "StorageClass",
    "ValidatingWebhookConfiguration",
];

/// An object as it comes to admission: with its namespace, and with the replicas that the API server fills in.
/// Other defaults are not filled in.
#[derive(Debug)]
pub(super) struct Admitted {
    pub(super) object: Value,
    /// Empty for objects of the whole cluster.
    pub(super) namespace: String,
    /// Where in the manifest it lies: empty, or the way to a template.
    pub(super) path: String,
    /// Whether it is the pod that a workload makes.
    pub(super) is_rendered: bool,
}

impl Admitted {
    /// The object itself, and for a workload a pod of it; nothing for policies, which judge and are not judged.
    pub(super) fn all_of(manifest: &Manifest) -> Vec<Self> {
        if super::is_policy(manifest) {
            return Vec::new();
        }
        let itself = Self::of(manifest);
        let pod = Workload::of(manifest).filter(|workload| workload.makes_pods()).map(|workload| Self {
            object: rendered(&workload),
            namespace: itself.namespace.clone(),
            path: workload.template_path().to_owned(),
            is_rendered: true,
        });
        std::iter::once(itself).chain(pod).collect()
    }

    fn of(manifest: &Manifest) -> Self {
        let mut object = manifest.value().clone();
        let kind = manifest.object().kind.as_str();
        let namespace = match CLUSTER_SCOPED.contains(&kind) || super::is_policy(manifest) {
            true => String::new(),
            false => namespace_or_default(&manifest.object().namespace).to_owned(),
        };
        if !namespace.is_empty() {
            object["metadata"]["namespace"] = namespace.clone().into();
        }
        let is_scaled = matches!(kind, "Deployment" | "StatefulSet" | "ReplicaSet" | "ReplicationController");
        if is_scaled && object["spec"].is_object() && object["spec"]["replicas"].is_null() {
            object["spec"]["replicas"] = 1.into();
        }
        Self { object, namespace, path: String::new(), is_rendered: false }
    }

    pub(super) fn kind(&self) -> &str {
        self.object["kind"].as_str().unwrap_or_default()
    }

    pub(super) fn name(&self) -> &str {
        self.object["metadata"]["name"].as_str().unwrap_or_default()
    }

    pub(super) fn group_version(&self) -> (&str, &str) {
        let api_version = self.object["apiVersion"].as_str().unwrap_or_default();
        api_version.split_once('/').unwrap_or(("", api_version))
    }

    pub(super) fn is_namespace(&self) -> bool {
        self.kind() == "Namespace" && self.object["apiVersion"] == "v1"
    }

    pub(super) fn is_cluster_scoped(&self) -> bool {
        self.namespace.is_empty()
    }
}

/// A pod as the workload's controller would make it.
fn rendered(workload: &Workload<'_>) -> Value {
    let object = workload.manifest.object();
    let owner = match object.kind.as_str() {
        "Deployment" => ("apps/v1", "ReplicaSet"),
        "CronJob" => ("batch/v1", "Job"),
        kind => (workload.manifest.api_version(), kind),
    };
    let mut pod = json!({ "apiVersion": "v1", "kind": "Pod", "metadata": {}, "spec": workload.spec() });
    if let Some(metadata) = workload.template_metadata().as_object() {
        pod["metadata"] = metadata.clone().into();
    }
    pod["metadata"]["name"] = object.name.clone().into();
    pod["metadata"]["namespace"] = workload.namespace().into();
    pod["metadata"]["ownerReferences"] =
        json!([{ "apiVersion": owner.0, "kind": owner.1, "name": object.name, "controller": true }]);
    pod
}

/// Everything that would be there afterwards, as policies look it up in `data.inventory`.
#[derive(Debug)]
pub(super) struct Inventory {
    objects: Vec<Admitted>,
    namespaces: HashMap<String, usize>,
    /// All of it for the interpreter; made once, when the first policy asks for it, and shared by all.
    data: OnceCell<regorus::Value>,
}

impl Inventory {
    pub(super) fn new(manifests: &[&Manifest]) -> Self {
        let objects: Vec<Admitted> = manifests.iter().map(|manifest| Admitted::of(manifest)).collect();
        let namespaces = objects.iter().enumerate().filter(|(_, object)| object.is_namespace());
        let namespaces = namespaces.map(|(place, object)| (object.name().to_owned(), place)).collect();
        Self { objects, namespaces, data: OnceCell::new() }
    }

    /// The Namespace of that name, where it is known.
    pub(super) fn namespace(&self, name: &str) -> Option<&Value> {
        self.namespaces.get(name).map(|place| &self.objects[*place].object)
    }

    /// `inventory`, as policies look it up below `data`.
    pub(super) fn as_data(&self) -> regorus::Value {
        self.data.get_or_init(|| json!({ "inventory": self.tree() }).into()).clone()
    }

    /// `namespace[NAMESPACE][APIVERSION][KIND][NAME]` and `cluster[APIVERSION][KIND][NAME]`.
    fn tree(&self) -> Value {
        let mut data = Map::new();
        for object in &self.objects {
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let api_version = text(&object.object["apiVersion"]);
            let mut way = if object.is_cluster_scoped() {
                vec!["cluster".to_owned()]
            } else {
                vec!["namespace".to_owned(), object.namespace.clone()]
            };
            way.extend([api_version, object.kind().to_owned(), object.name().to_owned()]);
            insert(&mut data, &way, &object.object);
        }
        data.into()
    }
}

fn insert(data: &mut Map<String, Value>, way: &[String], object: &Value) {
    match way {
        [] => {}
        [last] => {
            data.insert(last.clone(), object.clone());
        }
        [first, rest @ ..] => {
            let inner = data.entry(first.clone()).or_insert_with(|| Map::new().into());
            if let Some(inner) = inner.as_object_mut() {
                insert(inner, rest, object);
            }
        }
    }
}
