//! The view of a manifest that rules about pods share: its pod spec, wherever it lies.

use crate::generate::{PodLabels, Port};
use crate::image::ImageRef;
use crate::manifest::Manifest;
use crate::network_policy::NetworkPolicy;
use crate::patch::Edit;
use crate::pod_labels::WorkloadLabels;
use crate::selector::{Labels, labels};
use serde_json::Value;
use std::fmt;

/// A manifest that holds a pod spec, with the path that leads there.
#[derive(Debug, Clone, Copy)]
pub struct Workload<'a> {
    pub manifest: &'a Manifest,
    template_path: &'static str,
    spec_path: &'static str,
    template: &'a Value,
}

/// One container of any kind, and its path in the object.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Container<'a> {
    pub(crate) value: &'a Value,
    pub(crate) path: ContainerPath,
    pub(crate) kind: ContainerKind,
}

/// Where a container is. It is written only once something is found: most rules find nothing.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ContainerPath {
    spec: &'static str,
    list: &'static str,
    index: usize,
}

impl fmt::Display for ContainerPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}[{}]", self.spec, self.list, self.index)
    }
}

/// Where a security context is.
#[derive(Debug, Clone, Copy)]
pub(crate) enum SecurityContextPath {
    Pod { spec: &'static str },
    Container(ContainerPath),
}

impl fmt::Display for SecurityContextPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pod { spec } => write!(f, "{spec}.securityContext"),
            Self::Container(path) => write!(f, "{path}.securityContext"),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ContainerKind {
    Main,
    Init,
    Ephemeral,
}

/// Capabilities that a container should not add.
pub(crate) struct AddedCapabilities {
    pub(crate) names: String,
    /// Path of the list that they are on.
    pub(crate) path: String,
    /// Takes them from the list.
    pub(crate) edit: Edit,
}

/// The first few of a list, in words.
fn listed(names: &[&str]) -> String {
    const MOST: usize = 5;
    let more = names.len().saturating_sub(MOST);
    let first = names.iter().take(MOST).copied().collect::<Vec<_>>().join(", ");
    if more == 0 { first } else { format!("{first} and {more} more") }
}

impl<'a> Container<'a> {
    pub(crate) fn name(&self) -> &'a str {
        self.value["name"].as_str().unwrap_or("without a name")
    }

    pub(crate) fn image(&self) -> &'a str {
        self.value["image"].as_str().unwrap_or_default()
    }

    /// The capabilities that it adds and that are not in `allowed`, if there are any.
    pub(crate) fn added_capabilities_beyond(&self, allowed: &[&str]) -> Option<AddedCapabilities> {
        let (path, context) = self.security_context();
        let added = context["capabilities"]["add"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let (kept, beyond): (Vec<&str>, Vec<&str>) = added.partition(|name| allowed.contains(name));
        (!beyond.is_empty()).then(|| {
            let path = format!("{path}.capabilities.add");
            let edit = if kept.is_empty() { Edit::remove(&path) } else { Edit::set(&path, kept) };
            AddedCapabilities { names: listed(&beyond), path, edit }
        })
    }

    /// Its security context with its path.
    pub(crate) fn security_context(&self) -> (SecurityContextPath, &'a Value) {
        (SecurityContextPath::Container(self.path), &self.value["securityContext"])
    }
}

/// Labels that controllers put on pods, and that differ from one to the next.
const ADDED_BY_CONTROLLERS: [&str; 6] = [
    "controller-revision-hash",
    "controller-uid",
    "job-name",
    "pod-template-generation",
    "pod-template-hash",
    "statefulset.kubernetes.io/pod-name",
];

const CONTAINER_LISTS: [(&str, ContainerKind); 3] = [
    ("containers", ContainerKind::Main),
    ("initContainers", ContainerKind::Init),
    ("ephemeralContainers", ContainerKind::Ephemeral),
];

/// As connections write it: `namespace/name[Kind]`.
impl fmt::Display for Workload<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}[{}]", self.namespace(), self.manifest.object().name, self.manifest.object().kind)
    }
}

impl<'a> Workload<'a> {
    /// The pod spec of `manifest`, or nothing where its kind has none.
    #[must_use]
    pub fn of(manifest: &'a Manifest) -> Option<Self> {
        let (template_path, spec_path) = match (manifest.api_version(), manifest.object().kind.as_str()) {
            ("v1", "Pod") => ("", "spec"),
            ("apps/v1", "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet")
            | ("batch/v1", "Job")
            | ("v1", "ReplicationController") => ("spec.template", "spec.template.spec"),
            ("batch/v1", "CronJob") => ("spec.jobTemplate.spec.template", "spec.jobTemplate.spec.template.spec"),
            _ => return None,
        };
        let template = template_path
            .split('.')
            .filter(|segment| !segment.is_empty())
            .fold(manifest.value(), |value, segment| &value[segment]);
        Some(Self { manifest, template_path, spec_path, template })
    }

