//! The wizard's pages: `/workloads/new` and `/workloads/drafts/{id}/{step}`.

use super::api::{
    DryRun, DryRunAnswer, Reviewed, counts, dry_run, load_draft, load_targets, may_apply, review_draft, step_path,
    submission_of, with_step,
};
use super::forms::{DraftForm, NetworkForm, ResourcesForm, Step, WorkloadForm};
use super::live::{Group, LivePanel, ReviewSummary};
use crate::actor::Actor;
use crate::error::AppError;
use crate::form::{FormErrors, Rejected};
use crate::state::AppState;
use crate::ui::{
    Badge, Checkbox, Code, Empty, ErrorSummary, Fact, Field, Notice, OnEnter, Page, PageRequest, Section, Select,
    Submit, Table, Tone, page_with,
};
use leptos::prelude::*;
use review::{Answers, Finding, Reach, Report, Severity, Verdict};
use uuid::Uuid;

/// `/workloads/new`: the first step, before there is a draft.
#[component]
pub fn NewWorkloadPage() -> impl IntoView {
    page_with(Section::Workloads, Rejected::<DraftForm>::on_this_page(), |request, rejected| async move {
        let (draft, errors) = match rejected {
            Some(rejected) => (rejected.form, rejected.errors),
            None => {
                let workload = WorkloadForm {
                    namespace: request.query("namespace").unwrap_or_default(),
                    ..WorkloadForm::default()
                };
                (DraftForm { workload, ..DraftForm::default() }, FormErrors::default())
            }
        };
        show_step(&request, None, Step::Workload, draft, errors).await
    })
}

/// `/workloads/drafts/{id}/{step}`.
#[component]
pub fn DraftPage() -> impl IntoView {
    page_with(Section::Workloads, Rejected::<DraftForm>::on_this_page(), |request, rejected| async move {
        let id: Uuid = request.param("id").parse().map_err(|_| AppError::NotFound)?;
        let step = Step::from_slug(&request.param("step")).ok_or(AppError::NotFound)?;
        let saved = match load_draft(&request.state, request.actor()?, id).await {
            // Gone because it was applied: what became of it is a page of its own.
            Err(AppError::NotFound) => {
                leptos_axum::redirect(&submission_of(&request.state, request.actor()?, id).await?);
                return Ok(Page::new("Workload", ()));
            }
            other => other?,
        };
        let (draft, errors) =
            rejected.map_or((saved, FormErrors::default()), |rejected| (rejected.form, rejected.errors));
        if !draft.may_open(step) {
            return Err(AppError::NotFound);
        }
        match step {
            Step::Review => show_review(&request, id, draft).await,
            _ => show_step(&request, Some(id), step, draft, errors).await,
        }
    })
}

async fn show_step(
    request: &PageRequest,
    id: Option<Uuid>,
    step: Step,
    mut draft: DraftForm,
    errors: FormErrors,
) -> Result<Page, AppError> {
    let actor = request.actor()?;
    let failed = !errors.is_empty();
    let fields = match step {
        Step::Workload => {
            let targets = load_targets(&request.state, actor).await?;
            if targets.is_empty() {
                return Ok(Page::new("Add workload", view! { <NoTarget/> }));
            }
            // What a browser shows as chosen where nothing is.
            if draft.workload.namespace.is_empty() {
                draft.workload.namespace.clone_from(&targets[0]);
            }
            view! { <WorkloadFields form=draft.workload.clone() targets=targets errors=errors.clone()/> }.into_any()
        }
        Step::Network => view! { <NetworkFields form=draft.network.clone() errors=errors.clone()/> }.into_any(),
        _ => view! { <ResourcesFields form=draft.resources.clone() errors=errors.clone()/> }.into_any(),
    };
    // What the cluster says belongs beside the form, not in its place.
    let saved = live_of(&request.state, actor, &draft)
        .await
        .unwrap_or_else(|error| ReviewSummary { headline: error.to_string(), groups: Vec::new() });
    let action = id.map_or("/workloads/new".to_owned(), |id| step_path(id, step));
    let button = if draft.may_open(Step::Review) { "Save and review" } else { "Save and continue" };
    let body = view! {
        <ErrorSummary errors=errors/>
        <Head step=step/>
        <div class="wizard">
            <Steps id=id draft=draft current=step/>
            <form method="post" action=action class="form" data-live="">
                <OnEnter sends=true/>
                {fields}
                <Submit label=button/>
            </form>
            <LivePanel draft=id.map(|id| id.to_string()) step=step.slug().to_owned() saved=saved/>
        </div>
    };
    Ok(Page::new(format!("{} - Add workload", step.title()), body).with_errors(failed))
}

