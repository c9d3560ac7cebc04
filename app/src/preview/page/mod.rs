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
use super::acceptance::Acceptance;
use super::api::{Listed, Seen};
use super::opt_in::Standing;
use crate::ui::{Badge, Diff, Notice, Table, Time, Tone};
use leptos::prelude::*;

#[component]
fn StandingBadge(standing: Standing) -> impl IntoView {
    let tone = match standing {
        Standing::Waiting { .. } => Tone::Info,
        Standing::Effective => Tone::Good,
        Standing::Approved | Standing::Ending(_) => Tone::Warn,
        Standing::Refused => Tone::Bad,
        Standing::Withdrawn | Standing::Ended(_) => Tone::Info,
    };
    view! { <Badge tone=tone text=standing.in_words()/> }
}

/// What a version of a statement says differently than the one before.
#[component]
fn Changes(before: Version, after: Version) -> impl IntoView {
    let label = format!("Changes of version {}", after.terms.version);
    let (before, after) = (before.terms.in_words(), after.terms.in_words());
    let difference = similar::TextDiff::from_lines(&before, &after).unified_diff().context_radius(2).to_string();
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
                let address = format!("/preview-features/{}/statements/{}", version.terms.feature, version.terms.version);
                view! {
                    <li>
                        <h3>{format!("Version {}, {}", version.terms.version, version.published_at.strftime("%-d %B %Y"))}</h3>
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
fn Accepted(seen: Seen, address: String, #[prop(optional)] hint: &'static str) -> impl IntoView {
    let Seen { listed: Listed { acceptances, next }, missing, .. } = seen;
    let missing = missing.map(|error| {
        view! { <Notice tone=Tone::Warn><p>{error.to_string()}" Until then, what others accepted for what is yours is not shown."</p></Notice> }
    });
    let is_there = !acceptances.is_empty();
    let more = next.map(|next| {
        view! { <p><a class="button button--secondary" href=format!("{address}?after={next}")>"Show more"</a></p> }
    });
    view! {
        {missing}
        {is_there.then(|| view! {
            <h2>"What was accepted"</h2>
            {(!hint.is_empty()).then(|| view! { <p>{hint}</p> })}
            <Acceptances acceptances=acceptances label="What was accepted"/>
            {more}
        })}
    }
}

/// Acceptances in a table, each with the way to its record.
#[component]
fn Acceptances(acceptances: Vec<Acceptance>, label: &'static str) -> impl IntoView {
    let rows = acceptances
        .into_iter()
        .map(|acceptance| {
            let ends = acceptance.standing().is_granted().then(|| acceptance.life.ends_at()).flatten();
            let comment = acceptance.steps.last().map(|taken| taken.comment.clone()).unwrap_or_default();
            let comment = (!comment.is_empty()).then(|| view! { <p class="quiet comment">{format!("“{comment}”")}</p> });
            let standing = acceptance.standing().clone();
            let is_in_the_way = !acceptance.problem.is_empty() && matches!(standing, Standing::Approved | Standing::Ending(_));
            let differs = !acceptance.drift.is_empty() && standing == Standing::Effective;
            let trouble = is_in_the_way.then_some((Tone::Bad, "Tried, and not done"));
            let trouble = trouble.or(differs.then_some((Tone::Warn, "The cluster differs")));
            let trouble = trouble.map(|(tone, words)| view! { " "<Badge tone=tone text=words/> });
            view! {
                <tr>
                    <th scope="row"><a href=format!("/preview-features/acceptances/{}", acceptance.accepted.id)>{acceptance.feature_name.clone()}</a></th>
                    <td data-label="For">{acceptance.accepted.scope.to_string()}</td>
                    <td data-label="Accepted by">{acceptance.person().0}" "<Time at=acceptance.accepted.accepted_at/></td>
                    <td data-label="State"><StandingBadge standing=standing/>{trouble}{comment}</td>
                    <td data-label="Ends">{ends.map(|(at, _)| at.strftime("%-d %B %Y").to_string())}</td>
                </tr>
            }
        })
        .collect_view();
    view! { <Table label=label columns=&["Feature", "For", "Accepted by", "State", "Ends"]>{rows}</Table> }.into_any()
}
