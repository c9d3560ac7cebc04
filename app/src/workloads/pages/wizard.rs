//! The wizard's pages: `/workloads/new` and `/workloads/drafts/{id}/{step}`.

use super::fields::{DestinationsFields, ManifestsFields, ResourcesFields, SourcesFields, WorkloadFields};
use super::panel::Panel;
use super::review::show_review;
use super::step_form::StepForm;
use crate::error::AppError;
use crate::form::{FormErrors, Rejected};
use crate::row_limit::RowLimit;
use crate::ui::{
    Breadcrumb, Empty, ErrorSummary, Notice, OnEnter, Page, PageRequest, Section, Submit, Time, Tone, page, page_with,
};
use crate::workloads::draft::{Draft, DraftForm, DraftSummary, Step};
use crate::workloads::paths;
use crate::workloads::service::{find_picks, load_draft, load_drafts, load_targets, submission_of};
use islands::LivePanel;
use leptos::prelude::*;
use uuid::Uuid;

/// How many drafts somebody may go on with from there.
const UNFINISHED: RowLimit = RowLimit::new(5);

/// `/workloads/new`: how to begin.
#[component]
pub fn NewWorkloadPage() -> impl IntoView {
    page(Section::Workloads, |request| async move {
        let actor = request.actor()?;
        let targets = load_targets(&request.state, actor).await?;
        if targets.is_empty() {
            return Ok(Page::new("Add workload", view! { <NoTarget/> }));
        }
        let drafts = load_drafts(&request.state.database, actor, &targets, UNFINISHED).await?;
        let namespace = request.query("namespace").unwrap_or_default();
        let import = format!("/workloads/import?{}", super::query(&[("namespace", &namespace)]));
        let running = format!("/workloads?{}#running", super::query(&[("namespace", &namespace)]));
        let body = view! {
            <Breadcrumb links=vec![("/workloads".to_owned(), "Workloads".to_owned())]/>
            <h1>"Add workload"</h1>
            <p class="lead">
                "Answer a few questions. Fairway writes the pod and a network policy that allows only what you name, \
                 shows both as a picture while you type, and asks the cluster before anything is sent."
            </p>
            <form method="post" action="/workloads/new">
                <input type="hidden" name="namespace" value=namespace/>
                <Submit label="Start wizard"/>
            </form>
            <h2>"Or begin with what you have"</h2>
            <ul>
                <li><a href=import>"Import manifests"</a>": paste YAML and have it reviewed, drawn and fixed."</li>
                <li>
                    <a href=running>"Write a policy for what runs already"</a>": choose it from the list of workloads."
                </li>
            </ul>
            <Unfinished drafts=drafts.rows/>
        };
        Ok(Page::new("Add workload", body))
    })
}

#[component]
fn Unfinished(drafts: Vec<DraftSummary>) -> impl IntoView {
    (!drafts.is_empty()).then(|| {
        let items = drafts
            .into_iter()
            .map(|draft| {
                let place = paths::step(draft.id, draft.next_step);
                view! { <li><a href=place>{super::draft_name(&draft)}</a>", saved "<Time at=draft.updated_at/></li> }
            })
            .collect_view();
        view! { <h2>"Or go on with a draft"</h2><ul>{items}</ul> }
    })
}

#[component]
fn NoTarget() -> impl IntoView {
    view! {
        <h1>"Add workload"</h1>
        <Empty title="There is no namespace you can run it in">
            <p>
                "You need the role edit or admin in a namespace. "<a href="/namespaces/new">"Create a namespace"</a>
                ", or "<a href="/access">"see whom to ask"</a>"."
            </p>
        </Empty>
    }
}

/// `/workloads/drafts/{id}/{step}`.
#[component]
pub fn DraftPage() -> impl IntoView {
    page_with(Section::Workloads, Rejected::<DraftForm>::on_this_page(), |request, rejected| async move {
        let id: Uuid = request.param("id").parse().map_err(|_| AppError::NotFound)?;
        let draft = match load_draft(&request.state, request.actor()?, id).await {
            // Gone because it was applied: what became of it is a page of its own.
            Err(AppError::NotFound) => {
                let submission = submission_of(&request.state, request.actor()?, id).await?;
                leptos_axum::redirect(&paths::submission(submission));
                return Ok(Page::new("Workload", ()));
            }
            other => other?,
        };
        let step = Step::from_slug(&request.param("step")).ok_or(AppError::NotFound)?;
        let (form, errors) = rejected
            .map_or_else(|| (draft.form.clone(), FormErrors::default()), |rejected| (rejected.form, rejected.errors));
        if !form.may_open(step) {
            return Err(AppError::NotFound);
        }
        match step {
            Step::Review => show_review(&request, &draft).await,
            _ => show_step(&request, &draft, step, form, errors).await,
        }
    })
}

