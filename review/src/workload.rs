//! The view of a manifest that rules about pods share: its pod spec, wherever it lies.

use crate::image::ImageRef;
use crate::manifest::Manifest;
use crate::patch::Edit;
use crate::selector::{Labels, labels};
use serde_json::Value;
use std::fmt;

/// A manifest that holds a pod spec, with the path that leads there.
#[derive(Debug, Clone, Copy)]
pub struct Workload<'a> {
    /// The object.
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
    /// In words.
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

    /// Its image as written.
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

const CONTAINER_LISTS: [(&str, ContainerKind); 3] = [
    ("containers", ContainerKind::Main),
    ("initContainers", ContainerKind::Init),
    ("ephemeralContainers", ContainerKind::Ephemeral),
];

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

    /// Its namespace, `default` where the manifest names none, as kubectl takes it.
    pub(crate) fn namespace(&self) -> &'a str {
        namespace_or_default(&self.manifest.object().namespace)
    }

    /// The pod's labels: the template's for a controller.
    #[must_use]
    pub(crate) fn labels(&self) -> Labels {
        labels(&self.template["metadata"]["labels"])
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
