//! Preview features as people see them.

mod acceptance;
mod approvals;
mod catalogue;
mod feature;
mod features;

pub use acceptance::AcceptancePage;
pub use approvals::ApprovalsPage;
pub use catalogue::{CataloguePage, EditFeaturePage};
pub use feature::FeaturePage;
pub use features::FeaturesPage;

use super::Version;
use super::paths;
use super::service::accepting::VisibleOptIns;
use super::summary::{OptInPage, OptInSummary};
use crate::text_diff::unified_diff;
use crate::ui::{Badge, Diff, Notice, Table, Time, Tone};
use leptos::prelude::*;
use record::StatusKind;

#[component]
fn StatusBadge(status: StatusKind, words: String) -> impl IntoView {
    let tone = match status {
        StatusKind::Waiting | StatusKind::Withdrawn | StatusKind::Ended => Tone::Info,
        StatusKind::Effective => Tone::Good,
        StatusKind::Approved | StatusKind::Ending => Tone::Warn,
        StatusKind::Refused => Tone::Bad,
    };
    view! { <Badge tone=tone text=words/> }
}

/// What a version of a statement says differently than the one before.
#[component]
fn Changes(before: Version, after: Version) -> impl IntoView {
    let label = format!("Changes of version {}", after.terms.version);
    let (before, after) = (before.terms.in_words(), after.terms.in_words());
    let difference = unified_diff(&before, &after, 2);
    // Numbers of lines say nothing here; what lies between is only skipped.
    let lines = difference.lines().map(|line| if line.starts_with("@@") { " …" } else { line });
    let text = lines.skip(1).collect::<Vec<_>>().join("\n");
    view! { <Diff label=label text=text/> }
}

/// Versions, the newest first, and what changed from one to the next.
#[component]
fn Versions(title: &'static str, versions: Vec<Version>) -> impl IntoView {
    (!versions.is_empty()).then(|| {
        let changes = versions
            .iter()
            .enumerate()
            .map(|(place, version)| {
                let changes = versions.get(place + 1).map(|before| {
                    view! {
                        <details>
                            <summary>"What changed, line by line"</summary>
                            <Changes before=before.clone() after=version.clone()/>
                        </details>
                    }
                });
                let address = paths::statement(&version.terms.feature, version.terms.version);
                view! {
                    <li>
                        <h3>
                            {
                                format!(
                                    "Version {}, {}", version.terms.version, version.published_at.strftime("%-d %B %Y")
                                )
                            }
                        </h3>
                        <p>{version.terms.changes.clone()}</p>
                        {(version.terms.version > 1).then(|| view! { <p>{version.terms.renewal.in_words()}</p> })}
                        <p><a href=address>"Exact text"</a>", SHA-256 "<code>{version.digest.to_string()}</code></p>
                        {changes}
                    </li>
                }
            })
            .collect_view();
        view! { <h2>{title}</h2><ol class="versions">{changes}</ol> }
    })
}

/// What somebody may see of what was accepted, and why some of it may be missing. `address` is the page's own.
#[component]
fn OptIns(opt_ins: VisibleOptIns, address: String, #[prop(optional)] hint: &'static str) -> impl IntoView {
    let VisibleOptIns { page: OptInPage { summaries, next }, missing, .. } = opt_ins;
    let missing = missing.map(|error| {
        view! {
            <Notice tone=Tone::Warn>
                <p>{error.to_string()}" Until then, what others accepted for what is yours is not shown."</p>
            </Notice>
        }
    });
    let is_there = !summaries.is_empty();
    let more = next.map(|next| {
        view! { <p><a class="button button--secondary" href=format!("{address}?after={next}")>"Show more"</a></p> }
    });
    view! {
        {missing}
        {is_there.then(|| view! {
            <h2>"What was accepted"</h2>
            {(!hint.is_empty()).then(|| view! { <p>{hint}</p> })}
            <OptInTable summaries=summaries label="What was accepted"/>
            {more}
        })}
    }
}

/// Opt-ins in a table, each with a link to its record.
#[component]
fn OptInTable(summaries: Vec<OptInSummary>, label: &'static str) -> impl IntoView {
    let rows = summaries.into_iter().map(|summary| view! { <OptInRow summary=summary/> }).collect_view();
    view! { <Table label=label columns=&["Feature", "For", "Accepted by", "Status", "Ends"]>{rows}</Table> }.into_any()
}

#[component]
fn OptInRow(summary: OptInSummary) -> impl IntoView {
    let is_granted = matches!(summary.status, StatusKind::Approved | StatusKind::Effective);
    let ends = is_granted.then(|| summary.lifecycle.ends_at()).flatten();
    let comment = (!summary.comment.is_empty())
        .then(|| view! { <p class="quiet comment">{format!("“{}”", summary.comment)}</p> });
    let is_blocked = !summary.problem.is_empty() && matches!(summary.status, StatusKind::Approved | StatusKind::Ending);
    let differs = !summary.drift.is_empty() && summary.status == StatusKind::Effective;
    let trouble = is_blocked.then_some((Tone::Bad, "Tried, and not done"));
    let trouble = trouble.or(differs.then_some((Tone::Warn, "The cluster differs")));
    let trouble = trouble.map(|(tone, words)| view! { " "<Badge tone=tone text=words/> });
    let person = summary.person().to_owned();
    view! {
        <tr>
            <th scope="row"><a href=paths::acceptance(summary.id)>{summary.feature_name}</a></th>
            <td data-label="For">{summary.scope.to_string()}</td>
            <td data-label="Accepted by">{person}" "<Time at=summary.accepted_at/></td>
            <td data-label="Status">
                <StatusBadge status=summary.status words=summary.status_words/>{trouble}{comment}
            </td>
            <td data-label="Ends">{ends.map(|(at, _)| at.strftime("%-d %B %Y").to_string())}</td>
        </tr>
    }
}
