//! What Fairway does for opt-ins by itself: notices, ends, and their effect in the cluster; one replica at a time.

mod landscape;

use super::detail_of;
use crate::actor::Profile;
use crate::audit::{Acting, Action, audited, audited_in, recorded_within};
use crate::error::{AppError, Part};
use crate::ports::ClusterError;
use crate::preview::acceptance::Acceptance;
use crate::preview::life::Duty;
use crate::preview::opt_in::{End, Standing, Step, StepError};
use crate::preview::store::{self, AcceptanceQuery, EffectNote, NewStep};
use crate::preview::terms::Effect;
use crate::state::AppState;
use crate::turn::Turn;
use jiff::{SignedDuration, Timestamp};
use landscape::Landscape;
use serde_json::json;
use uuid::Uuid;

/// The most that is compared with the cluster in one round, so that what is to be made or taken back does not wait.
const LOOKS: usize = 100;

/// Does all that is due at a moment. What fails for one opt-in does not hold up another, and is tried again later.
///
/// # Errors
/// When the database is away.
pub async fn steward(state: &AppState, now: Timestamp) -> Result<(), AppError> {
    let mut turn = state.database.begin().await?;
    if !Turn::OptIns.take(&mut turn).await? {
        return Ok(());
    }
    // A replica that has just started sees nothing yet. What needs no cluster is done all the same.
    let is_blind = state.cluster.namespace("default").is_err() && state.cluster.check().await.is_ok();
    if is_blind {
        tracing::warn!("the namespaces of the cluster are not seen yet, so nothing is made or taken back");
    }
    let open = list_open(state, None).await?;
    let due =
        |acceptance: &Acceptance| acceptance.life.due(now).filter(|duty| is_for_now(acceptance, &open, *duty, now));
    let can_be_done = |duty: &Duty| !(is_blind && duty.is_in_the_cluster());
    let mut duties: Vec<(&Acceptance, Duty)> =
        open.iter().filter_map(|acceptance| Some((acceptance, due(acceptance).filter(can_be_done)?))).collect();
    // What nobody may keep comes first, and what only may have changed last, the longest unseen before the others.
    duties.sort_by_key(|(acceptance, duty)| (duty.urgency(), acceptance.next_attempt_at));
    let looks = duties.iter().position(|(_, duty)| *duty == Duty::Look).unwrap_or(duties.len());
    duties.truncate(looks + LOOKS);
    for (acceptance, duty) in duties {
        Turn::keep(&mut turn).await?;
        if let Err(error) = perform(state, &open, acceptance, duty, now).await {
            tracing::warn!(%error, acceptance = %acceptance.accepted.id, ?duty, "a duty could not be done");
            // What is left is the cluster's too, and it would be waited for as often as there are opt-ins. One namespace
            // that does not answer is no reason, though.
            if matches!(error, AppError::Away { .. }) && state.cluster.check().await.is_err() {
                break;
            }
        }
    }
    turn.commit().await?;
    Ok(())
}

async fn perform(
    state: &AppState,
    open: &[Acceptance],
    acceptance: &Acceptance,
    duty: Duty,
    now: Timestamp,
) -> Result<(), AppError> {
    let steward = |acceptance, open| Steward { state, acceptance, open, now, request_id: Uuid::now_v7().to_string() };
    if !duty.writes_to_the_cluster() {
        return steward(acceptance, open).perform(duty).await;
    }
    // Others may have been decided, or ended, since the round began: what is written follows from what is true now.
    let open = list_open(state, Some(acceptance)).await?;
    let current = open.iter().find(|current| current.accepted.id == acceptance.accepted.id);
    match current.filter(|current| current.life.due(now) == Some(duty)) {
        Some(current) => steward(current, &open).perform(duty).await,
        None => Ok(()),
    }
}