#[component]
fn NoTarget() -> impl IntoView {
    view! {
        <h1>"Add workload"</h1>
        <Empty title="There is no namespace you can run it in">
            <p>"You need the role edit or admin in a namespace. "<a href="/namespaces/new">"Create a namespace"</a>", or "<a href="/access">"see whom to ask"</a>"."</p>
        </Empty>
    }
}

#[component]
fn Head(step: Step) -> impl IntoView {
    view! {
        <p class="caption">{format!("Add workload: step {} of {}", step.number(), Step::ALL.len())}</p>
        <h1>{step.title()}</h1>
    }
}

#[component]
fn Steps(id: Option<Uuid>, draft: DraftForm, current: Step) -> impl IntoView {
    let items = Step::ALL
        .into_iter()
        .map(|step| {
            let label = format!("{}. {}", step.number(), step.title());
            let link = id.filter(|_| draft.may_open(step) && step != current);
            let body = match link {
                Some(id) => view! { <a href=step_path(id, step)>{label}</a> }.into_any(),
                None => view! { <span>{label}</span> }.into_any(),
            };
            let done = (draft.is_done(step) && step != current).then(|| view! { <span class="quiet">" done"</span> });
            view! { <li aria-current=(step == current).then_some("step")>{body}{done}</li> }
        })
        .collect_view();
    view! { <nav class="steps" aria-label="Steps"><ol>{items}</ol></nav> }
}

fn choices(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(value, label)| ((*value).to_owned(), (*label).to_owned())).collect()
}

#[component]
fn WorkloadFields(form: WorkloadForm, targets: Vec<String>, errors: FormErrors) -> impl IntoView {
    let namespaces = targets.into_iter().map(|name| (name.clone(), name)).collect();
    let kinds = choices(&[
        ("deployment", "Deployment: runs all the time"),
        ("job", "Job: runs until it is done"),
        ("pod", "Pod: runs once, by itself"),
    ]);
    view! {
        <Select name="namespace" label="Namespace" value=form.namespace options=namespaces errors=errors.clone()/>
        <Field name="name" label="Name" hint="Lower-case letters, digits and '-', for example web." value=form.name errors=errors.clone()/>
        <Select name="kind" label="Kind" value=form.kind options=kinds errors=errors.clone()/>
        <Field name="replicas" label="Copies" hint="For a Deployment. Two or more survive a node being rebooted." value=form.replicas kind="number" width="short" errors=errors.clone()/>
        <Field name="image" label="Image" hint="With its registry and a version, for example harbor.example.com/shop/web:1.4.2." value=form.image errors=errors.clone()/>
        <Field name="command" label="Command" optional=true hint="Only where the image's own is not wanted. Quote words that hold spaces." value=form.command errors=errors.clone()/>
        <Field name="ports" label="Ports it listens on" optional=true hint="Separated by commas, for example 8080 or 8080, UDP 5353." value=form.ports errors=errors/>
    }
}

const PEERS: &[(&str, &str)] = &[
    ("", "Choose"),
    ("same-namespace", "Every pod in this namespace"),
    ("pods", "Pods here with these labels"),
    ("namespace", "Another namespace"),
    ("addresses", "Addresses"),
];

fn at(list: &[String], index: usize) -> String {
    list.get(index).cloned().unwrap_or_default()
}

