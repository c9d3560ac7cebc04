//! `/workloads` and everything below it.

mod connections;
mod dry_runs;
mod fields;
mod findings;
mod import;
mod panel;
mod peers;
mod picture;
mod proposals;
mod review;
mod step_form;
mod submission;
mod submission_reviews;
mod wizard;

pub use connections::ConnectionsPage;
pub use import::ImportPage;
pub use panel::Panel;
pub use picture::picture_svg;
pub use submission::SubmissionPage;
pub use wizard::{DeleteDraftPage, DraftPage, NewWorkloadPage};

use self::submission::StateBadge;
use crate::error::AppError;
use crate::row_limit::Others;
use crate::ui::{
    Badge, Empty, Field, MoreRows, Notice, OnEnter, Page, PageRequest, Section, Submit, Table, Time, Tone, page,
};
use crate::workloads::draft::DraftSummary;
use crate::workloads::paths;
use crate::workloads::service::{Listed, ListedWorkload, Overview, OverviewLimits, list_workloads, load_overview};
use crate::workloads::submission::SubmissionSummary;
use leptos::prelude::*;
use std::sync::Arc;

fn query(pairs: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

#[component]
pub fn WorkloadsPage() -> impl IntoView {
    page(Section::Workloads, |request| async move {
        let limits = OverviewLimits {
            drafts: request.row_limit("drafts"),
            submissions: request.row_limit("submissions"),
            to_review: request.row_limit("to-review"),
        };
        let overview = load_overview(&request.state, request.actor()?, &limits).await?;
        let Overview { drafts, submissions, to_review, namespaces } = overview;
        let nothing = drafts.rows.is_empty() && submissions.rows.is_empty() && namespaces.is_empty();
        let empty = nothing.then(|| {
            view! {
                <Empty title="Nothing here yet">
                    <p>
                        "The wizard asks a few short questions and writes a pod spec the platform admits, behind a \
                         network policy that allows only what you name."
                    </p>
                </Empty>
            }
        });
        let deleted =
            request.query("deleted").map(|_| view! { <Notice tone=Tone::Good><p>"The draft is deleted."</p></Notice> });
        let more = |list: &'static str, what: &'static str, others: Others| {
            view! { <MoreRows request=request.clone() list what others/> }
        };
        let running = running(&request, &namespaces).await;
        let body = view! {
            {deleted}
            <div class="page-head"><h1>"Workloads"</h1><a class="button" href="/workloads/new">"Add workload"</a></div>
            {empty}
            <Submissions id="to-review" title="Waiting for your review" submissions=to_review.rows/>
            {more("to-review", "reviews", to_review.others)}
            <Drafts drafts=drafts.rows/>
            {more("drafts", "drafts", drafts.others)}
            {running}
            <Submissions id="submissions" title="Submitted to your namespaces" submissions=submissions.rows/>
            {more("submissions", "submissions", submissions.others)}
        };
        Ok(Page::new("Workloads", body))
    })
}

fn draft_name(draft: &DraftSummary) -> String {
    if draft.name.is_empty() { "not named yet".to_owned() } else { draft.name.clone() }
}

#[component]
fn Drafts(drafts: Vec<DraftSummary>) -> impl IntoView {
    (!drafts.is_empty()).then(|| {
        let rows = drafts
            .into_iter()
            .map(|draft| {
                view! {
                    <tr>
                        <th scope="row"><a href=paths::step(draft.id, draft.next_step)>{draft_name(&draft)}</a></th>
                        <td data-label="Namespace">{draft.namespace}</td>
                        <td data-label="Next step">{draft.next_step.title()}</td>
                        <td data-label="Saved"><Time at=draft.updated_at/>" by "{draft.saved_by}</td>
                    </tr>
                }
            })
            .collect_view();
        view! {
            <h2 id="drafts">"Drafts"</h2>
            <Table label="Drafts" columns=&["Name", "Namespace", "Next step", "Saved"]>{rows}</Table>
        }
    })
}

#[component]
fn Submissions(id: &'static str, title: &'static str, submissions: Vec<SubmissionSummary>) -> impl IntoView {
    (!submissions.is_empty()).then(|| {
        let rows = submissions
            .into_iter()
            .map(|submission| {
                view! {
                    <tr>
                        <th scope="row"><a href=paths::submission(submission.id)>{submission.name}</a></th>
                        <td data-label="Namespace">{submission.namespace}</td>
                        <td data-label="By">{submission.author_name}</td>
                        <td data-label="When"><Time at=submission.created_at/></td>
                        <td data-label="Status"><StateBadge state=submission.state/></td>
                    </tr>
                }
            })
            .collect_view();
        view! {
            <h2 id=id>{title}</h2>
            <Table label=title columns=&["Name", "Namespace", "By", "When", "Status"]>{rows}</Table>
        }
    })
}

/// What runs in the namespace that the address names, or in the first.
async fn running(request: &PageRequest, namespaces: &[String]) -> AnyView {
    let asked = request.query("namespace").filter(|name| namespaces.contains(name));
    let (Some(namespace), Ok(actor)) = (asked.or_else(|| namespaces.first().cloned()), request.actor()) else {
        return ().into_any();
    };
    let search = request.query("search").unwrap_or_default();
    let listed = list_workloads(&request.state, actor, &namespace, &search).await;
    view! { <Running namespaces=namespaces.to_vec() namespace=namespace search=search listed=listed/> }.into_any()
}

#[component]
fn Running(
    namespaces: Vec<String>,
    namespace: String,
    search: String,
    listed: Result<Arc<Listed>, AppError>,
) -> impl IntoView {
    let options = namespaces.into_iter().map(|name| (name.clone(), name)).collect();
    let connections = format!("/namespaces/{namespace}/connections");
    let found = match listed {
        Ok(listed) => view! { <RunningTable namespace=namespace.clone() listed=listed/> }.into_any(),
        Err(error) => view! { <Notice tone=Tone::Warn><p>{error.to_string()}</p></Notice> }.into_any(),
    };
    view! {
        <h2 id="running">"What runs"</h2>
        <form method="get" action="/workloads#running" class="filter">
            <OnEnter sends=true/>
            <crate::ui::Select name="namespace" label="Namespace" value=namespace options=options/>
            <Field name="search" label="Name holds" optional=true value=search/>
            <Submit label="Show workloads" secondary=true/>
        </form>
        {found}
        <p><a href=connections>"Who may talk to whom in this namespace"</a></p>
    }
}

#[component]
fn RunningTable(namespace: String, listed: Arc<Listed>) -> impl IntoView {
    let Listed { workloads, all, unread, .. } = &*listed;
    let all = *all;
    let hidden =
        (!unread.is_empty()).then(|| view! { <p class="quiet">"Not shown to you: "{unread.join(", ")}"."</p> });
    if workloads.is_empty() {
        return view! { <p>"Nothing that you can see."</p>{hidden} }.into_any();
    }
    let shown = workloads.len();
    let rows = workloads.iter().map(|listed| running_row(&namespace, listed));
    let rows = rows.collect_view();
    let more = (all > shown).then(
        || view! { <p class="quiet">{format!("{shown} of {all}: enter a part of the name to find others.")}</p> },
    );
    view! {
        <Table label="What runs" columns=&["Workload", "Kind", "Policies limit", "Findings", "Next"]>{rows}</Table>
        {more}
        {hidden}
    }
    .into_any()
}

fn running_row(namespace: &str, listed: &ListedWorkload) -> impl IntoView + use<> {
    let ListedWorkload { workload, ingress, egress, has_policy, denied, warned } = listed;
    let (tone, covered) = match (ingress, egress) {
        (true, true) => (Tone::Good, "both directions"),
        (true, false) => (Tone::Warn, "only what reaches it"),
        (false, true) => (Tone::Warn, "only what it reaches"),
        (false, false) => (Tone::Bad, "nothing"),
    };
    let findings = match (denied, warned) {
        (0, 0) => "none".to_owned(),
        (denied, warned) => format!("{denied} to fix, {warned} to read"),
    };
    let reference = workload.reference();
    view! {
        <tr>
            <th scope="row">{workload.name.clone()}</th>
            <td data-label="Kind">{workload.kind.clone()}</td>
            <td data-label="Policies limit"><Badge tone=tone text=covered/></td>
            <td data-label="Findings">{findings}</td>
            <td data-label="Next">
                <form method="post" action="/workloads/new">
                    <input type="hidden" name="namespace" value=namespace.to_owned()/>
                    <button class="button button--quiet" name="running" value=reference>
                        {if *has_policy { "Change policy" } else { "Write a policy" }}<span class="visually-hidden">" for "{workload.name.clone()}</span>
                    </button>
                </form>
            </td>
        </tr>
    }
}
