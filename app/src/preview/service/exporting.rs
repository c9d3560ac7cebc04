use super::deciding::load_acceptance;
use crate::actor::Actor;
use crate::audit::{record_event, rows_of_acceptance};
use crate::error::AppError;
use crate::preview::evidence::{Evidence, keep_only_of};
use crate::preview::store;
use crate::state::AppState;
use record::{Event, ExportOf};
use std::collections::BTreeMap;
use uuid::Uuid;

/// An acceptance with everything that is needed to verify it, as JSON. That somebody exports it is recorded first.
///
/// # Errors
/// [`AppError::NotFound`] for those who may not see it, or see it only because they accepted it once.
pub async fn export_acceptance(state: &AppState, actor: &Actor, id: Uuid) -> Result<String, AppError> {
    let view = load_acceptance(state, actor, id).await?;
    view.require(view.may_export())?;
    let of = ExportOf::Acceptance(view.acceptance.opt_in_ref());
    let event = Event::RecordExport { of, filter: BTreeMap::new(), rows: None, database_user: None };
    record_event(state, actor, &event).await?;
    // One state of all: a step that is taken meanwhile must not be in one part of the file alone.
    let mut snapshot = state.database.begin_with("begin isolation level repeatable read read only").await?;
    let acceptance = store::find_acceptance(&mut snapshot, id).await?;
    let mut rows = rows_of_acceptance(&mut *snapshot, id).await?;
    snapshot.commit().await?;
    if actor.record_reader().is_err() {
        rows.iter_mut().for_each(|row| keep_only_of(row, acceptance.identity.as_ref()));
    }
    serde_json::to_string_pretty(&Evidence::of(acceptance, rows)).map_err(|error| {
        tracing::error!(%error, "evidence cannot be written");
        AppError::Internal
    })
}