#[component]
fn NetworkFields(form: NetworkForm, errors: FormErrors) -> impl IntoView {
    let ingress = (0..form.ingress_kind.len().max(1))
        .map(|index| view! { <Peer list="ingress" index=index kind=at(&form.ingress_kind, index) value=at(&form.ingress_value, index) errors=errors.clone()/> })
        .collect_view();
    let egress = (0..form.egress_kind.len().max(1))
        .map(|index| {
            view! {
                <div class="row-group">
                    <Peer list="egress" index=index kind=at(&form.egress_kind, index) value=at(&form.egress_value, index) errors=errors.clone()/>
                    <Row list="egress" part="ports" index=index label="On ports" hint="Separated by commas, for example 5432." value=at(&form.egress_ports, index) errors=errors.clone()/>
                </div>
            }
        })
        .collect_view();
    view! {
        <fieldset id="ingress">
            <legend>"Who may reach it"</legend>
            <p class="field__hint">"On the ports it listens on. Leave it empty, and nobody may."</p>
            {ingress}
            <Submit label="Add another source" secondary=true sends=("add", "ingress")/>
        </fieldset>
        <fieldset id="egress">
            <legend>"What it may reach"</legend>
            <p class="field__hint">"Leave it empty, and it reaches nothing but what is ticked here."</p>
            <Checkbox name="dns" label="Look up names (DNS)" hint="Without it no name resolves, not even that of a service beside it." checked=form.dns == "yes"/>
            {egress}
            <Submit label="Add another destination" secondary=true sends=("add", "egress")/>
        </fieldset>
    }
}

#[component]
fn Peer(list: &'static str, index: usize, kind: String, value: String, errors: FormErrors) -> impl IntoView {
    let id = format!("{list}_kind-{index}");
    view! {
        <div class="row">
            <Select name=format!("{list}_kind") id=id label=format!("{} {}", if list == "ingress" { "Source" } else { "Destination" }, index + 1) value=kind options=choices(PEERS)/>
            <Row list=list part="value" index=index label="Which" hint="Labels like app=web, a namespace, or addresses like 203.0.113.0/24. Not needed for every pod in this namespace." value=value errors=errors/>
        </div>
    }
}

/// A field of a row: its name is shared by all rows, its id is not.
#[component]
fn Row(
    list: &'static str,
    part: &'static str,
    index: usize,
    label: &'static str,
    hint: &'static str,
    value: String,
    errors: FormErrors,
) -> impl IntoView {
    let name = format!("{list}_{part}");
    let id = format!("{name}-{index}");
    let error = errors.of(&id).map(str::to_owned);
    let described = if error.is_some() { format!("{id}-hint {id}-error") } else { format!("{id}-hint") };
    view! {
        <div class=if error.is_some() { "field field--invalid" } else { "field" }>
            <label class="field__label" for=id.clone()>{label}</label>
            <p class="field__hint" id=format!("{id}-hint")>{hint}</p>
            {error.clone().map(|text| view! { <p class="field__error" id=format!("{id}-error")>{text}</p> })}
            <input class="field__input" id=id.clone() name=name type="text" value=value autocomplete="off" spellcheck="false"
                aria-describedby=described aria-invalid=error.is_some().then_some("true")/>
        </div>
    }
}

#[component]
fn ResourcesFields(form: ResourcesForm, errors: FormErrors) -> impl IntoView {
    view! {
        <Field name="cpu" label="CPU it usually needs" hint="In thousandths of a core: 100 or 100m is a tenth of a core." value=form.cpu kind="number" width="short" errors=errors.clone()/>
        <Field name="memory" label="Memory it needs at most" hint="In MiB, for example 128 or 128Mi. Over this it is stopped and started anew." value=form.memory kind="number" width="short" errors=errors.clone()/>
        <Field name="run_as_user" label="User id" hint="Any number but 0, best above 10000. Containers never run as root here, and names cannot be checked." value=form.run_as_user kind="number" width="short" errors=errors.clone()/>
        <Checkbox name="read_only_root" label="Keep the image's files read-only" hint="It may still write to /tmp. Untick it if the program writes elsewhere." checked=form.read_only_root == "yes" errors=errors/>
    }
}