async fn show_step(
    request: &PageRequest,
    draft: &Draft,
    step: Step,
    mut form: DraftForm,
    errors: FormErrors,
) -> Result<Page, AppError> {
    let actor = request.actor()?;
    let state = &request.state;
    let failed = !errors.is_empty();
    let namespace = form.workload.namespace.clone();
    let search = request.query("search");
    let place = StepForm { draft: draft.id, step };
    let fields = match step {
        Step::Workload => {
            let targets = load_targets(state, actor).await?;
            if targets.is_empty() {
                return Ok(Page::new("Add workload", view! { <NoTarget/> }));
            }
            // What a browser shows as chosen where nothing is.
            if namespace.is_empty() {
                form.workload.namespace.clone_from(&targets[0]);
            }
            let running = find_picks(state, actor, &form.workload.namespace, "").await.unwrap_or_default();
            view! {
                <WorkloadFields
                    place=place
                    form=form.workload.clone()
                    targets=targets
                    running=running
                    errors=errors.clone()
                />
            }
            .into_any()
        }
        Step::Sources | Step::Destinations => {
            let query = search.clone().unwrap_or_default();
            // What cannot be offered can still be typed.
            let found = find_picks(state, actor, &namespace, &query).await;
            let names = namespace_names(request).await;
            let places = state.policy.places.clone();
            if step == Step::Sources {
                view! {
                    <SourcesFields
                        place=place
                        form=form.sources.clone()
                        places=places
                        found=found
                        search=search
                        names=names
                        errors=errors.clone()
                    />
                }
                .into_any()
            } else {
                view! {
                    <DestinationsFields
                        place=place
                        form=form.destinations.clone()
                        places=places
                        found=found
                        search=search
                        names=names
                        errors=errors.clone()
                    />
                }
                .into_any()
            }
        }
        Step::Manifests => {
            view! { <ManifestsFields place=place form=form.manifests.clone() errors=errors.clone()/> }.into_any()
        }
        _ => view! { <ResourcesFields form=form.resources.clone() errors=errors.clone()/> }.into_any(),
    };
    let button = if form.may_open(Step::Review) { "Save and review" } else { "Save and continue" };
    let panel = Panel::of(state, actor, &form).await;
    let body = view! {
        <ErrorSummary errors=errors/>
        <Head form=form.clone() step=step/>
        <Steps draft=draft.id form=form current=step/>
        <div class="wizard">
            <form id="step" method="post" action=paths::step(draft.id, step) class="form" data-live="">
                <input type="hidden" id="version" name="version" value=draft.version.to_string()/>
                <OnEnter sends=true/>
                {fields}
                <Submit label=button/>
            </form>
            <LivePanel address=paths::step_action(draft.id, step, "live-review")>{panel.shown()}</LivePanel>
        </div>
        <DraftFooter id=draft.id/>
    };
    Ok(Page::new(format!("{} - Add workload", step.title()), body).with_errors(failed))
}

/// The namespaces that the person may name: all, where the cluster lets them list all.
async fn namespace_names(request: &PageRequest) -> Vec<String> {
    let Ok(actor) = request.actor() else { return Vec::new() };
    crate::namespaces::visible_names(&request.state, actor).await.unwrap_or_default()
}

/// Title and place in the wizard.
#[component]
pub fn Head(
    form: DraftForm,
    /// This step.
    step: Step,
) -> impl IntoView {
    let steps = form.steps();
    let number = steps.iter().position(|other| *other == step).unwrap_or_default() + 1;
    let named = form.name().map(|name| format!(" {name}")).unwrap_or_default();
    view! {
        <p class="caption">{format!("Add workload{named}: step {number} of {}", steps.len())}</p>
        <h1>{step.title()}</h1>
    }
}

#[component]
pub fn Steps(
    draft: Uuid,
    form: DraftForm,
    /// This step.
    current: Step,
) -> impl IntoView {
    let items = form
        .steps()
        .into_iter()
        .zip(1..)
        .map(|(step, number)| {
            let label = format!("{number}. {}", step.title());
            let body = if form.may_open(step) && step != current {
                view! { <a href=paths::step(draft, step)>{label}</a> }.into_any()
            } else {
                view! { <span>{label}</span> }.into_any()
            };
            let done = (form.is_done(step) && step != current).then(|| view! { <span class="quiet">" done"</span> });
            view! { <li aria-current=(step == current).then_some("step")>{body}{done}</li> }
        })
        .collect_view();
    view! { <nav class="steps" aria-label="Steps"><ol>{items}</ol></nav> }
}

/// What one may do with a draft beside going on.
#[component]
pub fn DraftFooter(id: Uuid) -> impl IntoView {
    view! {
        <p class="quiet draft-footer">
            "Saved with every step. Everyone who may run workloads in this namespace can open it by its address. "
            <a href=paths::draft_action(id, "delete")>"Delete draft"</a>
        </p>
    }
}

/// `/workloads/drafts/{id}/delete`: asks before what was typed is lost.
#[component]
pub fn DeleteDraftPage() -> impl IntoView {
    page(Section::Workloads, |request| async move {
        let id: Uuid = request.param("id").parse().map_err(|_| AppError::NotFound)?;
        Ok(show_delete(&load_draft(&request.state, request.actor()?, id).await?))
    })
}

fn show_delete(draft: &Draft) -> Page {
    let name = draft.form.name().unwrap_or_else(|| "this draft".to_owned());
    let back = paths::step(draft.id, draft.form.furthest());
    let body = view! {
        <h1>"Delete draft"</h1>
        <Notice tone=Tone::Warn>
            <p>
                "What was typed for "<strong>{name}</strong>
                " is lost for everyone. What runs in the cluster and what was submitted stay as they are."
            </p>
        </Notice>
        <form method="post" action=paths::draft_action(draft.id, "delete") class="buttons">
            <Submit label="Delete draft"/>
            <a class="button button--secondary" href=back>"Keep draft"</a>
        </form>
    };
    Page::new("Delete draft", body)
}
