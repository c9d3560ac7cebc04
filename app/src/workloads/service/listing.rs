//! What runs, what waits, and finding workloads by name.

use super::applying::look_right;
use super::drafts::{load_drafts, load_targets};
use super::reviewing::objects_of;
use super::second_person::administer_right;
use crate::actor::Actor;
use crate::error::AppError;
use crate::namespaces::{load_namespace, load_namespaces, namespaces_where};
use crate::policy::Policy;
use crate::ports::{NamespaceSnapshot, SnapshotVersion};
use crate::row_limit::{RowLimit, Rows};
use crate::state::AppState;
use crate::workloads::draft::DraftSummary;
use crate::workloads::known::{Known, RunningWorkload};
use crate::workloads::store;
use crate::workloads::submission::SubmissionSummary;
use moka::future::Cache;
use review::{
    Context, Manifest, PodSecurityVersion, Rego, Report, Selection, Severity, Workload, World, coverage, review,
};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// What a person has to do with workloads.
pub struct Overview {
    /// Their drafts, and those of their namespaces.
    pub drafts: Rows<DraftSummary>,
    /// What was submitted into the namespaces they may look into.
    pub submissions: Rows<SubmissionSummary>,
    /// What waits for them as reviewers.
    pub to_review: Rows<SubmissionSummary>,
    /// The namespaces they may look into.
    pub namespaces: Vec<String>,
}

/// How many rows of each list of an [`Overview`] are shown.
pub struct OverviewLimits {
    pub drafts: RowLimit,
    pub submissions: RowLimit,
    pub to_review: RowLimit,
}

/// Loads what the list of workloads begins with.
///
/// # Errors
/// When a dependency is unavailable.
pub async fn load_overview(state: &AppState, actor: &Actor, limits: &OverviewLimits) -> Result<Overview, AppError> {
    let (namespaces, administered, targets) = futures::try_join!(
        namespaces_where(state, actor, look_right),
        namespaces_where(state, actor, administer_right),
        load_targets(state, actor),
    )?;
    let reviewed = if actor.administrator().is_ok() { state.cluster.namespace_names()? } else { administered };
    // One connection for all three: each that is taken from the pool is tried out first and afterwards.
    let mut connection = state.database.acquire().await?;
    let drafts = load_drafts(&mut *connection, actor, &targets, limits.drafts).await?;
    let limit = limits.to_review.to_read();
    let waiting = store::list_waiting_submissions(&mut *connection, actor.person_id, &reviewed, limit).await?;
    let limit = limits.submissions.to_read();
    let submissions = store::list_submissions(&mut *connection, &namespaces, limit).await?;
    Ok(Overview {
        drafts,
        submissions: limits.submissions.cut(submissions),
        to_review: limits.to_review.cut(waiting),
        namespaces,
    })
}

pub struct Listed {
    /// By name.
    pub workloads: Vec<ListedWorkload>,
    /// How many there are in all.
    pub all: usize,
    /// What the cluster did not show.
    pub unread: Vec<String>,
    /// Whether every policy of the cluster was evaluated.
    is_complete: bool,
}

/// A workload as it runs now.
pub struct ListedWorkload {
    pub workload: RunningWorkload,
    /// Whether policies limit who reaches it.
    pub ingress: bool,
    /// Whether policies limit what it reaches.
    pub egress: bool,
    /// Whether a policy is for it alone.
    pub has_policy: bool,
    /// Findings that the platform would refuse today.
    pub denied: usize,
    pub warned: usize,
}

/// The most workloads on a page.
const MOST_LISTED: usize = 25;

/// What was found about the workloads of a namespace, kept for as long as what is there is the same.
#[derive(Clone)]
pub struct Listings(Cache<ListingKey, Arc<Listed>>);

/// Which workloads were asked for, and all that the answer follows from.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct ListingKey {
    namespace: String,
    search: String,
    objects: SnapshotVersion,
    unread: Vec<String>,
}

/// The most listings that are kept.
const MOST_KEPT: u64 = 500;

/// How long a listing is kept.
const KEPT: Duration = Duration::from_secs(60);

impl Default for Listings {
    fn default() -> Self {
        Self(Cache::builder().max_capacity(MOST_KEPT).time_to_live(KEPT).build())
    }
}

/// The workloads of a namespace whose names hold `search`, with their coverage and findings.
///
/// # Errors
/// [`AppError::NotFound`] where the person does not reach the namespace; otherwise when the cluster is unavailable.
pub async fn list_workloads(
    state: &AppState,
    actor: &Actor,
    namespace: &str,
    search: &str,
) -> Result<Arc<Listed>, AppError> {
    load_namespace(state, actor, namespace)?;
    let around = state.cluster.namespace_snapshot(&actor.kube, namespace).await?;
    let (settings, rego, search) = (state.policy.clone(), state.rego.clone(), search.to_lowercase());
    let (objects, unread) = (around.version.clone(), around.unread.clone());
    let key = ListingKey { namespace: namespace.to_owned(), search: search.clone(), objects, unread };
    let place = namespace.to_owned();
    let judge = move || Arc::new(listed(&settings, rego, around, &search, &place));
    let judged = state.compute.run(judge);
    let listed = state.listings.0.try_get_with(key.clone(), judged).await.map_err(Arc::unwrap_or_clone)?;
    if !listed.is_complete {
        state.listings.0.invalidate(&key).await;
    }
    Ok(listed)
}

