//! The wizard's handlers, the review, and the apply.

use super::forms::{DraftForm, NetworkForm, ResourcesForm, Step, WorkloadForm};
use super::store::{self, NewSubmission};
use super::submission::{ApplyOutcome, ApplyResult, Draft, Submission, SubmissionSummary};
use crate::access::KubeIdentity;
use crate::actor::Actor;
use crate::audit::{Action, audited};
use crate::digest::Digest;
use crate::error::{AppError, Part};
use crate::form::{FormErrors, FormOutcome, decode, ticked};
use crate::namespaces::{deploy_right, load_namespace, namespaces_where};
use crate::ports::{ClusterError, Right, Run, Surroundings};
use crate::state::{AppState, Policy};
use axum::extract::{Path, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::http::request::Parts;
use axum::response::{IntoResponse, Redirect, Response};
use review::{
    Answers, Context, Direction, Manifest, PodSecurityVersion, Reach, Report, Selection, Severity, Verdict, Workload,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

/// Everything a review says about a draft, before anything is sent for good.
pub struct Reviewed {
    /// The answers it is made of.
    pub answers: Answers,
    /// Exactly the bytes that would be applied.
    pub manifest: String,
    /// The objects that these bytes are.
    pub manifests: Vec<Manifest>,
    /// Of these bytes.
    pub digest: Digest,
    /// Findings of the rules.
    pub report: Report,
    /// Who can reach it.
    pub ingress: Reach,
    /// What it can reach.
    pub egress: Reach,
    /// What the cluster did not show, so that it was not taken into account.
    pub unread: Vec<String>,
}

/// What the API server says to a dry run of one object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DryRun {
    /// `Kind/namespace/name`.
    pub object: String,
    /// What it said.
    pub answer: DryRunAnswer,
}

/// The API server's verdict.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DryRunAnswer {
    /// It would be admitted.
    Admitted {
        /// With these warnings.
        warnings: Vec<String>,
        /// Whether an object of that name is there already and would be changed.
        exists: bool,
    },
    /// It would be refused.
    Refused(String),
    /// Another manager owns fields of it.
    Conflict(String),
    /// Nobody knows: the API server was not there.
    Unknown,
}

/// Reviews what a draft holds: our rules and the cluster's own policies, over the new manifests and what is there
/// already.
///
/// # Errors
/// The form's errors, or the cluster's.
pub async fn review_draft(
    state: &AppState,
    actor: &Actor,
    form: &DraftForm,
) -> Result<Result<Reviewed, FormErrors>, AppError> {
    let answers = match form.answers() {
        Ok(answers) => answers,
        Err(errors) => return Ok(Err(errors)),
    };
    let surroundings = state.cluster.surroundings(&actor.kube, &answers.namespace).await?;
    let policy = state.policy.clone();
    // The cluster's own policies may compute for a while, one after the other: not on a thread that serves others.
    let reviewed = tokio::task::spawn_blocking(move || review_answers(&policy, answers, surroundings)).await;
    reviewed.map(Ok).map_err(|error| {
        tracing::error!(%error, "a review did not end");
        AppError::Internal
    })
}

fn review_answers(policy: &Policy, answers: Answers, surroundings: Surroundings) -> Reviewed {
    let manifests = review::generate(&answers);
    let manifest = review::to_yaml(&manifests);
    let Surroundings { objects, unread } = surroundings;
    let context = Context { existing: objects, every_workload: unread.is_empty() };
    let pod_security_version = PodSecurityVersion::enforced_in(&answers.namespace, &context.existing);
    let selection = Selection { pod_security_version, ..Selection::default() };
    let report = review::review(&manifests, &context, &policy.review, selection);
    let workload = manifests.iter().find_map(Workload::of);
    let reach = |direction| {
        workload.map_or(Reach::Open, |workload| review::reach(&workload, context.afterwards(&manifests), direction))
    };
    let (ingress, egress) = (reach(Direction::Ingress), reach(Direction::Egress));
    Reviewed { digest: Digest::of(&manifest), ingress, egress, answers, manifest, manifests, report, unread }
}

