//! Reviewing a draft: our rules, the cluster's policies, the picture, and a dry run.

use super::drafts::may_deploy;
use crate::access::KubeIdentity;
use crate::actor::Actor;
use crate::error::{AppError, WebhookFailure};
use crate::form::FormErrors;
use crate::namespaces::{is_dns_label, load_namespaces};
use crate::policy::Policy;
use crate::ports::{ClusterError, FieldConflict, NamespaceSnapshot, Run};
use crate::state::AppState;
use crate::text_diff::unified_diff;
use crate::workloads::bundle::ManifestBundle;
use crate::workloads::draft::{DraftForm, Written};
use crate::workloads::known::{Known, RunningWorkload};
use crate::workloads::places::platform_sources;
use futures::stream::{self, StreamExt, TryStreamExt};
use review::{
    Answers, ClusterNamespaces, Context, Effect, Manifest, ObjectRef, OneSided, Picture, PodSecurityVersion, Proposal,
    Rego, Report, Selection, Verdict, Workload, World, effect, one_sided, picture, propose_policies,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Everything a review says about a draft, before anything is sent for good.
pub struct Reviewed {
    /// The answers it is made of, unless all of it is manifests.
    pub answers: Option<Answers>,
    /// Exactly what would be applied.
    pub bundle: ManifestBundle,
    /// Findings of the rules.
    pub report: Report,
    /// Who may talk with the workload, now and afterwards.
    pub picture: Option<Picture>,
    /// The same for the other workloads, where there are several; only where it was asked for.
    pub other_pictures: Vec<Picture>,
    /// Policies for workloads that have none; only where it was asked for.
    pub proposals: Vec<Proposal>,
    /// Workloads that the picture promises and that do not agree.
    pub one_sided: Vec<OneSided>,
    /// What is there already, under the same name.
    pub replaces: Vec<ObjectRef>,
    /// What it opens and closes; only where it was asked for.
    pub effect: Effect,
    /// Why a second person must approve it.
    pub second_person: Vec<String>,
    /// What the cluster did not show, so that it was not taken into account.
    pub unread: Vec<String>,
}

/// How much is worked out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// While somebody types.
    Live,
    /// Before something is sent.
    Full,
}

/// What the API server says to a dry run of one object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DryRun {
    /// `Kind/namespace/name`.
    pub object: String,
    pub answer: DryRunAnswer,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DryRunAnswer {
    Admitted {
        warnings: Vec<String>,
        /// What would change of an object that is there already, as a unified diff; empty where nothing would.
        change: Option<String>,
    },
    Refused(String),
    /// The cluster was not asked: Fairway would not send it.
    NotSent(String),
    /// The API server answered that something went wrong in it.
    Failed(String),
    /// A webhook of the cluster gave no usable answer, so the cluster refused.
    WebhookFailed(WebhookFailure),
    /// Another manager owns fields of it.
    Conflict {
        /// In the cluster's words.
        message: String,
        /// Which fields, and whose.
        fields: Vec<FieldConflict>,
    },
    /// Nobody knows: the API server was not there.
    Unknown,
}

/// What the answers of a draft may refer to: the workloads of the namespaces that it names, as far as the person may
/// list them, and the platform's places.
///
/// # Errors
/// When the cluster is unavailable.
pub async fn load_known(state: &AppState, actor: &Actor, form: &DraftForm) -> Result<Known, AppError> {
    let own = form.workload.namespace.trim().to_owned();
    let reachable = load_namespaces(state, actor)?;
    let is_reachable = |name: &str| reachable.iter().any(|reachable| reachable.namespace.name == name);
    let named: BTreeSet<&str> =
        form.other_namespaces().chain([own.as_str()]).filter(|name| is_reachable(name)).collect();
    let found = objects_of(state, actor, named).await?;
    let is_complete = found.iter().all(|found| found.every_workload);
    let workloads = found.iter().flat_map(|found| &found.objects).filter_map(RunningWorkload::of);
    let needs_api_server = form.destinations.kubernetes_api == "yes";
    let api_server = if needs_api_server { state.cluster.api_server().await? } else { None };
    Ok(Known::new(own, workloads, state.policy.places.clone(), api_server).with_all_workloads(is_complete))
}

/// Namespaces looked into, and objects tried, at the same time: the API server limits what it takes at once.
const AT_ONCE: usize = 8;

