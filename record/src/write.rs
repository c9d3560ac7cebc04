use crate::{Digest, Entry, Event, EventError, Identity, Phase};
use jiff::Timestamp;
use std::collections::BTreeMap;
use uuid::Uuid;

/// A write that the record shows to have succeeded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SucceededWrite {
    /// As the row that ended it says.
    pub event: Event,
    pub actor: Digest,
    /// Who that is, unless it is not known here.
    pub identity: Option<Identity>,
    pub request_id: String,
    /// When the intent was recorded; the same as the end where there was none.
    pub began_at: Timestamp,
    pub ended_at: Timestamp,
}

/// The writes that succeeded among some rows, which must be in order.
///
/// # Errors
/// Where a row is of no event that is known.
pub fn succeeded_writes(
    rows: impl IntoIterator<Item = (Entry, Option<Identity>)>,
) -> Result<Vec<SucceededWrite>, EventError> {
    let mut intents: BTreeMap<Uuid, Timestamp> = BTreeMap::new();
    let mut writes = Vec::new();
    for (entry, identity) in rows {
        let began_at = match entry.intent_id {
            Some(intent) => intents.remove(&intent),
            None => Some(entry.occurred_at),
        };
        match (entry.phase, began_at) {
            (Phase::Intent, _) => drop(intents.insert(entry.id, entry.occurred_at)),
            (Phase::Succeeded, Some(began_at)) => writes.push(SucceededWrite {
                event: entry.event()?,
                actor: entry.actor,
                identity,
                request_id: entry.request_id,
                began_at,
                ended_at: entry.occurred_at,
            }),
            _ => {}
        }
    }
    Ok(writes)
}
