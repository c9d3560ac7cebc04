//! The steps of the wizard: what is sent, saving it, and checking it.

use super::drafts::{load_draft, may_deploy, shared_with};
use super::reviewing::load_known;
use crate::actor::Actor;
use crate::error::AppError;
use crate::form::{FormErrors, FormOutcome, decode, ticked};
use crate::state::AppState;
use crate::workloads::draft::{Draft, DraftForm, Step};
use crate::workloads::errors::WorkloadError;
use crate::workloads::forms::{
    DestinationsForm, MOST_ROWS, ManifestsForm, PeerRows, ResourcesForm, SourcesForm, WorkloadForm,
};
use crate::workloads::paths;
use crate::workloads::store;
use serde::Deserialize;

/// The most rows that one step may be sent with, four times as many as are taken: rows are stored and shown even when
/// something is wrong with them, and each costs time.
const MOST_SENT_ROWS: usize = 4 * MOST_ROWS;

/// The draft with the fields of one step as they stand in the browser.
///
/// # Errors
/// When it is not a form of that step, or has more rows than a page sends.
pub fn with_step(draft: DraftForm, step: Step, body: &str) -> Result<DraftForm, AppError> {
    let draft = with_fields(draft, step, body)?;
    let rows = match step {
        Step::Workload => draft.workload.rows(),
        Step::Sources => draft.sources.rows.len().max(draft.sources.place.len()),
        Step::Destinations => draft.destinations.rows.len().max(draft.destinations.place.len()),
        Step::Resources | Step::Manifests | Step::Review => 0,
    };
    if rows > MOST_SENT_ROWS { Err(WorkloadError::TooManyRows { rows, most: MOST_ROWS }.into()) } else { Ok(draft) }
}

fn with_fields(mut draft: DraftForm, step: Step, body: &str) -> Result<DraftForm, AppError> {
    match step {
        Step::Workload => draft.workload = workload_of(draft.workload, body)?,
        Step::Sources => draft.sources = SourcesForm { rows: decode(body)?, ..decode(body)? },
        Step::Destinations => {
            draft.destinations = DestinationsForm { rows: decode(body)?, dns: ticked(body, "dns"), ..decode(body)? };
        }
        Step::Resources => {
            draft.resources = ResourcesForm { read_only_root: ticked(body, "read_only_root"), ..decode(body)? };
        }
        Step::Manifests => draft.manifests = ManifestsForm { overrides: draft.manifests.overrides, ..decode(body)? },
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

/// The version of the draft that was on the screen.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct SentVersion {
    version: i32,
}

/// A step of a draft as somebody sends it.
pub struct SentStep<'a> {
    state: &'a AppState,
    actor: &'a Actor,
    draft: &'a Draft,
    step: Step,
    /// What is expected to be stored.
    version: i32,
    /// The draft with what was sent.
    pub form: DraftForm,
}

impl<'a> SentStep<'a> {
    /// # Errors
    /// When it is not a form of that step.
    pub fn read(
        state: &'a AppState,
        actor: &'a Actor,
        draft: &'a Draft,
        step: Step,
        body: &str,
    ) -> Result<Self, AppError> {
        let SentVersion { version } = decode(body)?;
        let mut form = with_step(draft.form.clone(), step, body)?;
        form.set_done(step, false);
        Ok(Self { state, actor, draft, step, version, form })
    }

    /// Saves the draft whatever it holds, before the cluster is asked, so that nothing typed is lost; goes on if the
    /// step is right.
    ///
    /// # Errors
    /// When a dependency is unavailable.
    pub async fn save(mut self) -> Result<FormOutcome<DraftForm>, AppError> {
        if let Some(rows) = self.rows() {
            let filled = std::mem::take(rows).filled();
            *rows = filled;
        }
        if self.form.manifests.holds_secret() && self.step == Step::Manifests {
            let mut errors = FormErrors::default();
            errors.add("text", WorkloadError::HoldsSecret);
            return Ok(FormOutcome::again(self.form, errors));
        }
        if !self.store().await? {
            return self.overtaken().await;
        }
        let errors = check_step(self.state, self.actor, &self.form, self.step).await?;
        if !errors.is_empty() {
            return Ok(FormOutcome::again(self.form, errors));
        }
        self.form.set_done(self.step, true);
        if !self.store().await? {
            return self.overtaken().await;
        }
        Ok(FormOutcome::Done(paths::step(self.draft.id, next(&self.form, self.step))))
    }

