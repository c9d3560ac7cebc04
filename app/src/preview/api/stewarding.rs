//! What Fairway does for opt-ins by itself: notices, ends, and their effect in the cluster; one replica at a time.

use super::detail_of;
use crate::actor::Profile;
use crate::audit::{Acting, Action, audited, audited_in, recorded_within};
use crate::error::{AppError, Part};
use crate::ports::{ClusterError, Given, Grant};
use crate::preview::acceptance::Acceptance;
use crate::preview::life::Duty;
use crate::preview::opt_in::{End, Standing, Step, StepError};
use crate::preview::store::{self, AcceptanceQuery, EffectNote, NewStep};
use crate::preview::terms::Effect;
use crate::state::AppState;
use crate::turn::Turn;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// Does all that is due at a moment. What fails for one opt-in does not hold up another, and is tried again later.
///
/// # Errors
/// When the database is away.
pub async fn steward(state: &AppState, now: Timestamp) -> Result<(), AppError> {
    let mut turn = state.database.begin().await?;
    if !Turn::OptIns.take(&mut turn).await? {
        return Ok(());
    }
    let open = list_open(state).await?;
    let due = open.iter().filter_map(|acceptance| Some((acceptance, acceptance.life.due(now)?)));
    let mut duties: Vec<(&Acceptance, Duty)> =
        due.filter(|(acceptance, duty)| is_for_now(acceptance, *duty, now)).collect();
    duties.sort_by_key(|(_, duty)| duty.is_in_the_cluster());
    for (acceptance, duty) in duties {
        Turn::keep(&mut turn).await?;
        let steward = Steward { state, acceptance, others: &open, now, request_id: Uuid::now_v7().to_string() };
        if let Err(error) = steward.perform(duty).await {
            tracing::warn!(%error, acceptance = %acceptance.accepted.id, ?duty, "a duty could not be done");
            // What is left is the cluster's too, and it would be waited for as often as there are opt-ins.
            if matches!(error, AppError::Away { .. }) {
                break;
            }
        }
    }
    turn.commit().await?;
    Ok(())
}

/// Makes what an opt-in gives once more, for an administrator who has seen that the cluster differs. Not while the
/// steward is at it, and only if it is still effective then.
///
/// # Errors
/// [`AppError::Conflict`] where it is not; the cluster's, or the database's.
pub(super) async fn repair(
    state: &AppState,
    who: impl Into<Acting<'_>>,
    acceptance: &Acceptance,
) -> Result<(), AppError> {
    let id = acceptance.accepted.id;
    // No step of its life, so none is counted.
    let detail = json!({ "acceptance": id, "digest": acceptance.digest, "again": "yes" });
    audited(state, who, Action::EffectTake, &acceptance.object(), detail, |_| async {
        let mut turn = state.database.begin().await?;
        Turn::OptIns.wait(&mut turn).await?;
        let open = list_open(state).await?;
        let current = open.iter().find(|open| open.accepted.id == id);
        let current = current.filter(|current| *current.standing() == Standing::Effective);
        let current = current.ok_or(AppError::Conflict { message: StepError::TooLate.to_string() })?;
        grant_all(state, current, &open).await?;
        Ok(turn.commit().await?)
    })
    .await?;
    store::note_effect(&state.database, id, &EffectNote::made(), look_every(state), Timestamp::now()).await?;
    Ok(())
}

/// What an administrator does by hand, and says so, is not the steward's; nor is what the pause after the last look, or
/// the last failure, is not over for.
fn is_for_now(acceptance: &Acceptance, duty: Duty, now: Timestamp) -> bool {
    let is_ours = acceptance.terms.effect != Effect::ByHand && acceptance.next_attempt_at.is_none_or(|at| at <= now);
    is_ours || !duty.is_in_the_cluster()
}

fn look_every(state: &AppState) -> SignedDuration {
    SignedDuration::from_secs(state.policy.effects.look_every_seconds.into())
}

async fn list_open(state: &AppState) -> Result<Vec<Acceptance>, AppError> {
    let open = ["waiting", "approved", "effective", "ending"].map(str::to_owned).to_vec();
    let query = AcceptanceQuery { standings: Some(open), is_whole: true, ..AcceptanceQuery::default() };
    store::list_acceptances(&state.database, &query).await
}

