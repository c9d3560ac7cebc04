//! `fairway audit verify-acceptance`: one acceptance, with nothing but its file.

use super::verify::read_heads;
use crate::commands::say;
use anyhow::{Context, bail};
use app::preview::evidence::Evidence;
use clap::Args;
use record::{ChainVerifier, ExportedRow, Head, Row};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

/// Which file.
#[derive(Args)]
pub struct AcceptanceArguments {
    /// An acceptance as its page exports it.
    file: PathBuf,
    /// An export of the whole record in JSON Lines, in which its rows must stand.
    #[arg(long)]
    record: Option<PathBuf>,
    /// Heads that were kept elsewhere, which that record must fit.
    #[arg(long, requires = "record")]
    heads: Option<PathBuf>,
}

impl AcceptanceArguments {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let text =
            std::fs::read_to_string(&self.file).with_context(|| format!("{} cannot be read", self.file.display()))?;
        let evidence: Evidence = serde_json::from_str(&text).context("this is no exported acceptance")?;
        let proven = evidence.verify()?;
        let heads = self.heads.as_deref().map(read_heads).transpose()?.unwrap_or_default();
        let (what, place) = match &self.record {
            Some(path) => ("Proven", stands_in(&evidence, path, heads)?),
            None => (
                "Everything fits together",
                "Whether they stand in the record is shown with --record and an export of the whole of it; a file \
                 that fits together could be made up."
                    .to_owned(),
            ),
        };
        let accepted = proven.accepted;
        say(&format!(
            "{what}: version {} of {} was accepted for {} on {}. Its status was: {}. {} rows of the record fit, {} of \
             them by somebody whose details are not in this file. {place}",
            accepted.statement_version,
            accepted.feature,
            accepted.scope,
            accepted.accepted_at,
            proven.status.in_words(),
            proven.rows,
            proven.unopened,
        ));
        Ok(())
    }
}

/// Checks that all rows of an acceptance stand in a whole export, and says where that ends.
fn stands_in(evidence: &Evidence, path: &Path, heads: Vec<Head>) -> anyhow::Result<String> {
    let mut missing: BTreeMap<i64, &Row> = evidence.record.iter().map(|one| (one.row.sequence, &one.row)).collect();
    let id = evidence.verify()?.accepted.id;
    let id_as_text = id.to_string();
    let mut verifier = ChainVerifier::whole().against(heads)?;
    let file = File::open(path).with_context(|| format!("{} cannot be read", path.display()))?;
    for (number, line) in (1_u64..).zip(BufReader::new(file).lines()) {
        let ExportedRow { row, .. } =
            serde_json::from_str(&line?).with_context(|| format!("line {number} is no row of the record"))?;
        verifier.accept(&row)?;
        // Few rows name it, and only those need be read.
        let is_about_it = row.entry.contains(&id_as_text)
            && row.read().is_ok_and(|entry| entry.event().is_ok_and(|event| event.acceptance() == Some(id)));
        match missing.remove(&row.sequence) {
            Some(found) if *found == row => {}
            Some(_) => bail!("row {} is another one in that record", row.sequence),
            None if is_about_it => {
                bail!("row {} of that record is about it too, and not in this file: export it again", row.sequence)
            }
            None => {}
        }
    }
    verifier.finish(None, None)?;
    if let Some(sequence) = missing.keys().next() {
        bail!("row {sequence} is not in that record");
    }
    let fit = format!("They stand in an unbroken record, whose head is {}.", verifier.end());
    Ok(match verifier.heads_met() {
        0 => fit,
        met => format!("{fit} {met} published heads fit."),
    })
}