    /// Saves the draft with changed rows, and stays: `place` is the part of the page to go on at, and what it searches
    /// for.
    ///
    /// # Errors
    /// When a dependency is unavailable.
    pub async fn save_and_stay(mut self, place: &str) -> Result<FormOutcome<DraftForm>, AppError> {
        if !self.store().await? {
            return self.overtaken().await;
        }
        Ok(FormOutcome::Done(format!("{}{place}", paths::step(self.draft.id, self.step))))
    }

    /// The rows of peers that the step has.
    fn rows(&mut self) -> Option<&mut PeerRows> {
        match self.step {
            Step::Sources => Some(&mut self.form.sources.rows),
            Step::Destinations => Some(&mut self.form.destinations.rows),
            Step::Workload | Step::Resources | Step::Manifests | Step::Review => None,
        }
    }

    /// One more row, empty; gives where it stands on the page.
    ///
    /// # Errors
    /// [`AppError::NotFound`] for a step without rows.
    pub fn add_row(&mut self) -> Result<&'static str, AppError> {
        if self.step == Step::Workload {
            self.form.workload = std::mem::take(&mut self.form.workload).with_volume();
            return Ok("#volumes");
        }
        let rows = self.rows().ok_or(AppError::NotFound)?;
        let more = std::mem::take(rows).filled().with("workload", "", "");
        *rows = more;
        Ok("#rows")
    }

    /// One row less, by its place from 0; gives where the others stand on the page.
    ///
    /// # Errors
    /// [`AppError::NotFound`] for a step without rows.
    pub fn remove_row(&mut self, row: usize) -> Result<&'static str, AppError> {
        match self.step {
            Step::Workload => {
                self.form.workload = std::mem::take(&mut self.form.workload).without_volume(row);
                Ok("#volumes")
            }
            Step::Manifests => {
                self.form.manifests = std::mem::take(&mut self.form.manifests).without_override(row);
                Ok("#overrides")
            }
            _ => {
                let rows = self.rows().ok_or(AppError::NotFound)?;
                let fewer = std::mem::take(rows).without(row).filled();
                *rows = fewer;
                Ok("#rows")
            }
        }
    }

    /// A row for a workload that runs, as connections write it.
    ///
    /// # Errors
    /// [`AppError::NotFound`] for a step without rows; when the cluster is unavailable.
    pub async fn add_workload(&mut self, reference: &str) -> Result<&'static str, AppError> {
        let ports = match self.step {
            Step::Destinations => picked_ports(self.state, self.actor, &self.form, reference).await?,
            _ => String::new(),
        };
        let rows = self.rows().ok_or(AppError::NotFound)?;
        let more = std::mem::take(rows).filled().with("workload", reference, &ports);
        *rows = more;
        Ok("#rows")
    }

    /// Says whether it was saved, or somebody else was first.
    async fn store(&mut self) -> Result<bool, AppError> {
        if self.form.manifests.holds_secret() {
            return Err(WorkloadError::HoldsSecret.into());
        }
        // With the cluster unavailable it stays shared with whom it was; nothing typed may be lost.
        let shared_with =
            shared_with(self.state, self.actor, &self.form).await.unwrap_or_else(|_| self.draft.shared_with.clone());
        let (database, person) = (&self.state.database, self.actor.person_id);
        let saved =
            store::update_draft(database, person, self.draft.id, self.version, &shared_with, &self.form).await?;
        self.version += 1;
        Ok(saved)
    }

    /// Somebody saved another version meanwhile. Pressed twice, it is the very same.
    async fn overtaken(mut self) -> Result<FormOutcome<DraftForm>, AppError> {
        let stored = load_draft(self.state, self.actor, self.draft.id).await?;
        self.form.done.clone_from(&stored.form.done);
        if stored.form == self.form && stored.form.is_done(self.step) {
            return Ok(FormOutcome::Done(paths::step(self.draft.id, next(&stored.form, self.step))));
        }
        Ok(FormOutcome::again(self.form, changed_meanwhile(&stored)))
    }
}

/// Someone who came from the review to change one thing goes back to it.
fn next(form: &DraftForm, step: Step) -> Step {
    if form.may_open(Step::Review) { Step::Review } else { form.after(step) }
}

fn changed_meanwhile(draft: &Draft) -> FormErrors {
    let mut errors = FormErrors::default();
    errors.add(
        "step",
        format!(
            "{} saved this draft after you opened this page. What you typed stands below and is \
        not saved yet: open the draft in another window to compare, and save again to put yours in its \
        place.",
            draft.saved_by
        ),
    );
    errors
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
            let (form, policy) = (form.clone(), state.policy.clone());
            if let Err(found) = state.compute.run(move || form.written(&known, &policy.review)).await? {
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
