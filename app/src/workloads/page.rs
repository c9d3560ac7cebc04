//! `/workloads` and `/workloads/{id}`.

use super::api::{DryRun, load_submission, load_workloads, may_apply, step_path};
use super::forms::Step;
use super::submission::{ApplyOutcome, ApplyResult, Draft, SubmissionOutcome, SubmissionSummary};
use super::wizard::{DryRuns, Findings, Headline};
use crate::error::AppError;
use crate::ui::{Badge, Breadcrumb, Code, Empty, Fact, Notice, Page, Section, Table, Time, Tone, page};
use leptos::prelude::*;
use review::Report;

/// The list.
#[component]
pub fn WorkloadsPage() -> impl IntoView {
    page(Section::Workloads, |request| async move {
        let (drafts, submissions) = load_workloads(&request.state, request.actor()?).await?;
        let nothing = drafts.is_empty() && submissions.is_empty();
        let empty = nothing.then(|| {
            view! { <Empty title="Nothing submitted yet"><p>"The wizard asks four short questions and writes a pod spec the platform admits, behind a network policy that allows only what you name."</p></Empty> }
        });
        let body = view! {
            <div class="page-head"><h1>"Workloads"</h1><a class="button" href="/workloads/new">"Add workload"</a></div>
            {empty}
            <Drafts drafts=drafts/>
            <Submissions submissions=submissions/>
        };
        Ok(Page::new("Workloads", body))
    })
}

#[component]
fn Drafts(drafts: Vec<Draft>) -> impl IntoView {
    (!drafts.is_empty()).then(|| {
        let rows = drafts
            .into_iter()
            .map(|draft| {
                let step =
                    Step::ALL.into_iter().rev().find(|step| draft.form.may_open(*step)).unwrap_or(Step::Workload);
                let name = Some(draft.form.workload.name)
                    .filter(|name| !name.is_empty())
                    .unwrap_or_else(|| "not named yet".to_owned());
                view! {
                    <tr>
                        <th scope="row"><a href=step_path(draft.id, step)>{name}</a></th>
                        <td>{draft.form.workload.namespace}</td>
                        <td>{step.title()}</td>
                        <td><Time at=draft.updated_at/></td>
                    </tr>
                }
            })
            .collect_view();
        view! {
            <h2>"Your drafts"</h2>
            <Table label="Your drafts" columns=&["Name", "Namespace", "Next step", "Saved"]>{rows}</Table>
        }
    })
}

#[component]
fn OutcomeBadge(outcome: SubmissionOutcome) -> impl IntoView {
    match outcome {
        SubmissionOutcome::Applied => view! { <ObjectBadge outcome=ApplyOutcome::Applied/> }.into_any(),
        SubmissionOutcome::Stopped(outcome) => view! { <ObjectBadge outcome=outcome/> }.into_any(),
        SubmissionOutcome::Unknown => view! { <Badge tone=Tone::Bad text="Unknown"/> }.into_any(),
    }
}

#[component]
fn ObjectBadge(outcome: ApplyOutcome) -> impl IntoView {
    let (tone, word) = match outcome {
        ApplyOutcome::Applied => (Tone::Good, "Applied"),
        ApplyOutcome::Refused => (Tone::Bad, "Refused"),
        ApplyOutcome::Conflict => (Tone::Bad, "Conflict"),
        ApplyOutcome::Failed => (Tone::Bad, "Failed"),
    };
    view! { <Badge tone=tone text=word/> }
}

#[component]
fn Submissions(submissions: Vec<SubmissionSummary>) -> impl IntoView {
    (!submissions.is_empty()).then(|| {
        let rows = submissions
            .into_iter()
            .map(|submission| {
                view! {
                    <tr>
                        <th scope="row"><a href=format!("/workloads/{}", submission.id)>{submission.name}</a></th>
                        <td>{submission.namespace}</td>
                        <td>{submission.author_name}</td>
                        <td><Time at=submission.created_at/></td>
                        <td><OutcomeBadge outcome=submission.outcome/></td>
                    </tr>
                }
            })
            .collect_view();
        view! {
            <h2>"Submitted to your namespaces"</h2>
            <Table label="Submitted workloads" columns=&["Name", "Namespace", "By", "When", "Outcome"]>{rows}</Table>
        }
    })
}

/// One submission: what was reviewed, what the cluster said, what was applied.
#[component]
pub fn SubmissionPage() -> impl IntoView {
    page(Section::Workloads, |request| async move {
        let submission = load_submission(&request.state, request.actor()?, &request.param("id")).await?;
        let report: Report = serde_json::from_value(submission.report).map_err(|_| AppError::Internal)?;
        let dry_run: Vec<DryRun> = serde_json::from_value(submission.dry_run).map_err(|_| AppError::Internal)?;
        let title = format!("{} in {}", submission.name, submission.namespace);
        let ready = may_apply(&report, &dry_run);
        let body = view! {
            <Breadcrumb links=vec![("/workloads".to_owned(), "Workloads".to_owned())]/>
            <h1>{title.clone()}</h1>
            <Outcome outcome=submission.outcome/>
            <Results results=submission.results/>
            <dl class="facts">
                <Fact term="Submitted by">{submission.author_name}</Fact>
                <Fact term="When"><Time at=submission.created_at/></Fact>
                <Fact term="SHA-256"><code>{submission.digest.to_string()}</code></Fact>
                <Fact term="Reference"><code>{submission.id.to_string()}</code></Fact>
            </dl>
            <h2>"What was reviewed"</h2>
            <Headline report=report.clone() ready=ready/>
            <Findings report=report/>
            <h2>"What the cluster said beforehand"</h2>
            <DryRuns dry_run=dry_run/>
            <h2>"Manifest"</h2>
            <Code label="Manifest" text=submission.manifest/>
        };
        Ok(Page::new(title, body))
    })
}

#[component]
fn Outcome(outcome: SubmissionOutcome) -> impl IntoView {
    match outcome {
        SubmissionOutcome::Applied => view! { <Notice tone=Tone::Good><p>"Applied exactly as reviewed. The cluster starts it next; kubectl get pods shows how far it has come."</p></Notice> }.into_any(),
        SubmissionOutcome::Unknown => view! { <Notice tone=Tone::Bad><p>"It is not known whether this was applied: Fairway was interrupted. Look at the namespace, then submit it again; that is safe."</p></Notice> }.into_any(),
        SubmissionOutcome::Stopped(_) => view! { <Notice tone=Tone::Bad><p>"Not everything was applied. Each object below says why. Your draft is kept under Workloads: change it and apply again; objects that were applied stay as they are."</p></Notice> }.into_any(),
    }
}

#[component]
fn Results(results: Vec<ApplyResult>) -> impl IntoView {
    let rows = results
        .into_iter()
        .map(|result| {
            view! { <tr><td><code>{result.object}</code></td><td><ObjectBadge outcome=result.outcome/></td><td>{result.message}</td><td><code>{result.resource_version}</code></td></tr> }
        })
        .collect_view();
    view! {
        <Table label="Objects" columns=&["Object", "Outcome", "Message", "Version"]>{rows}</Table>
    }
}
