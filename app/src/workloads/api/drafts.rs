//! Beginning, saving, sharing and deleting drafts.

use super::apply::submit_draft;
use super::lists::running_workload;
use super::review::load_known;
use crate::actor::Actor;
use crate::audit::{Action, audited_in};
use crate::error::AppError;
use crate::form::{FormErrors, FormOutcome, decode, ticked};
use crate::namespaces::{deploy_right, is_dns_label, load_namespace, namespaces_where};
use crate::state::AppState;
use crate::workloads::draft::{Draft, DraftForm, Step};
use crate::workloads::forms::{DestinationsForm, ManifestsForm, ResourcesForm, SourcesForm, WorkloadForm};
use crate::workloads::known::RunningWorkload;
use crate::workloads::store;
use axum::extract::{Path, State};
use axum::http::request::Parts;
use axum::response::{IntoResponse, Redirect, Response};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::json;
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
        // What the author typed is theirs to see while nobody can be asked.
        Err(AppError::Away { .. }) if is_author => Ok(draft),
        Err(error) => Err(error),
    }
}

/// The namespace whose people share a draft: the one it names, if who saves it may run workloads there. Otherwise
/// anybody could put drafts before other teams.
async fn shared_with(state: &AppState, actor: &Actor, form: &DraftForm) -> Result<String, AppError> {
    let namespace = form.workload.namespace.trim();
    let may = is_dns_label(namespace) && may_deploy(state, actor, namespace).await?;
    Ok(if may { namespace.to_owned() } else { String::new() })
}

/// Where the submission is that a draft became.
///
/// # Errors
/// [`AppError::NotFound`] where there is none.
pub async fn submission_of(state: &AppState, draft: Uuid) -> Result<String, AppError> {
    Ok(format!("/workloads/{}", store::find_submission_of(&state.database, draft).await?))
}

/// Namespaces in which the person may run workloads.
///
/// # Errors
/// When the cluster is away.
pub async fn load_targets(state: &AppState, actor: &Actor) -> Result<Vec<String>, AppError> {
    namespaces_where(state, actor, deploy_right).await
}

/// Whether the person may run workloads in a namespace.
///
/// # Errors
/// When the cluster is away.
pub async fn may_deploy(state: &AppState, actor: &Actor, namespace: &str) -> Result<bool, AppError> {
    match load_namespace(state, actor, namespace) {
        Ok(_) => Ok(state.cluster.allows(&actor.kube, &deploy_right(namespace.to_owned())).await?),
        Err(AppError::NotFound) => Ok(false),
        Err(error) => Err(error),
    }
}

/// How long an empty draft may still be open in some window, in seconds.
const LEFT_ALONE: i64 = 3600;

/// How a new draft begins.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct BeginForm {
    namespace: String,
    /// A workload that runs, as connections write it: then only its policy is written.
    running: String,
}

/// `POST /workloads/new`: begins a draft. Those that the person began long ago and never typed anything into go.
///
/// # Errors
/// When a part is away, or the workload named is not there to see.
pub async fn post_new(State(state): State<AppState>, actor: Actor, body: String) -> Result<Response, AppError> {
    let begin: BeginForm = decode(&body)?;
    if load_targets(&state, &actor).await?.is_empty() {
        return Err(AppError::NotFound);
    }
    let form = match begin.running.as_str() {
        "" => empty_draft(begin.namespace),
        reference => policy_draft(&running_workload(&state, &actor, &begin.namespace, reference).await?),
    };
    let now = Timestamp::now();
    let is_old = |draft: &&Draft| now.as_second() - draft.updated_at.as_second() > LEFT_ALONE;
    for draft in store::list_drafts(&state.database, actor.person_id, &[]).await?.iter().filter(is_old) {
        if draft.form.is_untouched() {
            store::delete_draft(&state.database, draft.id, draft.version).await?;
        }
    }
    let shared_with = shared_with(&state, &actor, &form).await?;
    let id = store::insert_draft(&state.database, actor.person_id, &shared_with, &form).await?;
    Ok(Redirect::to(&step_path(id, Step::Workload)).into_response())
}

fn empty_draft(namespace: String) -> DraftForm {
    DraftForm { workload: WorkloadForm { namespace, ..WorkloadForm::default() }, ..DraftForm::default() }
}

fn policy_draft(workload: &RunningWorkload) -> DraftForm {
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

/// What was pressed, and what goes with every step.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Pressed {
    /// The version that was on the screen.
    version: i32,
    /// One more row.
    add: Option<String>,
    /// One row less.
    remove: Option<usize>,
    /// A workload of the list, as connections write it.
    pick: Option<String>,
    /// Look for workloads.
    find: Option<String>,
    /// By what.
    search: String,
    /// Of the review.
    digest: String,
    /// A finding to mend: its rule, object and path.
    fix: Option<String>,
}