/// Makes what an opt-in gives once more, for an administrator who has seen that the cluster differs. Not while the
/// steward is at it, and only if it is still effective then.
///
/// # Errors
/// [`AppError::Conflict`] where it is not, or where the cluster still differs afterwards; the cluster's, or the
/// database's.
pub(super) async fn repair(
    state: &AppState,
    who: impl Into<Acting<'_>>,
    acceptance: &Acceptance,
) -> Result<(), AppError> {
    let id = acceptance.accepted.id;
    // No step of its life, so none is counted.
    let detail = json!({ "acceptance": id, "digest": acceptance.digest, "again": "yes" });
    let drift = audited(state, who, Action::EffectTake, &acceptance.object(), detail, |_| async {
        let mut turn = state.database.begin().await?;
        Turn::OptIns.wait(&mut turn).await?;
        let open = list_open(state, Some(acceptance)).await?;
        let current = open.iter().find(|open| open.accepted.id == id);
        let current = current.filter(|current| *current.standing() == Standing::Effective);
        let current = current.ok_or(AppError::Conflict { message: StepError::TooLate.to_string() })?;
        let landscape = Landscape::seen(state, &open)?;
        landscape.make(current).await?;
        let drift = landscape.differences(current).await?;
        let note = EffectNote { problem: String::new(), drift: drift.clone() };
        store::note_effect(&state.database, id, current.steps.len(), &note, look_every(state), Timestamp::now())
            .await?;
        turn.commit().await?;
        Ok(drift)
    })
    .await?;
    match drift.is_empty() {
        true => Ok(()),
        false => Err(AppError::Conflict {
            message: format!(
                "Everything was made again, and the cluster still differs from what was approved. {drift}"
            ),
        }),
    }
}

/// What an administrator does by hand, and says so, is not the steward's; nor is what the pause after the last look, or
/// the last failure, is not over for.
fn is_for_now(acceptance: &Acceptance, open: &[Acceptance], duty: Duty, now: Timestamp) -> bool {
    let is_by_hand = acceptance.terms.effect == Effect::ByHand && kept_by_hand(acceptance, open).is_none();
    let is_ours = !is_by_hand && acceptance.next_attempt_at.is_none_or(|at| at <= now);
    is_ours || !duty.is_in_the_cluster()
}

/// Of something that ends because it was accepted anew, and was enabled by hand: the later acceptance that needs it as
/// well, so that nobody takes away what is to stay.
fn kept_by_hand<'a>(acceptance: &Acceptance, open: &'a [Acceptance]) -> Option<&'a Acceptance> {
    let accepted = &acceptance.accepted;
    let is_it = |other: &&Acceptance| {
        let same = (&other.accepted.feature, &other.accepted.scope) == (&accepted.feature, &accepted.scope);
        let is_later = other.accepted.accepted_at > accepted.accepted_at && other.standing().is_granted();
        // What it leaves out, somebody has to take back.
        let has_all_groups = accepted.groups.iter().all(|group| other.accepted.groups.contains(group));
        let has_namespace = |name: &String| {
            let same_uid = other.accepted.namespace_uids.get(name) == accepted.namespace_uids.get(name);
            same_uid && other.accepted.namespaces.contains(name)
        };
        same && is_later && has_all_groups && accepted.namespaces.iter().all(has_namespace)
    };
    let is_replaced =
        acceptance.terms.effect == Effect::ByHand && *acceptance.standing() == Standing::Ending(End::Replaced);
    open.iter().filter(is_it).find(|other| is_replaced && other.terms.effect == Effect::ByHand)
}

fn look_every(state: &AppState) -> SignedDuration {
    SignedDuration::from_secs(state.policy.effects.look_every_seconds.into())
}

/// All that is not over; or only what reaches a namespace that one of them reaches, which is all that matters for it.
async fn list_open(state: &AppState, around: Option<&Acceptance>) -> Result<Vec<Acceptance>, AppError> {
    let namespaces = around.map(|acceptance| acceptance.accepted.namespaces.clone());
    let query = AcceptanceQuery { namespaces, is_open: true, is_whole: true, ..AcceptanceQuery::default() };
    store::list_acceptances(&state.database, &query).await
}

struct Steward<'a> {
    state: &'a AppState,
    acceptance: &'a Acceptance,
    open: &'a [Acceptance],
    now: Timestamp,
    request_id: String,
}