/// A server-side dry run, as the person, of every object and of the Pod that a controller would make:
/// a Deployment's own dry run never meets the checks on Pods.
pub async fn dry_run(state: &AppState, who: &KubeIdentity, manifests: &[Manifest]) -> Vec<DryRun> {
    let mut answers = Vec::new();
    for object in manifests {
        answers.push(try_object(state, who, object).await);
        if let Some(pod) = rendered_pod(object) {
            answers.push(try_object(state, who, &pod).await);
        }
    }
    answers
}

async fn try_object(state: &AppState, who: &KubeIdentity, object: &Manifest) -> DryRun {
    let answer = match state.cluster.apply(who, object, &document(object), Run::Dry).await {
        // What is made by a dry run is stored nowhere, so it has no version.
        Ok(applied) => {
            DryRunAnswer::Admitted { warnings: applied.warnings, exists: !applied.resource_version.is_empty() }
        }
        Err(ClusterError::Refused(message)) => DryRunAnswer::Refused(message),
        Err(ClusterError::Conflict(message)) => DryRunAnswer::Conflict(message),
        Err(ClusterError::Away(cause) | ClusterError::Unknown(cause)) => {
            tracing::warn!(cause, "dry run without an answer");
            DryRunAnswer::Unknown
        }
    };
    DryRun { object: object.object().to_string(), answer }
}

/// One document of the reviewed bytes: these are nothing but the documents of their objects, in order.
fn document(object: &Manifest) -> String {
    review::to_yaml(std::slice::from_ref(object))
}

fn rendered_pod(object: &Manifest) -> Option<Manifest> {
    let template = object.value().pointer("/spec/template")?;
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "name": format!("{}-pod", object.object().name),
            "namespace": object.object().namespace,
            "labels": template["metadata"]["labels"],
        },
        "spec": template["spec"],
    });
    Manifest::from_value(pod).ok()
}

/// A draft of the person's own.
///
/// # Errors
/// [`AppError::NotFound`] where there is none, or it is somebody else's.
pub async fn load_draft(state: &AppState, actor: &Actor, id: Uuid) -> Result<DraftForm, AppError> {
    Ok(store::find_draft(&state.database, actor.person_id, id).await?.form)
}

/// Where the submission is that a draft became.
///
/// # Errors
/// [`AppError::NotFound`] where there is none.
pub async fn submission_of(state: &AppState, actor: &Actor, draft: Uuid) -> Result<String, AppError> {
    let submission = store::find_submission_of(&state.database, actor.person_id, draft).await?;
    Ok(format!("/workloads/{submission}"))
}

/// Namespaces in which the person may run workloads.
///
/// # Errors
/// When the cluster is away.
pub async fn load_targets(state: &AppState, actor: &Actor) -> Result<Vec<String>, AppError> {
    namespaces_where(state, actor, deploy_right).await
}

/// `POST /workloads/new`: the first step of a new draft.
///
/// # Errors
/// Whatever is not the form's fault.
pub async fn post_new(
    State(state): State<AppState>,
    actor: Actor,
    parts: Parts,
    body: String,
) -> Result<Response, AppError> {
    let workload = decode(&body)?;
    let draft = DraftForm { workload, ..DraftForm::default() };
    let outcome = save_step(&state, &actor, None, draft, Step::Workload).await?;
    Ok(outcome.respond(state, parts).await)
}