async fn show_review(request: &PageRequest, id: Uuid, draft: DraftForm) -> Result<Page, AppError> {
    let actor = request.actor()?;
    let reviewed = match review_draft(&request.state, actor, &draft).await? {
        Ok(reviewed) => reviewed,
        Err(errors) => {
            return Ok(
                Page::new("Review - Add workload", view! { <Incomplete id=id errors=errors/> }).with_errors(true)
            );
        }
    };
    let dry_run = dry_run(&request.state, &actor.kube, &reviewed.manifests).await;
    let body = view! {
        <Head step=Step::Review/>
        <div class="wizard wizard--review">
            <Steps id=Some(id) draft=draft current=Step::Review/>
            <div class="review"><ReviewBody id=id reviewed=reviewed dry_run=dry_run/></div>
        </div>
    };
    Ok(Page::new("Review - Add workload", body))
}

#[component]
fn Incomplete(id: Uuid, errors: FormErrors) -> impl IntoView {
    view! {
        <ErrorSummary errors=errors/>
        <Head step=Step::Review/>
        <p>"Some answers no longer hold. "<a href=step_path(id, Step::Workload)>"Go through the steps again"</a>"."</p>
    }
}

#[component]
fn ReviewBody(id: Uuid, reviewed: Reviewed, dry_run: Vec<DryRun>) -> impl IntoView {
    let ready = may_apply(&reviewed.report, &dry_run);
    let away = dry_run.iter().any(|object| object.answer == DryRunAnswer::Unknown);
    let commands = review::kubectl_commands(&reviewed.answers);
    let action = if ready {
        view! {
            <form method="post" action=step_path(id, Step::Review) class="form">
                <input type="hidden" name="digest" value=reviewed.digest.to_string()/>
                <Submit label="Apply workload"/>
            </form>
        }
        .into_any()
    } else if away {
        view! { <p>"The cluster cannot be asked at the moment, so nothing can be applied. The draft is saved; reload this page in a minute."</p> }.into_any()
    } else {
        view! { <p>"It cannot be applied like this. Change what is named above; the draft is saved."</p> }.into_any()
    };
    let existing: Vec<String> = dry_run
        .iter()
        .filter(|object| matches!(object.answer, DryRunAnswer::Admitted { exists: true, .. }))
        .map(|object| object.object.clone())
        .collect();
    view! {
        <Headline report=reviewed.report.clone() ready=ready/>
        <Unread parts=reviewed.unread.clone()/>
        <Existing objects=existing/>
        <AnswerList id=id answers=reviewed.answers.clone()/>
        <h2>"Findings"</h2>
        <Findings report=reviewed.report.clone()/>
        <h2>"Network"</h2>
        <NetworkPicture ingress=reviewed.ingress.clone() egress=reviewed.egress.clone()/>
        <h2>"What the cluster says"</h2>
        <DryRuns dry_run=dry_run/>
        <h2>"Manifest"</h2>
        <p class="quiet">"SHA-256 " <code>{reviewed.digest.to_string()}</code></p>
        <Code label="Manifest" text=reviewed.manifest.clone()/>
        <p><a class="button button--secondary" href=format!("/workloads/drafts/{id}/manifest.yaml") download="">"Download YAML"</a></p>
        <details><summary>"Do the same with kubectl"</summary><Code label="Commands" text=commands/></details>
        {action}
    }
}

/// A name that is taken is no mistake, but it must not be taken unseen.
#[component]
fn Existing(objects: Vec<String>) -> impl IntoView {
    (!objects.is_empty()).then(|| {
        view! {
            <Notice tone=Tone::Warn><p>"These exist already, and applying changes what runs: "<strong>{objects.join(", ")}</strong>". If you meant a new workload, go back and give it another name."</p></Notice>
        }
    })
}

/// What was not looked at is said, or silence would mean that all is well.
#[component]
fn Unread(parts: Vec<String>) -> impl IntoView {
    (!parts.is_empty()).then(|| {
        view! {
            <Notice tone=Tone::Info><p>"The cluster does not show this to you or to the portal, so it was not taken into account: "{parts.join(", ")}"."</p></Notice>
        }
    })
}

/// The verdict in one line.
#[component]
pub fn Headline(
    /// The findings.
    report: Report,
    /// Whether it may be applied.
    ready: bool,
) -> impl IntoView {
    let tone = match report.verdict {
        _ if !ready => Tone::Bad,
        Verdict::Deny => Tone::Bad,
        Verdict::Warn => Tone::Warn,
        Verdict::Pass => Tone::Good,
    };
    view! { <Notice tone=tone><p>{headline(&report, ready)}</p></Notice> }
}

