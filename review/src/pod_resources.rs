//! What the pods of a workload request and may use at most, with what limit ranges of the namespace fill in.

use crate::manifest::Manifest;
use crate::quantity::Quantity;
use crate::workload::{Container, ContainerKind, Workload};
use serde_json::Value;

/// Requests or limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bound {
    Requests,
    Limits,
}

impl Bound {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::Limits => "limits",
        }
    }
}

/// The resources of a workload's pods.
pub(crate) struct PodResources<'w, 'l> {
    workload: Workload<'w>,
    /// The limits of each limit range for containers.
    defaults: Vec<&'l Value>,
}

impl<'w, 'l> PodResources<'w, 'l> {
    pub(crate) fn of(workload: Workload<'w>, limit_ranges: impl IntoIterator<Item = &'l Manifest>) -> Self {
        let limits = limit_ranges.into_iter().flat_map(|range| limits_for(range, "Container"));
        Self { workload, defaults: limits.collect() }
    }

    /// Containers that resources are counted of.
    pub(crate) fn containers(&self) -> impl Iterator<Item = Container<'w>> + use<'w, 'l> {
        self.workload.containers().filter(|container| container.kind != ContainerKind::Ephemeral)
    }

    /// What one pod takes of a resource: what it says as a whole, or else its containers together, or what its largest
    /// init container takes meanwhile, whatever is more (kubernetes.io/docs/concepts/workloads/pods/sidecar-containers,
    /// "Resource sharing within containers"). Nothing where nobody says it.
    pub(crate) fn of_pod(&self, bound: Bound, resource: &str) -> Option<Quantity> {
        let whole = |bound: Bound| Quantity::of(&self.workload.spec()["resources"][bound.as_str()][resource]);
        whole(bound).or_else(|| self.of_containers(bound, resource)).or_else(|| whole(Bound::Limits))
    }

    /// The same with what its runtime needs beside, where the pod says it.
    pub(crate) fn of_pod_with_overhead(&self, bound: Bound, resource: &str) -> Option<Quantity> {
        let overhead = Quantity::of(&self.workload.spec()["overhead"][resource]).unwrap_or_default();
        self.of_pod(bound, resource).map(|amount| amount + overhead)
    }

    fn of_containers(&self, bound: Bound, resource: &str) -> Option<Quantity> {
        let (mut main, mut sidecars, mut starting) = (Quantity::default(), Quantity::default(), Quantity::default());
        let mut is_said = false;
        for container in self.containers() {
            let Some(amount) = self.of_container(&container, bound, resource) else { continue };
            is_said = true;
            match container.kind {
                ContainerKind::Init if container.value["restartPolicy"] == "Always" => sidecars = sidecars + amount,
                ContainerKind::Init => starting = starting.max(sidecars + amount),
                _ => main = main + amount,
            }
        }
        is_said.then(|| (main + sidecars).max(starting))
    }

    /// Whether the pod as a whole says what it takes of CPU, memory or huge pages.
    pub(crate) fn has_pod_level(&self) -> bool {
        let resources = &self.workload.spec()["resources"];
        let named = ["requests", "limits"].iter().filter_map(|list| resources[*list].as_object()).flatten();
        named.into_iter().any(|(name, _)| ["cpu", "memory"].contains(&name.as_str()) || name.starts_with("hugepages-"))
    }

    /// What a container takes: as it says, or as its limit says for its request, or as a limit range fills in.
    pub(crate) fn of_container(&self, container: &Container<'_>, bound: Bound, resource: &str) -> Option<Quantity> {
        said(&container.value["resources"], bound, resource)
            .or_else(|| self.defaults.iter().find_map(|limits| default_of(limits, bound, resource)))
    }
}

fn said(resources: &Value, bound: Bound, resource: &str) -> Option<Quantity> {
    let of = |bound: Bound| Quantity::of(&resources[bound.as_str()][resource]);
    of(bound).or_else(|| if bound == Bound::Requests { of(Bound::Limits) } else { None })
}

/// The API server itself fills in what a limit range leaves out (`SetDefaults_LimitRangeItem`, Kubernetes 1.37).
fn default_of(limits: &Value, bound: Bound, resource: &str) -> Option<Quantity> {
    let fields: &[&str] = match bound {
        Bound::Requests => &["defaultRequest", "default", "max", "min"],
        Bound::Limits => &["default", "max"],
    };
    fields.iter().find_map(|field| Quantity::of(&limits[*field][resource]))
}

/// The most items of a limit range that are looked at: one for each type is usual.
const MOST_ITEMS: usize = 4;

/// The limits that a LimitRange has for a type: `Container` or `Pod`.
pub(crate) fn limits_for<'a>(range: &'a Manifest, kind: &'static str) -> impl Iterator<Item = &'a Value> {
    let limits = range.value()["spec"]["limits"].as_array().into_iter().flatten();
    limits.filter(move |limits| limits["type"] == kind).take(MOST_ITEMS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn memory(spec: Value) -> Option<String> {
        let pod = json!({ "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "a" }, "spec": spec });
        let pod = Manifest::from_value(pod).unwrap();
        let resources = PodResources::of(Workload::of(&pod).unwrap(), []);
        resources.of_pod_with_overhead(Bound::Requests, "memory").map(|amount| amount.to_string())
    }

    fn container(memory: &str, restart: Option<&str>) -> Value {
        json!({ "resources": { "requests": { "memory": memory } }, "restartPolicy": restart })
    }

    #[test]
    fn a_pod_takes_what_runs_at_the_same_time_at_most() {
        let (main, small, large) = (container("100Mi", None), container("50Mi", None), container("300Mi", None));
        let sidecar = container("30Mi", Some("Always"));
        let of = |containers: Value, init: Value| memory(json!({ "containers": containers, "initContainers": init }));
        assert_eq!(of(json!([main, main]), json!([small])).unwrap(), "200Mi");
        assert_eq!(of(json!([main]), json!([large, small])).unwrap(), "300Mi");
        assert_eq!(of(json!([main]), json!([sidecar])).unwrap(), "130Mi");
        assert_eq!(of(json!([main]), json!([sidecar, large])).unwrap(), "330Mi");
        assert_eq!(of(json!([main]), json!([large, sidecar])).unwrap(), "300Mi");
        assert_eq!(of(json!([{}]), json!([])), None);
    }

    #[test]
    fn the_pod_as_a_whole_and_the_overhead_count() {
        let main = container("100Mi", None);
        let whole = |list: &str| json!({ list: { "memory": "1Gi" } });
        assert_eq!(memory(json!({ "containers": [main], "resources": whole("requests") })).unwrap(), "1Gi");
        assert_eq!(memory(json!({ "containers": [main], "resources": whole("limits") })).unwrap(), "100Mi");
        assert_eq!(memory(json!({ "containers": [{}], "resources": whole("limits") })).unwrap(), "1Gi");
        assert_eq!(memory(json!({ "containers": [main], "overhead": { "memory": "28Mi" } })).unwrap(), "128Mi");
    }
}
