//! What the rules and the cluster say, as people read it.

use super::review::end;
use crate::ui::{Badge, Diff, Notice, Tone};
use crate::workloads::service::{DryRun, DryRunAnswer, finding_key, may_apply};
use leptos::prelude::*;
use review::{Connection, Finding, Report, Severity, Verdict};

/// Whether something may be applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Readiness {
    /// Rules and cluster agree.
    Ready,
    /// The rules or the cluster say no.
    NotReady,
    /// Fairway would not send all of it.
    NotSent,
    /// The cluster could not be asked, or one of its webhooks failed.
    Unknown,
}

impl Readiness {
    #[must_use]
    pub fn of(report: &Report, dry_run: &[DryRun]) -> Self {
        let is_unknown = |tried: &DryRun| {
            matches!(tried.answer, DryRunAnswer::Unknown | DryRunAnswer::Failed(_) | DryRunAnswer::WebhookFailed(_))
        };
        let is_refused =
            |tried: &DryRun| matches!(tried.answer, DryRunAnswer::Refused(_) | DryRunAnswer::Conflict { .. });
        let is_not_sent = |tried: &DryRun| matches!(tried.answer, DryRunAnswer::NotSent(_));
        match () {
            () if may_apply(report, dry_run) => Self::Ready,
            () if dry_run.iter().any(is_refused) || report.verdict == Verdict::Deny => Self::NotReady,
            () if dry_run.iter().any(is_not_sent) => Self::NotSent,
            () if dry_run.iter().any(is_unknown) => Self::Unknown,
            () => Self::NotReady,
        }
    }
}

/// The verdict in one line.
#[component]
pub fn Headline(
    report: Report,
    /// Whether it may be applied.
    readiness: Readiness,
    /// What is open today and would not be any more.
    #[prop(optional)]
    closed: Vec<Connection>,
) -> impl IntoView {
    let tone = match (readiness, report.verdict) {
        (Readiness::Ready, Verdict::Pass) if closed.is_empty() => Tone::Good,
        (Readiness::Ready, _) | (Readiness::Unknown, _) => Tone::Warn,
        (Readiness::NotReady | Readiness::NotSent, _) => Tone::Bad,
    };
    view! { <Notice tone=tone><p>{headline(&report, readiness)}{closing(&closed)}</p></Notice> }
}

/// The most closed connections named in the verdict; the page lists them all.
const MOST_NAMED: usize = 3;

fn closing(closed: &[Connection]) -> Option<String> {
    let named: Vec<String> = closed
        .iter()
        .take(MOST_NAMED)
        .map(|closed| format!("{} to {}", short_end(&closed.from), short_end(&closed.to)))
        .collect();
    let more = closed.len() - named.len();
    let more = if more > 0 { format!(", and {more} more") } else { String::new() };
    (!closed.is_empty())
        .then(|| format!(" This closes {}: {}{more}.", things(closed.len(), "connection"), named.join(", ")))
}

/// An end of a connection, a workload by its name alone.
fn short_end(text: &str) -> String {
    let workload = text.strip_suffix(']').and_then(|text| text.rsplit_once('[')).map(|(workload, _)| workload);
    let name = workload.and_then(|workload| workload.rsplit('/').next());
    name.map_or_else(|| end(text), str::to_owned)
}

/// So many things of a kind.
#[must_use]
pub fn things(count: usize, word: &str) -> String {
    format!("{count} {word}{}", if count == 1 { "" } else { "s" })
}

/// The verdict in one line.
#[must_use]
pub fn headline(report: &Report, readiness: Readiness) -> String {
    let count = |severity| report.findings.iter().filter(|finding| finding.severity == severity).count();
    match (count(Severity::Deny), count(Severity::Warn), readiness) {
        (0, 0, Readiness::Ready) => "Ready: the rules find nothing to fix.".to_owned(),
        (0, warned, Readiness::Ready) => format!("Ready, with {} worth reading.", things(warned, "warning")),
        (0, _, Readiness::NotSent) => "Not ready: Fairway does not apply all of this.".to_owned(),
        (0, _, Readiness::NotReady) => "Not ready: the cluster would not take it.".to_owned(),
        (0, _, Readiness::Unknown) => "Fairway's checks passed, but the cluster could not complete its own.".to_owned(),
        (denied, _, _) => format!("Not ready: {} to fix.", things(denied, "problem")),
    }
}