/// `POST /workloads/drafts/{id}/{step}`: a step of a draft, or its submission.
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
    let draft = match load_draft(&state, &actor, id).await {
        // Pressed twice, or from another window: show what became of it.
        Err(AppError::NotFound) => return Ok(Redirect::to(&submission_of(&state, id).await?).into_response()),
        other => other?,
    };
    let step = Step::from_slug(&step).ok_or(AppError::NotFound)?;
    let pressed: Pressed = decode(&body)?;
    if step == Step::Review {
        return match pressed.fix {
            Some(finding) => super::fixing::fix_draft(&state, &actor, draft, &finding, &pressed.digest).await,
            None => submit_draft(&state, &actor, &draft, &pressed.digest).await,
        };
    }
    let form = with_step(draft.form.clone(), step, &body)?;
    let outcome = save_step(&state, &actor, &draft, form, step, &pressed).await?;
    Ok(outcome.respond(state, parts).await)
}

/// The draft with the fields of one step as they stand in the browser.
///
/// # Errors
/// When it is not a form of that step.
pub fn with_step(mut draft: DraftForm, step: Step, body: &str) -> Result<DraftForm, AppError> {
    match step {
        Step::Workload => draft.workload = workload_of(draft.workload, body)?,
        Step::Sources => draft.sources = SourcesForm { rows: decode(body)?, ..decode(body)? },
        Step::Destinations => {
            draft.destinations = DestinationsForm { rows: decode(body)?, dns: ticked(body, "dns"), ..decode(body)? };
        }
        Step::Resources => {
            draft.resources = ResourcesForm { read_only_root: ticked(body, "read_only_root"), ..decode(body)? };
        }
        Step::Manifests => draft.manifests = ManifestsForm { kept: draft.manifests.kept, ..decode(body)? },
        Step::Review => {}
    }
    Ok(draft)
}

/// The first step as sent. For what runs already, the fields of a new workload are not on the page: they stay as they
/// were, for whoever changes their mind.
fn workload_of(saved: WorkloadForm, body: &str) -> Result<WorkloadForm, AppError> {
    let sent = WorkloadForm { service: ticked(body, "service"), ..decode(body)? };
    let has_pod_fields = url::form_urlencoded::parse(body.as_bytes()).any(|(name, _)| name == "image");
    if has_pod_fields {
        return Ok(sent);
    }
    let WorkloadForm { namespace, name, kind, ports, .. } = sent;
    Ok(WorkloadForm { namespace, name, kind, ports, ..saved })
}

/// Where a step of a draft is.
#[must_use]
pub fn step_path(id: Uuid, step: Step) -> String {
    format!("/workloads/drafts/{id}/{}", step.slug())
}

/// Where a draft is deleted.
#[must_use]
pub fn delete_path(id: Uuid) -> String {
    format!("/workloads/drafts/{id}/delete")
}

/// Saves the draft whatever it holds, before the cluster is asked, so that nothing typed is lost; goes on if the step
/// is right.
async fn save_step(
    state: &AppState,
    actor: &Actor,
    draft: &Draft,
    mut form: DraftForm,
    step: Step,
    pressed: &Pressed,
) -> Result<FormOutcome<DraftForm>, AppError> {
    let moved = rows_changed(state, actor, &mut form, step, pressed).await?;
    form.set_done(step, false);
    let mut saving = Saving { state, actor, draft, version: pressed.version };
    if !saving.save(&form).await? {
        return saving.overtaken(form, step).await;
    }
    if let Some(place) = moved {
        return Ok(FormOutcome::Done(format!("{}{place}", step_path(draft.id, step))));
    }
    let errors = check_step(state, actor, &form, step).await?;
    if !errors.is_empty() {
        return Ok(FormOutcome::again(form, errors));
    }
    form.set_done(step, true);
    if !saving.save(&form).await? {
        return saving.overtaken(form, step).await;
    }
    Ok(FormOutcome::Done(step_path(draft.id, next(&form, step))))
}

/// Someone who came from the review to change one thing goes back to it.
fn next(form: &DraftForm, step: Step) -> Step {
    if form.may_open(Step::Review) { Step::Review } else { form.after(step) }
}

/// Saves of one draft, each over the one before.
struct Saving<'a> {
    state: &'a AppState,
    actor: &'a Actor,
    draft: &'a Draft,
    /// What is expected to be stored.
    version: i32,
}

impl Saving<'_> {
    /// Says whether it was saved, or somebody else was first.
    async fn save(&mut self, form: &DraftForm) -> Result<bool, AppError> {
        // With the cluster away it stays shared with whom it was; nothing typed may be lost.
        let shared_with =
            shared_with(self.state, self.actor, form).await.unwrap_or_else(|_| self.draft.shared_with.clone());
        let person = self.actor.person_id;
        let saved =
            store::update_draft(&self.state.database, person, self.draft.id, self.version, &shared_with, form).await?;
        self.version += 1;
        Ok(saved)
    }

    /// Somebody saved another version meanwhile. Pressed twice, it is the very same.
    async fn overtaken(&self, mut form: DraftForm, step: Step) -> Result<FormOutcome<DraftForm>, AppError> {
        let stored = load_draft(self.state, self.actor, self.draft.id).await?;
        form.done.clone_from(&stored.form.done);
        if stored.form == form && stored.form.is_done(step) {
            return Ok(FormOutcome::Done(step_path(self.draft.id, next(&stored.form, step))));
        }
        Ok(FormOutcome::again(form, changed_meanwhile(&stored)))
    }
}

