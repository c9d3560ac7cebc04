//! `fairway review`: the portal's review in a pipeline.

use super::manifests::read_all;
use super::say;
use app::state::Policy;
use clap::{Args, ValueEnum};
use review::{Context, Finding, Profile, Report, Selection, Settings, Severity, Verdict};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::ExitCode;

/// Exit codes: 0 pass or warn, 1 deny, 2 unreadable input or usage.
const DENIED: u8 = 1;
pub(super) const UNREADABLE: u8 = 2;

/// Its arguments.
#[derive(Args)]
pub struct ReviewArguments {
    /// Files, folders (read recursively), or - for standard input.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// How to write the findings.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Which Pod Security Standard to judge by.
    #[arg(long, value_enum, default_value_t = ProfileName::Restricted)]
    profile: ProfileName,
    /// The portal's settings file, for registries, tags and the like.
    #[arg(long)]
    config: Option<PathBuf>,
    /// Run only one set of rules.
    #[arg(long, value_enum)]
    only: Option<RuleSet>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    Text,
    Json,
    Sarif,
}

#[derive(Clone, Copy, ValueEnum)]
enum ProfileName {
    Restricted,
    Baseline,
}

#[derive(Clone, Copy, ValueEnum)]
enum RuleSet {
    Pss,
}

impl ReviewArguments {
    pub(super) fn run(self) -> ExitCode {
        match self.review() {
            Ok(report) => {
                say(&render(&report, self.format));
                if report.verdict == Verdict::Deny { DENIED.into() } else { ExitCode::SUCCESS }
            }
            Err(error) => {
                eprintln!("fairway: {error:#}");
                UNREADABLE.into()
            }
        }
    }

    fn review(&self) -> anyhow::Result<Report> {
        let settings = match &self.config {
            Some(path) => toml::from_str::<Policy>(&std::fs::read_to_string(path)?)?.review,
            None => Settings::default(),
        };
        let profile = match self.profile {
            ProfileName::Restricted => Profile::Restricted,
            ProfileName::Baseline => Profile::Baseline,
        };
        let manifests = read_all(&self.files)?;
        let selection = Selection { profile, only_pod_security: self.only.is_some() };
        Ok(review::review(&manifests, &Context { existing: Vec::new(), every_workload: true }, &settings, selection))
    }
}

fn render(report: &Report, format: Format) -> String {
    match format {
        Format::Json => serde_json::to_string_pretty(report).unwrap_or_default(),
        Format::Sarif => sarif(report),
        Format::Text => text(report),
    }
}

fn text(report: &Report) -> String {
    let blocks: Vec<String> = report.findings.iter().map(block).collect();
    let verdict = match report.verdict {
        Verdict::Pass => "pass",
        Verdict::Warn => "warn",
        Verdict::Deny => "deny",
    };
    let count = report.findings.len();
    let summary = format!("{verdict}: {count} finding{}", if count == 1 { "" } else { "s" });
    [blocks, vec![summary]].concat().join("\n")
}

/// One finding: where, what, and how to mend it.
fn block(finding: &Finding) -> String {
    let severity = match finding.severity {
        Severity::Deny => "deny",
        Severity::Warn => "warn",
        Severity::Info => "info",
    };
    let place = match (&finding.file, finding.line) {
        (Some(file), Some(line)) => format!("{file}:{line}: "),
        _ => String::new(),
    };
    format!(
        "{place}{severity} [{}] {} {}\n    {}\n    {}\n",
        finding.rule, finding.object, finding.path, finding.message, finding.fix
    )
}

/// SARIF 2.1.0 (OASIS), as far as code hosts show it: sections 3.19 (tool), 3.27 (result), 3.29 (place).
fn sarif(report: &Report) -> String {
    let rules: BTreeSet<&str> = report.findings.iter().map(|finding| finding.rule.as_str()).collect();
    let rules: Vec<Value> = rules.into_iter().map(|rule| json!({ "id": rule })).collect();
    let results: Vec<Value> = report.findings.iter().map(sarif_result).collect();
    let driver = json!({ "name": "fairway", "version": env!("CARGO_PKG_VERSION"), "rules": rules });
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{ "tool": { "driver": driver }, "results": results }],
    })
    .to_string()
}

fn sarif_result(finding: &Finding) -> Value {
    let level = match finding.severity {
        Severity::Deny => "error",
        Severity::Warn => "warning",
        Severity::Info => "note",
    };
    let mut location =
        json!({ "logicalLocations": [{ "fullyQualifiedName": format!("{} {}", finding.object, finding.path) }] });
    // Standard input is no file that a code host could show.
    if let Some((file, line)) = finding.file.as_deref().filter(|file| *file != "-").zip(finding.line) {
        location["physicalLocation"] = json!({ "artifactLocation": { "uri": file }, "region": { "startLine": line } });
    }
    json!({
        "ruleId": finding.rule,
        "level": level,
        "message": { "text": format!("{} {}", finding.message, finding.fix) },
        "locations": [location],
    })
}
