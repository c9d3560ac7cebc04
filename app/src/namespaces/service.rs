//! Listing and creating namespaces.

use super::{Namespace, NamespaceName, NamespaceTemplate, Origins, check_reserved};
use crate::access::{Binding, by_namespace};
use crate::actor::Actor;
use crate::audit::Intent;
use crate::error::AppError;
use crate::form::{FormErrors, FormOutcome};
use crate::ports::Right;
use crate::state::AppState;
use futures::future::try_join_all;
use record::Event;
use review::Manifest;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::time::Duration;

/// A namespace the person reaches, with what gives it.
pub struct ReachableNamespace {
    pub namespace: Namespace,
    pub bindings: Vec<Binding>,
}

/// The namespaces a person reaches, by name.
///
/// # Errors
/// When the cluster has never been reached.
pub fn load_namespaces(state: &AppState, actor: &Actor) -> Result<Vec<ReachableNamespace>, AppError> {
    let bindings = state.cluster.bindings_of(&actor.kube)?;
    let mut found = Vec::new();
    for access in by_namespace(&bindings) {
        if let Some(namespace) = state.cluster.namespace(&access.namespace)? {
            found.push(ReachableNamespace { namespace, bindings: access.bindings });
        }
    }
    Ok(found)
}

/// One namespace.
///
/// # Errors
/// [`AppError::NotFound`] where it does not exist or the person does not reach it.
pub fn load_namespace(state: &AppState, actor: &Actor, name: &str) -> Result<ReachableNamespace, AppError> {
    load_namespaces(state, actor)?
        .into_iter()
        .find(|reachable| reachable.namespace.name == name)
        .ok_or(AppError::NotFound)
}

/// The namespaces that HNC keeps directly below one, as far as the person reaches them.
///
/// # Errors
/// When the cluster has never been reached.
pub fn children_of(state: &AppState, actor: &Actor, parent: &str) -> Result<Vec<String>, AppError> {
    let reachable = load_namespaces(state, actor)?.into_iter().map(|reachable| reachable.namespace);
    Ok(reachable.filter(|namespace| namespace.parent() == Some(parent)).map(|namespace| namespace.name).collect())
}

/// The names of namespaces that the person may see: all, where the cluster lets them list all, or else those they
/// reach.
///
/// # Errors
/// When the cluster is unavailable.
pub async fn visible_names(state: &AppState, actor: &Actor) -> Result<Vec<String>, AppError> {
    let all = Right { verb: "list", group: String::new(), resource: "namespaces".to_owned(), namespace: None };
    if state.cluster.allows(&actor.kube, &all).await? {
        return Ok(state.cluster.namespace_names()?);
    }
    Ok(load_namespaces(state, actor)?.into_iter().map(|reachable| reachable.namespace.name).collect())
}

const QUESTIONS_AT_ONCE: usize = 8;

/// Names of the namespaces in which the cluster lets the person do something.
///
/// # Errors
/// When the cluster is unavailable.
pub async fn namespaces_where(
    state: &AppState,
    actor: &Actor,
    right: impl Fn(String) -> Right,
) -> Result<Vec<String>, AppError> {
    let names: Vec<String> =
        load_namespaces(state, actor)?.into_iter().map(|reachable| reachable.namespace.name).collect();
    let rights: Vec<Right> = names.iter().cloned().map(right).collect();
    // A few at a time: somebody may reach hundreds, and the API server limits what it takes at once.
    let mut allowed = Vec::with_capacity(rights.len());
    for some in rights.chunks(QUESTIONS_AT_ONCE) {
        allowed.extend(try_join_all(some.iter().map(|right| state.cluster.allows(&actor.kube, right))).await?);
    }
    Ok(names.into_iter().zip(allowed).filter_map(|(name, allowed)| allowed.then_some(name)).collect())
}

/// The right that makes a namespace usable for someone who runs things in it.
#[must_use]
pub fn deploy_right(namespace: String) -> Right {
    Right::within(namespace, "create", "apps", "deployments")
}

fn anchor_right(namespace: String) -> Right {
    Right::within(namespace, "create", "hnc.x-k8s.io", "subnamespaceanchors")
}

/// Where the person may have a new namespace.
///
/// # Errors
/// When the cluster is unavailable.
pub async fn load_origins(state: &AppState, actor: &Actor) -> Result<Origins, AppError> {
    if state.cluster.serves_hierarchy().await? {
        return Ok(Origins::Parents(namespaces_where(state, actor, anchor_right).await?));
    }
    let owners = &state.policy.namespace_template.owner_groups;
    Ok(Origins::OwnerGroups(actor.profile.groups.iter().filter(|group| owners.contains(group)).cloned().collect()))
}

/// The form, as typed.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct NamespaceForm {
    /// Parent namespace or owning group.
    pub origin: String,
    pub name: String,
}