/// Where a finding is fixed: the form that applies its patch to the draft.
#[derive(Debug, Clone)]
pub struct FixForm {
    pub action: String,
    pub digest: String,
}

/// Findings in plain words, the worst first, each with its way out.
#[component]
pub fn Findings(
    report: Report,
    /// Where they are fixed, if they can be.
    #[prop(optional)]
    fix: Option<FixForm>,
) -> impl IntoView {
    let not_checked = report.not_checked_in_words().map(|words| {
        view! { <p class="quiet">{format!("Not checked, because no rule looks at them: {words}.")}</p> }
    });
    if report.findings.is_empty() {
        return view! { <p>"None."</p>{not_checked} }.into_any();
    }
    let groups = [(Severity::Deny, "To fix"), (Severity::Warn, "Worth reading"), (Severity::Info, "Good to know")];
    let lists = groups
        .into_iter()
        .filter_map(|(severity, title)| {
            let of_it: Vec<Finding> =
                report.findings.iter().filter(|finding| finding.severity == severity).cloned().collect();
            (!of_it.is_empty()).then(|| {
                let items = of_it
                    .into_iter()
                    .map(|finding| view! { <FindingItem finding=finding fix=fix.clone()/> })
                    .collect_view();
                view! { <section><h3>{title}</h3><ul class="findings">{items}</ul></section> }
            })
        })
        .collect_view();
    view! { {lists}{not_checked} }.into_any()
}

#[component]
fn FindingItem(finding: Finding, fix: Option<FixForm>) -> impl IntoView {
    let (tone, word) = match finding.severity {
        _ if finding.exception.is_some() => (Tone::Info, "Accepted"),
        Severity::Deny => (Tone::Bad, "Refused"),
        Severity::Warn => (Tone::Warn, "Warning"),
        Severity::Info => (Tone::Info, "Note"),
    };
    let key = finding_key(&finding);
    let why = finding.faq.map(|slug| view! {
        " "<a href=format!("/faq/{slug}")>"Why"<span class="visually-hidden">" " {finding.message.clone()}</span></a>
    });
    let line = finding.line.map(|line| view! { " "<a href=format!("#line-{line}")>"line "{line}</a> });
    let can_fix = !finding.patch.is_empty() && finding.exception.is_none();
    let button = fix.filter(|_| can_fix).map(|fix| {
        view! {
            <form method="post" action=fix.action>
                <input type="hidden" name="digest" value=fix.digest/>
                <button class="button button--secondary" name="finding" value=key>
                    "Fix it"<span class="visually-hidden">": "{finding.message.clone()}</span>
                </button>
            </form>
        }
    });
    view! {
        <li class="finding">
            <p><Badge tone=tone text=word/>" "<strong>{finding.message.clone()}</strong></p>
            <p>{finding.exception.map_or(finding.fix, |reason| format!("Accepted by annotation: {reason}"))}{why}</p>
            <p class="quiet">
                <code>{finding.rule}</code>" at "<code>{finding.object.to_string()}</code>" "<code>{finding.path}</code>
                {line}
            </p>
            {button}
        </li>
    }
}

#[component]
pub fn DryRuns(
    /// Object by object.
    dry_run: Vec<DryRun>,
) -> impl IntoView {
    let items = dry_run.into_iter().map(|tried| view! { <Tried tried=tried/> }).collect_view();
    view! {
        <p class="quiet">"A dry run of everything, and of the pod that would be made from it. Nothing was stored."</p>
        <ul class="findings">{items}</ul>
    }
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
