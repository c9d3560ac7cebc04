//! Reports for people: grouped by object, the most serious first, in colour where a terminal shows it.

use anstyle::{AnsiColor, Style};
use review::{Finding, ObjectRef, Operation, Report, SelectedBy, Severity, Verdict};
use std::collections::HashMap;
use std::io::IsTerminal;

/// Whether to write colours.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Colours {
    On,
    Off,
}

/// Colours for a terminal, unless `NO_COLOR` is set (no-color.org).
pub(super) fn colours(stream: &impl IsTerminal) -> Colours {
    let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    if stream.is_terminal() && !unwanted { Colours::On } else { Colours::Off }
}

/// Text of a manifest, fit for a terminal and for the log of a pipeline: control characters could give it commands.
fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() { plain.extend(character.escape_default()) } else { plain.push(character) }
    }
    plain
}

pub(super) fn render(report: &Report, colours: Colours) -> String {
    let selected_by: HashMap<&ObjectRef, &SelectedBy> =
        report.selected_by.iter().map(|selected| (&selected.object, selected)).collect();
    let groups = by_object(report).into_iter().map(|(object, findings)| {
        let heading = heading(object, selected_by.get(object).copied(), colours);
        let found = findings.into_iter().map(|finding| block(finding, colours));
        std::iter::once(heading).chain(found).collect::<Vec<_>>().join("\n")
    });
    let not_checked = report.not_checked_in_words().map(|words| format!("Not checked: {}.", plain(&words)));
    groups.chain(not_checked).chain([summary(report, colours)]).collect::<Vec<_>>().join("\n\n")
}

/// The findings of each object, in the order in which objects first appear.
fn by_object(report: &Report) -> Vec<(&ObjectRef, Vec<&Finding>)> {
    let mut places: HashMap<&ObjectRef, usize> = HashMap::new();
    let mut groups: Vec<(&ObjectRef, Vec<&Finding>)> = Vec::new();
    for finding in &report.findings {
        let place = *places.entry(&finding.object).or_insert(groups.len());
        if place == groups.len() {
            groups.push((&finding.object, Vec::new()));
        }
        groups[place].1.push(finding);
    }
    groups
}

/// An object, and which policies select it.
fn heading(object: &ObjectRef, selected_by: Option<&SelectedBy>, colours: Colours) -> String {
    let policies = match selected_by.map(|selected| selected.policies.as_slice()) {
        None => String::new(),
        Some([]) => ", selected by no NetworkPolicy".to_owned(),
        Some(policies) => format!(", selected by {}", plain(&policies.join(", "))),
    };
    format!("{}{policies}", painted(&plain(&object.to_string()), Style::new().bold(), colours))
}

/// One finding: where, what, and how to fix it.
fn block(finding: &Finding, colours: Colours) -> String {
    let place = match (&finding.file, finding.line) {
        (Some(file), Some(line)) => format!("{}:{line}: ", plain(file)),
        _ => String::new(),
    };
    let severity = severity(finding, colours);
    let mut lines = vec![
        format!("  {place}{severity} [{}] {}", plain(&finding.rule), plain(&finding.path)).trim_end().to_owned(),
        format!("    {}", plain(&finding.message)),
    ];
    match &finding.exception {
        Some(reason) => lines.push(format!("    Accepted by annotation: {}", plain(reason))),
        None => lines.push(format!("    {}", plain(&finding.fix))),
    }
    let dim = Style::new().dimmed();
    lines.extend(
        finding
            .patch
            .operations()
            .iter()
            .map(|step| painted(&format!("    --fix: {}", plain(&in_words(step))), dim, colours)),
    );
    lines.join("\n")
}

fn severity(finding: &Finding, colours: Colours) -> String {
    let (word, colour) = match finding.severity {
        _ if finding.exception.is_some() => ("accepted", AnsiColor::Green),
        Severity::Deny => ("deny", AnsiColor::Red),
        Severity::Warn => ("warn", AnsiColor::Yellow),
        Severity::Info => ("info", AnsiColor::Cyan),
    };
    painted(word, colour.on_default().bold(), colours)
}

fn in_words(step: &Operation) -> String {
    match step {
        Operation::Add { path, value } => format!("add {path} {value}"),
        Operation::Replace { path, value } => format!("replace {path} {value}"),
        Operation::Remove { path } => format!("remove {path}"),
    }
}

fn summary(report: &Report, colours: Colours) -> String {
    let (verdict, colour) = match report.verdict {
        Verdict::Pass => ("pass", AnsiColor::Green),
        Verdict::Warn => ("warn", AnsiColor::Yellow),
        Verdict::Deny => ("deny", AnsiColor::Red),
    };
    let count = report.findings.len();
    let fixable =
        report.findings.iter().filter(|finding| !finding.patch.is_empty() && finding.exception.is_none()).count();
    let fixed = if fixable == 0 { String::new() } else { format!(", {fixable} of them fixed by --fix") };
    format!("{}: {count} finding{}{fixed}", painted(verdict, colour.on_default().bold(), colours), plural(count))
}

pub(super) fn plural(count: usize) -> &'static str {
    if count == 1 { "" } else { "s" }
}

fn painted(text: &str, style: Style, colours: Colours) -> String {
    match colours {
        Colours::On => format!("{style}{text}{style:#}"),
        Colours::Off => text.to_owned(),
    }
}
