//! `fairway connections`: who may talk to whom, from manifests alone.

use super::manifests::read_all;
use super::review::UNREADABLE;
use super::say;
use clap::{Args, ValueEnum};
use review::{World, connections};
use std::path::PathBuf;
use std::process::ExitCode;

/// Its arguments.
#[derive(Args)]
pub struct ConnectionsArguments {
    /// Files, folders (read recursively), or - for standard input.
    #[arg(required = true)]
    files: Vec<PathBuf>,
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
            Ok(list) => {
                say(&list);
                ExitCode::SUCCESS
            }
            Err(error) => {
                eprintln!("fairway: {error:#}");
                UNREADABLE.into()
            }
        }
    }

    fn list(&self) -> anyhow::Result<String> {
        let found = connections(&World::new(read_all(&self.files)?.into_iter().flat_map(|source| source.manifests)));
        Ok(match self.format {
            Format::Json => serde_json::to_string_pretty(&found)?,
            Format::Text => found.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"),
        })
    }
}
