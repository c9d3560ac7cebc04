//! What Fairway does for opt-ins by itself: notices, ends, and their effect in the cluster; one replica at a time.

mod grant_plan;
mod repair;

pub use repair::repair;

use crate::audit::{Intent, RecordActor, record_event_in, settle};
use crate::error::{AppError, Dependency};
use crate::leader_lock::LeaderLock;
use crate::ports::ClusterError;
use crate::preview::acceptance::Acceptance;
use crate::preview::lifecycle::Action;
use crate::preview::opt_in::{EndReason, Status, Step};
use crate::preview::statement::Effect;
use crate::preview::store::{self, EffectNote, NewStep};
use crate::state::AppState;
use grant_plan::GrantPlan;
use jiff::{SignedDuration, Timestamp};
use record::{Event, OptInStep};

/// The most that is compared with the cluster in one round, so that what is to be made or taken back does not wait.
const DRIFT_CHECKS: usize = 100;

/// Does all that is due at a moment. What fails for one opt-in does not hold up another, and is tried again later.
///
/// # Errors
/// When the database is unavailable.
pub async fn reconcile(state: &AppState, now: Timestamp) -> Result<(), AppError> {
    let mut lock = state.database.begin().await?;
    if !LeaderLock::OptIns.take(&mut lock).await? {
        return Ok(());
    }
    // A replica that has just started sees nothing yet. What needs no cluster is done all the same.
    let is_blind = state.cluster.namespace("default").is_err() && state.cluster.check().await.is_ok();
    if is_blind {
        tracing::warn!("the namespaces of the cluster are not seen yet, so nothing is made or taken back");
    }
    let open = list_open(state).await?;
    for (acceptance, action) in due_actions(&open, now, is_blind) {
        LeaderLock::keep(&mut lock).await?;
        if let Err(error) = perform(state, &open, acceptance, action, now).await {
            tracing::warn!(%error, acceptance = %acceptance.accepted.id, ?action, "an action could not be done");
            // What is left is the cluster's too, and it would be waited for as often as there are opt-ins. One
            // namespace that does not answer is no reason, though.
            if matches!(error, AppError::Unavailable { .. }) && state.cluster.check().await.is_err() {
                break;
            }
        }
    }
    lock.commit().await?;
    Ok(())
}

/// What is due: what nobody may keep comes first, and what only may have changed last, the longest unseen before the
/// others.
fn due_actions(open: &[Acceptance], now: Timestamp, is_blind: bool) -> Vec<(&Acceptance, Action)> {
    let due = |acceptance| {
        let action = acceptance_due(acceptance, open, now)?;
        (!(is_blind && action.needs_the_cluster())).then_some((acceptance, action))
    };
    let mut actions: Vec<(&Acceptance, Action)> = open.iter().filter_map(due).collect();
    actions.sort_by_key(|(acceptance, action)| (action.urgency(), acceptance.next_attempt_at));
    let checks = actions.iter().position(|(_, action)| *action == Action::CheckDrift).unwrap_or(actions.len());
    actions.truncate(checks + DRIFT_CHECKS);
    actions
}

/// What an administrator does by hand, and says so, is not the reconciler's; nor is what the pause after the last
/// check, or the last failure, is not over for.
fn acceptance_due(acceptance: &Acceptance, open: &[Acceptance], now: Timestamp) -> Option<Action> {
    let action = acceptance.lifecycle.due(now)?;
    let is_manual = acceptance.terms.effect == Effect::Manual && kept_manually(acceptance, open).is_none();
    let is_ours = !is_manual && acceptance.next_attempt_at.is_none_or(|at| at <= now);
    (is_ours || !action.needs_the_cluster()).then_some(action)
}

async fn perform(
    state: &AppState,
    open: &[Acceptance],
    acceptance: &Acceptance,
    action: Action,
    now: Timestamp,
) -> Result<(), AppError> {
    if !action.writes_to_the_cluster() {
        return Reconciler::new(state, acceptance, open, now).perform(action).await;
    }
    // Others may have been decided, or ended, since the round began: what is written follows from what is true now.
    let open = list_open_around(state, acceptance).await?;
    let current = open.iter().find(|current| current.accepted.id == acceptance.accepted.id);
    match current.filter(|current| current.lifecycle.due(now) == Some(action)) {
        Some(current) => Reconciler::new(state, current, &open, now).perform(action).await,
        None => Ok(()),
    }
}

