//! `fairway review`: the portal's review in a pipeline.

mod fixing;
mod sarif;
mod text;

use super::manifests::{Completeness, Source, read_all};
use super::say;
use crate::rego_workers::RegoWorkers;
use anyhow::Context as _;
use app::policy::Policy;
use clap::{Args, ValueEnum};
use review::{Context, Manifest, NoRego, PodSecurityVersion, Profile, Rego, Report, Selection, Settings, Verdict};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

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
    /// The version of that standard: latest, or one like v1.35.
    #[arg(long, default_value = "latest")]
    pod_security_version: PodSecurityVersion,
    /// The portal's settings file, for registries, tags and the like.
    #[arg(long)]
    config: Option<PathBuf>,
    /// Files or folders with what the cluster has already: namespaces, policies, workloads, and Gatekeeper's
    /// ConstraintTemplates and Constraints. They are known, and not reviewed.
    #[arg(long)]
    cluster: Vec<PathBuf>,
    /// Run only one set of rules.
    #[arg(long, value_enum)]
    only: Option<RuleSet>,
    /// Write into the files whatever can be fixed, and report what is left. Comments and layout stay. What is read
    /// from standard input is written to standard output, and the report to standard error.
    #[arg(long)]
    fix: bool,
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

/// Everything that a review needs.
struct Input {
    sources: Vec<Source>,
    completeness: Completeness,
    context: Context,
    settings: Settings,
    selection: Selection,
}

impl ReviewArguments {
    pub(super) fn run(self) -> ExitCode {
        match self.input().and_then(|input| self.review(&input)) {
            Ok((_, Completeness::SomeUnreadable)) => UNREADABLE.into(),
            Ok((Verdict::Deny, Completeness::Complete)) => DENIED.into(),
            Ok((Verdict::Pass | Verdict::Warn, Completeness::Complete)) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("fairway: {error:#}");
                UNREADABLE.into()
            }
        }
    }

    fn review(&self, input: &Input) -> anyhow::Result<(Verdict, Completeness)> {
        let manifests: Vec<Manifest> = input.sources.iter().flat_map(|source| source.manifests.clone()).collect();
        if self.fix {
            return fixing::fix_all(&manifests, input, self.format);
        }
        let report = review::review(&manifests, &input.context, &input.settings, input.selection);
        say(&self.format.render(&report, text::colours(&std::io::stdout())));
        Ok((report.verdict, input.completeness))
    }

    fn input(&self) -> anyhow::Result<Input> {
        let profile = match self.profile {
            ProfileName::Restricted => Profile::Restricted,
            ProfileName::Baseline => Profile::Baseline,
        };
        // What the cluster has must be known whole: what is missing of it would change what is said.
        let cluster = read_all(&self.cluster).all()?;
        let cluster: Vec<Manifest> = cluster.into_iter().flat_map(|source| source.manifests).collect();
        let (sources, completeness) = read_all(&self.files).readable()?;
        let selection = Selection {
            profile,
            pod_security_version: self.pod_security_version,
            only_pod_security: self.only.is_some(),
        };
        Ok(Input {
            sources,
            completeness,
            context: Context { rego: rego(&cluster)?, every_workload: true, namespaces: None, existing: cluster },
            settings: policy_from(self.config.as_deref())?.review,
            selection,
        })
    }
}

/// The settings of a file, or the usual ones.
pub(super) fn policy_from(file: Option<&Path>) -> anyhow::Result<Policy> {
    let Some(path) = file else { return Ok(Policy::default()) };
    let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
    let policy = toml::from_str::<Policy>(&text).with_context(|| path.display().to_string())?;
    if let Some(rule) = policy.review.unknown_rules().next() {
        anyhow::bail!("{}: review.levels names {rule}, and there is no such rule", path.display());
    }
    Ok(policy)
}

/// How long all policies together may take for one review: whoever waits for it sees that it is running.
const TIME_OF_POLICIES: Duration = Duration::from_secs(30);

/// What evaluates the policies of the cluster, if there is anything of the cluster.
fn rego(cluster: &[Manifest]) -> anyhow::Result<Arc<dyn Rego>> {
    if cluster.is_empty() {
        return Ok(Arc::new(NoRego));
    }
    let program = std::env::current_exe().context("the program's own file is not known")?;
    let workers =
        RegoWorkers::start(program, 1, TIME_OF_POLICIES).context("no process for policies could be started")?;
    Ok(Arc::new(workers))
}

impl Format {
    fn render(self, report: &Report, colours: text::Colours) -> String {
        match self {
            Self::Json => serde_json::to_string_pretty(report).unwrap_or_default(),
            Self::Sarif => sarif::render(report),
            Self::Text => text::render(report, colours),
        }
    }
}