fn things(count: usize, word: &str) -> String {
    format!("{count} {word}{}", if count == 1 { "" } else { "s" })
}

fn headline(report: &Report, ready: bool) -> String {
    let [(_, denied), (_, warned), _] = counts(report);
    match (denied, warned, ready) {
        (0, 0, true) => "Ready: the rules find nothing to fix.".to_owned(),
        (0, warned, true) => format!("Ready, with {} worth reading.", things(warned, "warning")),
        (0, _, false) => "Not ready: the cluster would not take it.".to_owned(),
        (denied, _, _) => format!("Not ready: {} to fix.", things(denied, "problem")),
    }
}

#[component]
fn AnswerList(id: Uuid, answers: Answers) -> impl IntoView {
    let change = move |step: Step| view! { <a href=step_path(id, step)>"Change"<span class="visually-hidden">" " {step.title()}</span></a> };
    let ports: Vec<String> = answers.ports.iter().map(ToString::to_string).collect();
    view! {
        <dl class="facts">
            <Fact term="Workload">{answers.name.clone()}" in "{answers.namespace.clone()}" "{change(Step::Workload)}</Fact>
            <Fact term="Image"><code>{answers.image_text.clone()}</code>" "{change(Step::Workload)}</Fact>
            <Fact term="Ports">{if ports.is_empty() { "none".to_owned() } else { ports.join(", ") }}" "{change(Step::Workload)}</Fact>
            <Fact term="Network">{format!("{}, {}", things(answers.ingress.len(), "source"), things(answers.egress.len(), "destination"))}" "{change(Step::Network)}</Fact>
            <Fact term="Resources">{format!("{} thousandths of a core, {} MiB, user {}", answers.cpu_millis, answers.memory_mib, answers.run_as_user)}" "{change(Step::Resources)}</Fact>
        </dl>
    }
}

/// Findings in plain words, each with its way out.
#[component]
pub fn Findings(
    /// The findings.
    report: Report,
) -> impl IntoView {
    if report.findings.is_empty() {
        return view! { <p>"None."</p> }.into_any();
    }
    let items = report.findings.into_iter().map(|finding| view! { <FindingItem finding=finding/> }).collect_view();
    view! { <ul class="findings">{items}</ul> }.into_any()
}

#[component]
fn FindingItem(finding: Finding) -> impl IntoView {
    let (tone, word) = match finding.severity {
        _ if finding.exception.is_some() => (Tone::Info, "Accepted"),
        Severity::Deny => (Tone::Bad, "Refused"),
        Severity::Warn => (Tone::Warn, "Warning"),
        Severity::Info => (Tone::Info, "Note"),
    };
    let why = finding.faq.map(|slug| view! { " "<a href=format!("/faq/{slug}")>"Why"<span class="visually-hidden">" " {finding.message.clone()}</span></a> });
    view! {
        <li class="finding">
            <p><Badge tone=tone text=word/>" "<strong>{finding.message.clone()}</strong></p>
            <p>{finding.exception.map_or(finding.fix, |reason| format!("Accepted by annotation: {reason}"))}{why}</p>
            <p class="quiet"><code>{finding.rule}</code>" at "<code>{finding.object.to_string()}</code>" "<code>{finding.path}</code></p>
        </li>
    }
}

/// Who can reach it and what it can reach, as a table each.
#[component]
pub fn NetworkPicture(
    /// Towards the pods.
    ingress: Reach,
    /// From the pods.
    egress: Reach,
) -> impl IntoView {
    view! {
        <div class="reach">
            <ReachTable title="Who can reach it" nobody="Nobody." reach=ingress/>
            <ReachTable title="What it can reach" nobody="Nothing." reach=egress/>
        </div>
    }
}

