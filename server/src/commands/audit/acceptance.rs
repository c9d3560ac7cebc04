//! `fairway audit verify-acceptance`: one acceptance, with nothing but its file.

use crate::commands::say;
use anyhow::Context;
use app::preview::evidence::Evidence;
use clap::Args;
use std::path::PathBuf;

/// Which file.
#[derive(Args)]
pub struct AcceptanceArguments {
    /// An acceptance as its page exports it.
    file: PathBuf,
}

impl AcceptanceArguments {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let text =
            std::fs::read_to_string(&self.file).with_context(|| format!("{} cannot be read", self.file.display()))?;
        let evidence: Evidence = serde_json::from_str(&text).context("this is no exported acceptance")?;
        let proven = evidence.verify()?;
        let accepted = proven.accepted;
        say(&format!(
            "Proven: version {} of {} was accepted for {} on {}. It stood: {}. {} rows of the record fit; that they are in the chain is shown by fairway audit verify.",
            accepted.statement_version,
            accepted.feature,
            accepted.scope,
            accepted.accepted_at,
            proven.standing.in_words(),
            proven.rows,
        ));
        Ok(())
    }
}