    /// The labels that its pods have now and will keep, to select them by: the controller's own selector, which cannot
    /// be changed, or else the pods' labels without those that controllers add. Nothing where there are none.
    #[must_use]
    pub fn selecting_labels(&self) -> Option<PodLabels> {
        let selector = &self.manifest.value()["spec"]["selector"];
        let chosen = labels(&selector["matchLabels"]);
        let is_whole = selector["matchExpressions"].as_array().is_none_or(Vec::is_empty);
        let is_made_up = |key: &str| ADDED_BY_CONTROLLERS.contains(&key) || key.starts_with("batch.kubernetes.io/");
        let lasting = |labels: Labels| labels.into_iter().filter(|(key, _)| !is_made_up(key)).collect::<Labels>();
        PodLabels::new(if is_whole { lasting(chosen) } else { Labels::new() })
            .or_else(|| PodLabels::new(lasting(self.labels())))
    }

    /// The policies of its namespace that select by exactly the labels that it is selected by. Whatever else has these
    /// labels, and more, is selected as well.
    #[must_use]
    pub fn own_policies<'m>(&self, objects: &'m [Manifest]) -> Vec<&'m Manifest> {
        let Some(own) = self.selecting_labels().map(Labels::from) else { return Vec::new() };
        let is_own = |policy: &NetworkPolicy| {
            policy.namespace == self.namespace() && policy.pod_selector.plain_labels().as_ref() == Some(&own)
        };
        objects.iter().filter(|object| NetworkPolicy::of(object).is_some_and(|policy| is_own(&policy))).collect()
    }

    /// The ports that its containers say they listen on, without those of protocols that policies of ours do not
    /// write.
    #[must_use]
    pub fn declared_ports(&self) -> Vec<Port> {
        let ports = self.containers().flat_map(|container| container.value["ports"].as_array().into_iter().flatten());
        let mut found: Vec<Port> = Vec::new();
        for port in ports.filter_map(Port::of_container) {
            if !found.contains(&port) {
                found.push(port);
            }
        }
        found
    }

    /// Its namespace, `default` where the manifest names none, as kubectl takes it.
    #[must_use]
    pub fn namespace(&self) -> &'a str {
        namespace_or_default(&self.manifest.object().namespace)
    }

    /// The pod's labels: the template's for a controller.
    #[must_use]
    pub fn labels(&self) -> Labels {
        labels(&self.template["metadata"]["labels"])
    }

    /// The labels that its pods have, with those that its controller adds.
    pub(crate) fn pod_labels(&self) -> WorkloadLabels {
        WorkloadLabels::new(self.manifest, self.labels())
    }

    pub(crate) fn annotations(&self) -> Labels {
        labels(&self.template["metadata"]["annotations"])
    }

    pub(crate) fn spec(&self) -> &'a Value {
        &self.template["spec"]
    }

    /// The path of a field of the pod spec, inside the object.
    pub(crate) fn path(&self, field: &str) -> String {
        format!("{}.{field}", self.spec_path)
    }

    /// Its containers of every kind, the main ones first.
    pub(crate) fn containers(&self) -> impl Iterator<Item = Container<'a>> + use<'a> {
        let (spec, spec_path) = (self.spec(), self.spec_path);
        CONTAINER_LISTS.into_iter().flat_map(move |(list, kind)| {
            let containers = spec[list].as_array().map(Vec::as_slice).unwrap_or_default().iter().enumerate();
            containers.map(move |(index, value)| Container {
                value,
                path: ContainerPath { spec: spec_path, list, index },
                kind,
            })
        })
    }

    /// The pod's and every container's security context, each with its path. The pod comes first.
    pub(crate) fn security_contexts(&self) -> impl Iterator<Item = (SecurityContextPath, &'a Value)> + use<'a> {
        let pod = (SecurityContextPath::Pod { spec: self.spec_path }, &self.spec()["securityContext"]);
        std::iter::once(pod).chain(self.containers().map(|container| container.security_context()))
    }

    /// Containers whose image can be read, with the image.
    pub(crate) fn images(&self) -> impl Iterator<Item = (Container<'a>, ImageRef)> {
        self.containers().filter_map(|container| {
            let image = container.image().parse().ok()?;
            Some((container, image))
        })
    }

    /// Its volumes with their paths.
    pub(crate) fn volumes(&self) -> impl Iterator<Item = (String, &'a Value)> {
        let volumes = self.spec()["volumes"].as_array().map(Vec::as_slice).unwrap_or_default();
        volumes.iter().enumerate().map(|(index, volume)| (self.path(&format!("volumes[{index}]")), volume))
    }

    /// The path of something of the pod's metadata, inside the object.
    pub(crate) fn metadata_path(&self, field: &str) -> String {
        if self.template_path.is_empty() {
            format!("metadata.{field}")
        } else {
            format!("{}.metadata.{field}", self.template_path)
        }
    }

    /// Whether it makes pods, and is none itself.
    pub(crate) fn makes_pods(&self) -> bool {
        !self.template_path.is_empty()
    }

    /// The way to the template; empty for a Pod.
    pub(crate) fn template_path(&self) -> &'static str {
        self.template_path
    }

    /// The metadata of its pods.
    pub(crate) fn template_metadata(&self) -> &'a Value {
        &self.template["metadata"]
    }

    /// How many pods it makes; Kubernetes defaults `replicas` to 1.
    pub(crate) fn replicas(&self) -> u64 {
        self.manifest.value()["spec"]["replicas"].as_u64().unwrap_or(1)
    }

    pub(crate) fn is_windows(&self) -> bool {
        self.spec()["os"]["name"].as_str() == Some("windows")
    }

    pub(crate) fn has_user_namespace(&self) -> bool {
        self.spec()["hostUsers"] == false
    }

    pub(crate) fn uses_host_network(&self) -> bool {
        self.spec()["hostNetwork"].as_bool() == Some(true)
    }
}

