//! `fairway connections`: who may talk to whom, from manifests alone.

use super::manifests::{Completeness, Source, read_all};
use super::review::UNREADABLE;
use super::say;
use clap::{Args, ValueEnum};
use review::{Effect, World, connections, effect};
use std::path::PathBuf;
use std::process::ExitCode;

/// Its arguments.
#[derive(Args)]
pub struct ConnectionsArguments {
    /// Files, folders (read recursively), or - for standard input.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Files or folders as they were before: lists only what is opened (+) and closed (-).
    #[arg(long)]
    compared_with: Vec<PathBuf>,
    /// How to write the connections.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    Text,
    Json,
}

impl ConnectionsArguments {
    pub(super) fn run(self) -> ExitCode {
        match self.list() {
            Ok((list, completeness)) => {
                say(&list);
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

    fn list(&self) -> anyhow::Result<(String, Completeness)> {
        let (sources, completeness) = read_all(&self.files).readable()?;
        let after = world(sources);
        let undecided = after.undecided_namespaces().into_iter().collect::<Vec<_>>();
        if !undecided.is_empty() {
            eprintln!(
                "fairway: policies select namespaces by labels that are not known of {}; they are taken to have none.",
                undecided.join(", ")
            );
        }
        let uncounted: Vec<String> = after.uncounted().iter().map(ToString::to_string).collect();
        if !uncounted.is_empty() {
            eprintln!(
                "fairway: {} not counted, because only NetworkPolicy of networking.k8s.io is modelled: what is listed may \
                 not be what the cluster does.",
                match uncounted.as_slice() {
                    [one] => format!("{one} is"),
                    several => format!("{} are", several.join(", ")),
                }
            );
        }
        if !self.compared_with.is_empty() {
            let before = world(read_all(&self.compared_with).all()?);
            return Ok((self.difference(&effect(&before, &after))?, completeness));
        }
        let found = connections(&after);
        let list = match self.format {
            Format::Json => serde_json::to_string_pretty(&found)?,
            Format::Text => found.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"),
        };
        Ok((list, completeness))
    }

    fn difference(&self, effect: &Effect) -> anyhow::Result<String> {
        let opened = effect.opened.iter().map(|connection| format!("+ {connection}"));
        let closed = effect.closed.iter().map(|connection| format!("- {connection}"));
        Ok(match self.format {
            Format::Json => serde_json::to_string_pretty(effect)?,
            Format::Text => opened.chain(closed).collect::<Vec<_>>().join("\n"),
        })
    }
}

fn world(sources: Vec<Source>) -> World {
    World::new(sources.into_iter().flat_map(|source| source.manifests))
}
