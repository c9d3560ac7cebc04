//! `fairway audit verify`: over the database, or over an export, with nothing else at hand.

use super::connect;
use crate::commands::say;
use anyhow::{Context, bail};
use app::audit::Action;
use app::audit::chain::{ChainVerifier, Entry, Head, Link};
use app::audit::export::ExportedRow;
use app::audit::store::{check_identities, stream_links, written_end};
use app::preview::api::{OptInRecord, Verified, verify_acceptances};
use clap::Args;
use futures::TryStreamExt;
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
    /// Heads that were kept elsewhere: a ConfigMap as kubectl prints it in JSON, or lines of a row's number and its hash.
    #[arg(long)]
    heads: Option<PathBuf>,
    /// The export is of some rows only: each is checked by itself, and whether rows are missing is not.
    #[arg(long, requires = "file")]
    selection: bool,
}

impl VerifyArguments {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let heads = match &self.heads {
            Some(path) => Some(read_heads(&text_of(path)?)?)
                .filter(|heads| !heads.is_empty())
                .with_context(|| format!("{} holds no head to compare with", path.display()))?,
            None => Vec::new(),
        };
        let is_whole = self.first == 1 && self.last.is_none() && !self.selection;
        let verifier = match is_whole {
            true => ChainVerifier::of_all(),
            false => ChainVerifier::of_a_part(),
        };
        let verifier = verifier.against(heads);
        match &self.file {
            Some(path) => self.verify_file(path, verifier, is_whole),
            None => self.verify_database(&connect("DATABASE_URL").await?, verifier, is_whole).await,
        }
    }

    async fn verify_database(
        &self,
        database: &PgPool,
        mut verifier: ChainVerifier,
        is_whole: bool,
    ) -> anyhow::Result<()> {
        // One state of all tables, so that what is written meanwhile is no difference.
        let mut snapshot = database.begin_with("begin isolation level repeatable read read only").await?;
        let written = written_end(&mut *snapshot).await?;
        let last = self.last.unwrap_or(written.sequence);
        let (mut opt_ins, mut erased) = (OptInRecord::default(), Erased::default());
        {
            let mut links = stream_links(&mut *snapshot, self.first, last.min(written.sequence));
            while let Some(link) = links.try_next().await? {
                verifier.accept(&link)?;
                opt_ins.take(&link);
                erased.take(&link);
            }
        }
        let (identities, blanked, wrong) = check_identities(&mut *snapshot).await?;
        if let Some(commitment) = wrong {
            bail!("the details behind the actor {commitment} are not those that were recorded");
        }
        say(&format!("{}\n{identities} identities, {blanked} of them blanked.", self.unbroken(&verifier)));
        if !is_whole {
            return Ok(());
        }
        verifier.finish(Some(written))?;
        if blanked != erased.identities {
            bail!("{blanked} identities are blanked, and the record shows {} that were", erased.identities);
        }
        compare_acceptances(&mut snapshot, opt_ins).await
    }

    fn unbroken(&self, verifier: &ChainVerifier) -> String {
        let heads = verifier.heads_met();
        let compared = if self.heads.is_some() { format!(" {heads} published heads fit.") } else { String::new() };
        format!("{} rows, unbroken. The head is {}.{compared}", verifier.rows(), verifier.end())
    }

    fn verify_file(&self, path: &Path, mut verifier: ChainVerifier, is_whole: bool) -> anyhow::Result<()> {
        let mut blanked = 0_u64;
        for (number, line) in (1_u64..).zip(BufReader::new(open(path)?).lines()) {
            let row: ExportedRow =
                serde_json::from_str(&line?).with_context(|| format!("line {number} is no row of the record"))?;
            if row.link.sequence < self.first || self.last.is_some_and(|last| row.link.sequence > last) {
                continue;
            }
            match self.selection {
                true => verifier.accept_alone(&row.link)?,
                false => verifier.accept(&row.link)?,
            }
            let entry: Entry = serde_json::from_str(&row.link.entry).with_context(|| format!("line {number}"))?;
            match row.actor {
                Some(identity) if identity.commitment() != Some(entry.actor) => {
                    bail!("line {number}: the details of the actor are not those that were recorded")
                }
                Some(_) => {}
                None => blanked += 1,
            }
        }
        if is_whole {
            verifier.finish(None)?;
        }
        say(&format!("{}\n{blanked} rows of blanked people.", self.unbroken(&verifier)));
        Ok(())
    }
}

async fn compare_acceptances(snapshot: &mut PgConnection, record: OptInRecord) -> anyhow::Result<()> {
    let Verified { acceptances, doubts } = verify_acceptances(snapshot, record).await?;
    if doubts.is_empty() {
        say(&format!("{acceptances} acceptances with their steps and statements, all as recorded."));
        return Ok(());
    }
    bail!("what was accepted is not what was recorded:\n{}", doubts.join("\n"))
}

/// How many identities the record shows to have been blanked.
#[derive(Default)]
struct Erased {
    identities: i64,
}

impl Erased {
    fn take(&mut self, link: &Link) {
        if !link.entry.contains("\"action\":\"record.erase\"") {
            return;
        }
        let entry = serde_json::from_str::<Entry>(&link.entry).ok();
        let entry = entry.filter(|entry| entry.action == Action::RecordErase.code());
        let identities = entry.and_then(|entry| entry.detail["identities"].as_str()?.parse::<i64>().ok());
        self.identities += identities.unwrap_or_default();
    }
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

/// A ConfigMap whose values are heads, or heads line by line.
fn read_heads(text: &str) -> anyhow::Result<Vec<Head>> {
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
            let heads = read_heads(&text).unwrap();
            assert_eq!(heads.iter().map(|head| head.sequence).collect::<Vec<_>>(), [7]);
        }
        assert!(read_heads("nothing of the kind").is_err());
        assert!(read_heads("{}").is_err());
    }
}