/// What is in these namespaces, as far as the person may list it.
pub(super) async fn objects_of(
    state: &AppState,
    actor: &Actor,
    namespaces: impl IntoIterator<Item = &str>,
) -> Result<Vec<NamespaceSnapshot>, AppError> {
    let asked = namespaces.into_iter().map(|name| state.cluster.objects_in(&actor.kube, name));
    Ok(stream::iter(asked.collect::<Vec<_>>()).buffered(AT_ONCE).try_collect().await?)
}

/// Reviews what a draft makes: our rules and the cluster's own policies, over the new manifests and what is there
/// already.
///
/// # Errors
/// The form's errors, or the cluster's.
pub async fn review_draft(
    state: &AppState,
    actor: &Actor,
    form: &DraftForm,
    depth: Depth,
) -> Result<Result<Reviewed, FormErrors>, AppError> {
    let namespace = form.workload.namespace.trim().to_owned();
    // Findings would tell what a namespace is like to somebody who has no business there.
    if is_dns_label(&namespace) && !may_deploy(state, actor, &namespace).await? {
        let mut errors = FormErrors::default();
        errors.add("namespace", "Choose a namespace from the list: you cannot run workloads in this one.");
        return Ok(Err(errors));
    }
    let known = load_known(state, actor, form).await?;
    let (settings, form) = (state.policy.clone(), form.clone());
    let write = move || (form.written(&known, &settings.review), known.names());
    let (written, names) = state.compute.run(write).await?;
    let written = match written {
        Ok(written) => written,
        Err(errors) => return Ok(Err(errors)),
    };
    let surroundings = load_surroundings(state, actor, &namespace, written.bundle.objects()).await?;
    let (policy, rego) = (state.policy.clone(), state.rego.clone());
    let review = move || review_written(&policy, rego, written, &namespace, surroundings, depth);
    let reviewed = state.compute.run(review).await?;
    let name = |words: &str| names.get(words).cloned();
    let picture = reviewed.picture.map(|picture| picture.named(name));
    let other_pictures = reviewed.other_pictures.into_iter().map(|picture| picture.named(name)).collect();
    Ok(Ok(Reviewed { picture, other_pictures, effect: reviewed.effect.named(name), ..reviewed }))
}

/// What the rules say today of a bundle that was reviewed before.
pub(super) async fn review_stored(
    state: &AppState,
    actor: &Actor,
    namespace: &str,
    bundle: ManifestBundle,
) -> Result<Report, AppError> {
    let surroundings = load_surroundings(state, actor, namespace, bundle.objects()).await?;
    let (policy, rego, namespace) = (state.policy.clone(), state.rego.clone(), namespace.to_owned());
    let written = Written { answers: None, bundle };
    let review = move || review_written(&policy, rego, written, &namespace, surroundings, Depth::Live);
    Ok(state.compute.run(review).await?.report)
}

/// What is in the cluster around some manifests.
struct Surroundings {
    /// The namespace that they are for, with the cluster's policies, and what is known of those that they name.
    snapshot: NamespaceSnapshot,
    /// Which of the namespaces that their policies name are there.
    namespaces: ClusterNamespaces,
}

/// The most other namespaces that are looked into for a review.
const MOST_AROUND: usize = 20;

async fn load_surroundings(
    state: &AppState,
    actor: &Actor,
    namespace: &str,
    manifests: &[Manifest],
) -> Result<Surroundings, AppError> {
    let is_there = |name: &str| state.cluster.namespace(name).map(|found| found.is_some());
    let namespaces = ClusterNamespaces::of(manifests, is_there)?;
    let mut snapshot = state.cluster.namespace_snapshot(&actor.kube, namespace).await?;
    let reachable = load_namespaces(state, actor)?;
    let named: BTreeSet<&str> = namespaces.there().collect();
    let others = reachable
        .iter()
        .map(|reachable| reachable.namespace.name.as_str())
        .filter(|name| *name != namespace && named.contains(name));
    let others: Vec<&str> = others.take(MOST_AROUND).collect();
    let found = objects_of(state, actor, others.iter().copied()).await?;
    let mut read: BTreeSet<String> = snapshot.every_workload.then(|| namespace.to_owned()).into_iter().collect();
    // Of one that is shown in part it cannot be said what is not there.
    for (name, other) in others.into_iter().zip(found).filter(|(_, other)| other.every_workload) {
        read.insert(name.to_owned());
        snapshot.objects.extend(other.objects);
    }
    Ok(Surroundings { snapshot, namespaces: namespaces.with_read(read) })
}

