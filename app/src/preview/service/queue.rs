//! What administrators decide on, and what they and auditors look up.

use crate::actor::Actor;
use crate::error::AppError;
use crate::preview::acceptance::Acceptance;
use crate::preview::store;
use crate::preview::summary::{Cursor, OptInPage, OptInSummary};
use crate::state::AppState;
use record::StatusKind;
use uuid::Uuid;

/// Which opt-ins the queue shows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum QueueStatus {
    /// Somebody has to decide, to do by hand what was decided, or to see to what Fairway could not do.
    #[default]
    NeedsAction,
    All,
    Of(StatusKind),
}

impl QueueStatus {
    /// As the address has it; what is none asks for what needs action.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        match text {
            "all" => Self::All,
            text => text.parse().map_or(Self::NeedsAction, Self::Of),
        }
    }

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NeedsAction => "",
            Self::All => "all",
            Self::Of(status) => status.as_str(),
        }
    }
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct QueueFilter {
    pub after: Option<Cursor>,
    /// Its slug; empty for all.
    pub feature: String,
    pub status: QueueStatus,
}

pub struct Queue {
    /// Those that wait for a decision, with all that whoever decides reads.
    pub waiting: Vec<Acceptance>,
    pub others: Vec<OptInSummary>,
    pub next: Option<Cursor>,
    /// Slug and name of each feature, to filter by.
    pub features: Vec<(String, String)>,
}

/// # Errors
/// [`AppError::NotFound`] for everyone but administrators and auditors.
pub async fn load_queue(state: &AppState, actor: &Actor, filter: &QueueFilter) -> Result<Queue, AppError> {
    actor.record_reader()?;
    let feature = Some(filter.feature.as_str()).filter(|feature| !feature.is_empty());
    let features = store::list_feature_names(&state.database).await?;
    let mut connection = state.database.acquire().await?;
    let OptInPage { summaries, next } = match filter.status {
        // Nobody waits longer because others came later.
        QueueStatus::NeedsAction => store::list_needing_action(&mut connection, feature, filter.after).await?,
        QueueStatus::All => store::list_by_status(&mut connection, None, feature, filter.after).await?,
        QueueStatus::Of(status) => store::list_by_status(&mut connection, Some(status), feature, filter.after).await?,
    };
    let (waiting, others): (Vec<OptInSummary>, Vec<OptInSummary>) =
        summaries.into_iter().partition(|summary| summary.status == StatusKind::Waiting);
    let waiting: Vec<Uuid> = waiting.iter().map(|summary| summary.id).collect();
    let waiting = store::load_readable(&mut connection, &waiting).await?;
    Ok(Queue { waiting, others, next, features })
}

/// How many opt-ins need somebody's action.
///
/// # Errors
/// [`AppError::NotFound`] for everyone but administrators and auditors.
pub async fn count_needing_action(state: &AppState, actor: &Actor) -> Result<i64, AppError> {
    actor.record_reader()?;
    Ok(store::count_needing_action(&state.database).await?)
}