/// Creates a namespace, and waits until the person can act in it.
///
/// # Errors
/// When a dependency is unavailable.
pub async fn create_namespace(
    state: &AppState,
    actor: &Actor,
    form: NamespaceForm,
) -> Result<FormOutcome<NamespaceForm>, AppError> {
    let origins = load_origins(state, actor).await?;
    let mut errors = FormErrors::default();
    let chosen = origins.choices().contains(&form.origin);
    if !chosen {
        errors.add("origin", format!("Choose the {} from the list.", origins.label().to_lowercase()));
    }
    let name = errors.take("name", form.name.parse::<NamespaceName>());
    let (Some(name), true) = (name, chosen) else { return Ok(FormOutcome::again(form, errors)) };
    // HNC's webhook refuses it as well; the direct mode finds out by creating.
    if matches!(origins, Origins::Parents(_)) && state.cluster.namespace(name.as_ref())?.is_some() {
        errors.add(
            "name",
            "This name is taken. Namespaces share one list of names across all teams; add your team's name to it.",
        );
        return Ok(FormOutcome::again(form, errors));
    }
    if let Err(reserved) = check_reserved(&state.policy, actor, &name) {
        errors.add("name", reserved);
        return Ok(FormOutcome::again(form, errors));
    }
    let event = Event::NamespaceCreate { name: name.to_string(), origin: origins.recorded(&form.origin) };
    let intent = Intent::announce(&state.database, actor, event).await?;
    let created = create(state, actor, &origins, &form.origin, &name).await;
    let refused = match intent.conclude(&state.database, created).await {
        Ok(()) => match wait_until_usable(state, actor, &origins, &form.origin, &name).await {
            Made::Usable => return Ok(FormOutcome::Done(format!("/namespaces/{name}?created=yes"))),
            Made::InTime => return Ok(FormOutcome::Done(format!("/namespaces?pending={name}"))),
            Made::Never(words) => format!("The cluster did not make it: {words}."),
        },
        Err(AppError::ClusterRefused { message }) => format!("The cluster refused: {message}"),
        Err(AppError::Refused(refusal)) => format!("The cluster refused: {}", refusal.message),
        Err(AppError::WebhookFailed(failure)) => failure.explained(),
        Err(error) => return Err(error),
    };
    errors.add("name", refused);
    Ok(FormOutcome::again(form, errors))
}

async fn create(
    state: &AppState,
    actor: &Actor,
    origins: &Origins,
    origin: &str,
    name: &NamespaceName,
) -> Result<(), AppError> {
    match origins {
        Origins::Parents(_) => state.cluster.create_subnamespace(&actor.kube, origin, name).await?,
        Origins::OwnerGroups(_) => {
            let group = format!("{}{origin}", state.policy.groups.group_prefix);
            let objects = template_objects(&state.policy.namespace_template, name, &group)?;
            state.cluster.create_from_template(&actor.kube, &objects).await?;
        }
    }
    Ok(())
}

/// What became of a namespace that was asked for.
enum Made {
    /// The person can act there.
    Usable,
    /// Not yet, and nothing speaks against it.
    InTime,
    /// The cluster says why not.
    Never(String),
}

/// HNC reports `Ok` before its RoleBindings arrive, so the only honest test is whether the person can
/// act there. What takes longer than a person waits is shown on the list instead.
async fn wait_until_usable(
    state: &AppState,
    actor: &Actor,
    origins: &Origins,
    origin: &str,
    name: &NamespaceName,
) -> Made {
    let settled = async {
        loop {
            let seen = load_namespace(state, actor, name.as_ref()).is_ok();
            if seen && state.cluster.allows(&actor.kube, &deploy_right(name.to_string())).await == Ok(true) {
                return Made::Usable;
            }
            if matches!(origins, Origins::Parents(_))
                && let Ok(words) = state.cluster.subnamespace_state(&actor.kube, origin, name).await
                && !matches!(words.as_str(), "" | "Ok" | "Missing")
            {
                return Made::Never(words);
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(15), settled).await.unwrap_or(Made::InTime)
}

/// Annotation on a namespace that the portal made: the group it was made for.
const OWNED_BY: &str = "fairway.dev/owned-by";

/// The objects of a new namespace. The default-deny policy comes before anybody may act in it.
fn template_objects(
    template: &NamespaceTemplate,
    name: &NamespaceName,
    group: &str,
) -> Result<Vec<Manifest>, AppError> {
    let name = name.as_ref();
    let namespace = json!({
        "apiVersion": "v1", "kind": "Namespace",
        "metadata": { "name": name, "labels": template.labels, "annotations": { (OWNED_BY): group } },
    });
    let policy = json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
        "metadata": { "name": "default-deny", "namespace": name },
        "spec": { "podSelector": {}, "policyTypes": ["Ingress", "Egress"] },
    });
    let quota = (!template.quota.is_empty()).then(|| {
        json!({
            "apiVersion": "v1", "kind": "ResourceQuota", "metadata": { "name": "namespace", "namespace": name },
            "spec": { "hard": template.quota }
        })
    });
    let binding = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
        "metadata": { "name": "workload-admin", "namespace": name },
        "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": template.cluster_role },
        "subjects": [{ "apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": group }],
    });
    [Some(namespace), Some(policy), quota, Some(binding)]
        .into_iter()
        .flatten()
        .map(|value| Manifest::from_value(value).map_err(|_| AppError::Internal))
        .collect()
}