impl Steward<'_> {
    async fn perform(&self, duty: Duty) -> Result<(), AppError> {
        match duty {
            Duty::Notice(days) => self.give_notice(days).await,
            Duty::End(end) => self.end(end).await,
            Duty::TakeEffect => self.take_effect().await,
            Duty::RemoveEffect => self.remove_effect().await,
            Duty::Look => self.look().await,
        }
    }

    async fn give_notice(&self, days: u16) -> Result<(), AppError> {
        let Some((ends_at, end)) = self.acceptance.life.ends_at() else { return Ok(()) };
        let id = self.acceptance.accepted.id;
        let mut transaction = self.state.database.begin().await?;
        if store::record_notice(&mut *transaction, id, days, ends_at, self.now).await? {
            let detail = json!({ "acceptance": id, "days": days.to_string(), "ends_at": ends_at, "why": end });
            let fairway = Profile::fairway();
            let who = self.acting(&fairway);
            recorded_within(&mut transaction, who, Action::RiskNotice, &self.acceptance.object(), detail).await?;
        }
        Ok(transaction.commit().await?)
    }

    async fn end(&self, end: End) -> Result<(), AppError> {
        self.audited(Action::RiskEnd, Step::End(end), "", async || Ok(())).await
    }

    async fn take_effect(&self) -> Result<(), AppError> {
        let done = match self.landscape() {
            Ok(landscape) => {
                let making = async || landscape.make(self.acceptance).await;
                self.audited(Action::EffectTake, Step::TakeEffect, "", making).await
            }
            Err(error) => Err(error.into()),
        };
        self.note(done).await
    }

    async fn remove_effect(&self) -> Result<(), AppError> {
        if let Some(later) = kept_by_hand(self.acceptance, self.open) {
            let comment =
                format!("What was enabled by hand stays, because acceptance {} needs it as well.", later.accepted.id);
            return self.audited(Action::EffectRemove, Step::RemoveEffect, &comment, async || Ok(())).await;
        }
        let done = match self.landscape() {
            Ok(landscape) => self.take_all_back(&landscape).await,
            Err(error) => Err(error.into()),
        };
        self.note(done).await
    }

    async fn take_all_back(&self, landscape: &Landscape<'_>) -> Result<(), AppError> {
        let grants = landscape.grants_by_itself(self.acceptance);
        let stays = landscape.what_stays(self.acceptance, &grants)?;
        let taking_back = async || {
            let mut done = Ok(());
            // One namespace that is in the way keeps nothing in the others.
            for grant in &grants {
                done = done.and(landscape.take_back(self.acceptance, grant).await);
            }
            done
        };
        self.audited(Action::EffectRemove, Step::RemoveEffect, &stays, taking_back).await
    }

    fn landscape(&self) -> Result<Landscape<'_>, ClusterError> {
        Landscape::seen(self.state, self.open)
    }

    async fn look(&self) -> Result<(), AppError> {
        let differences = async { self.landscape()?.differences(self.acceptance).await };
        match differences.await {
            Ok(drift) => self.store(EffectNote { problem: String::new(), drift }, 0).await,
            Err(error) => {
                // Nothing is known now; what was known stays, and others are looked at first.
                self.store(EffectNote { problem: String::new(), drift: self.acceptance.drift.clone() }, 0).await?;
                Err(error)
            }
        }
    }

    /// Notes how it went, and gives that on.
    async fn note(&self, done: Result<(), AppError>) -> Result<(), AppError> {
        let (note, steps_taken) = match &done {
            Ok(()) => (EffectNote::made(), 1),
            Err(error) => (EffectNote { problem: error.to_string(), drift: String::new() }, 0),
        };
        self.store(note, steps_taken).await.and(done)
    }

    async fn store(&self, note: EffectNote, steps_taken: usize) -> Result<(), AppError> {
        let (database, id) = (&self.state.database, self.acceptance.accepted.id);
        let steps = self.acceptance.steps.len() + steps_taken;
        Ok(store::note_effect(database, id, steps, &note, look_every(self.state), self.now).await?)
    }

    /// Does something, and takes the step that says so; both within one write of the record.
    async fn audited(
        &self,
        action: Action,
        step: Step,
        comment: &str,
        doing: impl AsyncFnOnce() -> Result<(), AppError>,
    ) -> Result<(), AppError> {
        let fairway = Profile::fairway();
        let new = NewStep {
            acceptance: self.acceptance.accepted.id,
            number: self.acceptance.steps.len() + 1,
            step,
            by: None,
            comment,
            request_id: &self.request_id,
        };
        let detail = detail_of(self.acceptance, comment);
        audited_in(self.state, self.acting(&fairway), action, &self.acceptance.object(), detail, || async {
            doing().await?;
            let taking = async {
                let mut transaction = self.state.database.begin().await?;
                store::take_step(&mut transaction, new).await?;
                Ok(((), transaction))
            };
            let is_in_the_cluster = matches!(step, Step::TakeEffect | Step::RemoveEffect);
            taking.await.map_err(|error: AppError| match is_in_the_cluster {
                // It was done, and the step that says so was not taken: nobody may read that nothing was done.
                true => AppError::OutcomeUnknown { part: Part::Cluster },
                false => error,
            })
        })
        .await
    }

    fn acting<'p>(&'p self, fairway: &'p Profile) -> Acting<'p> {
        Acting { profile: fairway, request_id: &self.request_id }
    }
}