/// Of something that ends because it was accepted again, and was enabled by hand: the later acceptance that needs it as
/// well, so that nobody takes away what is to stay.
fn kept_manually<'a>(acceptance: &Acceptance, open: &'a [Acceptance]) -> Option<&'a Acceptance> {
    let is_replaced =
        acceptance.terms.effect == Effect::Manual && *acceptance.status() == Status::Ending(EndReason::Replaced);
    let accepted = &acceptance.accepted;
    let is_it = |other: &&Acceptance| {
        let same = (&other.accepted.feature, &other.accepted.scope) == (&accepted.feature, &accepted.scope);
        let is_later = other.accepted.accepted_at > accepted.accepted_at && other.status().is_granted();
        // What it leaves out, somebody has to take back.
        let has_all_groups = accepted.groups.iter().all(|group| other.accepted.groups.contains(group));
        let has_namespace = |name: &String| {
            let same_uid = other.accepted.namespace_uids.get(name) == accepted.namespace_uids.get(name);
            same_uid && other.accepted.namespaces.contains(name)
        };
        let is_manual = other.terms.effect == Effect::Manual;
        is_manual && same && is_later && has_all_groups && accepted.namespaces.iter().all(has_namespace)
    };
    open.iter().filter(|_| is_replaced).find(is_it)
}

fn check_every(state: &AppState) -> SignedDuration {
    SignedDuration::from_secs(state.policy.effects.drift_check_seconds.into())
}

/// All that is not over.
async fn list_open(state: &AppState) -> Result<Vec<Acceptance>, AppError> {
    let mut connection = state.database.acquire().await?;
    let ids = store::list_open_ids(&mut *connection).await?;
    Ok(store::load_readable(&mut connection, &ids).await?)
}

/// What is not over and reaches a namespace that an acceptance reaches, which is all that matters for it.
async fn list_open_around(state: &AppState, acceptance: &Acceptance) -> Result<Vec<Acceptance>, AppError> {
    let mut connection = state.database.acquire().await?;
    let ids = store::list_open_ids_in(&mut *connection, &acceptance.accepted.namespaces).await?;
    Ok(store::load_readable(&mut connection, &ids).await?)
}

struct Reconciler<'a> {
    state: &'a AppState,
    acceptance: &'a Acceptance,
    open: &'a [Acceptance],
    now: Timestamp,
    actor: RecordActor,
}

impl<'a> Reconciler<'a> {
    fn new(state: &'a AppState, acceptance: &'a Acceptance, open: &'a [Acceptance], now: Timestamp) -> Self {
        Self { state, acceptance, open, now, actor: RecordActor::fairway() }
    }

    async fn perform(&self, action: Action) -> Result<(), AppError> {
        match action {
            Action::Notice(days) => self.give_notice(days).await,
            Action::End(reason) => self.end(reason).await,
            Action::TakeEffect => self.take_effect().await,
            Action::RemoveEffect => self.remove_effect().await,
            Action::CheckDrift => self.check_drift().await,
        }
    }

    async fn give_notice(&self, days: u16) -> Result<(), AppError> {
        let Some((ends_at, reason)) = self.acceptance.lifecycle.ends_at() else { return Ok(()) };
        let id = self.acceptance.accepted.id;
        let mut transaction = self.state.database.begin().await?;
        if store::record_notice(&mut *transaction, id, days, ends_at, self.now).await? {
            let event = Event::RiskNotice { opt_in: self.acceptance.opt_in_ref(), days, ends_at, reason };
            record_event_in(&mut transaction, &self.actor, &event).await?;
        }
        Ok(transaction.commit().await?)
    }

    async fn end(&self, reason: EndReason) -> Result<(), AppError> {
        let event = Event::RiskEnd(self.acceptance.next_step(""));
        self.step(Step::End(reason), &event, "").await
    }

    async fn take_effect(&self) -> Result<(), AppError> {
        let done = match self.plan() {
            Ok(plan) => {
                let making = async || plan.make(self.acceptance).await;
                self.effect(Event::EffectTake, Step::TakeEffect, "", making).await
            }
            Err(error) => Err(error.into()),
        };
        self.note(done).await
    }

