//! What approved opt-ins give: labels and annotations of a namespace, or a RoleBinding. Made with the portal's own
//! account.

use super::request::{ApiRequest, As};
use super::resource::segment;
use super::{FIELD_MANAGER, KubeCluster};
use app::ports::{ClusterError, Drift, Grant, GrantContent, Leftover};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Annotation on everything that is made: which acceptance it is for.
const GRANTED_FOR: &str = "fairway.dev/granted-for";

/// Annotation that keeps a RoleBinding out of the namespaces below, which nobody accepted for (HNC, limiting
/// propagation).
const NOT_PROPAGATED: &str = "propagate.hnc.x-k8s.io/none";

/// What the names of our RoleBindings begin with.
const PREFIX: &str = "fairway-preview-";

/// Label on RoleBindings that are ours to change (kubernetes.io/docs, recommended labels).
const MANAGED_BY: &str = "app.kubernetes.io/managed-by";

impl KubeCluster {
    pub(super) async fn make(&self, grant: &Grant) -> Result<(), ClusterError> {
        // Server-side apply would make a namespace that is not there.
        let found = self.find(&namespace_path(grant)?).await?;
        let found = found.ok_or(ClusterError::Refused(format!("the namespace {} is not there", grant.namespace)))?;
        if grant.uid.as_ref().is_some_and(|uid| found["metadata"]["uid"] != **uid) {
            return Err(ClusterError::Refused(format!(
                "the namespace {} was created again meanwhile",
                grant.namespace
            )));
        }
        match &grant.content {
            GrantContent::Metadata { labels, annotations } => {
                let granted_for = (format!("{GRANTED_FOR}-{}", grant.feature), grant.granted_for.clone());
                let annotations: BTreeMap<_, _> = annotations.clone().into_iter().chain([granted_for]).collect();
                self.apply_metadata(grant, &json!({ "labels": labels, "annotations": annotations })).await?;
                Ok(())
            }
            GrantContent::RoleBinding { cluster_role, .. } => {
                match self.find(&binding_path(grant)?).await? {
                    // A binding's role cannot be changed (Kubernetes RBAC, RoleBinding).
                    Some(found) if !is_ours(&found) && found["roleRef"] != binding(grant)["roleRef"] => {
                        return Err(not_ours(grant));
                    }
                    Some(found) if found["roleRef"]["name"] != *cluster_role => self.delete_binding(grant).await?,
                    _ => {}
                }
                let path = format!("{}?fieldManager={FIELD_MANAGER}&force=true", binding_path(grant)?);
                self.send(ApiRequest::apply(&path, binding(grant).to_string()).acting(As::Portal).writing()).await?;
                Ok(())
            }
        }
    }

    pub(super) async fn unmake(&self, grant: &Grant) -> Result<(), ClusterError> {
        match &grant.content {
            GrantContent::Metadata { labels, annotations } => {
                if self.find(&namespace_path(grant)?).await?.is_none() {
                    return Ok(());
                }
                let left = self.apply_metadata(grant, &json!({})).await?;
                match still_set(&left, labels.keys(), annotations.keys()) {
                    Some(key) => Err(ClusterError::Refused(kept_by_others(&key, &grant.namespace))),
                    None => Ok(()),
                }
            }
            GrantContent::RoleBinding { .. } => match self.find(&binding_path(grant)?).await? {
                // The mark may have been taken off by whoever wants to keep the role.
                Some(found) if is_ours(&found) || found["roleRef"] == binding(grant)["roleRef"] => {
                    self.delete_binding(grant).await?;
                    self.is_gone(grant).await
                }
                Some(_) => Err(not_ours(grant)),
                None => self.is_gone(grant).await,
            },
        }
    }

    pub(super) async fn find_left(&self, grant: &Grant, kept: &Grant) -> Result<Option<Leftover>, ClusterError> {
        match (&grant.content, &kept.content) {
            (
                GrantContent::Metadata { labels, annotations },
                GrantContent::Metadata { labels: kept_labels, annotations: kept_annotations },
            ) => {
                let Some(found) = self.find(&namespace_path(grant)?).await? else { return Ok(None) };
                let labels = labels.keys().filter(|key| !kept_labels.contains_key(*key));
                let annotations = annotations.keys().filter(|key| !kept_annotations.contains_key(*key));
                let namespace = grant.namespace.clone();
                Ok(still_set(&found, labels, annotations).map(|key| Leftover::Metadata { namespace, key }))
            }
            (
                GrantContent::RoleBinding { cluster_role, .. },
                GrantContent::RoleBinding { cluster_role: kept_role, .. },
            ) if cluster_role != kept_role => {
                let bindings = self.still_binding(grant).await?;
                let namespace = grant.namespace.clone();
                Ok((!bindings.is_empty()).then_some(Leftover::Bindings { namespace, bindings }))
            }
            _ => Ok(None),
        }
    }