#[component]
fn ReachTable(title: &'static str, nobody: &'static str, reach: Reach) -> impl IntoView {
    let body = match reach {
        Reach::Open => view! { <Notice tone=Tone::Warn><p>"Everyone and everything: no policy governs this direction."</p></Notice> }.into_any(),
        Reach::Only(rows) if rows.is_empty() => view! { <p>{nobody}</p> }.into_any(),
        Reach::Only(rows) => {
            let rows = rows.into_iter().map(|row| view! { <tr><td>{row.peer}</td><td>{row.ports}</td><td><code>{row.policy}</code></td></tr> }).collect_view();
            view! {
                <Table label=title columns=&["Who or what", "Ports", "Allowed by"]>{rows}</Table>
            }
            .into_any()
        }
    };
    view! { <section><h3>{title}</h3>{body}</section> }
}

/// The API server's verdicts.
#[component]
pub fn DryRuns(
    /// Object by object.
    dry_run: Vec<DryRun>,
) -> impl IntoView {
    let items = dry_run
        .into_iter()
        .map(|object| {
            let (tone, word, texts) = match object.answer {
                DryRunAnswer::Admitted { warnings, .. } if warnings.is_empty() => (Tone::Good, "Admitted", warnings),
                DryRunAnswer::Admitted { warnings, .. } => (Tone::Warn, "Admitted with warnings", warnings),
                DryRunAnswer::Refused(message) => (Tone::Bad, "Refused", vec![message]),
                DryRunAnswer::Conflict(message) => (Tone::Bad, "Conflict", vec![message]),
                DryRunAnswer::Unknown => (Tone::Bad, "No answer", vec!["The cluster cannot be reached.".to_owned()]),
            };
            let texts = texts.into_iter().map(|text| view! { <p>{text}</p> }).collect_view();
            view! { <li class="finding"><p><Badge tone=tone text=word/>" "<code>{object.object}</code></p>{texts}</li> }
        })
        .collect_view();
    view! {
        <p class="quiet">"A dry run of everything, and of the pod that would be made from it. Nothing was stored."</p>
        <ul class="findings">{items}</ul>
    }
}

/// What the live panel shows of a draft; the errors of an incomplete one count as what is missing.
async fn live_of(state: &AppState, actor: &Actor, draft: &DraftForm) -> Result<ReviewSummary, AppError> {
    let group = |title: &str, lines: Vec<String>| (!lines.is_empty()).then(|| Group { title: title.to_owned(), lines });
    let reviewed = match review_draft(state, actor, draft).await? {
        Ok(reviewed) => reviewed,
        Err(errors) => {
            let missing = errors.all().iter().map(|error| error.message.clone()).collect();
            return Ok(ReviewSummary {
                headline: "Not complete yet".to_owned(),
                groups: group("Still to do", missing).into_iter().collect(),
            });
        }
    };
    let findings =
        reviewed.report.findings.iter().map(|finding| format!("{} {}", finding.message, finding.fix)).collect();
    let groups = [
        group("Who can reach it", lines(&reviewed.ingress, "Nobody.")),
        group("What it can reach", lines(&reviewed.egress, "Nothing.")),
        group("Findings", findings),
    ];
    let ready = reviewed.report.verdict != Verdict::Deny;
    Ok(ReviewSummary { headline: headline(&reviewed.report, ready), groups: groups.into_iter().flatten().collect() })
}

fn lines(reach: &Reach, nobody: &str) -> Vec<String> {
    match reach {
        Reach::Open => vec!["Everyone and everything: no policy governs this direction.".to_owned()],
        Reach::Only(rows) if rows.is_empty() => vec![nobody.to_owned()],
        Reach::Only(rows) => rows.iter().map(|row| format!("{} ({})", row.peer, row.ports)).collect(),
    }
}

/// The body of the live review's server function: only for the signed-in author of the draft.
///
/// # Errors
/// As any other page.
pub async fn summary_of(draft: Option<String>, step: &str, form: &str) -> Result<ReviewSummary, AppError> {
    let state = expect_context::<AppState>();
    let parts = expect_context::<axum::http::request::Parts>();
    let actor = parts.extensions.get::<Actor>().ok_or(AppError::SignInRequired)?;
    let step = Step::from_slug(step).ok_or(AppError::NotFound)?;
    let saved = match draft {
        Some(id) => load_draft(&state, actor, id.parse().map_err(|_| AppError::NotFound)?).await?,
        None => DraftForm::default(),
    };
    live_of(&state, actor, &with_step(saved, step, form)?).await
}
