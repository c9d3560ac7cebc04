//! The wrapper around every write, and reading the record.

use super::store::{self, NewEvent};
use super::{Action, Phase, Write};
use crate::actor::{Actor, RecordReader};
use crate::error::{AppError, Part};
use crate::state::AppState;
use serde_json::{Value, json};
use std::future::Future;
use uuid::Uuid;

/// Records the intent, makes the write, records the outcome. The write gets the intent's id.
///
/// Without a recorded intent nothing is written. If the outcome cannot be recorded, the record shows
/// "unknown" and so does the answer, even where the write went well.
///
/// # Errors
/// The write's own, or the database's.
pub async fn audited<T, Fut>(
    state: &AppState,
    actor: &Actor,
    action: Action,
    object: &str,
    detail: Value,
    write: impl FnOnce(Uuid) -> Fut,
) -> Result<T, AppError>
where
    Fut: Future<Output = Result<T, AppError>>,
{
    let event = |intent_id, phase, detail| NewEvent {
        intent_id,
        phase,
        actor: &actor.profile,
        action,
        object,
        detail,
        request_id: &actor.request_id,
    };
    let intent = store::append(&state.database, event(None, Phase::Intent, detail)).await?;
    let result = write(intent).await;
    let (phase, detail) = match &result {
        Ok(_) => (Phase::Succeeded, json!({})),
        Err(error @ AppError::OutcomeUnknown { .. }) => (Phase::Unknown, json!({ "code": error.code() })),
        Err(error @ (AppError::Internal | AppError::Away { .. })) => (Phase::Failed, json!({ "code": error.code() })),
        Err(error) => (Phase::Refused, json!({ "code": error.code(), "message": error.to_string() })),
    };
    let recorded = store::append(&state.database, event(Some(intent), phase, detail)).await;
    match recorded {
        Err(error) if result.is_ok() => {
            tracing::error!(%error, %intent, "the outcome of a write could not be recorded");
            Err(AppError::OutcomeUnknown { part: Part::Database })
        }
        _ => result,
    }
}

/// How many writes a page shows.
pub const PAGE_SIZE: i64 = 50;

/// A page of the record, the newest first.
///
/// # Errors
/// When the database is away.
pub async fn load_writes(
    state: &AppState,
    _: RecordReader,
    before: Option<i64>,
    filter: &str,
) -> Result<Vec<Write>, AppError> {
    Ok(store::list_writes(&state.database, before.unwrap_or(i64::MAX), filter, PAGE_SIZE).await?)
}