async fn grant_all(state: &AppState, acceptance: &Acceptance, open: &[Acceptance]) -> Result<(), AppError> {
    for grant in grants_of(acceptance, open) {
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
        let done = self
            .audited(Action::EffectTake, Step::TakeEffect, "", async || {
                grant_all(self.state, self.acceptance, self.others).await
            })
            .await;
        self.note(done).await
    }

    async fn remove_effect(&self) -> Result<(), AppError> {
        let grants = self.own_grants();
        let taking_back = async || {
            let mut done = Ok(());
            // One namespace that is in the way keeps nothing in the others.
            for grant in &grants {
                done = done.and(self.take_back(grant).await);
            }
            done
        };
        let done = match self.what_stays(&grants) {
            Ok(stays) => self.audited(Action::EffectRemove, Step::RemoveEffect, &stays, taking_back).await,
            Err(error) => Err(error.into()),
        };
        self.note(done).await
    }

    /// What it gave by itself, whatever others give beside it.
    fn own_grants(&self) -> Vec<Grant> {
        let beside =
            |grant: Grant| Grant { beside: features_beside(self.acceptance, self.others, &grant.namespace), ..grant };
        grants_of(self.acceptance, &[]).into_iter().map(beside).collect()
    }

    /// Where another opt-in still gives the same thing of the same feature, what is there becomes that one's alone.
    async fn take_back(&self, grant: &Grant) -> Result<(), AppError> {
        match self.kept(grant)? {
            Some((_, kept)) => Ok(self.state.cluster.grant(&kept).await?),
            None => Ok(self.state.cluster.withdraw(grant).await?),
        }
    }

    /// What another opt-in of the same feature still gives in place of a grant, and which.
    fn kept(&self, grant: &Grant) -> Result<Option<(&Acceptance, Grant)>, ClusterError> {
        // With the namespace everything in it is gone, and nothing can be kept there.
        if self.state.cluster.namespace(&grant.namespace)?.is_none() {
            return Ok(None);
        }
        let others = self.others.iter().filter(|other| {
            let is_other = other.accepted.id != self.acceptance.accepted.id;
            is_other && other.accepted.feature == grant.feature && other.gives()
        });
        let is_same_place = |other: &Grant| other.namespace == grant.namespace && same_kind(&other.given, &grant.given);
        let mut kept =
            others.flat_map(|other| grants_of(other, self.others).into_iter().map(move |given| (other, given)));
        Ok(kept.find(|(_, other)| is_same_place(other)))
    }

    /// In words, for the record: nobody may read that people lost what another opt-in still gives them.
    fn what_stays(&self, grants: &[Grant]) -> Result<String, ClusterError> {
        let mut sentences = Vec::new();
        for grant in grants {
            if let Some((other, kept)) = self.kept(grant)? {
                let what = shared(&grant.given, &kept.given);
                let (namespace, id) = (&grant.namespace, other.accepted.id);
                let sentence = || format!("{what} stays in {namespace}, because acceptance {id} gives it as well.");
                sentences.extend((!what.is_empty()).then(sentence));
            }
        }
        Ok(sentences.join(" "))
    }

    async fn look(&self) -> Result<(), AppError> {
        let mut drift = Vec::new();
        for grant in grants_of(self.acceptance, self.others) {
            match self.state.cluster.difference(&grant).await {
                Ok(difference) => drift.extend(difference),
                // Nothing is known now; what was known stays.
                Err(error @ ClusterError::Away(_)) => return Err(error.into()),
                Err(error) => drift.push(AppError::from(error).to_string()),
            }
        }
        self.store(EffectNote { problem: String::new(), drift: drift.join(" ") }).await
    }

    /// Notes how it went, and gives that on.
    async fn note(&self, done: Result<(), AppError>) -> Result<(), AppError> {
        let note = match &done {
            Ok(()) => EffectNote::made(),
            Err(error) => EffectNote { problem: error.to_string(), drift: String::new() },
        };
        self.store(note).await.and(done)
    }

    async fn store(&self, note: EffectNote) -> Result<(), AppError> {
        let (database, id) = (&self.state.database, self.acceptance.accepted.id);
        Ok(store::note_effect(database, id, &note, look_every(self.state), self.now).await?)
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

/// What an opt-in gives, namespace by namespace. What others of the same feature give there is the same object, so it
/// holds the groups, or the labels and annotations, of all of them; where two differ the later one counts.
fn grants_of(acceptance: &Acceptance, open: &[Acceptance]) -> Vec<Grant> {
    let accepted = &acceptance.accepted;
    let grant = |namespace: &String| {
        let others = open.iter().filter(|other| {
            let is_other = other.accepted.id != accepted.id && other.accepted.feature == accepted.feature;
            is_other && other.gives() && other.accepted.namespaces.contains(namespace)
        });
        let mut all: Vec<&Acceptance> = others.chain([acceptance]).collect();
        all.sort_by_key(|one| one.accepted.accepted_at);
        let given = match &acceptance.terms.effect {
            Effect::ByHand => return None,
            Effect::Metadata { .. } => metadata_of(&all),
            Effect::RoleBinding { cluster_role } => {
                Given::RoleBinding { cluster_role: cluster_role.clone(), groups: groups_of(&all, cluster_role) }
            }
        };
        let (feature, namespace) = (accepted.feature.clone(), namespace.clone());
        let since = acceptance.feature_since;
        let beside = features_beside(acceptance, open, &namespace);
        Some(Grant { feature, namespace, given, mandate: mandate_of(acceptance), since, beside })
    };
    accepted.namespaces.iter().filter_map(grant).collect()
}

/// Other features that give something in a namespace, or have given it and do not count as taken back yet.
fn features_beside(acceptance: &Acceptance, open: &[Acceptance], namespace: &String) -> BTreeSet<String> {
    let others = open.iter().filter(|other| {
        let is_in_the_cluster = other.gives() || matches!(other.standing(), Standing::Ending(_));
        is_in_the_cluster && other.accepted.namespaces.contains(namespace)
    });
    let features = others.map(|other| other.accepted.feature.clone());
    features.filter(|feature| *feature != acceptance.accepted.feature).collect()
}

fn metadata_of(all: &[&Acceptance]) -> Given {
    let (mut labels, mut annotations) = (BTreeMap::new(), BTreeMap::new());
    for one in all {
        if let Effect::Metadata { labels: more_labels, annotations: more_annotations } = &one.terms.effect {
            labels.extend(more_labels.clone());
            annotations.extend(more_annotations.clone());
        }
    }
    Given::Metadata { labels, annotations }
}

fn groups_of(all: &[&Acceptance], cluster_role: &str) -> Vec<String> {
    let is_same = |one: &&&Acceptance| matches!(&one.terms.effect, Effect::RoleBinding { cluster_role: other } if other == cluster_role);
    let groups: BTreeSet<String> = all.iter().filter(is_same).flat_map(|one| one.accepted.groups.clone()).collect();
    groups.into_iter().collect()
}

/// Names nobody: an annotation would keep the names of people who were blanked.
fn mandate_of(acceptance: &Acceptance) -> String {
    format!("acceptance {}", acceptance.accepted.id)
}

/// What two opt-ins give alike, in words; empty where it is nothing.
fn shared(one: &Given, other: &Given) -> String {
    match (one, other) {
        (
            Given::RoleBinding { cluster_role, groups },
            Given::RoleBinding { cluster_role: other_role, groups: other_groups },
        ) if cluster_role == other_role => {
            let both: Vec<&str> =
                groups.iter().filter(|group| other_groups.contains(group)).map(String::as_str).collect();
            if both.is_empty() { String::new() } else { format!("The role {cluster_role} of {}", both.join(", ")) }
        }
        (
            Given::Metadata { labels, annotations },
            Given::Metadata { labels: other_labels, annotations: other_annotations },
        ) => {
            let in_both = |one: &BTreeMap<String, String>, other: &BTreeMap<String, String>| {
                one.keys().filter(|key| other.contains_key(*key)).cloned().collect::<Vec<_>>()
            };
            [in_both(labels, other_labels), in_both(annotations, other_annotations)].concat().join(", ")
        }
        _ => String::new(),
    }
}

fn same_kind(one: &Given, other: &Given) -> bool {
    std::mem::discriminant(one) == std::mem::discriminant(other)
}
