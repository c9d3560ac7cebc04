//! What Fairway does for opt-ins by itself: notices, ends, and their effect in the cluster; one replica at a time.

use super::detail_of;
use crate::actor::Profile;
use crate::audit::{Acting, Action, Phase, audited, recorded};
use crate::error::AppError;
use crate::ports::{ClusterError, Given, Grant};
use crate::preview::acceptance::Acceptance;
use crate::preview::life::Duty;
use crate::preview::opt_in::{End, Step};
use crate::preview::store::{self, AcceptanceQuery, EffectNote, NewStep};
use crate::preview::terms::Effect;
use crate::state::AppState;
use jiff::Timestamp;
use serde_json::json;
use std::collections::BTreeSet;
use uuid::Uuid;

/// Does all that is due at a moment. What fails for one opt-in does not hold up another, and is tried again later.
///
/// # Errors
/// When the database is away.
pub async fn steward(state: &AppState, now: Timestamp) -> Result<(), AppError> {
    let mut turn = state.database.begin().await?;
    if !store::takes_turn(&mut turn).await? {
        return Ok(());
    }
    let open = ["waiting", "approved", "effective", "ending"].map(str::to_owned).to_vec();
    let query = AcceptanceQuery { standings: Some(open), ..AcceptanceQuery::default() };
    let acceptances = store::list_acceptances(&state.database, &query).await?;
    for acceptance in &acceptances {
        let Some(duty) = acceptance.life.due(now) else { continue };
        let steward = Steward { state, acceptance, others: &acceptances, now, request_id: Uuid::now_v7().to_string() };
        if let Err(error) = steward.perform(duty).await {
            tracing::warn!(%error, acceptance = %acceptance.accepted.id, ?duty, "a duty could not be done");
        }
    }
    turn.commit().await?;
    Ok(())
}

/// Makes what an opt-in gives once more, for an administrator who has seen that the cluster differs.
///
/// # Errors
/// The cluster's, or the database's.
pub(super) async fn repair(
    state: &AppState,
    who: impl Into<Acting<'_>>,
    acceptance: &Acceptance,
) -> Result<(), AppError> {
    let object = acceptance.object();
    audited(state, who, Action::EffectTake, &object, detail_of(acceptance, ""), |_| grant_all(state, acceptance))
        .await?;
    Ok(store::note_effect(&state.database, acceptance.accepted.id, &EffectNote::default(), Timestamp::now()).await?)
}

async fn grant_all(state: &AppState, acceptance: &Acceptance) -> Result<(), AppError> {
    for grant in grants_of(acceptance) {
        state.cluster.grant(&grant).await?;
    }
    Ok(())
}

struct Steward<'a> {
    state: &'a AppState,
    acceptance: &'a Acceptance,
    others: &'a [Acceptance],
    now: Timestamp,
    request_id: String,
}