    async fn remove_effect(&self) -> Result<(), AppError> {
        if let Some(later) = kept_manually(self.acceptance, self.open) {
            let comment =
                format!("What was enabled by hand stays, because acceptance {} needs it as well.", later.accepted.id);
            let event = Event::EffectRemove(self.acceptance.next_step(&comment));
            return self.step(Step::RemoveEffect, &event, &comment).await;
        }
        let done = match self.plan() {
            Ok(plan) => self.take_all_back(&plan).await,
            Err(error) => Err(error.into()),
        };
        self.note(done).await
    }

    async fn take_all_back(&self, plan: &GrantPlan<'_>) -> Result<(), AppError> {
        let grants = plan.grants_by_itself(self.acceptance);
        let stays = plan.what_stays(self.acceptance, &grants)?;
        let taking_back = async || {
            let mut done = Ok(());
            // One namespace that is in the way keeps nothing in the others.
            for grant in &grants {
                done = done.and(plan.take_back(self.acceptance, grant).await);
            }
            done
        };
        self.effect(Event::EffectRemove, Step::RemoveEffect, &stays, taking_back).await
    }

    fn plan(&self) -> Result<GrantPlan<'_>, ClusterError> {
        GrantPlan::seen(self.state, self.open)
    }

    async fn check_drift(&self) -> Result<(), AppError> {
        let drift = async { self.plan()?.drift(self.acceptance).await };
        match drift.await {
            Ok(drift) => self.store(EffectNote { problem: String::new(), drift }, 0).await,
            Err(error) => {
                // Nothing is known now; what was known stays, and others are checked first.
                self.store(EffectNote { problem: String::new(), drift: self.acceptance.drift.clone() }, 0).await?;
                Err(error)
            }
        }
    }

    /// Notes how it went, and gives that on.
    async fn note(&self, done: Result<(), AppError>) -> Result<(), AppError> {
        let (note, steps_taken) = match &done {
            Ok(()) => (EffectNote::default(), 1),
            Err(error) => (EffectNote { problem: error.to_string(), drift: String::new() }, 0),
        };
        self.store(note, steps_taken).await.and(done)
    }

    async fn store(&self, note: EffectNote, steps_taken: usize) -> Result<(), AppError> {
        let (database, id) = (&self.state.database, self.acceptance.accepted.id);
        let steps = self.acceptance.steps.len() + steps_taken;
        Ok(store::note_effect(database, id, steps, &note, check_every(self.state), self.now).await?)
    }

    fn new_step<'s>(&'s self, step: Step, comment: &'s str) -> NewStep<'s> {
        NewStep {
            acceptance: self.acceptance.accepted.id,
            number: self.acceptance.steps.len() + 1,
            step,
            by: None,
            comment,
            request_id: &self.actor.request_id,
        }
    }

    /// Takes a step that changes nothing outside of the database.
    async fn step(&self, step: Step, event: &Event, comment: &str) -> Result<(), AppError> {
        let database = &self.state.database;
        let mut transaction = database.begin().await?;
        let taken = store::take_step(&mut transaction, self.new_step(step, comment)).await;
        settle(database, transaction, self.actor.clone(), event, taken.map(drop)).await
    }

    /// Changes the cluster, and takes the step that says so; both within one write of the record.
    async fn effect(
        &self,
        event: fn(OptInStep) -> Event,
        step: Step,
        comment: &str,
        change: impl AsyncFnOnce() -> Result<(), AppError>,
    ) -> Result<(), AppError> {
        let database = &self.state.database;
        let event = event(self.acceptance.next_step(comment));
        let intent = Intent::announce(database, self.actor.clone(), event).await?;
        let done = async {
            change().await?;
            let taking = async {
                let mut transaction = database.begin().await?;
                store::take_step(&mut transaction, self.new_step(step, comment)).await?;
                Ok::<_, AppError>(((), transaction))
            };
            // It was done, and the step that says so was not taken: nobody may read that nothing was done.
            taking.await.map_err(|error| {
                tracing::warn!(%error, "the step of an effect was not taken");
                AppError::OutcomeUnknown { dependency: Dependency::Cluster }
            })
        };
        let done = done.await;
        intent.conclude_in(database, done).await
    }
}
