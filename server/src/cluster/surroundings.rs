//! What is in the cluster around a review: the namespace's objects as the person, the cluster's own policies with the
//! portal's own account.

use super::KubeCluster;
use super::request::{ApiRequest, As};
use app::access::KubeIdentity;
use app::ports::{ClusterError, Surroundings};
use futures::future::try_join_all;
use k8s_openapi::api::core::v1::Namespace as KubeNamespace;
use review::Manifest;
use serde_json::{Value, json};

/// A kind of object, as the API serves it.
struct Served {
    api_version: String,
    kind: String,
    plural: String,
}

impl Served {
    fn new(api_version: &str, kind: &str, plural: &str) -> Self {
        Self { api_version: api_version.to_owned(), kind: kind.to_owned(), plural: plural.to_owned() }
    }

    fn path(&self, namespace: Option<&str>) -> String {
        let root = if self.api_version.contains('/') { "apis" } else { "api" };
        let place = namespace.map(|name| format!("/namespaces/{name}")).unwrap_or_default();
        format!("/{root}/{}{place}/{}", self.api_version, self.plural)
    }

    /// The objects of a list, whose items do not say what they are.
    fn objects(&self, list: &mut Value) -> Vec<Manifest> {
        let items = list["items"].as_array_mut().map(std::mem::take).unwrap_or_default();
        let typed = items.into_iter().map(|mut item| {
            item["apiVersion"] = self.api_version.clone().into();
            item["kind"] = self.kind.clone().into();
            item
        });
        typed.filter(|item| !is_made_by_another(item)).filter_map(|item| Manifest::from_value(item).ok()).collect()
    }
}

/// What rules look at beside what they review.
fn kinds_of_a_namespace() -> Vec<Served> {
    [
        ("v1", "Pod", "pods"),
        ("v1", "Service", "services"),
        ("v1", "ReplicationController", "replicationcontrollers"),
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

/// Whether a workload that is read as well made it, and stands for it. What an operator's own kinds make stands for
/// itself.
fn is_made_by_another(object: &Value) -> bool {
    let owners = object["metadata"]["ownerReferences"].as_array().into_iter().flatten();
    let is_workload = |kind: &str| {
        ["Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "ReplicationController", "Job", "CronJob"]
            .contains(&kind)
    };
    let is_made = matches!(object["kind"].as_str(), Some("Pod" | "ReplicaSet" | "Job"));
    is_made
        && owners
            .into_iter()
            .any(|owner| owner["controller"] == true && owner["kind"].as_str().is_some_and(is_workload))
}

impl KubeCluster {
    pub(super) async fn of_namespace(&self, who: &KubeIdentity, namespace: &str) -> Result<Surroundings, ClusterError> {
        let kinds = kinds_of_a_namespace();
        let lists = kinds.iter().map(|kind| self.list(kind, Some(namespace), As::Person(who)));
        Ok(gathered(try_join_all(lists).await?, |kind| format!("{} of {namespace}", kind.plural)))
    }

    /// Gatekeeper's ConstraintTemplates, and the Constraints of each.
    pub(super) async fn policies(&self) -> Result<Surroundings, ClusterError> {
        let templates = Served::new("templates.gatekeeper.sh/v1", "ConstraintTemplate", "constrainttemplates");
        let in_words = |kind: &Served| format!("the cluster's own policies ({})", kind.plural);
        let mut found = gathered(vec![self.list(&templates, None, As::Portal).await?], in_words);
        let kinds: Vec<Served> = found.objects.iter().filter_map(constraints_of).collect();
        let lists = kinds.iter().map(|kind| self.list(kind, None, As::Portal));
        let constraints = gathered(try_join_all(lists).await?, in_words);
        found.objects.extend(constraints.objects);
        found.unread.extend(constraints.unread);
        Ok(found)
    }

    /// The objects of a kind; `None` where the cluster does not show them, and none where it does not serve the kind.
    async fn list<'a>(
        &self,
        kind: &'a Served,
        namespace: Option<&str>,
        who: As<'_>,
    ) -> Result<(&'a Served, Option<Vec<Manifest>>), ClusterError> {
        match ApiRequest::get(&kind.path(namespace)).acting(who).send_if_served(&self.client).await {
            Ok(Some(mut list)) => Ok((kind, Some(kind.objects(&mut list.body)))),
            Ok(None) => Ok((kind, Some(Vec::new()))),
            Err(ClusterError::Refused(reason)) => {
                tracing::info!(reason, kind = kind.kind, "not shown for a review");
                Ok((kind, None))
            }
            Err(error) => Err(error),
        }
    }
}

fn gathered(lists: Vec<(&Served, Option<Vec<Manifest>>)>, in_words: impl Fn(&Served) -> String) -> Surroundings {
    let mut found = Surroundings::default();
    for (kind, objects) in lists {
        match objects {
            Some(objects) => found.objects.extend(objects),
            None => found.unread.push(in_words(kind)),
        }
    }
    found
}

/// Where the constraints of a template are: Gatekeeper serves them under the template's kind in small letters.
fn constraints_of(template: &Manifest) -> Option<Served> {
    let kind = template.value()["spec"]["crd"]["spec"]["names"]["kind"].as_str()?;
    // Part of a path: nothing else than what a kind may be (RFC 1035 label, in small letters).
    let is_kind = !kind.is_empty() && kind.bytes().all(|byte| byte.is_ascii_alphanumeric());
    is_kind.then(|| Served::new("constraints.gatekeeper.sh/v1beta1", kind, &kind.to_ascii_lowercase()))
}

/// A Namespace of the watch cache, as far as policies look at it.
pub(super) fn as_manifest(namespace: &std::sync::Arc<KubeNamespace>) -> Option<Manifest> {
    let metadata = serde_json::to_value(&namespace.metadata).ok()?;
    Manifest::from_value(json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": metadata })).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lead_to_the_lists() {
        assert_eq!(Served::new("v1", "Pod", "pods").path(Some("shop")), "/api/v1/namespaces/shop/pods");
        assert_eq!(Served::new("policy/v1", "X", "xs").path(None), "/apis/policy/v1/xs");
    }

    #[test]
    fn what_a_workload_made_is_left_out_and_the_items_of_a_list_get_their_kind() {
        let owned = |kind: &str| json!([{ "kind": kind, "name": "web", "controller": true }]);
        let mut list = json!({ "items": [
            { "metadata": { "name": "alone" } },
            { "metadata": { "name": "web-1", "ownerReferences": owned("ReplicaSet") } },
            { "metadata": { "name": "db-1", "ownerReferences": owned("Cluster") } },
        ] });
        let objects = Served::new("v1", "Pod", "pods").objects(&mut list);
        let names: Vec<String> = objects.iter().map(|object| object.object().to_string()).collect();
        assert_eq!(names, ["Pod//alone", "Pod//db-1"]);
    }

    #[test]
    fn a_template_cannot_lead_elsewhere() {
        let template = |kind: &str| {
            let names = json!({ "crd": { "spec": { "names": { "kind": kind } } } });
            let value = json!({ "apiVersion": "templates.gatekeeper.sh/v1", "kind": "ConstraintTemplate", "metadata": { "name": "a" }, "spec": names });
            constraints_of(&Manifest::from_value(value).unwrap()).map(|kind| kind.path(None))
        };
        assert_eq!(template("K8sTags").as_deref(), Some("/apis/constraints.gatekeeper.sh/v1beta1/k8stags"));
        assert_eq!(template("../../v1/secrets"), None);
    }
}
