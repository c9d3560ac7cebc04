//! Comparing everything about opt-ins with the record, both ways. Only the text that is hashed counts: columns beside
//! it could have been changed.

use crate::audit::list_identities;
use crate::error::AppError;
use crate::preview::Description;
use crate::preview::evidence::{Evidence, is_about};
use crate::preview::store::{self, StoredNotice};
use jiff::Timestamp;
use record::{Digest, Entry, Event, ExportedRow, Identity, Row, SucceededWrite, succeeded_writes};
use sqlx::PgConnection;
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// How many acceptances were compared.
    pub acceptances: usize,
    /// What does not fit, in sentences; empty where all does.
    pub mismatches: Vec<String>,
}

/// The rows of the record that are about opt-ins, taken while the chain is verified.
#[derive(Debug, Clone, Default)]
pub struct OptInRows(Vec<Row>);

impl OptInRows {
    /// Takes any row, and keeps it if it is about opt-ins.
    pub fn accept(&mut self, row: &Row) {
        if row.entry.contains("\"action\":\"preview_feature.") {
            self.0.push(row.clone());
        }
    }
}

/// Everything that the record says of opt-ins.
struct Recorded {
    writes: Vec<SucceededWrite>,
    /// By acceptance.
    rows: BTreeMap<Uuid, Vec<ExportedRow>>,
}

/// Compares every acceptance, step, status, statement, description and notice with the record. Whether the record
/// itself is whole is for the chain to say. `snapshot` is a transaction that sees one state of all tables (repeatable
/// read), the one that the rows were read from: what is written meanwhile would look like a difference.
///
/// # Errors
/// When the database is unavailable.
pub async fn verify_opt_ins(snapshot: &mut PgConnection, rows: OptInRows) -> Result<Verified, AppError> {
    let mut mismatches = Vec::new();
    let recorded = recorded(snapshot, rows, &mut mismatches).await?;
    let ids: BTreeSet<Uuid> = store::list_ids(&mut *snapshot).await?.into_iter().collect();
    compare_acceptances(snapshot, &recorded, &ids, &mut mismatches).await?;
    mismatches.extend(recorded.writes.iter().filter_map(|write| match &write.event {
        Event::RiskAccept { opt_in, .. } if !ids.contains(&opt_in.acceptance) => Some(format!(
            "Acceptance {} ({} for {}) stands in the record and is not there any more.",
            opt_in.acceptance, opt_in.feature, opt_in.scope
        )),
        _ => None,
    }));
    compare_statements(snapshot, &recorded, &mut mismatches).await?;
    compare_descriptions(snapshot, &recorded, &mut mismatches).await?;
    compare_notices(snapshot, &recorded, &mut mismatches).await?;
    Ok(Verified { acceptances: ids.len(), mismatches })
}

async fn recorded(
    snapshot: &mut PgConnection,
    rows: OptInRows,
    mismatches: &mut Vec<String>,
) -> Result<Recorded, AppError> {
    let identities: BTreeMap<Digest, Option<Identity>> =
        list_identities(&mut *snapshot).await?.into_iter().map(|stored| (stored.commitment, stored.identity)).collect();
    let mut entries: Vec<(Entry, Option<Identity>)> = Vec::new();
    let mut about: BTreeMap<Uuid, Vec<ExportedRow>> = BTreeMap::new();
    for row in rows.0 {
        let sequence = row.sequence;
        let read = row.read().ok().and_then(|entry| entry.event().ok().map(|event| (entry, event)));
        let Some((entry, event)) = read else {
            mismatches.push(format!("Row {sequence} of the record cannot be read."));
            continue;
        };
        let Some(actor) = identities.get(&entry.actor).cloned() else {
            mismatches.push(format!("Whoever acted in row {sequence} of the record is not among the identities."));
            continue;
        };
        if let Some(acceptance) = event.acceptance() {
            about.entry(acceptance).or_default().push(ExportedRow { row, actor: actor.clone() });
        }
        entries.push((entry, actor));
    }
    // What could not be read was left out.
    Ok(Recorded { writes: succeeded_writes(entries).unwrap_or_default(), rows: about })
}

