//! What the cluster says, as people read it.

use super::findings::things;
use crate::ui::{Badge, Diff, Tone};
use crate::workloads::service::{DryRun, DryRunAnswer};
use leptos::prelude::*;

/// Of more objects than this, those that the cluster would take as they are stand folded.
const MOST_UNFOLDED: usize = 8;

#[component]
pub fn DryRuns(
    /// Object by object.
    dry_run: Vec<DryRun>,
) -> impl IntoView {
    let is_folded = dry_run.len() > MOST_UNFOLDED;
    let (quiet, shown): (Vec<DryRun>, Vec<DryRun>) =
        dry_run.into_iter().partition(|tried| is_folded && !needs_a_look(&tried.answer));
    let is_warned =
        |tried: &DryRun| matches!(&tried.answer, DryRunAnswer::Admitted { warnings, .. } if !warnings.is_empty());
    let (warned, admitted): (Vec<DryRun>, Vec<DryRun>) = quiet.into_iter().partition(is_warned);
    let items: Vec<_> = shown.into_iter().map(|tried| view! { <Tried tried=tried/> }).collect();
    view! {
        <p class="quiet">"A dry run of everything, and of the pod that would be made from it. Nothing was stored."</p>
        {(!items.is_empty()).then(|| view! { <ul class="findings">{items}</ul> })}
        <Folded dry_run=warned admitted="admitted with warnings"/>
        <Folded dry_run=admitted admitted="admitted"/>
    }
}

/// Whether somebody should read it before anything is sent.
fn needs_a_look(answer: &DryRunAnswer) -> bool {
    match answer {
        DryRunAnswer::Admitted { change, .. } => change.as_ref().is_some_and(|change| !change.is_empty()),
        _ => true,
    }
}

#[component]
fn Folded(dry_run: Vec<DryRun>, admitted: &'static str) -> impl IntoView {
    let count = dry_run.len();
    (count > 0).then(|| {
        let items = dry_run.into_iter().map(|tried| view! { <Tried tried=tried/> }).collect_view();
        let summary = format!("{} {admitted}", things(count, "object"));
        view! { <details><summary>{summary}</summary><ul class="findings">{items}</ul></details> }
    })
}

#[component]
fn Tried(tried: DryRun) -> impl IntoView {
    let DryRun { object, answer } = tried;
    let (tone, word, texts, more) = match answer {
        DryRunAnswer::Admitted { warnings, change } => {
            let (tone, word) =
                if warnings.is_empty() { (Tone::Good, "Admitted") } else { (Tone::Warn, "Admitted with warnings") };
            let change = change.map(|text| view! { <Changed object=object.clone() text=text/> }.into_any());
            (tone, word, warnings, change)
        }
        DryRunAnswer::Refused(message) => (Tone::Bad, "Refused", vec![message], None),
        DryRunAnswer::NotSent(message) => (Tone::Bad, "Not sent", vec![message], None),
        DryRunAnswer::Failed(message) => {
            let texts = vec!["The API server could not try it, and says:".to_owned(), message];
            (Tone::Bad, "Failed", texts, None)
        }
        DryRunAnswer::WebhookFailed(failure) => (Tone::Bad, "Webhook failed", vec![failure.explained()], None),
        DryRunAnswer::Conflict { message, fields } => {
            let fields = view! { <Conflicts fields=fields/> }.into_any();
            (Tone::Bad, "Conflict", vec![message], Some(fields))
        }
        DryRunAnswer::Unknown => (Tone::Bad, "No answer", vec!["The cluster cannot be reached.".to_owned()], None),
    };
    let texts = texts.into_iter().map(|text| view! { <p>{text}</p> }).collect_view();
    view! { <li class="finding"><p><Badge tone=tone text=word/>" "<code>{object}</code></p>{texts}{more}</li> }
}

#[component]
fn Changed(object: String, text: String) -> impl IntoView {
    if text.is_empty() {
        return view! { <p class="quiet">"It is there already, and stays as it is."</p> }.into_any();
    }
    view! {
        <details open=true>
            <summary>"What changes of what is there now"</summary>
            <Diff label=format!("Changes of {object}") text=text/>
        </details>
    }
    .into_any()
}

/// Fields that others manage, each with who does.
#[component]
pub fn Conflicts(fields: Vec<crate::ports::FieldConflict>) -> impl IntoView {
    (!fields.is_empty()).then(|| {
        let items = fields
            .into_iter()
            .map(|conflict| {
                view! {
                    <li><code>{conflict.field}</code>" is managed by "<strong>{conflict.manager}</strong></li>
                }
            })
            .collect_view();
        view! {
            <ul>{items}</ul>
            <p>
                "Change these where they are managed, or have that tool let go of them. Fairway overwrites nothing \
                 that is not its own. "
                <a href="/faq/field-conflicts">"What to do"</a>
            </p>
        }
    })
}