impl Steward<'_> {
    async fn perform(&self, duty: Duty) -> Result<(), AppError> {
        let is_by_hand = self.acceptance.terms.effect == Effect::ByHand;
        match duty {
            Duty::Notice(days) => self.give_notice(days).await,
            Duty::End(end) => self.end(end).await,
            // An administrator does it, and says so.
            Duty::TakeEffect | Duty::RemoveEffect | Duty::Look if is_by_hand => Ok(()),
            Duty::TakeEffect => self.take_effect().await,
            Duty::RemoveEffect => self.remove_effect().await,
            Duty::Look => self.look().await,
        }
    }

    async fn give_notice(&self, days: u16) -> Result<(), AppError> {
        let Some((ends_at, end)) = self.acceptance.life.ends_at() else { return Ok(()) };
        let id = self.acceptance.accepted.id;
        if store::record_notice(&self.state.database, id, days, ends_at, self.now).await? {
            let detail = json!({ "acceptance": id, "days": days.to_string(), "ends_at": ends_at, "why": end });
            let fairway = Profile::fairway();
            recorded(
                self.state,
                self.acting(&fairway),
                Action::RiskNotice,
                Phase::Succeeded,
                &self.acceptance.object(),
                detail,
            )
            .await?;
        }
        Ok(())
    }

    async fn end(&self, end: End) -> Result<(), AppError> {
        self.audited(Action::RiskEnd, Step::End(end), async || Ok(())).await
    }

    async fn take_effect(&self) -> Result<(), AppError> {
        if !self.is_due().await? {
            return Ok(());
        }
        let done = self
            .audited(Action::EffectTake, Step::TakeEffect, async || grant_all(self.state, self.acceptance).await)
            .await;
        self.note(done).await
    }

    async fn remove_effect(&self) -> Result<(), AppError> {
        if !self.is_due().await? {
            return Ok(());
        }
        let kept = self.kept_by_others();
        let done = self
            .audited(Action::EffectRemove, Step::RemoveEffect, async || {
                for grant in grants_of(self.acceptance).into_iter().filter(|grant| !kept.contains(&grant.namespace)) {
                    self.state.cluster.withdraw(&grant).await?;
                }
                Ok(())
            })
            .await;
        self.note(done).await
    }

    /// Namespaces in which another opt-in still gives the same feature.
    fn kept_by_others(&self) -> BTreeSet<String> {
        let mine = &self.acceptance.accepted;
        let others = self.others.iter().filter(|other| other.accepted.feature == mine.feature);
        let granted = others.filter(|other| other.accepted.id != mine.id && other.standing().is_granted());
        granted.flat_map(|other| other.accepted.namespaces.iter().cloned()).collect()
    }

    async fn look(&self) -> Result<(), AppError> {
        let mut drift = Vec::new();
        for grant in grants_of(self.acceptance) {
            match self.state.cluster.difference(&grant).await {
                Ok(difference) => drift.extend(difference),
                // Nothing is known now; what was known stays.
                Err(ClusterError::Away(_)) => return Ok(()),
                Err(error) => drift.push(AppError::from(error).to_string()),
            }
        }
        let note = EffectNote { problem: String::new(), drift: drift.join(" ") };
        if note.drift != self.acceptance.drift || !self.acceptance.problem.is_empty() {
            store::note_effect(&self.state.database, self.acceptance.accepted.id, &note, self.now).await?;
        }
        Ok(())
    }

    async fn is_due(&self) -> Result<bool, AppError> {
        Ok(store::is_due(&self.state.database, self.acceptance.accepted.id, self.now).await?)
    }

    async fn note(&self, done: Result<(), AppError>) -> Result<(), AppError> {
        let problem = done.err().map(|error| error.to_string()).unwrap_or_default();
        let note = EffectNote { problem, drift: String::new() };
        Ok(store::note_effect(&self.state.database, self.acceptance.accepted.id, &note, self.now).await?)
    }

    /// Does something, and takes the step that says so; both within one write of the record.
    async fn audited(
        &self,
        action: Action,
        step: Step,
        doing: impl AsyncFnOnce() -> Result<(), AppError>,
    ) -> Result<(), AppError> {
        let fairway = Profile::fairway();
        let new = NewStep {
            acceptance: self.acceptance.accepted.id,
            step,
            person_id: None,
            comment: "",
            request_id: &self.request_id,
        };
        let detail = detail_of(self.acceptance, "");
        audited(self.state, self.acting(&fairway), action, &self.acceptance.object(), detail, |_| async {
            doing().await?;
            store::take_step(&self.state.database, new).await.map(drop)
        })
        .await
    }

    fn acting<'p>(&'p self, fairway: &'p Profile) -> Acting<'p> {
        Acting { profile: fairway, request_id: &self.request_id }
    }
}

/// What an opt-in gives, namespace by namespace.
fn grants_of(acceptance: &Acceptance) -> Vec<Grant> {
    let accepted = &acceptance.accepted;
    let given = match &acceptance.terms.effect {
        Effect::ByHand => return Vec::new(),
        Effect::Metadata { labels, annotations } => {
            Given::Metadata { labels: labels.clone(), annotations: annotations.clone() }
        }
        Effect::RoleBinding { cluster_role } => {
            Given::RoleBinding { cluster_role: cluster_role.clone(), groups: accepted.groups.clone() }
        }
    };
    let approvers: Vec<&str> = acceptance
        .steps
        .iter()
        .filter(|taken| taken.step == "approved")
        .filter_map(|taken| taken.person.as_deref())
        .collect();
    let mandate = format!(
        "acceptance {}, accepted by {}, approved by {}",
        accepted.id,
        acceptance.person().0,
        approvers.join(" and ")
    );
    let grant = |namespace: &String| Grant {
        feature: accepted.feature.clone(),
        namespace: namespace.clone(),
        given: given.clone(),
        mandate: mandate.clone(),
    };
    accepted.namespaces.iter().map(grant).collect()
}
