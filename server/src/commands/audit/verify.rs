//! `fairway audit verify`: over the database, or over an export, with nothing else at hand.

use super::connect;
use crate::commands::say;
use anyhow::{Context, bail};
use app::audit::{
    FalseRow, StoredIdentity, find_false_identity, find_false_row, list_identities, stream_chain, written_end,
};
use app::preview::service::{OptInRows, Verified, verify_opt_ins};
use app::workloads::service::verify_submissions;
use clap::Args;
use futures::TryStreamExt;
use record::{ChainVerifier, Digest, ErasedPeople, ExportVerifier, ExportedRow, Head};
use sqlx::{PgConnection, PgPool};
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

/// What is verified, and against what.
#[derive(Args)]
pub struct VerifyArguments {
    /// An export in JSON Lines instead of the database; `-` is standard input.
    file: Option<PathBuf>,
    /// The first row of a part of the record.
    #[arg(long, default_value_t = 1)]
    first: i64,
    /// The last row of a part of the record.
    #[arg(long)]
    last: Option<i64>,
    /// Heads that were kept elsewhere: a ConfigMap as kubectl prints it in JSON, or lines of a row's number and its
    /// hash.
    #[arg(long)]
    heads: Option<PathBuf>,
    /// The export is of some rows only: each is checked by itself, and whether rows are missing is not.
    #[arg(long, requires = "file")]
    selection: bool,
}

impl VerifyArguments {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        if self.last.is_some_and(|last| last < self.first) {
            bail!("--last must not be before --first");
        }
        let heads = self.heads.as_deref().map(read_heads).transpose()?.unwrap_or_default();
        let verifier = match self.selection {
            true => ChainVerifier::selection(),
            false => ChainVerifier::from_row(self.first),
        };
        let verifier = verifier.against(heads)?;
        match &self.file {
            Some(path) => self.verify_file(path, verifier),
            None => self.verify_database(&connect("DATABASE_URL").await?, verifier).await,
        }
    }

    fn is_whole(&self) -> bool {
        self.first == 1 && self.last.is_none() && !self.selection
    }

    async fn verify_database(&self, database: &PgPool, mut verifier: ChainVerifier) -> anyhow::Result<()> {
        // One state of all tables, so that what is written meanwhile is no difference.
        let mut snapshot = database.begin_with("begin isolation level repeatable read read only").await?;
        let written = written_end(&mut *snapshot).await?;
        let last = self.last.unwrap_or(written.sequence);
        let (mut opt_ins, mut erased) = (OptInRows::default(), ErasedPeople::default());
        {
            let mut rows = stream_chain(&mut *snapshot, self.first, last);
            while let Some(row) = rows.try_next().await? {
                verifier.accept(&row)?;
                opt_ins.accept(&row);
                erased.accept(&row);
            }
        }
        verifier.finish(Some(written), self.last)?;
        check_columns(&mut snapshot, self.first, last).await?;
        let identities = list_identities(&mut *snapshot).await?;
        check_identities(&identities)?;
        if let Some(commitment) = find_false_identity(&mut *snapshot).await? {
            bail!("the columns of the actor {commitment} are not the details that were recorded");
        }
        let unopened = identities.iter().filter(|stored| stored.identity.is_none()).map(|stored| stored.commitment);
        let compared = match self.is_whole() {
            true => {
                check_erasures(&erased, unopened.clone())?;
                compare_decisions(&mut snapshot, opt_ins).await?
            }
            false => String::new(),
        };
        let (unbroken, count) = (self.unbroken(&verifier), unopened.count());
        say(&format!("{unbroken}\n{} identities, {count} of them erased.{compared}", identities.len()));
        Ok(())
    }

    fn unbroken(&self, verifier: &ChainVerifier) -> String {
        let heads = verifier.heads_met();
        let compared = if self.heads.is_some() { format!(" {heads} published heads fit.") } else { String::new() };
        format!("{} rows, unbroken. The head is {}.{compared}", verifier.rows(), verifier.end())
    }

    fn verify_file(&self, path: &Path, chain: ChainVerifier) -> anyhow::Result<()> {
        let mut verifier = ExportVerifier::new(chain);
        for (number, line) in (1_u64..).zip(BufReader::new(open(path)?).lines()) {
            let row: ExportedRow =
                serde_json::from_str(&line?).with_context(|| format!("line {number} is no row of the record"))?;
            let is_before = row.row.sequence < self.first;
            if is_before || self.last.is_some_and(|last| row.row.sequence > last) {
                continue;
            }
            verifier.accept(&row)?;
        }
        verifier.finish(self.last, self.is_whole())?;
        say(&format!("{}\n{} rows of erased people.", self.unbroken(verifier.chain()), verifier.rows_unopened()));
        Ok(())
    }
}

