//! What the rules say, as people read it.

use super::review::end;
use crate::ui::{Badge, Notice, Tone};
use crate::workloads::service::{DryRun, DryRunAnswer, can_fix, can_fix_with_others, finding_key, may_apply};
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

/// Where findings are fixed: the forms that apply their patches to the draft.
#[derive(Debug, Clone)]
pub struct FixForm {
    /// For one of them.
    pub action: String,
    /// For all of them, or all of a rule.
    pub action_for_all: String,
    pub digest: String,
}

/// More findings of one rule than this are folded.
const MOST_UNFOLDED: usize = 3;

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
    let fixable = report.findings.iter().filter(|finding| can_fix_with_others(finding)).count();
    let fix_all = fix.clone().filter(|_| fixable > 1).map(|fix| {
        view! { <FixAll fix=fix rule=None label=format!("Fix {fixable} findings at once")/> }
    });
    let lists = groups
        .into_iter()
        .filter_map(|(severity, title)| {
            let by_rule = by_rule(report.findings.iter().filter(|finding| finding.severity == severity));
            (!by_rule.is_empty()).then(|| {
                let items = by_rule
                    .into_iter()
                    .map(|findings| view! { <FindingsOfRule findings=findings fix=fix.clone()/> })
                    .collect_view();
                view! { <section><h3>{title}</h3><ul class="findings">{items}</ul></section> }
            })
        })
        .collect_view();
    view! { {fix_all}{lists}{not_checked} }.into_any()
}

/// Findings by what finds them, in their order. What was accepted stands by itself.
fn by_rule<'a>(findings: impl Iterator<Item = &'a Finding>) -> Vec<Vec<Finding>> {
    let mut groups = Vec::<Vec<Finding>>::new();
    for finding in findings {
        let is_same =
            |other: &Finding| other.rule == finding.rule && other.exception.is_none() && finding.exception.is_none();
        match groups.iter_mut().find(|group| is_same(&group[0])) {
            Some(group) => group.push(finding.clone()),
            None => groups.push(vec![finding.clone()]),
        }
    }
    groups
}

/// One line for a fault that many objects share, and the places behind it.
#[component]
fn FindingsOfRule(findings: Vec<Finding>, fix: Option<FixForm>) -> impl IntoView {
    if findings.len() <= MOST_UNFOLDED {
        let items = findings.into_iter().map(|finding| view! { <FindingItem finding=finding fix=fix.clone()/> });
        return items.collect_view().into_any();
    }
    let rule = findings[0].rule.clone();
    let meaning = review::rules().iter().find(|known| known.id == rule).map(|known| known.meaning.to_owned());
    let (count, objects) = (findings.len(), objects_of(&findings));
    let fixable = findings.iter().filter(|finding| can_fix_with_others(finding)).count();
    let button = fix.clone().filter(|_| fixable > 1).map(|fix| {
        let label = if fixable == count { format!("Fix all {count}") } else { format!("Fix {fixable} of {count}") };
        view! { <FixAll fix=fix rule=Some(rule.clone()) label=label/> }
    });
    let (tone, word) = badge(&findings[0]);
    let title = meaning.unwrap_or_else(|| findings[0].message.clone());
    let items = findings.into_iter().map(|finding| view! { <FindingItem finding=finding fix=fix.clone()/> });
    view! {
        <li class="finding">
            <p><Badge tone=tone text=word/>" "<strong>{title}</strong></p>
            <p>{format!("{} in {objects}.", things(count, "place"))}</p>
            {button}
            <details>
                <summary>"Show all "{count}<span class="visually-hidden">" findings of "{rule}</span></summary>
                <ul class="findings">{items.collect_view()}</ul>
            </details>
        </li>
    }
    .into_any()
}

/// The most objects of a fault named before they are unfolded.
const MOST_OBJECTS_NAMED: usize = 4;

fn objects_of(findings: &[Finding]) -> String {
    let mut names: Vec<&str> = Vec::new();
    for finding in findings {
        if !names.contains(&finding.object.name.as_str()) {
            names.push(&finding.object.name);
        }
    }
    let more = names.len().saturating_sub(MOST_OBJECTS_NAMED);
    let named = names[..names.len() - more].join(", ");
    if more > 0 { format!("{named} and {more} more") } else { named }
}

#[component]
fn FixAll(fix: FixForm, rule: Option<String>, label: String) -> impl IntoView {
    let of_rule = rule.clone().map(|rule| view! { <input type="hidden" name="rule" value=rule/> });
    let hidden = rule.map(|rule| view! { <span class="visually-hidden">" of "{rule}</span> });
    view! {
        <form method="post" action=fix.action_for_all>
            <input type="hidden" name="digest" value=fix.digest/>
            {of_rule}
            <button class="button button--secondary">{label}{hidden}</button>
        </form>
    }
}

fn badge(finding: &Finding) -> (Tone, &'static str) {
    match finding.severity {
        _ if finding.exception.is_some() => (Tone::Info, "Accepted"),
        Severity::Deny => (Tone::Bad, "Refused"),
        Severity::Warn => (Tone::Warn, "Warning"),
        Severity::Info => (Tone::Info, "Note"),
    }
}

#[component]
fn FindingItem(finding: Finding, fix: Option<FixForm>) -> impl IntoView {
    let (tone, word) = badge(&finding);
    let (key, can_fix) = (finding_key(&finding), can_fix(&finding));
    let why = finding.faq.map(|slug| view! {
        " "<a href=format!("/faq/{slug}")>"Why"<span class="visually-hidden">" " {finding.message.clone()}</span></a>
    });
    let line = finding.line.map(|line| view! { " "<a href=format!("#line-{line}")>"line "{line}</a> });
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