    pub(super) async fn compare(&self, grant: &Grant) -> Result<Option<Drift>, ClusterError> {
        match &grant.content {
            GrantContent::Metadata { labels, annotations } => self.compare_metadata(grant, labels, annotations).await,
            GrantContent::RoleBinding { .. } => self.compare_binding(grant).await,
        }
    }

    async fn compare_metadata(
        &self,
        grant: &Grant,
        labels: &BTreeMap<String, String>,
        annotations: &BTreeMap<String, String>,
    ) -> Result<Option<Drift>, ClusterError> {
        let namespace = grant.namespace.clone();
        let Some(found) = self.find(&namespace_path(grant)?).await? else {
            return Ok(Some(Drift::NamespaceGone { namespace }));
        };
        let differs = |field: &str, wanted: &BTreeMap<String, String>| {
            let found = &found["metadata"][field];
            let (key, wanted) = wanted.iter().find(|(key, value)| found[key.as_str()] != **value)?;
            let found = found[key.as_str()].as_str().map(str::to_owned);
            Some(Drift::Metadata { namespace: namespace.clone(), key: key.clone(), wanted: wanted.clone(), found })
        };
        Ok(differs("labels", labels).or_else(|| differs("annotations", annotations)))
    }

    async fn compare_binding(&self, grant: &Grant) -> Result<Option<Drift>, ClusterError> {
        let (namespace, name, wanted) = (grant.namespace.clone(), binding_name(grant), binding(grant));
        let Some(found) = self.find(&binding_path(grant)?).await? else {
            return Ok(Some(Drift::BindingGone { namespace, binding: name }));
        };
        let is_same = is_ours(&found) && found["roleRef"] == wanted["roleRef"] && same_subjects(&found, &wanted);
        if !is_same {
            return Ok(Some(Drift::BindingChanged { namespace, binding: name }));
        }
        let mut bindings = self.still_binding(grant).await?;
        bindings.retain(|binding| *binding != name);
        Ok((!bindings.is_empty()).then_some(Drift::OtherBindings { namespace, bindings }))
    }

    async fn find(&self, path: &str) -> Result<Option<Value>, ClusterError> {
        let found = ApiRequest::get(path).acting(As::Portal).send_if_served(&self.clients).await?;
        Ok(found.map(|sent| sent.body))
    }

    /// Each feature is a field manager of its own: what it no longer applies goes, and what others set stays. What is
    /// under the portal's prefix is the portal's, hence the force.
    async fn apply_metadata(&self, grant: &Grant, fields: &Value) -> Result<Value, ClusterError> {
        let mut metadata = fields.clone();
        metadata["name"] = grant.namespace.clone().into();
        let object = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": metadata });
        let path = format!(
            "{}?fieldManager={FIELD_MANAGER}-preview-{}&force=true",
            namespace_path(grant)?,
            segment(&grant.feature)?
        );
        Ok(self.send(ApiRequest::apply(&path, object.to_string()).acting(As::Portal).writing()).await?.body)
    }

    /// Looks whether nobody has the role any more. A finalizer keeps a deleted binding in force, and whoever had the
    /// role could bind it once more under another name (Kubernetes RBAC, privilege escalation prevention).
    async fn is_gone(&self, grant: &Grant) -> Result<(), ClusterError> {
        match self.still_binding(grant).await?.as_slice() {
            [] => Ok(()),
            names => Err(ClusterError::Refused(format!(
                "in {} the role is still given by the RoleBinding {}; it must be removed by hand",
                grant.namespace,
                names.join(", ")
            ))),
        }
    }

    /// The RoleBindings that give the role, but for those that Fairway made for other features, and those that were
    /// there before: nobody could have made them by what the opt-in gave.
    async fn still_binding(&self, grant: &Grant) -> Result<Vec<String>, ClusterError> {
        let wanted = binding(grant);
        let path = format!("/apis/rbac.authorization.k8s.io/v1/namespaces/{}/rolebindings", segment(&grant.namespace)?);
        let found = self.find(&path).await?.unwrap_or_default();
        let is_of_another_feature = |found: &Value| {
            let name = found["metadata"]["name"].as_str().unwrap_or_default();
            is_ours(found) && name.strip_prefix(PREFIX).is_some_and(|feature| grant.other_features.contains(feature))
        };
        let was_there_before = |found: &Value| {
            let created_at =
                found["metadata"]["creationTimestamp"].as_str().and_then(|at| at.parse::<Timestamp>().ok());
            // Kubernetes keeps whole seconds.
            found["metadata"]["name"] != *binding_name(grant)
                && created_at.is_some_and(|at| at < grant.since - SignedDuration::from_secs(1))
        };
        let giving = found["items"].as_array().into_iter().flatten();
        let giving = giving.filter(|found| {
            found["roleRef"] == wanted["roleRef"] && !is_of_another_feature(found) && !was_there_before(found)
        });
        Ok(giving.filter_map(|found| found["metadata"]["name"].as_str().map(str::to_owned)).collect())
    }

