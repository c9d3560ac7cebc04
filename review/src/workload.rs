//! The view of a manifest that rules about pods share: its pod spec, wherever it lies.

use crate::manifest::Manifest;
use crate::selector::{Labels, labels};
use serde_json::Value;

/// A manifest that holds a pod spec, with the path that leads there.
#[derive(Debug, Clone, Copy)]
pub struct Workload<'a> {
    /// The object.
    pub manifest: &'a Manifest,
    template_path: &'static str,
    template: &'a Value,
}

/// One container of any kind, and its path in the object.
#[derive(Debug, Clone)]
pub(crate) struct Container<'a> {
    pub(crate) value: &'a Value,
    pub(crate) path: String,
    pub(crate) kind: ContainerKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ContainerKind {
    Main,
    Init,
    Ephemeral,
}

impl Container<'_> {
    pub(crate) fn name(&self) -> &str {
        self.value["name"].as_str().unwrap_or("without a name")
    }
}

impl<'a> Workload<'a> {
    /// The pod spec of `manifest`, or nothing where its kind has none.
    #[must_use]
    pub fn of(manifest: &'a Manifest) -> Option<Self> {
        let template_path = match (manifest.api_version(), manifest.object().kind.as_str()) {
            ("v1", "Pod") => "",
            ("apps/v1", "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet")
            | ("batch/v1", "Job")
            | ("v1", "ReplicationController") => "spec.template",
            ("batch/v1", "CronJob") => "spec.jobTemplate.spec.template",
            _ => return None,
        };
        let template = template_path
            .split('.')
            .filter(|segment| !segment.is_empty())
            .fold(manifest.value(), |value, segment| &value[segment]);
        Some(Self { manifest, template_path, template })
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
        let prefix =
            if self.template_path.is_empty() { "spec".to_owned() } else { format!("{}.spec", self.template_path) };
        if field.is_empty() { prefix } else { format!("{prefix}.{field}") }
    }

    pub(crate) fn containers(&self) -> Vec<Container<'a>> {
        [
            ("containers", ContainerKind::Main),
            ("initContainers", ContainerKind::Init),
            ("ephemeralContainers", ContainerKind::Ephemeral),
        ]
        .into_iter()
        .flat_map(|(field, kind)| {
            let list = self.spec()[field].as_array().map(Vec::as_slice).unwrap_or_default();
            list.iter().enumerate().map(move |(index, value)| (field, kind, index, value))
        })
        .map(|(field, kind, index, value)| Container { value, path: self.path(&format!("{field}[{index}]")), kind })
        .collect()
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
