//! The record as a file: JSON Lines, with all that is needed to verify it, or CSV, for people.

use super::chain::{Entry, Link};
use super::identity::Identity;
use super::store::StoredLink;
use crate::actor::Profile;
use serde::{Deserialize, Serialize};

/// How it is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// One JSON object a line (jsonlines.org): an [`ExportedRow`].
    #[default]
    Jsonl,
    /// Comma-separated values (RFC 4180).
    Csv,
}

/// A line of an export in JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportedRow {
    /// The row.
    #[serde(flatten)]
    pub link: Link,
    /// Who its actor is, with the salt of the commitment; null where the details were blanked.
    pub actor: Option<Identity>,
}

impl ExportedRow {
    /// Leaves the actor's details in only if they are these, or Fairway's own: a salt says whose a commitment is, everywhere in the
    /// record, and that is for those who read it.
    pub fn keep_only_of(&mut self, known: Option<&Identity>) {
        let fairway = Profile::fairway();
        let is_fairway = |actor: &Identity| (&actor.issuer, &actor.subject) == (&fairway.issuer, &fairway.subject);
        self.actor.take_if(|actor| Some(&*actor) != known && !is_fairway(actor));
    }
}

impl From<StoredLink> for ExportedRow {
    fn from(stored: StoredLink) -> Self {
        Self { link: stored.link, actor: stored.identity }
    }
}

const COLUMNS: [&str; 14] = [
    "sequence",
    "id",
    "intent_id",
    "occurred_at",
    "actor_name",
    "actor_email",
    "actor_issuer",
    "actor_subject",
    "action",
    "object",
    "phase",
    "request_id",
    "detail",
    "hash",
];

impl Format {
    /// What comes before the rows.
    #[must_use]
    pub fn head(self) -> Vec<u8> {
        match self {
            Self::Jsonl => Vec::new(),
            Self::Csv => csv_line(&COLUMNS.map(str::to_owned)),
        }
    }

    /// A row, its line break included.
    #[must_use]
    pub fn row(self, stored: StoredLink) -> Vec<u8> {
        match self {
            Self::Jsonl => {
                let mut line = serde_json::to_vec(&ExportedRow::from(stored)).unwrap_or_default();
                line.push(b'\n');
                line
            }
            Self::Csv => csv_line(&cells(stored)),
        }
    }

    /// For the browser.
    #[must_use]
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Jsonl => "application/jsonl",
            Self::Csv => "text/csv; charset=utf-8",
        }
    }

    /// Of a file of it.
    #[must_use]
    pub fn extension(self) -> &'static str {
        match self {
            Self::Jsonl => "jsonl",
            Self::Csv => "csv",
        }
    }
}

fn cells(stored: StoredLink) -> [String; 14] {
    let StoredLink { link, identity } = stored;
    let sequence = link.sequence.to_string();
    let hash = link.hash.to_string();
    let Ok(entry) = serde_json::from_str::<Entry>(&link.entry) else {
        // Only somebody who went around the portal writes such a row; it must be seen.
        let mut cells = [const { String::new() }; 14];
        (cells[0], cells[10], cells[12], cells[13]) = (sequence, "unreadable".to_owned(), link.entry, hash);
        return cells;
    };
    let (name, email, issuer, subject) = identity
        .map(|identity| (identity.name, identity.email, identity.issuer, identity.subject))
        .unwrap_or_else(|| ("(blanked)".to_owned(), String::new(), String::new(), entry.actor.to_string()));
    let phase = serde_json::to_value(entry.phase).ok().and_then(|phase| phase.as_str().map(str::to_owned));
    [
        sequence,
        entry.id.to_string(),
        entry.intent_id.map(|id| id.to_string()).unwrap_or_default(),
        entry.occurred_at.to_string(),
        name,
        email,
        issuer,
        subject,
        entry.action,
        entry.object,
        phase.unwrap_or_default(),
        entry.request_id,
        entry.detail.to_string(),
        hash,
    ]
}

/// A line of CSV. A text that a spreadsheet would take for a formula gets an apostrophe in front (OWASP, CSV Injection).
fn csv_line(cells: &[String]) -> Vec<u8> {
    let defused = |cell: &String| match cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']) {
        true => format!("'{cell}"),
        false => cell.clone(),
    };
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    // Writing to memory cannot fail.
    drop(writer.write_record(cells.iter().map(defused)));
    writer.into_inner().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::Phase;
    use crate::audit::chain::Head;
    use crate::digest::Digest;
    use serde_json::json;

    fn stored(object: &str) -> StoredLink {
        let entry = Entry {
            sequence: 1,
            id: uuid::Uuid::nil(),
            intent_id: None,
            phase: Phase::Refused,
            actor: Digest::ZERO,
            action: "namespace.create".into(),
            object: object.into(),
            detail: json!({ "reason": "a \"quoted\", long\nreason" }),
            request_id: "-1+1".into(),
            occurred_at: jiff::Timestamp::UNIX_EPOCH,
        };
        StoredLink { link: Link::after(&Head::GENESIS, &entry), identity: None }
    }

    #[test]
    fn a_row_of_csv_cannot_be_a_formula_and_keeps_commas_quotes_and_line_breaks_in_their_cells() {
        let line = String::from_utf8(Format::Csv.row(stored("=cmd()"))).unwrap();
        assert!(line.contains(",'=cmd(),refused,'-1+1,"), "{line}");
        let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(line.as_bytes());
        let record = reader.records().next().unwrap().unwrap();
        assert_eq!((record.len(), &record[4]), (COLUMNS.len(), "(blanked)"));
        assert_eq!(&record[12], r#"{"reason":"a \"quoted\", long\nreason"}"#);
    }

    #[test]
    fn a_line_of_json_reads_back_and_verifies() {
        let row = stored("Namespace//shop");
        let line = Format::Jsonl.row(row.clone());
        let read: ExportedRow = serde_json::from_slice(&line).unwrap();
        assert_eq!((read.link, read.actor), (row.link, None));
        assert_eq!(line.iter().filter(|byte| **byte == b'\n').count(), 1);
    }
}
