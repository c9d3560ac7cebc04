//! Beginning, loading, saving and deleting drafts, and who may.

use super::applying::load_submission;
use super::importing::{as_they_are, with_all_steps_done};
use super::listing::{RunningIn, find_running};
use super::reviewing::essential;
use crate::actor::Actor;
use crate::audit::settle;
use crate::error::AppError;
use crate::namespaces::{deploy_right, is_dns_label, load_namespace, namespaces_where};
use crate::policy::Policy;
use crate::row_limit::{RowLimit, Rows};
use crate::state::AppState;
use crate::workloads::draft::{Draft, DraftForm, DraftSummary, Step};
use crate::workloads::errors::WorkloadError;
use crate::workloads::forms::{ManifestsForm, WorkloadForm, draft_of};
use crate::workloads::known::RunningWorkload;
use crate::workloads::store;
use jiff::{SignedDuration, Timestamp};
use record::Event;
use review::{Manifest, ParsedAnswers, Workload, parse_policy, to_yaml};
use sqlx::PgExecutor;
use uuid::Uuid;

/// A draft, for everyone who may run workloads in its namespace; until it has one that its author may run workloads in,
/// for its author.
///
/// # Errors
/// [`AppError::NotFound`] for everyone else.
pub async fn load_draft(state: &AppState, actor: &Actor, id: Uuid) -> Result<Draft, AppError> {
    let draft = store::find_draft(&state.database, id).await?;
    let is_author = draft.author_id == actor.person_id;
    if draft.shared_with.is_empty() {
        return if is_author { Ok(draft) } else { Err(AppError::NotFound) };
    }
    match may_deploy(state, actor, &draft.shared_with).await {
        Ok(true) => Ok(draft),
        Ok(false) => Err(AppError::NotFound),
        // What the author alone typed is theirs to see while nobody can be asked.
        Err(AppError::Unavailable { .. }) if draft.contributors == [actor.person_id] => Ok(draft),
        Err(error) => Err(error),
    }
}

/// The namespace whose people share a draft: the one it names, if who saves it may run workloads there. Otherwise
/// anybody could put drafts before other teams.
pub(super) async fn shared_with(state: &AppState, actor: &Actor, form: &DraftForm) -> Result<String, AppError> {
    let namespace = form.workload.namespace.trim();
    let may = is_dns_label(namespace) && may_deploy(state, actor, namespace).await?;
    Ok(if may { namespace.to_owned() } else { String::new() })
}

/// What became of a draft that is gone, for whoever may see that.
///
/// # Errors
/// [`AppError::NotFound`] where nothing did, and for everyone else.
pub async fn submission_of(state: &AppState, actor: &Actor, draft: Uuid) -> Result<Uuid, AppError> {
    let id = store::find_submission_of(&state.database, draft).await?;
    Ok(load_submission(state, actor, id).await?.id)
}

/// Namespaces in which the person may run workloads.
///
/// # Errors
/// When the cluster is unavailable.
pub async fn load_targets(state: &AppState, actor: &Actor) -> Result<Vec<String>, AppError> {
    namespaces_where(state, actor, deploy_right).await
}

/// Whether the person may run workloads in a namespace.
///
/// # Errors
/// When the cluster is unavailable.
pub async fn may_deploy(state: &AppState, actor: &Actor, namespace: &str) -> Result<bool, AppError> {
    match load_namespace(state, actor, namespace) {
        Ok(_) => Ok(state.cluster.allows(&actor.kube, &deploy_right(namespace.to_owned())).await?),
        Err(AppError::NotFound) => Ok(false),
        Err(error) => Err(error),
    }
}

/// A person's drafts that are theirs alone, and those shared with these namespaces; not those that nobody typed anything into.
///
/// # Errors
/// When the database is unavailable.
pub async fn load_drafts(
    database: impl PgExecutor<'_>,
    actor: &Actor,
    namespaces: &[String],
    limit: RowLimit,
) -> Result<Rows<DraftSummary>, AppError> {
    let drafts = store::list_drafts(database, actor.person_id, namespaces, limit.to_read()).await?;
    Ok(limit.cut(drafts))
}