fn listed(policy: &Policy, rego: Arc<dyn Rego>, around: NamespaceSnapshot, search: &str, namespace: &str) -> Listed {
    let covered: BTreeMap<String, (bool, bool)> = coverage(&World::new(&around.objects))
        .into_iter()
        .map(|coverage| (coverage.workload, (coverage.ingress, coverage.egress)))
        .collect();
    let context = Context { existing: around.objects, every_workload: around.every_workload, namespaces: None, rego };
    let mut found: Vec<(RunningWorkload, Manifest)> = context
        .existing
        .iter()
        .filter_map(|manifest| Some((RunningWorkload::of(manifest)?, manifest.clone())))
        .filter(|(workload, _)| workload.name.to_lowercase().contains(search))
        .collect();
    found.sort_by(|(one, _), (other, _)| one.name.cmp(&other.name));
    let all = found.len();
    found.truncate(MOST_LISTED);
    let (workloads, manifests): (Vec<RunningWorkload>, Vec<Manifest>) = found.into_iter().unzip();
    let pod_security_version = PodSecurityVersion::enforced_in(namespace, &context.existing);
    let selection = Selection { pod_security_version, ..Selection::default() };
    let report = review(&manifests, &context, &policy.review, selection);
    let has_policy =
        |manifest| Workload::of(manifest).is_some_and(|workload| !workload.own_policies(&context.existing).is_empty());
    let with_policy = workloads.into_iter().zip(manifests.iter().map(has_policy));
    let workloads =
        with_policy.map(|(workload, has_policy)| as_it_runs(workload, has_policy, &covered, &report)).collect();
    let is_complete = report.findings.iter().all(|finding| finding.rule != "policy/not-evaluated");
    Listed { workloads, all, unread: around.unread, is_complete }
}

fn as_it_runs(
    workload: RunningWorkload,
    has_policy: bool,
    covered: &BTreeMap<String, (bool, bool)>,
    report: &Report,
) -> ListedWorkload {
    let (ingress, egress) = covered.get(&workload.reference()).copied().unwrap_or_default();
    let count = |severity| {
        let is_about_it = |object: &review::ObjectRef| object.kind == workload.kind && object.name == workload.name;
        report.findings.iter().filter(|finding| finding.severity == severity && is_about_it(&finding.object)).count()
    };
    let (denied, warned) = (count(Severity::Deny), count(Severity::Warn));
    ListedWorkload { workload, ingress, egress, has_policy, denied, warned }
}

/// Workloads to pick from.
#[derive(Debug, Clone, Default)]
pub struct Found {
    pub workloads: Vec<RunningWorkload>,
    /// How many fit in all.
    pub all: usize,
}

/// The most workloads offered at once.
const MOST_OFFERED: usize = 10;

/// The most namespaces that are searched.
pub const MOST_SEARCHED: usize = 50;

/// Workloads whose name, or namespace and name, hold what is searched for; without that, those of the namespace. Only
/// those that the person may list.
///
/// # Errors
/// When the cluster is unavailable.
pub async fn find_picks(state: &AppState, actor: &Actor, namespace: &str, search: &str) -> Result<Found, AppError> {
    let search = search.trim().to_lowercase();
    let mut namespaces = vec![namespace.to_owned()];
    if !search.is_empty() {
        let reachable = load_namespaces(state, actor)?.into_iter().map(|reachable| reachable.namespace.name);
        namespaces.extend(reachable.filter(|name| name != namespace).take(MOST_SEARCHED));
    }
    let lists = objects_of(state, actor, namespaces.iter().map(String::as_str).filter(|name| !name.is_empty())).await?;
    let fits = |workload: &RunningWorkload| workload.reference().to_lowercase().contains(&search);
    let mut workloads: Vec<RunningWorkload> =
        lists.iter().flat_map(|found| &found.objects).filter_map(RunningWorkload::of).filter(fits).collect();
    let all = workloads.len();
    workloads.truncate(MOST_OFFERED);
    Ok(Found { workloads, all })
}

/// A workload that runs, and what is in its namespace.
pub(super) struct RunningIn {
    pub(super) workload: RunningWorkload,
    pub(super) objects: Vec<Manifest>,
}

/// The workload that runs in a namespace under this name.
///
/// # Errors
/// [`AppError::NotFound`] where there is none that the person may list.
pub(super) async fn find_running(
    state: &AppState,
    actor: &Actor,
    namespace: &str,
    reference: &str,
) -> Result<RunningIn, AppError> {
    let NamespaceSnapshot { objects, .. } = state.cluster.objects_in(&actor.kube, namespace).await?;
    let known = Known::new(namespace.to_owned(), objects.iter().filter_map(RunningWorkload::of), Vec::new(), None);
    let workload = known.workload(reference).cloned().map_err(|_| AppError::NotFound)?;
    Ok(RunningIn { workload, objects })
}
