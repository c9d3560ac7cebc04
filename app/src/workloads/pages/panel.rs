//! The panel beside the wizard's form: the review so far.

use super::findings::{Readiness, headline};
use super::picture::{Disagreements, Pictured};
use crate::actor::Actor;
use crate::error::AppError;
use crate::form::FormErrors;
use crate::state::AppState;
use crate::ui::{Mark, Tone, Yaml};
use crate::workloads::draft::DraftForm;
use crate::workloads::service::{Depth, Reviewed, review_draft};
use leptos::prelude::*;
use review::{ObjectRef, Report, Severity, Verdict};

pub enum Panel {
    /// All that the review says so far.
    Reviewed(Box<Reviewed>),
    /// What is still to be answered.
    Incomplete(FormErrors),
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

    /// As an answer by itself.
    #[must_use]
    pub fn html(self) -> String {
        Owner::new().with(|| self.shown().to_html())
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
        <Replaced objects=reviewed.replaces/>
        {picture}
        <Disagreements one_sided=reviewed.one_sided/>
        {(!none).then(|| view! { <h2>"Findings"</h2><ul>{findings}</ul> })}
        {second}
        <details id="live-yaml">
            <summary>"YAML so far"</summary>
            <Yaml label="YAML so far" text=reviewed.bundle.text().to_owned() marks=marks(&reviewed.report)/>
        </details>
    }
    .into_any()
}

/// A name that is taken is no mistake, but it must not be taken unseen.
#[component]
fn Replaced(objects: Vec<ObjectRef>) -> impl IntoView {
    (!objects.is_empty()).then(|| {
        let is_policy_alone = objects.iter().all(|object| object.kind == "NetworkPolicy");
        let names: Vec<String> = objects.iter().map(ToString::to_string).collect();
        let otherwise = (!is_policy_alone).then_some(" If you meant a new workload, give it another name.");
        view! { <p>"In the cluster already, and updated by applying: "<strong>{names.join(", ")}</strong>"."{otherwise}</p> }
    })
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
