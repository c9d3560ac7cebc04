//! `fairway propose-policies`: policies for workloads that have none.

use super::manifests::{Completeness, Source, read_all};
use super::review::{UNREADABLE, policy_from};
use super::say;
use app::workloads::places::platform_sources;
use clap::Args;
use review::{Manifest, Proposal, propose_policies};
use std::path::PathBuf;
use std::process::ExitCode;

/// Its arguments.
#[derive(Args)]
pub struct ProposePoliciesArguments {
    /// Files, folders (read recursively), or - for standard input.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// The portal's settings file, for where the ingress controller and monitoring are.
    #[arg(long)]
    config: Option<PathBuf>,
    /// Files or folders with what the cluster has already: policies, Services, workloads.
    #[arg(long)]
    cluster: Vec<PathBuf>,
}

impl ProposePoliciesArguments {
    /// Writes the policies to standard output as YAML, with what speaks for each opening above it.
    pub(super) fn run(self) -> ExitCode {
        match self.propose() {
            Ok((proposals, completeness)) => {
                if proposals.is_empty() {
                    eprintln!("fairway: there is no workload without a policy that one could be proposed for.");
                }
                let texts: Vec<String> = proposals.iter().map(Proposal::to_commented_yaml).collect();
                say(texts.join("---\n").trim_end());
                match completeness {
                    Completeness::Complete => ExitCode::SUCCESS,
                    Completeness::SomeUnreadable => UNREADABLE.into(),
                }
            }
            Err(error) => {
                eprintln!("fairway: {error:#}");
                UNREADABLE.into()
            }
        }
    }

    fn propose(&self) -> anyhow::Result<(Vec<Proposal>, Completeness)> {
        let existing = manifests(read_all(&self.cluster).all()?);
        let (sources, completeness) = read_all(&self.files).readable()?;
        let policy = policy_from(self.config.as_deref())?;
        let platform = platform_sources(&policy.places);
        Ok((propose_policies(&manifests(sources), &existing, &platform, &policy.review), completeness))
    }
}

fn manifests(sources: Vec<Source>) -> Vec<Manifest> {
    sources.into_iter().flat_map(|source| source.manifests).collect()
}
