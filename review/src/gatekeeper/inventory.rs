//! What policies see: the objects that come to admission, and those that are there already.

use crate::manifest::Manifest;
use crate::workload::{Workload, namespace_or_default};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Value, json};
use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::{BTreeMap, HashMap};

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

/// An object as policies see it: with its namespace and, where it is judged, with the API server's defaults and as the
/// cluster's mutations leave it.
#[derive(Debug)]
pub(super) struct Admitted<'a> {
    pub(super) object: Cow<'a, Value>,
    /// Empty for objects of the whole cluster.
    pub(super) namespace: String,
    /// Where in the manifest it lies: empty, or the way to a template.
    pub(super) path: String,
    /// Whether it is the pod that a workload makes.
    pub(super) is_rendered: bool,
    /// Why nobody can say what the cluster's mutations make of it.
    pub(super) doubt: Option<String>,
}

impl<'a> Admitted<'a> {
    /// The object itself, and for a workload a pod of it; nothing for policies, which judge and are not judged. `admit`
    /// changes each of them as the cluster does.
    pub(super) fn all_of(manifest: &'a Manifest, admit: impl Fn(&mut Self)) -> Vec<Self> {
        if super::is_policy(manifest) {
            return Vec::new();
        }
        let mut itself = Self::of(manifest);
        admit(&mut itself);
        let mut all = vec![itself];
        if let Some(pod) = all[0].pod() {
            all.push(pod);
            admit(&mut all[1]);
        }
        all
    }

    /// A pod of a workload, before it comes to admission itself.
    fn pod(&self) -> Option<Self> {
        let manifest = Manifest::from_value(self.object.clone().into_owned()).ok()?;
        let workload = Workload::of(&manifest).filter(|workload| workload.makes_pods())?;
        Some(Self {
            object: Cow::Owned(rendered(&workload)),
            namespace: self.namespace.clone(),
            path: workload.template_path().to_owned(),
            is_rendered: true,
            doubt: self.doubt.clone(),
        })
    }

    /// API version and kind of the controller that makes it; nothing where nobody does.
    pub(super) fn owner(&self) -> Option<(&str, &str)> {
        let owner = &self.object["metadata"]["ownerReferences"][0];
        self.is_rendered.then(|| owner["apiVersion"].as_str().zip(owner["kind"].as_str())).flatten()
    }

    /// What is there already has all that is filled in here, and is not copied.
    fn of(manifest: &'a Manifest) -> Self {
        let mut object = Cow::Borrowed(manifest.value());
        let kind = manifest.object().kind.as_str();
        let namespace = match CLUSTER_SCOPED.contains(&kind) {
            true => String::new(),
            false => namespace_or_default(&manifest.object().namespace).to_owned(),
        };
        if !namespace.is_empty() && object["metadata"]["namespace"] != *namespace {
            object.to_mut()["metadata"]["namespace"] = namespace.clone().into();
        }
        let is_scaled = matches!(kind, "Deployment" | "StatefulSet" | "ReplicaSet" | "ReplicationController");
        if is_scaled && object["spec"].is_object() && object["spec"]["replicas"].is_null() {
            object.to_mut()["spec"]["replicas"] = 1.into();
        }
        Self { object, namespace, path: String::new(), is_rendered: false, doubt: None }
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
pub(super) struct Inventory<'a> {
    objects: Vec<Admitted<'a>>,
    namespaces: HashMap<String, usize>,
    /// All of it as JSON; made once, when the first policy asks for it.
    json: OnceCell<String>,
}

impl<'a> Inventory<'a> {
    /// Policies are not part of it: what one of them asks for is not for others to read.
    pub(super) fn new(manifests: &[&'a Manifest]) -> Self {
        let judged = manifests.iter().filter(|manifest| !super::is_policy(manifest));
        let objects: Vec<Admitted<'a>> = judged.map(|manifest| Admitted::of(manifest)).collect();
        let namespaces = objects.iter().enumerate().filter(|(_, object)| object.is_namespace());
        let namespaces = namespaces.map(|(place, object)| (object.name().to_owned(), place)).collect();
        Self { objects, namespaces, json: OnceCell::new() }
    }

    /// The Namespace of that name, where it is known.
    pub(super) fn namespace(&self, name: &str) -> Option<&Value> {
        self.namespaces.get(name).map(|place| &*self.objects[*place].object)
    }

    /// What policies look up in `data.inventory`: `namespace[NAMESPACE][APIVERSION][KIND][NAME]` and
    /// `cluster[APIVERSION][KIND][NAME]`, as JSON.
    pub(super) fn json(&self) -> &str {
        self.json.get_or_init(|| self.to_json())
    }

    fn to_json(&self) -> String {
        let mut tree = Tree::default();
        for object in &self.objects {
            let scope = if object.is_cluster_scoped() { vec!["cluster"] } else { vec!["namespace", &object.namespace] };
            let api_version = object.object["apiVersion"].as_str().unwrap_or_default();
            let path = scope.into_iter().chain([api_version, object.kind(), object.name()]);
            path.fold(&mut tree, Tree::below).object = Some(&*object.object);
        }
        // Keys are texts, and a text can always be written into.
        serde_json::to_string(&tree).unwrap_or_default()
    }
}

/// Objects by their way from the root.
#[derive(Default)]
struct Tree<'a> {
    object: Option<&'a Value>,
    branches: BTreeMap<&'a str, Tree<'a>>,
}

impl<'a> Tree<'a> {
    fn below(&mut self, key: &'a str) -> &mut Self {
        self.branches.entry(key).or_default()
    }
}

impl Serialize for Tree<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if let Some(object) = self.object {
            return object.serialize(serializer);
        }
        let mut map = serializer.serialize_map(Some(self.branches.len()))?;
        for (key, branch) in &self.branches {
            map.serialize_entry(key, branch)?;
        }
        map.end()
    }
}