fn review_written(
    policy: &Policy,
    rego: Arc<dyn Rego>,
    written: Written,
    namespace: &str,
    around: Surroundings,
    depth: Depth,
) -> Reviewed {
    let Written { answers, bundle } = written;
    let manifests = bundle.objects();
    let Surroundings { snapshot: NamespaceSnapshot { objects, unread, every_workload, .. }, namespaces } = around;
    let namespaces = Some(namespaces);
    let context = Context { existing: objects, every_workload, namespaces, rego };
    let pod_security_version = PodSecurityVersion::enforced_in(namespace, &context.existing);
    let selection = Selection { pod_security_version, ..Selection::default() };
    let report = review::review(manifests, &context, &policy.review, selection);
    let afterwards = World::new(context.afterwards(manifests));
    let effect = match depth {
        Depth::Live => Effect::default(),
        Depth::Full => effect(&World::new(&context.existing), &afterwards),
    };
    let is_there = |new: &&Manifest| context.existing.iter().any(|old| old.key() == new.key());
    let replaces = manifests.iter().filter(is_there).map(|manifest| manifest.object().clone()).collect();
    let subject = subject(answers.as_ref(), manifests, &context);
    let picture = subject.as_ref().map(|workload| picture(workload, &context.existing, context.afterwards(manifests)));
    let (other_pictures, proposals) = match depth {
        Depth::Live => (Vec::new(), Vec::new()),
        Depth::Full => (
            other_pictures(subject.as_ref(), manifests, &context),
            propose_policies(manifests, &context.existing, &platform_sources(&policy.places), &policy.review),
        ),
    };
    let one_sided = subject.map(|workload| one_sided(&afterwards, &workload.to_string())).unwrap_or_default();
    Reviewed {
        picture,
        other_pictures,
        proposals,
        one_sided,
        second_person: policy.second_person.reasons(&report),
        answers,
        bundle,
        report,
        replaces,
        effect,
        unread,
    }
}

/// The workload that is written, or else the one that runs and gets a policy.
fn subject<'a>(answers: Option<&Answers>, manifests: &'a [Manifest], context: &'a Context) -> Option<Workload<'a>> {
    let runs = |answers: &Answers| {
        let mut workloads = context.existing.iter().filter_map(Workload::of);
        workloads.find(|workload| {
            let is_named = workload.manifest.object().name == answers.name && workload.namespace() == answers.namespace;
            is_named && workload.selecting_labels().as_ref() == Some(&answers.labels)
        })
    };
    manifests.iter().find_map(Workload::of).or_else(|| answers.and_then(runs))
}

fn other_pictures(subject: Option<&Workload<'_>>, manifests: &[Manifest], context: &Context) -> Vec<Picture> {
    let is_drawn = |other: &Workload<'_>| subject.is_some_and(|subject| subject.manifest.key() == other.manifest.key());
    let others = manifests.iter().filter_map(Workload::of).filter(|workload| !is_drawn(workload));
    others.map(|workload| picture(&workload, &context.existing, context.afterwards(manifests))).collect()
}

/// A server-side dry run, as the person, of every object and of the Pod that a controller would make: a Deployment's
/// own dry run never meets the checks on Pods.
pub async fn dry_run(state: &AppState, who: &KubeIdentity, bundle: &ManifestBundle) -> Vec<DryRun> {
    let rendered: Vec<(Manifest, String)> = bundle
        .objects()
        .iter()
        .filter_map(rendered_pod)
        .map(|pod| (pod.clone(), review::to_yaml(std::slice::from_ref(&pod))))
        .collect();
    let rendered = rendered.iter().map(|(pod, document)| (pod, document.as_str()));
    let tried: Vec<_> =
        bundle.documents().chain(rendered).map(|(object, document)| try_object(state, who, object, document)).collect();
    stream::iter(tried).buffered(AT_ONCE).collect().await
}

