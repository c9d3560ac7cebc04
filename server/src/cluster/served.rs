//! Kinds of objects, as the API server serves them.

use review::Manifest;
use serde_json::Value;

#[derive(Debug, Clone)]
pub(super) struct Served {
    pub(super) api_version: String,
    pub(super) kind: String,
    pub(super) plural: String,
}

impl Served {
    pub(super) fn new(api_version: &str, kind: &str, plural: &str) -> Self {
        Self { api_version: api_version.to_owned(), kind: kind.to_owned(), plural: plural.to_owned() }
    }

    /// Its API group; empty for the core group.
    pub(super) fn group(&self) -> &str {
        self.api_version.split_once('/').map_or("", |(group, _)| group)
    }

    /// Where its objects are listed.
    pub(super) fn path(&self) -> String {
        let root = if self.api_version.contains('/') { "apis" } else { "api" };
        format!("/{root}/{}/{}", self.api_version, self.plural)
    }

    /// Says what an item of a list is, which it does not say itself.
    pub(super) fn name(&self, item: &mut Value) {
        item["apiVersion"] = self.api_version.clone().into();
        item["kind"] = self.kind.clone().into();
    }

    /// The objects of a list.
    pub(super) fn objects(&self, list: &mut Value) -> Vec<Manifest> {
        let items = list["items"].as_array_mut().map(std::mem::take).unwrap_or_default();
        let named = items.into_iter().map(|mut item| {
            self.name(&mut item);
            item
        });
        named.filter_map(|item| Manifest::from_value(item).ok()).collect()
    }
}

/// What rules look at beside what they review, and what pages show of a namespace.
pub(super) fn kinds_of_a_namespace() -> Vec<Served> {
    [
        ("v1", "Pod", "pods"),
        ("v1", "Service", "services"),
        ("v1", "ReplicationController", "replicationcontrollers"),
        ("v1", "ResourceQuota", "resourcequotas"),
        ("v1", "LimitRange", "limitranges"),
        ("apps/v1", "Deployment", "deployments"),
        ("apps/v1", "StatefulSet", "statefulsets"),
        ("apps/v1", "DaemonSet", "daemonsets"),
        ("apps/v1", "ReplicaSet", "replicasets"),
        ("batch/v1", "Job", "jobs"),
        ("batch/v1", "CronJob", "cronjobs"),
        ("policy/v1", "PodDisruptionBudget", "poddisruptionbudgets"),
        ("networking.k8s.io/v1", "NetworkPolicy", "networkpolicies"),
    ]
    .map(|(api_version, kind, plural)| Served::new(api_version, kind, plural))
    .into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn paths_lead_to_the_lists() {
        assert_eq!(Served::new("v1", "Pod", "pods").path(), "/api/v1/pods");
        assert_eq!(Served::new("policy/v1", "X", "xs").path(), "/apis/policy/v1/xs");
    }

    #[test]
    fn the_items_of_a_list_get_their_kind() {
        let mut list = json!({ "items": [{ "metadata": { "name": "alone" } }] });
        let objects = Served::new("v1", "Pod", "pods").objects(&mut list);
        assert_eq!(objects[0].object().to_string(), "Pod/alone");
    }
}
