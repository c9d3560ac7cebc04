//! Comparing everything about opt-ins with the record, both ways. Only the text that is hashed counts: columns beside it
//! could have been changed.

use crate::audit::chain::{Entry, Link};
use crate::audit::export::ExportedRow;
use crate::audit::identity::Identity;
use crate::audit::{Action, Phase, list_identities};
use crate::digest::Digest;
use crate::error::AppError;
use crate::preview::Description;
use crate::preview::evidence::{Evidence, is_about};
use crate::preview::store::{self, AcceptanceQuery};
use jiff::Timestamp;
use serde_json::Value;
use sqlx::PgConnection;
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// What the comparison shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// How many acceptances were compared.
    pub acceptances: usize,
    /// What does not fit, in sentences; empty where all does.
    pub doubts: Vec<String>,
}

/// The rows of the record that are about opt-ins, taken while the chain is verified.
#[derive(Debug, Clone, Default)]
pub struct OptInRecord {
    links: Vec<Link>,
}

impl OptInRecord {
    /// Takes a row, if it is about opt-ins.
    pub fn take(&mut self, link: &Link) {
        if link.entry.contains("\"action\":\"preview_feature.") {
            self.links.push(link.clone());
        }
    }
}

/// A write that succeeded.
struct Done {
    entry: Entry,
    at: Timestamp,
}

/// Everything that the record says of opt-ins.
struct Said {
    done: Vec<Done>,
    rows: BTreeMap<String, Vec<ExportedRow>>,
}

/// Compares every acceptance, step, statement, description and notice with the record. Whether the record itself is
/// whole is for the chain to say. `snapshot` is a transaction that sees one state of all tables (repeatable read), the
/// one that the rows were read from: what is written meanwhile would look like a difference.
///
/// # Errors
/// When the database is away.
pub async fn verify_acceptances(snapshot: &mut PgConnection, record: OptInRecord) -> Result<Verified, AppError> {
    let mut doubts = Vec::new();
    let said = said(snapshot, record, &mut doubts).await?;
    let ids: BTreeSet<Uuid> = store::list_acceptance_ids(snapshot).await?.into_iter().collect();
    compare_acceptances(snapshot, &said, &ids, &mut doubts).await?;
    doubts.extend(said.of(Action::RiskAccept).filter_map(|done| {
        let id = text(&done.entry.detail, "acceptance");
        let is_there = id.parse().is_ok_and(|id| ids.contains(&id));
        (!is_there)
            .then(|| format!("Acceptance {id} ({}) stands in the record and is not there any more.", done.entry.object))
    }));
    compare_statements(snapshot, &said, &mut doubts).await?;
    compare_descriptions(snapshot, &said, &mut doubts).await?;
    compare_notices(snapshot, &said, &mut doubts).await?;
    Ok(Verified { acceptances: ids.len(), doubts })
}

async fn said(snapshot: &mut PgConnection, record: OptInRecord, doubts: &mut Vec<String>) -> Result<Said, AppError> {
    let identities: BTreeMap<Digest, Option<Identity>> =
        list_identities(&mut *snapshot).await?.into_iter().map(|stored| (stored.commitment, stored.identity)).collect();
    let mut intents = BTreeMap::new();
    let mut said = Said { done: Vec::new(), rows: BTreeMap::new() };
    for link in record.links {
        let Ok(entry) = serde_json::from_str::<Entry>(&link.entry) else {
            doubts.push(format!("Row {} of the record cannot be read.", link.sequence));
            continue;
        };
        let Some(actor) = identities.get(&entry.actor).cloned() else {
            doubts.push(format!("Whoever acted in row {} of the record is not among the identities.", link.sequence));
            continue;
        };
        let intent = entry.intent_id.and_then(|intent| intents.remove(&intent));
        let about = intent.as_ref().map_or(&entry.detail, |intent: &Entry| &intent.detail);
        said.rows.entry(text(about, "acceptance")).or_default().push(ExportedRow { link, actor });
        match (entry.phase, intent) {
            (Phase::Intent, _) => drop(intents.insert(entry.id, entry)),
            (Phase::Succeeded, Some(intent)) => said.done.push(Done { entry: intent, at: entry.occurred_at }),
            _ => {}
        }
    }
    Ok(said)
}

impl Said {
    fn of(&self, action: Action) -> impl Iterator<Item = &Done> {
        self.done.iter().filter(move |done| done.entry.action == action.code())
    }
}

impl Done {
    fn was_at(&self, at: Timestamp) -> bool {
        is_about(self.entry.occurred_at, self.at, at)
    }
}

fn text(detail: &Value, field: &str) -> String {
    detail[field].as_str().unwrap_or_default().to_owned()
}