/// The namespace of objects that name none, as kubectl takes it.
pub(crate) fn namespace_or_default(name: &str) -> &str {
    if name.is_empty() { "default" } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn selecting(kind: (&str, &str), spec: Value) -> Option<String> {
        let value = json!({
            "apiVersion": kind.0, "kind": kind.1, "metadata": { "name": "a", "labels": { "own": "1" } }, "spec": spec
        });
        let manifest = Manifest::from_value(value).unwrap();
        Workload::of(&manifest).unwrap().selecting_labels().map(|labels| labels.to_string())
    }

    #[test]
    fn pods_are_selected_by_what_their_controller_selects_them_by() {
        let template = json!({ "metadata": { "labels": { "app": "a", "version": "7", "pod-template-hash": "x" } } });
        let spec = |selector: Value| json!({ "selector": selector, "template": template });
        let deployment = ("apps/v1", "Deployment");
        assert_eq!(selecting(deployment, spec(json!({ "matchLabels": { "app": "a" } }))).unwrap(), "app=a");
        let expressions =
            json!({ "matchLabels": { "app": "a" }, "matchExpressions": [{ "key": "b", "operator": "DoesNotExist" }] });
        assert_eq!(selecting(deployment, spec(expressions)).unwrap(), "app=a,version=7");
    }

    #[test]
    fn policies_of_its_own_are_known_by_their_labels_in_any_order_and_however_they_are_written() {
        let labels = json!({ "app": "a", "tier": "b" });
        let pod = json!({ "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "a", "labels": labels } });
        let policy = |selector: Value| {
            Manifest::from_value(json!({
                "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": { "name": "p" },
                "spec": { "podSelector": selector }
            }))
            .unwrap()
        };
        let pod = Manifest::from_value(pod).unwrap();
        let is_own = |selector: Value| Workload::of(&pod).unwrap().own_policies(&[policy(selector)]).len() == 1;
        assert!(is_own(json!({ "matchLabels": { "tier": "b", "app": "a" } })));
        let expression = json!([{ "key": "tier", "operator": "In", "values": ["b"] }]);
        assert!(is_own(json!({ "matchLabels": { "app": "a" }, "matchExpressions": expression })));
        for other in
            [json!({}), json!({ "matchLabels": { "app": "a" } }), json!({ "matchLabels": { "app": "a", "tier": "c" } })]
        {
            assert!(!is_own(other));
        }
    }

    #[test]
    fn labels_that_a_controller_makes_up_for_each_run_select_nothing_later() {
        let labels = json!({ "controller-uid": "1", "job-name": "a", "batch.kubernetes.io/job-name": "a", "app": "a" });
        let job = json!({
            "selector": { "matchLabels": { "controller-uid": "1" } }, "template": { "metadata": { "labels": labels } }
        });
        assert_eq!(selecting(("batch/v1", "Job"), job).unwrap(), "app=a");
        assert_eq!(selecting(("v1", "Pod"), json!({})).unwrap(), "own=1");
    }

    #[test]
    fn declared_ports_are_named_once_and_only_where_a_policy_can_name_them() {
        let port = |number: u32, protocol: &str| json!({ "containerPort": number, "protocol": protocol });
        let ports = json!([port(80, "TCP"), port(80, "TCP"), port(53, "UDP"), port(9, "SCTP")]);
        let value = json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "a" },
            "spec": { "containers": [{ "ports": ports }] }
        });
        let manifest = Manifest::from_value(value).unwrap();
        let written: Vec<String> =
            Workload::of(&manifest).unwrap().declared_ports().iter().map(ToString::to_string).collect();
        assert_eq!(written, ["80", "UDP 53"]);
    }
}
