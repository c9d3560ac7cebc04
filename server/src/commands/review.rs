//! `fairway review`: the portal's review in a pipeline.

use super::say;
use app::state::Policy;
use clap::{Args, ValueEnum};
use review::{Context, Manifest, Profile, Report, Selection, Settings, Severity, Verdict};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Exit codes: 0 pass or warn, 1 deny, 2 unreadable input or usage.
const DENIED: u8 = 1;
const UNREADABLE: u8 = 2;

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
        let manifests = self.files.iter().map(|path| read(path)).collect::<anyhow::Result<Vec<_>>>()?.concat();
        let selection = Selection { profile, only_pod_security: self.only.is_some() };
        Ok(review::review(&manifests, &Context::default(), &settings, selection))
    }
}

fn read(path: &Path) -> anyhow::Result<Vec<Manifest>> {
    if path == Path::new("-") {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text)?;
        return Ok(review::decode("-", &text)?);
    }
    if path.is_dir() {
        let mut entries =
            std::fs::read_dir(path)?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>()?;
        entries.sort();
        let wanted = |path: &PathBuf| {
            path.is_dir()
                || path
                    .extension()
                    .is_some_and(|extension| ["yaml", "yml", "json"].iter().any(|known| extension == *known))
        };
        return Ok(entries
            .iter()
            .filter(|path| wanted(path))
            .map(|path| read(path))
            .collect::<anyhow::Result<Vec<_>>>()?
            .concat());
    }
    let text = std::fs::read_to_string(path).map_err(|error| anyhow::anyhow!("{}: {error}", path.display()))?;
    Ok(review::decode(&path.display().to_string(), &text)?)
}

fn render(report: &Report, format: Format) -> String {
    match format {
        Format::Json => serde_json::to_string_pretty(report).unwrap_or_default(),
        Format::Sarif => sarif(report),
        Format::Text => text(report),
    }
}

fn text(report: &Report) -> String {
    let lines = report.findings.iter().map(|finding| {
        let severity = match finding.severity {
            Severity::Deny => "deny",
            Severity::Warn => "warn",
            Severity::Info => "info",
        };
        format!(
            "{severity}  {} {}\n      {}\n      {}\n      [{}]\n",
            finding.object, finding.path, finding.message, finding.fix, finding.rule
        )
    });
    let verdict = match report.verdict {
        Verdict::Pass => "pass",
        Verdict::Warn => "warn",
        Verdict::Deny => "deny",
    };
    format!("{}{verdict}: {} findings", lines.collect::<String>(), report.findings.len())
}

/// SARIF 2.1.0 (OASIS), the least that code hosts show.
fn sarif(report: &Report) -> String {
    let results: Vec<_> = report
        .findings
        .iter()
        .map(|finding| {
            let level = match finding.severity {
                Severity::Deny => "error",
                Severity::Warn => "warning",
                Severity::Info => "note",
            };
            serde_json::json!({
                "ruleId": finding.rule,
                "level": level,
                "message": { "text": format!("{} {}", finding.message, finding.fix) },
                "locations": [{ "logicalLocations": [{ "fullyQualifiedName": format!("{} {}", finding.object, finding.path) }] }],
            })
        })
        .collect();
    serde_json::json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{ "tool": { "driver": { "name": "fairway", "version": env!("CARGO_PKG_VERSION") } }, "results": results }],
    })
    .to_string()
}