/// How long an empty draft may still be open in some window.
const LEFT_ALONE: SignedDuration = SignedDuration::from_hours(1);

/// Begins a draft: of a new workload, or of the policy of one that runs, as connections write it, beginning with those
/// that it has. Gives its id and first step. Drafts that the person began long ago and never typed anything into go.
///
/// # Errors
/// [`AppError::NotFound`] where the person may run workloads nowhere, or the workload is not there to see.
pub async fn begin_draft(
    state: &AppState,
    actor: &Actor,
    namespace: String,
    running: &str,
) -> Result<(Uuid, Step), AppError> {
    if load_targets(state, actor).await?.is_empty() {
        return Err(AppError::NotFound);
    }
    let form = match running {
        "" => empty_draft(namespace),
        reference => policy_draft(&state.policy, &find_running(state, actor, &namespace, reference).await?),
    };
    store::delete_untouched_drafts(&state.database, actor.person_id, Timestamp::now() - LEFT_ALONE).await?;
    let shared_with = shared_with(state, actor, &form).await?;
    // What runs is not asked again where a policy is changed.
    let is_open = |step: &Step| *step != Step::Workload || !form.is_done(Step::Workload);
    let first = form.steps().into_iter().find(is_open).unwrap_or(Step::Workload);
    Ok((store::insert_draft(&state.database, actor.person_id, &shared_with, &form).await?, first))
}

fn empty_draft(namespace: String) -> DraftForm {
    DraftForm { workload: WorkloadForm { namespace, ..WorkloadForm::default() }, ..DraftForm::default() }
}

fn policy_draft(policy: &Policy, running: &RunningIn) -> DraftForm {
    let RunningIn { workload, objects } = running;
    let found = objects.iter().filter_map(Workload::of).find(|found| found.to_string() == workload.reference());
    let own = found.map(|found| found.own_policies(objects)).unwrap_or_default();
    let written: Vec<Manifest> = own.into_iter().filter_map(as_written).collect();
    let (Some(found), [first, others @ ..]) = (found, written.as_slice()) else { return new_policy(workload) };
    match parse_policy(first, &found, &policy.review) {
        Ok(parsed) if others.is_empty() => with_all_steps_done(changed_policy(policy, workload, parsed)),
        _ => as_they_are(&workload.namespace, to_yaml(&written)),
    }
}

/// An object of the cluster as somebody would have written it.
fn as_written(object: &Manifest) -> Option<Manifest> {
    Manifest::from_value(essential(object.value().clone())).ok()
}

fn new_policy(workload: &RunningWorkload) -> DraftForm {
    let ports: Vec<String> = workload.ports.iter().map(ToString::to_string).collect();
    let form = WorkloadForm {
        namespace: workload.namespace.clone(),
        name: workload.reference(),
        kind: "running".to_owned(),
        ports: ports.join(", "),
        ..WorkloadForm::default()
    };
    DraftForm { workload: form, ..DraftForm::default() }
}

fn changed_policy(policy: &Policy, workload: &RunningWorkload, parsed: ParsedAnswers) -> DraftForm {
    let mut draft = draft_of(&parsed.answers, &policy.places);
    draft.workload = new_policy(workload).workload;
    draft.manifests = ManifestsForm { text: String::new(), overrides: parsed.overrides };
    draft
}

/// Deletes a draft, for everybody who shared it.
///
/// # Errors
/// [`AppError::NotFound`] for a draft that is not there to see.
pub async fn delete_draft(state: &AppState, actor: &Actor, id: Uuid) -> Result<(), AppError> {
    let draft = load_draft(state, actor, id).await?;
    let namespace = Some(draft.shared_with).filter(|namespace| !namespace.is_empty());
    let event = Event::DraftDelete { draft: id, namespace, version: draft.version };
    let mut transaction = state.database.begin().await?;
    let deleted = match store::delete_draft(&mut *transaction, id, draft.version).await {
        Ok(true) => Ok(()),
        Ok(false) => Err(WorkloadError::DraftSavedMeanwhile.into()),
        Err(error) => Err(error.into()),
    };
    settle(&state.database, transaction, actor, &event, deleted).await
}
