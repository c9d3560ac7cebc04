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
use crate::preview::summary::Viewer;
use crate::state::AppState;
use record::{Event, OptInStep};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
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

/// The most that are decided at once: more than a page shows.
const MOST_DECIDED: usize = 200;

/// What an administrator has chosen to decide on, by the ids that a form sends.
///
/// # Errors
/// [`AppError::NotFound`] where one is not there.
pub async fn load_acceptances(
    state: &AppState,
    _: Administrator<'_>,
    ids: &[String],
) -> Result<Vec<Acceptance>, AppError> {
    let ids: Result<BTreeSet<Uuid>, _> = ids.iter().map(|id| id.parse()).collect();
    let ids = ids.ok().filter(|ids| ids.len() <= MOST_DECIDED).ok_or(AppError::NotFound)?;
    let mut connection = state.database.acquire().await?;
    let mut found = Vec::new();
    for id in ids {
        found.push(store::find_acceptance(&mut connection, id).await?);
    }
    Ok(found)
}

/// What makes an acceptance somebody's to see today. Having accepted it once is no reason to act for a team that one has
/// left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relation {
    /// Of the platform.
    Administrator,
    /// May accept for its scope.
    ActsForScope,
    /// Administers one of its namespaces.
    AdministersNamespace,
    Auditor,
    /// Accepted it, and is nothing else to it now.
    Author,
}

/// An acceptance, and what the person who looks at it may do.
#[derive(Debug, Clone)]
pub struct AcceptanceView {
    pub acceptance: Acceptance,
    relation: Relation,
    is_own: bool,
    /// Why it may be more, such as a cluster that cannot be asked.
    unknown: Option<AppError>,
}

impl AcceptanceView {
    /// Whether it is theirs to end, as long as it is granted.
    #[must_use]
    pub fn may_revoke(&self) -> bool {
        matches!(self.relation, Relation::Administrator | Relation::ActsForScope)
    }

    /// Whether it is theirs to take back before it is decided.
    #[must_use]
    pub fn may_withdraw(&self) -> bool {
        self.is_own && self.may_revoke() && matches!(self.acceptance.status(), Status::Waiting { .. })
    }

    /// Whether they may take it with everything that others said of it.
    #[must_use]
    pub fn may_export(&self) -> bool {
        self.relation != Relation::Author
    }

    #[must_use]
    pub fn may_administer(&self) -> bool {
        self.relation == Relation::Administrator
    }

    /// # Errors
    /// [`AppError::NotFound`] where they may not, or why that is not known.
    pub fn require(&self, may: bool) -> Result<(), AppError> {
        if may { Ok(()) } else { Err(self.unknown.clone().unwrap_or(AppError::NotFound)) }
    }

    #[must_use]
    pub fn is_manual(&self) -> bool {
        self.acceptance.terms.effect == Effect::Manual
    }

    /// Whether an administrator may say that what it gave is gone: also where Fairway is refused, as they have looked
    /// and answer for it.
    #[must_use]
    pub fn may_confirm_removal(&self) -> bool {
        self.may_administer() && (self.is_manual() || !self.acceptance.problem.is_empty())
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
    // It may be theirs to see, or to act on, and only the cluster knows.
    let unknown = scopes.err();
    let mut connection = state.database.acquire().await?;
    if actor.record_reader().is_err() && !store::is_visible(&mut *connection, id, &viewer).await? {
        return Err(unknown.unwrap_or(AppError::NotFound));
    }
    let acceptance = store::find_acceptance(&mut connection, id).await?;
    let is_own = acceptance.person_id == actor.person_id;
    let relation = relation_to(&acceptance, actor, &viewer);
    Ok(AcceptanceView { acceptance, relation, is_own, unknown })
}

/// The one that allows most.
fn relation_to(acceptance: &Acceptance, actor: &Actor, viewer: &Viewer) -> Relation {
    let accepted = &acceptance.accepted;
    if actor.administrator().is_ok() {
        Relation::Administrator
    } else if viewer.scopes.contains(&accepted.scope) {
        Relation::ActsForScope
    } else if accepted.namespaces.iter().any(|name| viewer.namespaces.contains(name)) {
        Relation::AdministersNamespace
    } else if actor.record_reader().is_ok() {
        Relation::Auditor
    } else {
        Relation::Author
    }
}
