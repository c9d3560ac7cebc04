//! What runs, what waits, and finding workloads by name.

use super::apply::look_right;
use super::drafts::load_targets;
use super::second_person::administer_right;
use crate::actor::Actor;
use crate::error::AppError;
use crate::namespaces::{load_namespace, load_namespaces, namespaces_where};
use crate::state::AppState;
use crate::workloads::draft::Draft;
use crate::workloads::known::{Known, RunningWorkload};
use crate::workloads::store;
use crate::workloads::submission::{SubmissionState, SubmissionSummary};
use futures::future::try_join_all;
use review::{Context, Report, Selection, Severity, World, coverage, review};
use std::collections::BTreeMap;

/// What a person has to do with workloads.
pub struct Overview {
    /// Their drafts, and those of their namespaces.
    pub drafts: Vec<Draft>,
    /// What was submitted into the namespaces they may look into.
    pub submissions: Vec<SubmissionSummary>,
    /// What waits for them as reviewers.
    pub to_review: Vec<SubmissionSummary>,
    /// The namespaces they may look into.
    pub namespaces: Vec<String>,
}

/// Loads what the list of workloads begins with.
///
/// # Errors
/// When a part is away.
pub async fn load_overview(state: &AppState, actor: &Actor) -> Result<Overview, AppError> {
    let (namespaces, administered, targets) = futures::try_join!(
        namespaces_where(state, actor, look_right),
        namespaces_where(state, actor, administer_right),
        load_targets(state, actor),
    )?;
    let drafts = store::list_drafts(&state.database, actor.person_id, &targets).await?;
    let drafts = drafts.into_iter().filter(|draft| !draft.form.is_untouched()).collect();
    let reviewed = if actor.administrator().is_ok() { state.cluster.namespace_names()? } else { administered };
    let waits = |submission: &SubmissionSummary| {
        submission.state == SubmissionState::Waiting && !submission.contributors.contains(&actor.person_id)
    };
    let to_review = store::list_submissions(&state.database, &reviewed).await?.into_iter().filter(waits).collect();
    let submissions = store::list_submissions(&state.database, &namespaces).await?;
    Ok(Overview { drafts, submissions, to_review, namespaces })
}

/// A namespace's workloads.
pub struct Listed {
    /// By name.
    pub workloads: Vec<ListedWorkload>,
    /// How many there are in all.
    pub all: usize,
    /// What the cluster did not show.
    pub unread: Vec<String>,
}

/// A workload as it runs now.
pub struct ListedWorkload {
    /// Which.
    pub workload: RunningWorkload,
    /// Whether policies limit who reaches it.
    pub ingress: bool,
    /// Whether policies limit what it reaches.
    pub egress: bool,
    /// Findings that the platform would refuse today.
    pub denied: usize,
    /// Warnings.
    pub warned: usize,
}

/// The most workloads on a page.
const MOST_LISTED: usize = 100;

/// The workloads of a namespace whose names hold `search`, with their coverage and findings.
///
/// # Errors
/// [`AppError::NotFound`] where the person does not reach the namespace; otherwise when the cluster is away.
pub async fn list_workloads(
    state: &AppState,
    actor: &Actor,
    namespace: &str,
    search: &str,
) -> Result<Listed, AppError> {
    load_namespace(state, actor, namespace)?;
    let around = state.cluster.surroundings(&actor.kube, namespace).await?;
    let (settings, search) = (state.policy.clone(), search.to_lowercase());
    let listed = tokio::task::spawn_blocking(move || {
        let world = World::new(&around.objects);
        let covered: BTreeMap<String, (bool, bool)> = coverage(&world)
            .into_iter()
            .map(|coverage| (coverage.workload, (coverage.ingress, coverage.egress)))
            .collect();
        let running: Vec<RunningWorkload> = around.objects.iter().filter_map(RunningWorkload::of).collect();
        let context = Context { existing: around.objects, every_workload: around.unread.is_empty() };
        let report = review(&context.existing, &context, &settings.review, Selection::default());
        let fits = |workload: &&RunningWorkload| workload.name.to_lowercase().contains(&search);
        let mut workloads: Vec<ListedWorkload> =
            running.iter().filter(fits).map(|workload| as_it_runs(workload, &covered, &report)).collect();
        workloads.sort_by(|one, other| one.workload.name.cmp(&other.workload.name));
        let all = workloads.len();
        workloads.truncate(MOST_LISTED);
        Listed { workloads, all, unread: around.unread }
    });
    listed.await.map_err(|error| {
        tracing::error!(%error, "a list of workloads did not end");
        AppError::Internal
    })
}

fn as_it_runs(workload: &RunningWorkload, covered: &BTreeMap<String, (bool, bool)>, report: &Report) -> ListedWorkload {
    let (ingress, egress) = covered.get(&workload.reference()).copied().unwrap_or_default();
    let count = |severity| {
        let is_about_it = |object: &review::ObjectRef| object.kind == workload.kind && object.name == workload.name;
        report.findings.iter().filter(|finding| finding.severity == severity && is_about_it(&finding.object)).count()
    };
    let (denied, warned) = (count(Severity::Deny), count(Severity::Warn));
    ListedWorkload { workload: workload.clone(), ingress, egress, denied, warned }
}

/// Workloads to pick from.
#[derive(Debug, Clone, Default)]
pub struct Found {
    /// The first that fit.
    pub workloads: Vec<RunningWorkload>,
    /// How many fit in all.
    pub all: usize,
}

/// The most workloads offered at once.
const MOST_OFFERED: usize = 10;

/// The most namespaces that are searched.
const MOST_SEARCHED: usize = 50;

/// Workloads whose name, or namespace and name, hold what is searched for; without that, those of the namespace. Only
/// those that the person may list.
///
/// # Errors
/// When the cluster is away.
pub async fn find_picks(state: &AppState, actor: &Actor, namespace: &str, search: &str) -> Result<Found, AppError> {
    let search = search.trim().to_lowercase();
    let mut namespaces = vec![namespace.to_owned()];
    if !search.is_empty() {
        let reachable = load_namespaces(state, actor)?.into_iter().map(|reachable| reachable.namespace.name);
        namespaces.extend(reachable.filter(|name| name != namespace).take(MOST_SEARCHED));
    }
    let lists = try_join_all(
        namespaces.iter().filter(|name| !name.is_empty()).map(|name| state.cluster.objects_in(&actor.kube, name)),
    )
    .await?;
    let fits = |workload: &RunningWorkload| workload.reference().to_lowercase().contains(&search);
    let mut workloads: Vec<RunningWorkload> =
        lists.iter().flat_map(|found| &found.objects).filter_map(RunningWorkload::of).filter(fits).collect();
    let all = workloads.len();
    workloads.truncate(MOST_OFFERED);
    Ok(Found { workloads, all })
}

/// The workload that runs in a namespace under this name.
///
/// # Errors
/// [`AppError::NotFound`] where there is none that the person may list.
pub(super) async fn running_workload(
    state: &AppState,
    actor: &Actor,
    namespace: &str,
    reference: &str,
) -> Result<RunningWorkload, AppError> {
    let found = state.cluster.objects_in(&actor.kube, namespace).await?;
    let workloads = found.objects.iter().filter_map(RunningWorkload::of);
    let known = Known::new(namespace.to_owned(), workloads, Vec::new(), None);
    known.workload(reference).cloned().map_err(|_| AppError::NotFound)
}