async fn compare_acceptances(
    snapshot: &mut PgConnection,
    recorded: &Recorded,
    ids: &BTreeSet<Uuid>,
    mismatches: &mut Vec<String>,
) -> Result<(), AppError> {
    let all: Vec<Uuid> = ids.iter().copied().collect();
    let mut unread = ids.clone();
    for (id, acceptance) in store::load_acceptances(snapshot, &all).await? {
        unread.remove(&id);
        let mismatch = match acceptance {
            Err(error) => Some(format!("Acceptance {id} breaks the rules: {error}.")),
            Ok(acceptance) => {
                let rows = recorded.rows.get(&id).cloned().unwrap_or_default();
                let proven = Evidence::of(acceptance, rows).verify();
                proven.err().map(|error| format!("Acceptance {id} does not fit the record: {error}."))
            }
        };
        mismatches.extend(mismatch);
    }
    mismatches.extend(unread.into_iter().map(|id| {
        format!("Acceptance {id} is hidden: its feature, its statement or whoever accepted it is not there any more.")
    }));
    let false_columns = store::list_false_columns(snapshot).await?;
    mismatches
        .extend(false_columns.into_iter().map(|id| format!("The columns of acceptance {id} are not what it says.")));
    let false_statuses = store::list_false_statuses(snapshot).await?;
    mismatches.extend(
        false_statuses.into_iter().map(|id| format!("The status of acceptance {id} is not what its steps make it.")),
    );
    let misattributed = store::list_misattributed(snapshot).await?;
    mismatches.extend(misattributed.into_iter().map(|(id, number)| match number {
        0 => format!("Acceptance {id} is kept under another person than the one who accepted."),
        _ => format!("Step {number} of acceptance {id} is kept under another person than the one who took it."),
    }));
    Ok(())
}

fn was_at(write: &SucceededWrite, at: Timestamp) -> bool {
    is_about(write.began_at, write.ended_at, at)
}

async fn compare_statements(
    snapshot: &mut PgConnection,
    recorded: &Recorded,
    mismatches: &mut Vec<String>,
) -> Result<(), AppError> {
    let mut published: BTreeMap<(String, i32), (&SucceededWrite, &Digest)> = recorded
        .writes
        .iter()
        .filter_map(|write| match &write.event {
            Event::StatementPublish { feature, version, digest, .. } => {
                Some(((feature.clone(), *version), (write, digest)))
            }
            _ => None,
        })
        .collect();
    let false_columns = store::list_false_statement_columns(snapshot).await?;
    mismatches.extend(false_columns.into_iter().map(|(feature, version)| {
        format!("The columns of version {version} of the statement of {feature} are not what it says.")
    }));
    for statement in store::list_statements(snapshot).await? {
        let found = published.remove(&(statement.feature.clone(), statement.version));
        let is_it =
            found.is_some_and(|(write, digest)| *digest == statement.digest && was_at(write, statement.published_at));
        if !is_it {
            let (version, feature) = (statement.version, statement.feature);
            mismatches
                .push(format!("Version {version} of the statement of {feature} is not the one that the record shows."));
        }
    }
    mismatches.extend(published.into_keys().map(|(feature, version)| {
        format!("Version {version} of the statement of {feature} stands in the record and is not there any more.")
    }));
    Ok(())
}

async fn compare_descriptions(
    snapshot: &mut PgConnection,
    recorded: &Recorded,
    mismatches: &mut Vec<String>,
) -> Result<(), AppError> {
    let mut stored = store::list_descriptions(snapshot).await?;
    // The latest counts.
    let described: BTreeMap<&str, &Digest> = recorded
        .writes
        .iter()
        .filter_map(|write| match &write.event {
            Event::FeatureDescribe { feature, digest, .. } => Some((feature.as_str(), digest)),
            _ => None,
        })
        .collect();
    for (feature, digest) in described {
        let is_it = |description: Description| description.digest() == *digest;
        if !stored.remove(feature).is_some_and(is_it) {
            mismatches.push(format!("What is said about {feature} is not what the record shows."));
        }
    }
    mismatches.extend(stored.into_keys().map(|feature| format!("The record does not show who added {feature}.")));
    Ok(())
}

async fn compare_notices(
    snapshot: &mut PgConnection,
    recorded: &Recorded,
    mismatches: &mut Vec<String>,
) -> Result<(), AppError> {
    let mut given: BTreeMap<(Uuid, u16, Timestamp), &SucceededWrite> = recorded
        .writes
        .iter()
        .filter_map(|write| match &write.event {
            Event::RiskNotice { opt_in, days, ends_at, .. } => Some(((opt_in.acceptance, *days, *ends_at), write)),
            _ => None,
        })
        .collect();
    for StoredNotice { acceptance, notice } in store::list_notices(snapshot).await? {
        let write = given.remove(&(acceptance, notice.days, notice.ends_at));
        if !write.is_some_and(|write| was_at(write, notice.given_at)) {
            let days = notice.days;
            mismatches.push(format!(
                "The record does not show that the notice of {days} days was given for acceptance {acceptance}."
            ));
        }
    }
    mismatches.extend(given.into_keys().map(|(id, days, _)| {
        format!("The notice of {days} days for acceptance {id} stands in the record and is not there any more.")
    }));
    Ok(())
}