async fn compare_acceptances(
    snapshot: &mut PgConnection,
    said: &Said,
    ids: &BTreeSet<Uuid>,
    doubts: &mut Vec<String>,
) -> Result<(), AppError> {
    let query = AcceptanceQuery { is_whole: true, ..AcceptanceQuery::default() };
    let stored = store::read_acceptances(&mut *snapshot, &query).await?;
    let mut unread = ids.clone();
    for (id, acceptance) in stored {
        unread.remove(&id);
        let doubt = match acceptance {
            Err(error) => Some(format!("Acceptance {id} breaks the rules: {error}.")),
            Ok(acceptance) => {
                let rows = said.rows.get(&id.to_string()).cloned().unwrap_or_default();
                let proven = Evidence::of(acceptance, rows).verify();
                proven.err().map(|error| format!("Acceptance {id} does not fit the record: {error}."))
            }
        };
        doubts.extend(doubt);
    }
    doubts.extend(unread.into_iter().map(|id| {
        format!("Acceptance {id} is hidden: its feature, its statement or whoever accepted it is not there any more.")
    }));
    let false_columns = store::list_false_columns(snapshot).await?;
    doubts.extend(false_columns.into_iter().map(|id| format!("The columns of acceptance {id} are not what it says.")));
    let misattributed = store::list_misattributed(snapshot).await?;
    doubts.extend(misattributed.into_iter().map(|(id, number)| match number {
        0 => format!("Acceptance {id} is kept under another person than the one who accepted."),
        _ => format!("Step {number} of acceptance {id} is kept under another person than the one who took it."),
    }));
    Ok(())
}

async fn compare_statements(
    snapshot: &mut PgConnection,
    said: &Said,
    doubts: &mut Vec<String>,
) -> Result<(), AppError> {
    let stored = store::list_statements(snapshot).await?;
    let mut published: BTreeMap<(String, String), &Done> = said
        .of(Action::StatementPublish)
        .map(|done| ((name_of(&done.entry.object), text(&done.entry.detail, "version")), done))
        .collect();
    for statement in stored {
        let done = published.remove(&(statement.feature.clone(), statement.version.to_string()));
        let is_it = done.is_some_and(|done| {
            text(&done.entry.detail, "digest") == statement.digest.to_string() && done.was_at(statement.published_at)
        });
        if !is_it {
            let (version, feature) = (statement.version, statement.feature);
            doubts
                .push(format!("Version {version} of the statement of {feature} is not the one that the record shows."));
        }
    }
    doubts.extend(published.into_keys().map(|(feature, version)| {
        format!("Version {version} of the statement of {feature} stands in the record and is not there any more.")
    }));
    Ok(())
}

async fn compare_descriptions(
    snapshot: &mut PgConnection,
    said: &Said,
    doubts: &mut Vec<String>,
) -> Result<(), AppError> {
    let mut stored = store::list_descriptions(snapshot).await?;
    let described: BTreeMap<String, String> = said
        .of(Action::FeatureDescribe)
        .map(|done| (name_of(&done.entry.object), text(&done.entry.detail, "digest")))
        .collect();
    for (feature, said) in described {
        // Rows from before the digest say too little to compare with.
        let is_it = |description: Description| said.is_empty() || description.digest().to_string() == said;
        if !stored.remove(&feature).is_some_and(is_it) {
            doubts.push(format!("What is said about {feature} is not what the record shows."));
        }
    }
    doubts.extend(stored.into_keys().map(|feature| format!("The record does not show who added {feature}.")));
    Ok(())
}

async fn compare_notices(snapshot: &mut PgConnection, said: &Said, doubts: &mut Vec<String>) -> Result<(), AppError> {
    let mut given: BTreeMap<[String; 3], &Done> = said
        .of(Action::RiskNotice)
        .map(|done| (["acceptance", "days", "ends_at"].map(|field| text(&done.entry.detail, field)), done))
        .collect();
    for (id, days, ends_at, at) in store::list_notices(snapshot).await? {
        let done = given.remove(&[id.to_string(), days.to_string(), ends_at.to_string()]);
        if !done.is_some_and(|done| done.was_at(at)) {
            doubts.push(format!(
                "The record does not show that the notice of {days} days was given for acceptance {id}."
            ));
        }
    }
    doubts.extend(given.into_keys().map(|[id, days, _]| {
        format!("The notice of {days} days for acceptance {id} stands in the record and is not there any more.")
    }));
    Ok(())
}

/// The last part of `Kind/namespace/name`.
fn name_of(object: &str) -> String {
    object.splitn(3, '/').nth(2).unwrap_or_default().to_owned()
}