/// Whoever is erased must be recorded to be, or somebody hides who acted.
fn check_erasures(erased: &ErasedPeople, unopened: impl Iterator<Item = Digest>) -> anyhow::Result<()> {
    match erased.first_unrecorded(unopened) {
        Some(commitment) => bail!(
            "the details behind the actor {commitment} are missing, and the record does not show that they were erased"
        ),
        None => Ok(()),
    }
}

/// Checks that whatever pages and filters read of a row is what its text says, and that somebody stands behind it.
async fn check_columns(snapshot: &mut PgConnection, first: i64, last: i64) -> anyhow::Result<()> {
    match find_false_row(snapshot, first, last).await? {
        Some(FalseRow::Columns(sequence)) => bail!("the columns of row {sequence} are not what its text says"),
        Some(FalseRow::Actor(sequence)) => bail!("whoever acted in row {sequence} is not among the identities"),
        None => Ok(()),
    }
}

/// Checks that the details behind each commitment are those that were committed to.
fn check_identities(identities: &[StoredIdentity]) -> anyhow::Result<()> {
    let is_wrong = |stored: &&StoredIdentity| {
        stored.identity.as_ref().is_some_and(|identity| identity.commitment() != stored.commitment)
    };
    match identities.iter().find(is_wrong) {
        Some(StoredIdentity { commitment, .. }) => {
            bail!("the details behind the actor {commitment} are not those that were recorded")
        }
        None => Ok(()),
    }
}

/// As many as somebody reads.
const MOST_MISMATCHES: usize = 100;

/// Compares what people accepted, decided and applied with what the record says of it.
async fn compare_decisions(snapshot: &mut PgConnection, rows: OptInRows) -> anyhow::Result<String> {
    let Verified { acceptances, mut mismatches } = verify_opt_ins(snapshot, rows).await?;
    mismatches.extend(verify_submissions(snapshot).await?);
    if mismatches.is_empty() {
        return Ok(format!(
            "\n{acceptances} acceptances with their steps and statements, and all reviews and applies, as recorded."
        ));
    }
    let more = mismatches.len().saturating_sub(MOST_MISMATCHES);
    mismatches.truncate(MOST_MISMATCHES);
    mismatches.extend((more > 0).then(|| format!("And {more} more.")));
    bail!("what was decided is not what was recorded:\n{}", mismatches.join("\n"))
}

fn open(path: &Path) -> anyhow::Result<Box<dyn Read>> {
    if path == Path::new("-") {
        return Ok(Box::new(std::io::stdin()));
    }
    let file = std::fs::File::open(path).with_context(|| format!("{} cannot be read", path.display()))?;
    Ok(Box::new(file))
}

fn text_of(path: &Path) -> anyhow::Result<String> {
    let mut text = String::new();
    open(path)?.read_to_string(&mut text).with_context(|| format!("{} cannot be read", path.display()))?;
    Ok(text)
}

/// Heads from a file, of which there must be one at least.
pub(super) fn read_heads(path: &Path) -> anyhow::Result<Vec<Head>> {
    let heads = heads_in(&text_of(path)?)?;
    if heads.is_empty() {
        bail!("{} holds no head to compare with", path.display());
    }
    Ok(heads)
}

/// A ConfigMap whose values are heads, or heads line by line.
fn heads_in(text: &str) -> anyhow::Result<Vec<Head>> {
    if let Ok(map) = serde_json::from_str::<serde_json::Value>(text) {
        let data = map["data"].as_object().context("the heads are JSON, but no ConfigMap with data")?;
        let values = data.values().filter_map(serde_json::Value::as_str);
        return values.map(|head| head.parse().map_err(Into::into)).collect();
    }
    text.lines().filter(|line| !line.trim().is_empty()).map(|line| line.parse().map_err(Into::into)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_are_read_from_a_config_map_and_from_lines() {
        let hash = "00".repeat(32);
        let map = format!(r#"{{"kind":"ConfigMap","data":{{"2026-11-23":"7 {hash}"}}}}"#);
        for text in [map, format!("7 {hash}\n\n")] {
            let heads = heads_in(&text).unwrap();
            assert_eq!(heads.iter().map(|head| head.sequence).collect::<Vec<_>>(), [7]);
        }
        assert!(heads_in("nothing of the kind").is_err());
        assert!(heads_in("{}").is_err());
    }
}
