//! What is in the cluster around a review: the namespace's objects as far as the person may list them, and the
//! cluster's own policies, which the portal's account reads.

use super::KubeCluster;
use super::objects::KindState;
use super::request::{ApiRequest, As};
use super::served::{Served, kinds_of_a_namespace};
use app::access::KubeIdentity;
use app::ports::{ClusterAccess, ClusterError, Family, NamespaceSnapshot, Right, SnapshotVersion};
use futures::future::try_join_all;
use k8s_openapi::api::core::v1::Namespace as KubeNamespace;
use kube::runtime::reflector;
use record::Digest;
use review::{Manifest, ObjectRef};
use serde_json::json;
use std::collections::HashSet;
use std::sync::Arc;

/// Whether a workload that is shown as well made it, and stands for it. What an operator's own kinds make stands for
/// itself.
fn is_made_by_another(object: &Manifest) -> bool {
    if !matches!(object.object().kind.as_str(), "Pod" | "ReplicaSet" | "Job") {
        return false;
    }
    let owners = object.value()["metadata"]["ownerReferences"].as_array().into_iter().flatten();
    let is_workload = |kind: &str| {
        ["Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "ReplicationController", "Job", "CronJob"]
            .contains(&kind)
    };
    owners.into_iter().any(|owner| owner["controller"] == true && owner["kind"].as_str().is_some_and(is_workload))
}

/// What of a namespace is shown to somebody.
#[derive(Default)]
struct Shown {
    kinds: Vec<Served>,
    /// What is not, in words.
    unread: Vec<String>,
    /// Whether every kind is that has pods or says what they may reach.
    every_workload: bool,
}

impl Shown {
    fn without(&mut self, kind: &Served, words: String) {
        self.unread.push(words);
        self.every_workload &= matches!(kind.kind.as_str(), "ResourceQuota" | "LimitRange");
    }
}

impl KubeCluster {
    /// The kinds that the person may list in a namespace, and in words those that are not shown.
    async fn shown(&self, who: &KubeIdentity, namespace: &str) -> Result<Shown, ClusterError> {
        let mut shown = Shown { every_workload: true, ..Shown::default() };
        let mut questions = Vec::new();
        for kind in kinds_of_a_namespace() {
            match self.objects.state(&kind) {
                None => return Err(super::not_yet()),
                Some(KindState::NotServed) => {}
                Some(KindState::NotAllowed) => shown.without(&kind, in_words(&kind, namespace)),
                Some(KindState::Stale) => {
                    shown.without(&kind, format!("{} since a minute or more", in_words(&kind, namespace)));
                    questions.push(kind);
                }
                Some(KindState::Filled) => questions.push(kind),
            }
        }
        let answers = try_join_all(questions.iter().map(|kind| self.may_list(who, kind, namespace))).await?;
        for (kind, may_list) in questions.into_iter().zip(answers) {
            if may_list {
                shown.kinds.push(kind);
            } else {
                shown.without(&kind, in_words(&kind, namespace));
            }
        }
        Ok(shown)
    }

    /// Asked anew after a few seconds only: a page asks for a dozen kinds, and the live review for the page's at every
    /// pause in typing.
    async fn may_list(&self, who: &KubeIdentity, kind: &Served, namespace: &str) -> Result<bool, ClusterError> {
        let key = (who.clone(), kind.kind.clone(), namespace.to_owned());
        let ask =
            async { self.allows(who, &Right::within(namespace.to_owned(), "list", kind.group(), &kind.plural)).await };
        self.may_list.try_get_with(key, ask).await.map_err(|error| (*error).clone())
    }

    pub(super) async fn of_namespace(
        &self,
        who: &KubeIdentity,
        namespace: &str,
    ) -> Result<NamespaceSnapshot, ClusterError> {
        let Shown { kinds: shown, unread, every_workload } = self.shown(who, namespace).await?;
        // Policies mean namespaces by their labels. Who may list nothing in it need not know them.
        let own = self.namespaces.get(&reflector::ObjectRef::new(namespace)).filter(|_| !shown.is_empty());
        // Before the objects are read: what changes meanwhile makes another version.
        let mut version = format!("{namespace}/{}", self.objects.revision(namespace));
        let kinds = shown.iter().map(|kind| kind.kind.as_str());
        for part in kinds.chain(own.as_ref().and_then(|own| own.metadata.resource_version.as_deref())) {
            version.push('/');
            version.push_str(part);
        }
        let version = SnapshotVersion::new(version);
        let gather = async {
            let objects = shown.iter().flat_map(|kind| self.objects.of(kind, namespace));
            let objects = objects.filter(|object| !is_made_by_another(object));
            Arc::new(objects.chain(own.and_then(|own| as_manifest(&own))).collect::<Vec<_>>())
        };
        let objects = self.namespace_objects.get_with(version.clone(), gather).await.to_vec();
        Ok(NamespaceSnapshot { objects, unread, every_workload, version })
    }

    /// Replica sets, jobs and pods that were made for a workload, through however many owners.
    pub(super) async fn family_of(&self, who: &KubeIdentity, workload: &ObjectRef) -> Result<Family, ClusterError> {
        let shown = self.shown(who, &workload.namespace).await?.kinds;
        let objects: Vec<Manifest> = shown.iter().flat_map(|kind| self.objects.of(kind, &workload.namespace)).collect();
        let Some(found) = objects.iter().find(|object| object.object() == workload).cloned() else {
            return Ok(Family::default());
        };
        let mut uids: HashSet<String> = uid(&found).into_iter().collect();
        let mut made: Vec<Manifest> = Vec::new();
        loop {
            let is_new = |object: &&Manifest| {
                let owners = object.value()["metadata"]["ownerReferences"].as_array().into_iter().flatten();
                let is_owned = owners.filter_map(|owner| owner["uid"].as_str()).any(|owner| uids.contains(owner));
                is_owned && uid(object).is_some_and(|uid| !uids.contains(&uid))
            };
            let next: Vec<Manifest> = objects.iter().filter(is_new).cloned().collect();
            if next.is_empty() {
                break;
            }
            uids.extend(next.iter().filter_map(uid));
            made.extend(next);
        }
        // Uids come from the API server, which takes them as they are.
        let controllers =
            std::iter::once(&found).chain(made.iter().filter(|object| object.object().kind != "Pod").rev());
        let pods = made.iter().filter(|object| object.object().kind == "Pod");
        let told: Vec<String> = controllers.chain(pods).filter_map(uid).collect();
        let events = self.events_about(who, &workload.namespace, &told).await?;
        Ok(Family { workload: Some(found), made, events })
    }

    /// Gatekeeper's ConstraintTemplates, the Constraints of each, and its mutations. They change rarely, and are the
    /// same for everyone.
    pub(super) async fn policies(&self) -> Result<NamespaceSnapshot, ClusterError> {
        self.policies.try_get_with((), self.read_policies()).await.map_err(|error| (*error).clone())
    }

    async fn read_policies(&self) -> Result<NamespaceSnapshot, ClusterError> {
        let mut kinds = mutations();
        kinds.push(Served::new("templates.gatekeeper.sh/v1", "ConstraintTemplate", "constrainttemplates"));
        let mut found = gathered(try_join_all(kinds.iter().map(|kind| self.list(kind))).await?);
        let kinds: Vec<Served> = found.objects.iter().filter_map(constraints_of).collect();
        let constraints = gathered(try_join_all(kinds.iter().map(|kind| self.list(kind))).await?);
        found.objects.extend(constraints.objects);
        found.unread.extend(constraints.unread);
        found.version = version_of(&found.objects);
        Ok(found)
    }

    /// The objects of a kind, none where the cluster does not serve it; where it does not show them, in words for
    /// people.
    async fn list(&self, kind: &Served) -> Result<Result<Vec<Manifest>, String>, ClusterError> {
        let what = format!("the cluster's own policies ({})", kind.plural);
        match ApiRequest::get(&kind.path()).acting(As::Portal).send_if_served(&self.clients).await {
            Ok(Some(mut list)) => Ok(Ok(kind.objects(&mut list.body))),
            Ok(None) => Ok(Ok(Vec::new())),
            Err(ClusterError::Refused(reason)) => {
                tracing::info!(reason, kind = kind.kind, "not shown for a review");
                Ok(Err(what))
            }
            Err(ClusterError::WebhookFailed { failure, cause }) => {
                tracing::warn!(cause, kind = kind.kind, "not read for a review");
                Ok(Err(format!("{what}, because {failure}")))
            }
            Err(error) => Err(error),
        }
    }
}

/// Of objects that the API server has just listed.
fn version_of(objects: &[Manifest]) -> SnapshotVersion {
    let parts = objects.iter().flat_map(|object| {
        let metadata = &object.value()["metadata"];
        ["uid", "resourceVersion"].map(|part| metadata[part].as_str().unwrap_or_default())
    });
    SnapshotVersion::new(Digest::of(parts.collect::<Vec<_>>().join("/")).to_string())
}

fn uid(object: &Manifest) -> Option<String> {
    object.value()["metadata"]["uid"].as_str().map(str::to_owned)
}

fn in_words(kind: &Served, namespace: &str) -> String {
    format!("{} of {namespace}", kind.plural)
}

fn gathered(lists: Vec<Result<Vec<Manifest>, String>>) -> NamespaceSnapshot {
    let mut found = NamespaceSnapshot::default();
    for list in lists {
        match list {
            Ok(objects) => found.objects.extend(objects),
            Err(unread) => found.unread.push(unread),
        }
    }
    found
}

/// What Gatekeeper changes of objects before policies judge them.
fn mutations() -> Vec<Served> {
    [("v1", "Assign"), ("v1", "AssignMetadata"), ("v1", "ModifySet"), ("v1alpha1", "AssignImage")]
        .map(|(version, kind)| {
            Served::new(&format!("mutations.gatekeeper.sh/{version}"), kind, &kind.to_ascii_lowercase())
        })
        .into()
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
    fn what_a_workload_made_stands_behind_it_and_what_an_operator_made_does_not() {
        let owned = |kind: &str| {
            let owner = json!({ "kind": kind, "name": "web", "controller": true });
            let metadata = json!({ "name": "web-1", "ownerReferences": [owner] });
            Manifest::from_value(json!({ "apiVersion": "v1", "kind": "Pod", "metadata": metadata })).unwrap()
        };
        assert!(is_made_by_another(&owned("ReplicaSet")));
        assert!(!is_made_by_another(&owned("Cluster")));
        let alone = json!({ "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "alone" } });
        assert!(!is_made_by_another(&Manifest::from_value(alone).unwrap()));
    }

    #[test]
    fn a_template_cannot_lead_elsewhere() {
        let template = |kind: &str| {
            let names = json!({ "crd": { "spec": { "names": { "kind": kind } } } });
            let value = json!({
                "apiVersion": "templates.gatekeeper.sh/v1", "kind": "ConstraintTemplate", "metadata": { "name": "a" },
                "spec": names
            });
            constraints_of(&Manifest::from_value(value).unwrap()).map(|kind| kind.path())
        };
        assert_eq!(template("K8sTags").as_deref(), Some("/apis/constraints.gatekeeper.sh/v1beta1/k8stags"));
        assert_eq!(template("../../v1/secrets"), None);
    }
}