async fn try_object(state: &AppState, who: &KubeIdentity, object: &Manifest, document: &str) -> DryRun {
    let (now, tried) =
        futures::join!(state.cluster.read(who, object), state.cluster.apply(who, object, document, Run::Dry));
    let answer = match tried {
        Ok(applied) => {
            let warnings = applied.warnings;
            match now.ok().flatten() {
                Some(now) => match state.compute.run(move || change_of(now, applied.object)).await {
                    Ok(change) => DryRunAnswer::Admitted { warnings, change: Some(change) },
                    // Without it, it would look like something new.
                    Err(_) => DryRunAnswer::Unknown,
                },
                None => DryRunAnswer::Admitted { warnings, change: None },
            }
        }
        Err(ClusterError::Refused(message)) => DryRunAnswer::Refused(message),
        Err(ClusterError::NotSent(message)) => DryRunAnswer::NotSent(message),
        Err(ClusterError::Failed(message)) => DryRunAnswer::Failed(message),
        Err(ClusterError::WebhookFailed { failure, cause }) => {
            tracing::warn!(cause, "dry run stopped by a webhook of the cluster");
            DryRunAnswer::WebhookFailed(failure)
        }
        Err(ClusterError::Conflict { message, fields }) => DryRunAnswer::Conflict { message, fields },
        Err(error @ (ClusterError::Unavailable(_) | ClusterError::Unknown(_) | ClusterError::NotSignedIn)) => {
            tracing::warn!(%error, "dry run without an answer");
            DryRunAnswer::Unknown
        }
    };
    DryRun { object: object.object().to_string(), answer }
}

fn rendered_pod(object: &Manifest) -> Option<Manifest> {
    let template = ["/spec/template", "/spec/jobTemplate/spec/template"]
        .iter()
        .find_map(|path| object.value().pointer(path).filter(|_| Workload::of(object).is_some()))?;
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "name": format!("{}-pod", object.object().name),
            "namespace": object.object().namespace,
            "labels": template["metadata"]["labels"],
            "annotations": template["metadata"]["annotations"],
        },
        "spec": template["spec"],
    });
    Manifest::from_value(pod).ok()
}

/// What an apply would change of an object, as people compare them: without what the API server keeps for itself.
fn change_of(now: Value, then: Value) -> String {
    let text = |value: Value| {
        Manifest::from_value(essential(value)).map(|manifest| review::to_yaml(&[manifest])).unwrap_or_default()
    };
    unified_diff(&text(now), &text(then), 3)
}

/// An object without what the API server keeps for itself.
pub(super) fn essential(mut object: Value) -> Value {
    if let Some(fields) = object.as_object_mut() {
        fields.remove("status");
    }
    if let Some(metadata) = object["metadata"].as_object_mut() {
        for field in ["managedFields", "resourceVersion", "uid", "generation", "creationTimestamp", "selfLink"] {
            metadata.remove(field);
        }
    }
    if let Some(annotations) = object["metadata"].get_mut("annotations").and_then(Value::as_object_mut) {
        annotations.remove("kubectl.kubernetes.io/last-applied-configuration");
    }
    object
}

/// Whether a review leaves the button: nothing denied by the rules, nothing refused by the server.
#[must_use]
pub fn may_apply(report: &Report, dry_run: &[DryRun]) -> bool {
    report.verdict != Verdict::Deny
        && dry_run.iter().all(|object| matches!(object.answer, DryRunAnswer::Admitted { .. }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_shows_what_people_changed_and_not_what_the_server_keeps() {
        let object = |replicas: u32, version: &str| {
            json!({
                "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {
                    "name": "web", "resourceVersion": version
                },
                "spec": { "replicas": replicas }, "status": { "replicas": replicas }
            })
        };
        let changed = change_of(object(2, "1"), object(3, "2"));
        assert!(
            changed.contains("-  replicas: 2\n+  replicas: 3\n") && !changed.contains("resourceVersion"),
            "{changed}"
        );
        assert_eq!(change_of(object(2, "1"), object(2, "2")), "");
    }

    #[test]
    fn the_pod_of_a_cron_job_is_tried_too() {
        let template = json!({ "metadata": { "labels": { "app": "a" } }, "spec": { "containers": [] } });
        let job = json!({
            "apiVersion": "batch/v1", "kind": "CronJob", "metadata": { "name": "a", "namespace": "shop" },
            "spec": { "jobTemplate": { "spec": { "template": template } } }
        });
        let pod = rendered_pod(&Manifest::from_value(job).unwrap()).unwrap();
        assert_eq!(pod.object().to_string(), "Pod/shop/a-pod");
    }
}
