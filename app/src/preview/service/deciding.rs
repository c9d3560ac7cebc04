//! Steps of an opt-in that people take, and the page of one acceptance.

use super::scopes::{load_opt_in_scopes, viewer};
use crate::actor::{Actor, Administrator};
use crate::audit::settle;
use crate::error::AppError;
use crate::leader_lock::LeaderLock;
use crate::preview::acceptance::Acceptance;
use crate::preview::opt_in::{Status, Step};
use crate::preview::statement::Effect;
use crate::preview::store::{self, NewStep};
use crate::state::AppState;
use record::{Event, OptInStep};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The longest comment, in characters: it is kept for good, with each decision.
pub const LONGEST_COMMENT: usize = 2000;

/// Decisions, as sent: one comment for all that are chosen.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct DecisionForm {
    /// Ids of acceptances.
    pub acceptance: Vec<String>,
    pub comment: String,
}

/// Why an opt-in is revoked, as sent.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct RevokeForm {
    pub comment: String,
}

/// Takes a step in a person's name, and records it.
///
/// # Errors
/// [`PreviewError::Step`](crate::preview::errors::PreviewError::Step) where the rules do not allow it.
pub async fn take_step(
    state: &AppState,
    actor: &Actor,
    acceptance: &Acceptance,
    step: Step,
    event: fn(OptInStep) -> Event,
    comment: &str,
) -> Result<Status, AppError> {
    let new = NewStep {
        acceptance: acceptance.accepted.id,
        number: acceptance.steps.len() + 1,
        step,
        by: Some(actor),
        comment,
        request_id: &actor.request_id,
    };
    let event = event(acceptance.next_step(comment));
    let mut transaction = state.database.begin().await?;
    if step == Step::RemoveEffect {
        // Not while the reconciler is about to change what somebody has just seen to be gone.
        LeaderLock::OptIns.wait(&mut transaction).await?;
    }
    let taken = store::take_step(&mut transaction, new).await;
    settle(&state.database, transaction, actor, &event, taken).await
}

/// What an administrator has chosen to decide on, by the ids that a form sends.
///
/// # Errors
/// [`AppError::NotFound`] where one is not there.
pub async fn load_acceptances(
    state: &AppState,
    _: Administrator<'_>,
    ids: &[String],
) -> Result<Vec<Acceptance>, AppError> {
    let mut connection = state.database.acquire().await?;
    let mut found = Vec::new();
    for id in ids {
        let id = id.parse().map_err(|_| AppError::NotFound)?;
        found.push(store::find_acceptance(&mut connection, id).await?);
    }
    Ok(found)
}

/// An acceptance, and what the person who looks at it may do.
#[derive(Debug, Clone)]
pub struct AcceptanceView {
    pub acceptance: Acceptance,
    /// They accepted it, and it is not decided.
    pub may_withdraw: bool,
    /// They accepted it, act for its scope, or administer: theirs to end, as long as it is granted.
    pub may_revoke: bool,
    pub may_administer: bool,
}

impl AcceptanceView {
    #[must_use]
    pub fn is_manual(&self) -> bool {
        self.acceptance.terms.effect == Effect::Manual
    }

    /// Whether an administrator may say that what it gave is gone: also where Fairway is refused, as they have looked
    /// and answer for it.
    #[must_use]
    pub fn may_confirm_removal(&self) -> bool {
        self.may_administer && (self.is_manual() || !self.acceptance.problem.is_empty())
    }
}

/// One acceptance, for whoever accepted, whoever acts for its scope or administers a namespace of it, administrators
/// and auditors.
///
/// # Errors
/// [`AppError::NotFound`] for everyone else.
pub async fn load_acceptance(state: &AppState, actor: &Actor, id: Uuid) -> Result<AcceptanceView, AppError> {
    let scopes = load_opt_in_scopes(state, actor).await;
    let viewer = viewer(actor, &scopes);
    let mut connection = state.database.acquire().await?;
    if actor.record_reader().is_err() && !store::is_visible(&mut *connection, id, &viewer).await? {
        // It may be theirs to see, and only the cluster knows.
        return Err(scopes.err().unwrap_or(AppError::NotFound));
    }
    let acceptance = store::find_acceptance(&mut connection, id).await?;
    let acts_for = viewer.scopes.contains(&acceptance.accepted.scope);
    let is_own = acceptance.person_id == actor.person_id;
    let administers = actor.administrator().is_ok();
    Ok(AcceptanceView {
        may_withdraw: is_own && matches!(acceptance.status(), Status::Waiting { .. }),
        may_revoke: acts_for || is_own || administers,
        may_administer: administers,
        acceptance,
    })
}
