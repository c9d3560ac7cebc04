//! The record as a file: JSON Lines, with all that is needed to verify it, or CSV, for people.

use record::{Entry, ExportedRow};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FileFormat {
    /// One JSON object a line (jsonlines.org): an [`ExportedRow`].
    #[default]
    Jsonl,
    /// Comma-separated values (RFC 4180).
    Csv,
}

const COLUMNS: [&str; 18] = [
    "sequence",
    "id",
    "intent_id",
    "occurred_at",
    "actor_name",
    "actor_email",
    "actor_issuer",
    "actor_subject",
    "action",
    "object_kind",
    "object_id",
    "object_scope",
    "object_name",
    "phase",
    "request_id",
    "detail",
    "failure",
    "hash",
];

impl FileFormat {
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
    pub fn row(self, exported: ExportedRow) -> Vec<u8> {
        match self {
            Self::Jsonl => {
                let mut line = serde_json::to_vec(&exported).unwrap_or_default();
                line.push(b'\n');
                line
            }
            Self::Csv => csv_line(&cells(exported)),
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

fn cells(exported: ExportedRow) -> [String; 18] {
    let ExportedRow { row, actor } = exported;
    let (sequence, hash) = (row.sequence.to_string(), row.hash.to_string());
    let Ok(entry) = row.read() else {
        // Only somebody who went around the portal writes such a row; it must be seen.
        let mut cells = [const { String::new() }; 18];
        (cells[0], cells[13], cells[15], cells[17]) = (sequence, "unreadable".to_owned(), row.entry, hash);
        return cells;
    };
    let Entry { object, .. } = &entry;
    let (name, email, issuer, subject) = match actor {
        Some(identity) => (identity.name, identity.email, identity.issuer, identity.subject),
        None => ("(erased)".to_owned(), String::new(), String::new(), entry.actor.to_string()),
    };
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    let failure = entry.failure.as_ref().map(|failure| format!("{}: {}", failure.code, failure.message));
    [
        sequence,
        entry.id.to_string(),
        entry.intent_id.map(|id| id.to_string()).unwrap_or_default(),
        entry.occurred_at.to_string(),
        name,
        email,
        issuer,
        subject,
        entry.action.clone(),
        object.kind.in_words().to_owned(),
        object.id.map(|id| id.to_string()).unwrap_or_default(),
        object.scope.as_ref().map(ToString::to_string).unwrap_or_default(),
        text(&object.name),
        entry.phase.as_str().to_owned(),
        entry.request_id.clone(),
        entry.detail.to_string(),
        text(&failure),
        hash,
    ]
}

/// A line of CSV. A text that a spreadsheet would take for a formula gets an apostrophe in front (OWASP, CSV
/// Injection).
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
    use record::{Digest, Head, ObjectKind, ObjectRef, Phase, Row};
    use serde_json::json;

    fn exported(name: &str) -> ExportedRow {
        let entry = Entry {
            sequence: 1,
            format: Entry::FORMAT,
            id: uuid::Uuid::nil(),
            intent_id: None,
            phase: Phase::Refused,
            actor: Digest::ZERO,
            action: "namespace.create".into(),
            object: ObjectRef::of(ObjectKind::Namespace).named(name),
            detail: json!({ "reason": "a \"quoted\", long\nreason" }),
            failure: None,
            request_id: "-1+1".into(),
            occurred_at: jiff::Timestamp::UNIX_EPOCH,
        };
        ExportedRow { row: Row::after(&Head::GENESIS, &entry), actor: None }
    }

    #[test]
    fn a_row_of_csv_cannot_be_a_formula_and_keeps_commas_quotes_and_line_breaks_in_their_cells() {
        let line = String::from_utf8(FileFormat::Csv.row(exported("=cmd()"))).unwrap();
        assert!(line.contains(",'=cmd(),refused,'-1+1,"), "{line}");
        let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(line.as_bytes());
        let record = reader.records().next().unwrap().unwrap();
        assert_eq!((record.len(), &record[4]), (COLUMNS.len(), "(erased)"));
        assert_eq!(&record[15], r#"{"reason":"a \"quoted\", long\nreason"}"#);
    }

    #[test]
    fn a_line_of_json_reads_back_and_verifies() {
        let row = exported("shop");
        let line = FileFormat::Jsonl.row(row.clone());
        assert_eq!(serde_json::from_slice::<ExportedRow>(&line).unwrap(), row);
        assert_eq!(line.iter().filter(|byte| **byte == b'\n').count(), 1);
    }
}