/// `POST /workloads/drafts/{id}/{step}`: a step of a draft, or its apply.
///
/// # Errors
/// Whatever is not the form's fault.
pub async fn post_step(
    State(state): State<AppState>,
    actor: Actor,
    parts: Parts,
    Path((id, step)): Path<(Uuid, String)>,
    body: String,
) -> Result<Response, AppError> {
    let mut draft = match load_draft(&state, &actor, id).await {
        // Pressed twice, or from another window: show what became of it.
        Err(AppError::NotFound) => return Ok(Redirect::to(&submission_of(&state, &actor, id).await?).into_response()),
        other => other?,
    };
    let step = Step::from_slug(&step).ok_or(AppError::NotFound)?;
    let sent: StepForm = StepForm::read(step, &body)?;
    let outcome = match sent {
        StepForm::Apply { digest } => return apply_draft(&state, &actor, id, &draft, &digest).await,
        StepForm::Workload(form) => {
            draft.workload = form;
            save_step(&state, &actor, Some(id), draft, step).await?
        }
        StepForm::Network(form, None) => {
            draft.network = form;
            save_step(&state, &actor, Some(id), draft, step).await?
        }
        StepForm::Network(form, Some(list)) => {
            draft.network = form.with_row(&list);
            store::update_draft(&state.database, actor.person_id, id, &draft).await?;
            FormOutcome::Done(format!("{}#{list}", step_path(id, step)))
        }
        StepForm::Resources(form) => {
            draft.resources = form;
            save_step(&state, &actor, Some(id), draft, step).await?
        }
    };
    Ok(outcome.respond(state, parts).await)
}

/// What a step's form sends.
enum StepForm {
    Workload(WorkloadForm),
    /// The second part names the list that wants another row.
    Network(NetworkForm, Option<String>),
    Resources(ResourcesForm),
    Apply {
        digest: String,
    },
}

#[derive(Deserialize)]
struct Pressed {
    add: Option<String>,
}

#[derive(Deserialize)]
struct ApplyForm {
    digest: String,
}

impl StepForm {
    fn read(step: Step, body: &str) -> Result<Self, AppError> {
        Ok(match step {
            Step::Workload => Self::Workload(decode(body)?),
            Step::Network => Self::Network(decode_network(body)?, decode::<Pressed>(body)?.add),
            Step::Resources => {
                Self::Resources(ResourcesForm { read_only_root: ticked(body, "read_only_root"), ..decode(body)? })
            }
            Step::Review => Self::Apply { digest: decode::<ApplyForm>(body)?.digest },
        })
    }
}

fn decode_network(body: &str) -> Result<NetworkForm, AppError> {
    Ok(NetworkForm { dns: ticked(body, "dns"), ..decode(body)? })
}

/// The draft with the fields of one step as they stand in the browser, for the live review.
///
/// # Errors
/// When it is not a form of that step.
pub fn with_step(mut draft: DraftForm, step: Step, body: &str) -> Result<DraftForm, AppError> {
    match StepForm::read(step, body)? {
        StepForm::Workload(form) => draft.workload = form,
        StepForm::Network(form, _) => draft.network = form,
        StepForm::Resources(form) => draft.resources = form,
        StepForm::Apply { .. } => {}
    }
    Ok(draft)
}

/// Where a step of a draft is.
#[must_use]
pub fn step_path(id: Uuid, step: Step) -> String {
    format!("/workloads/drafts/{id}/{}", step.slug())
}

/// Saves the draft whatever it holds, before the cluster is asked, so that nothing typed is lost; goes on
/// if the step is right.
async fn save_step(
    state: &AppState,
    actor: &Actor,
    id: Option<Uuid>,
    mut draft: DraftForm,
    step: Step,
) -> Result<FormOutcome<DraftForm>, AppError> {
    draft.set_done(step, false);
    if let Some(id) = id {
        store::update_draft(&state.database, actor.person_id, id, &draft).await?;
    }
    let errors = match check_step(state, actor, &draft, step).await {
        Ok(errors) => errors,
        Err(error) => {
            if id.is_none() {
                store::insert_draft(&state.database, actor.person_id, &draft).await?;
            }
            return Err(error);
        }
    };
    if !errors.is_empty() {
        return Ok(FormOutcome::again(draft, errors));
    }
    draft.set_done(step, true);
    let id = match id {
        Some(id) => {
            store::update_draft(&state.database, actor.person_id, id, &draft).await?;
            id
        }
        None => store::insert_draft(&state.database, actor.person_id, &draft).await?,
    };
    // Someone who came from the review to change one thing goes back to it.
    let next = if draft.may_open(Step::Review) { Step::Review } else { step.next().unwrap_or(Step::Review) };
    Ok(FormOutcome::Done(step_path(id, next)))
}