fn changed_meanwhile(draft: &Draft) -> FormErrors {
    let mut errors = FormErrors::default();
    errors.add("step", format!("{} saved this draft after you opened this page. What you typed stands below and is not saved yet: open the draft in another window to compare, and save again to put yours in its place.", draft.saved_by));
    errors
}

/// Does what a button about rows asks for; says where on the page to go on, if one was pressed.
async fn rows_changed(
    state: &AppState,
    actor: &Actor,
    form: &mut DraftForm,
    step: Step,
    pressed: &Pressed,
) -> Result<Option<String>, AppError> {
    if pressed.find.is_some() {
        let query: String =
            url::form_urlencoded::Serializer::new(String::new()).append_pair("search", pressed.search.trim()).finish();
        return Ok(Some(format!("?{query}#find")));
    }
    if step == Step::Manifests {
        let Some(number) = pressed.remove else { return Ok(None) };
        form.manifests = std::mem::take(&mut form.manifests).without_kept(number);
        return Ok(Some("#kept".to_owned()));
    }
    if step == Step::Workload {
        let workload = std::mem::take(&mut form.workload);
        let (workload, moved) = match (&pressed.add, pressed.remove) {
            (Some(_), _) => (workload.with_volume(), true),
            (None, Some(row)) => (workload.without_volume(row), true),
            (None, None) => (workload, false),
        };
        form.workload = workload;
        return Ok(moved.then(|| "#volumes".to_owned()));
    }
    let ports = match (&pressed.pick, step) {
        (Some(reference), Step::Destinations) => picked_ports(state, actor, form, reference).await?,
        _ => String::new(),
    };
    let rows = match step {
        Step::Sources => &mut form.sources.rows,
        Step::Destinations => &mut form.destinations.rows,
        _ => return Ok(None),
    };
    let taken = std::mem::take(rows);
    let (changed, moved) = match (&pressed.pick, &pressed.add, pressed.remove) {
        (Some(reference), ..) => (taken.filled().with("workload", reference, &ports), true),
        (None, Some(_), _) => (taken.filled().with("workload", "", ""), true),
        (None, None, Some(row)) => (taken.without(row).filled(), true),
        (None, None, None) => (taken.filled(), false),
    };
    *rows = changed;
    Ok(moved.then(|| "#rows".to_owned()))
}

/// The ports that a picked workload says it listens on.
async fn picked_ports(state: &AppState, actor: &Actor, form: &DraftForm, reference: &str) -> Result<String, AppError> {
    let mut probe = form.clone();
    probe.destinations.rows = probe.destinations.rows.with("workload", reference, "");
    let known = load_known(state, actor, &probe).await?;
    let ports = known.workload(reference).map(|workload| workload.ports.clone()).unwrap_or_default();
    Ok(ports.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))
}

async fn check_step(state: &AppState, actor: &Actor, form: &DraftForm, step: Step) -> Result<FormErrors, AppError> {
    let mut errors = FormErrors::default();
    match step {
        Step::Workload => check_workload(state, actor, form, &mut errors).await?,
        Step::Sources => drop(form.sources.check(&load_known(state, actor, form).await?, &mut errors)),
        Step::Destinations => drop(form.destinations.check(&load_known(state, actor, form).await?, &mut errors)),
        Step::Resources => drop(form.resources.check(&mut errors)),
        Step::Manifests => {
            let known = load_known(state, actor, form).await?;
            if let Err(found) = form.written(&known, &state.policy.review) {
                errors = found;
            }
        }
        Step::Review => {}
    }
    Ok(errors)
}

async fn check_workload(
    state: &AppState,
    actor: &Actor,
    form: &DraftForm,
    errors: &mut FormErrors,
) -> Result<(), AppError> {
    let Some(checked) = form.workload.check(errors) else { return Ok(()) };
    if !may_deploy(state, actor, &checked.namespace).await? {
        errors.add("namespace", "Choose a namespace from the list: you cannot run workloads in this one.");
    } else if form.workload.runs_already() {
        let known = load_known(state, actor, form).await?;
        errors.take("name", known.workload(&form.workload.name));
    }
    Ok(())
}

/// `POST /workloads/drafts/{id}/delete`.
///
/// # Errors
/// [`AppError::NotFound`] for a draft that is not there to see.
pub async fn post_delete(
    State(state): State<AppState>,
    actor: Actor,
    Path(id): Path<Uuid>,
) -> Result<Response, AppError> {
    let draft = load_draft(&state, &actor, id).await?;
    let object = format!("Draft/{}/{id}", draft.shared_with);
    let detail = json!({ "version": draft.version.to_string() });
    audited_in(&state, &actor, Action::DraftDelete, &object, detail, || async {
        let mut transaction = state.database.begin().await?;
        store::delete_draft(&mut *transaction, id, draft.version).await?;
        Ok(((), transaction))
    })
    .await?;
    Ok(Redirect::to("/workloads?deleted=yes").into_response())
}
