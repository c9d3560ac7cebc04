//! The panel beside the wizard's form: the review so far.

use super::findings::{Readiness, headline};
use super::picture::{Disagreements, Pictured};
use crate::actor::Actor;
use crate::error::AppError;
use crate::form::FormErrors;
use crate::state::AppState;
use crate::ui::{Mark, Tone, Yaml};
use crate::workloads::api::{Depth, Reviewed, load_draft, review_draft, with_step};
use crate::workloads::draft::{DraftForm, Step};
use leptos::prelude::*;
use review::{Report, Severity, Verdict};

/// What the panel shows.
pub enum Panel {
    /// All that the review says so far.
    Reviewed(Box<Reviewed>),
    /// What is still to be answered.
    Incomplete(FormErrors),
    /// A part is away.
    Failed(AppError),
}

impl Panel {
    /// Reviews a draft as it stands.
    pub async fn of(state: &AppState, actor: &Actor, form: &DraftForm) -> Self {
        match review_draft(state, actor, form, Depth::Live).await {
            Ok(Ok(reviewed)) => Self::Reviewed(Box::new(reviewed)),
            Ok(Err(errors)) => Self::Incomplete(errors),
            // What the cluster says belongs beside the form, not in its place.
            Err(error) => Self::Failed(error),
        }
    }

    /// As on the page.
    pub fn shown(self) -> AnyView {
        match self {
            Self::Reviewed(reviewed) => view! { <SoFar reviewed=*reviewed/> }.into_any(),
            Self::Incomplete(errors) => {
                let items = errors.all().iter().map(|error| view! { <li>{error.message.clone()}</li> }).collect_view();
                view! { <p class="live__headline">"Not complete yet"</p><h2>"Still to do"</h2><ul>{items}</ul> }
                    .into_any()
            }
            Self::Failed(error) => view! { <p class="live__headline">{error.to_string()}</p> }.into_any(),
        }
    }
}

#[component]
fn SoFar(reviewed: Reviewed) -> impl IntoView {
    let denied = reviewed.report.verdict == Verdict::Deny;
    let readiness = if denied { Readiness::NotReady } else { Readiness::Ready };
    let findings = reviewed.report.findings.iter().filter(|finding| finding.exception.is_none()).map(|finding| {
        let line = finding.line.map(|line| view! { " "<a href=format!("#line-{line}")>"line "{line}</a> });
        view! { <li>{finding.message.clone()}" "{finding.fix.clone()}{line}</li> }
    });
    let findings = findings.collect_view();
    let none = findings.is_empty();
    let picture = reviewed.picture.clone().map(|picture| {
        view! { <Pictured picture=picture/> }
    });
    let second =
        (!reviewed.second_person.is_empty()).then(|| view! { <p>"A second person will have to approve this."</p> });
    view! {
        <p class="live__headline">{headline(&reviewed.report, readiness)}</p>
        {picture}
        <Disagreements one_sided=reviewed.one_sided/>
        {(!none).then(|| view! { <h2>"Findings"</h2><ul>{findings}</ul> })}
        {second}
        <details id="live-yaml">
            <summary>"YAML so far"</summary>
            <Yaml label="YAML so far" text=reviewed.manifest marks=marks(&reviewed.report)/>
        </details>
    }
    .into_any()
}

/// The findings, at the lines that they are about.
#[must_use]
pub fn marks(report: &Report) -> Vec<Mark> {
    let findings = report.findings.iter().filter(|finding| finding.exception.is_none());
    findings
        .filter_map(|finding| {
            let tone = match finding.severity {
                Severity::Deny => Tone::Bad,
                Severity::Warn => Tone::Warn,
                Severity::Info => Tone::Info,
            };
            Some(Mark { line: finding.line?, tone, text: finding.message.clone() })
        })
        .collect()
}

/// The body of the live review's server function: only for who may open the draft.
///
/// # Errors
/// As any other page.
pub async fn live_panel(draft: &str, step: &str, form: &str) -> Result<String, AppError> {
    let state = expect_context::<AppState>();
    let parts = expect_context::<axum::http::request::Parts>();
    let actor = parts.extensions.get::<Actor>().ok_or(AppError::SignInRequired)?;
    let step = Step::from_slug(step).ok_or(AppError::NotFound)?;
    let saved = load_draft(&state, actor, draft.parse().map_err(|_| AppError::NotFound)?).await?;
    let panel = Panel::of(&state, actor, &with_step(saved.form, step, form)?).await;
    Ok(panel.shown().to_html())
}