async fn check_step(state: &AppState, actor: &Actor, draft: &DraftForm, step: Step) -> Result<FormErrors, AppError> {
    let mut errors = FormErrors::default();
    match step {
        Step::Workload => {
            if let Some(checked) = draft.workload.check(&mut errors)
                && !may_deploy(state, actor, &checked.namespace).await?
            {
                errors.add("namespace", "Choose a namespace from the list: you cannot run workloads in this one.");
            }
        }
        Step::Network => drop(draft.network.check(&mut errors)),
        Step::Resources => drop(draft.resources.check(&mut errors)),
        Step::Review => {}
    }
    Ok(errors)
}

async fn may_deploy(state: &AppState, actor: &Actor, namespace: &str) -> Result<bool, AppError> {
    match load_namespace(state, actor, namespace) {
        Ok(_) => Ok(state.cluster.allows(&actor.kube, &deploy_right(namespace.to_owned())).await?),
        Err(AppError::NotFound) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Applies exactly the bytes that the person saw, or nothing.
async fn apply_draft(
    state: &AppState,
    actor: &Actor,
    id: Uuid,
    draft: &DraftForm,
    seen: &str,
) -> Result<Response, AppError> {
    let back = Redirect::to(&step_path(id, Step::Review)).into_response();
    let Ok(reviewed) = review_draft(state, actor, draft).await? else { return Ok(back) };
    if reviewed.digest.to_string() != seen {
        return Err(AppError::Conflict { message: "The draft was changed after you looked at its review, so nothing was applied. Go back, review it again and apply then.".to_owned() });
    }
    let dry_run = dry_run(state, &actor.kube, &reviewed.manifests).await;
    if !may_apply(&reviewed.report, &dry_run) {
        return Ok(back);
    }
    let submission = submit(state, actor, id, &reviewed, &dry_run).await?;
    let object = format!("Submission/{}/{}", reviewed.answers.namespace, reviewed.answers.name);
    let detail = json!({ "submission": submission, "digest": reviewed.digest.to_string() });
    let applied = audited(state, actor, Action::WorkloadApply, &object, detail, |intent| {
        apply_all(state, actor, submission, intent, &reviewed.manifests)
    })
    .await;
    let path = format!("/workloads/{submission}");
    match applied {
        Ok(()) => {
            // It is applied: a draft that stays is no reason to say otherwise.
            if let Err(error) = store::delete_draft(&state.database, actor.person_id, id).await {
                tracing::warn!(%error, %id, "the draft of an applied workload could not be deleted");
            }
            Ok(Redirect::to(&path).into_response())
        }
        // What happened to each object stands on the submission's page; the draft stays.
        Err(
            AppError::ClusterRefused { .. }
            | AppError::Conflict { .. }
            | AppError::OutcomeUnknown { .. }
            | AppError::Away { .. },
        ) => Ok(Redirect::to(&path).into_response()),
        Err(error) => Err(error),
    }
}

/// Whether a review leaves the button: nothing denied by the rules, nothing refused by the server.
#[must_use]
pub fn may_apply(report: &Report, dry_run: &[DryRun]) -> bool {
    report.verdict != Verdict::Deny
        && dry_run.iter().all(|object| matches!(object.answer, DryRunAnswer::Admitted { .. }))
}

async fn submit(
    state: &AppState,
    actor: &Actor,
    draft: Uuid,
    reviewed: &Reviewed,
    dry_run: &[DryRun],
) -> Result<Uuid, AppError> {
    let new = NewSubmission {
        draft,
        author: actor.person_id,
        namespace: &reviewed.answers.namespace,
        name: &reviewed.answers.name,
        manifest: &reviewed.manifest,
        digest: reviewed.digest,
        report: json!(reviewed.report),
        dry_run: json!(dry_run),
    };
    store::insert_submission(&state.database, new).await
}

/// Applies object by object and stores each answer; stops at the first that is not applied, so that a
/// pod never runs without its policy.
async fn apply_all(
    state: &AppState,
    actor: &Actor,
    submission: Uuid,
    intent: Uuid,
    manifests: &[Manifest],
) -> Result<(), AppError> {
    for object in manifests {
        let answer = state.cluster.apply(&actor.kube, object, &document(object), Run::Real).await;
        let (outcome, message, resource_version) = match &answer {
            Ok(applied) => (ApplyOutcome::Applied, applied.warnings.join("\n"), Some(applied.resource_version.clone())),
            Err(ClusterError::Refused(message)) => (ApplyOutcome::Refused, message.clone(), None),
            Err(ClusterError::Conflict(message)) => (ApplyOutcome::Conflict, message.clone(), None),
            Err(ClusterError::Away(_)) => {
                (ApplyOutcome::Failed, "The cluster could not be reached; nothing was sent.".to_owned(), None)
            }
            Err(ClusterError::Unknown(_)) => (
                ApplyOutcome::Failed,
                "The connection broke before the cluster answered; it is not known whether the object was applied."
                    .to_owned(),
                None,
            ),
        };
        let result = ApplyResult { object: object.object().to_string(), outcome, message, resource_version };
        let stored = store::insert_apply_result(&state.database, submission, intent, &result).await;
        answer?;
        stored.map_err(|_| AppError::OutcomeUnknown { part: Part::Database })?;
    }
    Ok(())
}

/// A submission for its author, for those who may look at workloads in its namespace, and for those who
/// read the records.
///
/// # Errors
/// [`AppError::NotFound`] for everyone else.
pub async fn load_submission(state: &AppState, actor: &Actor, id: &str) -> Result<Submission, AppError> {
    let id: Uuid = id.parse().map_err(|_| AppError::NotFound)?;
    let submission = store::find_submission(&state.database, id).await?;
    let own = submission.author_id == actor.person_id || actor.record_reader().is_ok();
    if own || state.cluster.allows(&actor.kube, &look_right(submission.namespace.clone())).await? {
        Ok(submission)
    } else {
        Err(AppError::NotFound)
    }
}

/// Who may look at workloads may look at what was submitted.
fn look_right(namespace: String) -> Right {
    Right { verb: "get", group: "apps", resource: "deployments", namespace: Some(namespace) }
}

/// What the list shows: one's own drafts, and what was submitted into the namespaces one may look into.
///
/// # Errors
/// When a part is away.
pub async fn load_workloads(state: &AppState, actor: &Actor) -> Result<(Vec<Draft>, Vec<SubmissionSummary>), AppError> {
    let namespaces = namespaces_where(state, actor, look_right).await?;
    let drafts = store::list_drafts(&state.database, actor.person_id).await?;
    Ok((drafts, store::list_submissions(&state.database, &namespaces).await?))
}

/// `GET /workloads/drafts/{id}/manifest.yaml`: the reviewed bytes, to take away.
///
/// # Errors
/// [`AppError::NotFound`] for a draft of somebody else's, or one that is not complete.
pub async fn get_manifest(
    State(state): State<AppState>,
    actor: Actor,
    Path(id): Path<Uuid>,
) -> Result<Response, AppError> {
    let answers = load_draft(&state, &actor, id).await?.answers().map_err(|_| AppError::NotFound)?;
    let yaml = review::to_yaml(&review::generate(&answers));
    let disposition = format!("attachment; filename=\"{}.yaml\"", answers.name);
    Ok(([(CONTENT_TYPE, "application/yaml".to_owned()), (CONTENT_DISPOSITION, disposition)], yaml).into_response())
}

/// How many findings of each severity, the worst first.
#[must_use]
pub fn counts(report: &Report) -> [(Severity, usize); 3] {
    [Severity::Deny, Severity::Warn, Severity::Info]
        .map(|severity| (severity, report.findings.iter().filter(|finding| finding.severity == severity).count()))
}