    async fn delete_binding(&self, grant: &Grant) -> Result<(), ClusterError> {
        let request = ApiRequest::delete(&binding_path(grant)?).acting(As::Portal).writing();
        request.send_if_served(&self.clients).await?;
        Ok(())
    }
}

fn namespace_path(grant: &Grant) -> Result<String, ClusterError> {
    Ok(format!("/api/v1/namespaces/{}", segment(&grant.namespace)?))
}

fn binding_name(grant: &Grant) -> String {
    format!("{PREFIX}{}", grant.feature)
}

fn binding_path(grant: &Grant) -> Result<String, ClusterError> {
    let (namespace, name) = (segment(&grant.namespace)?, binding_name(grant));
    Ok(format!("/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}/rolebindings/{}", segment(&name)?))
}

fn binding(grant: &Grant) -> Value {
    let GrantContent::RoleBinding { cluster_role, groups } = &grant.content else { return Value::Null };
    let subjects: Vec<Value> = groups
        .iter()
        .map(|group| json!({ "apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": group }))
        .collect();
    json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
        "metadata": {
            "name": binding_name(grant), "namespace": grant.namespace,
            "labels": { MANAGED_BY: "fairway" },
            "annotations": { GRANTED_FOR: grant.granted_for, NOT_PROPAGATED: "true" },
        },
        "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": cluster_role },
        "subjects": subjects,
    })
}

/// The first of these labels and annotations that a namespace still has, and no opt-in keeps.
fn still_set<'k>(
    namespace: &Value,
    labels: impl Iterator<Item = &'k String>,
    annotations: impl Iterator<Item = &'k String>,
) -> Option<String> {
    let is_left = |field: &str, key: &str| {
        !namespace["metadata"][field][key].is_null() && !is_of_another_opt_in(namespace, field, key)
    };
    let mut labels = labels.filter(|key| is_left("labels", key));
    let mut annotations = annotations.filter(|key| is_left("annotations", key));
    labels.next().or_else(|| annotations.next()).cloned()
}

fn kept_by_others(key: &str, namespace: &str) -> String {
    format!("somebody else keeps {key} on the namespace {namespace}; it must be taken off by hand")
}

/// Whether another feature set a label or an annotation of a namespace (Kubernetes, server-side apply, field
/// management).
fn is_of_another_opt_in(namespace: &Value, field: &str, key: &str) -> bool {
    let managed = namespace["metadata"]["managedFields"].as_array().into_iter().flatten();
    let prefix = format!("{FIELD_MANAGER}-preview-");
    let (field, key) = (format!("f:{field}"), format!("f:{key}"));
    let mut ours =
        managed.filter(|entry| entry["manager"].as_str().is_some_and(|manager| manager.starts_with(&prefix)));
    ours.any(|entry| !entry["fieldsV1"]["f:metadata"][&field][&key].is_null())
}

fn is_ours(binding: &Value) -> bool {
    binding["metadata"]["labels"][MANAGED_BY] == "fairway"
}

/// The preview feature that a RoleBinding was made for.
pub(super) fn opted_in_feature(binding: &ObjectMeta) -> Option<&str> {
    let is_ours = binding.labels.as_ref().and_then(|labels| labels.get(MANAGED_BY)).is_some_and(|by| by == "fairway");
    binding.name.as_deref().filter(|_| is_ours)?.strip_prefix(PREFIX)
}

fn not_ours(grant: &Grant) -> ClusterError {
    ClusterError::Refused(format!(
        "{} has a RoleBinding {} that Fairway did not make",
        grant.namespace,
        binding_name(grant)
    ))
}

fn same_subjects(found: &Value, wanted: &Value) -> bool {
    let names = |binding: &Value| {
        let subjects = binding["subjects"].as_array().into_iter().flatten();
        let mut names: Vec<(String, String)> =
            subjects.map(|subject| (subject["kind"].to_string(), subject["name"].to_string())).collect();
        names.sort();
        names
    };
    names(found) == names(wanted)
}
