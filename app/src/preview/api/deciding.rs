//! Deciding on acceptances, and what people do with them afterwards.

use super::detail_of;
use super::scopes::{load_reach, viewer};
use super::stewarding::repair;
use crate::actor::Actor;
use crate::audit::{Action, Phase, audited_in, recorded, rows_of_acceptance};
use crate::error::AppError;
use crate::form::{FormErrors, FormOutcome, decode};
use crate::preview::acceptance::Acceptance;
use crate::preview::evidence::Evidence;
use crate::preview::opt_in::{End, Standing, Step};
use crate::preview::store::{self, AcceptanceQuery, Listed, NewStep, Place};
use crate::preview::terms::Effect;
use crate::state::AppState;
use crate::turn::Turn;
use axum::extract::{Path, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

/// What the queue shows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct QueueFilter {
    /// After a place in the list.
    pub after: Option<Place>,
    /// A feature, by its slug; empty for all.
    pub feature: String,
    /// How they stand; empty for those that wait for somebody: to decide, to do by hand what was decided, or to see to
    /// what went wrong.
    pub standing: String,
}

/// The queue, and the features to filter by.
pub struct Queue {
    /// A page of what fits.
    pub listed: Listed,
    /// Slug and name.
    pub features: Vec<(String, String)>,
}

/// Acceptances for administrators and auditors.
///
/// # Errors
/// [`AppError::NotFound`] for everyone else.
pub async fn load_queue(state: &AppState, actor: &Actor, filter: &QueueFilter) -> Result<Queue, AppError> {
    actor.record_reader()?;
    let needs_somebody = filter.standing.is_empty();
    let standings = match filter.standing.as_str() {
        "" | "all" => None,
        standing => Some(vec![standing.to_owned()]),
    };
    let feature = Some(filter.feature.clone()).filter(|feature| !feature.is_empty());
    let after = filter.after;
    // Nobody waits longer because others came later.
    let query = AcceptanceQuery {
        feature,
        standings,
        needs_somebody,
        after,
        oldest_first: needs_somebody,
        ..AcceptanceQuery::default()
    };
    let features = store::list_features(&state.database).await?;
    Ok(Queue {
        listed: store::list_page(&state.database, &query).await?,
        features: features.into_iter().map(|feature| (feature.description.slug, feature.description.name)).collect(),
    })
}

/// How many acceptances wait for somebody, for administrators and auditors.
///
/// # Errors
/// [`AppError::NotFound`] for everyone else.
pub async fn count_open(state: &AppState, actor: &Actor) -> Result<i64, AppError> {
    actor.record_reader()?;
    Ok(store::count_open(&state.database).await?)
}

/// Longest comment: it is kept for good, with each decision.
const LONGEST_COMMENT: usize = 2000;

fn check_comment(comment: &str, errors: &mut FormErrors) {
    if comment.chars().count() > LONGEST_COMMENT {
        errors.add("comment", format!("Enter at most {LONGEST_COMMENT} characters."));
    }
}

/// Decisions, as sent: one comment for all that are chosen.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct DecisionForm {
    /// Which acceptances.
    pub acceptance: Vec<String>,
    /// `approve` or `refuse`.
    pub verdict: String,
    /// Needed for a refusal.
    pub comment: String,
}

/// `POST /admin/approvals`: each acceptance is decided by itself, and what came of each is shown.
///
/// # Errors
/// Whatever is not the form's fault.
pub async fn post_decision(
    State(state): State<AppState>,
    actor: Actor,
    parts: Parts,
    body: String,
) -> Result<Response, AppError> {
    actor.administrator()?;
    let form: DecisionForm = decode(&body)?;
    let outcome = decide(&state, &actor, form).await?;
    Ok(outcome.respond(state, parts).await)
}

async fn decide(state: &AppState, actor: &Actor, form: DecisionForm) -> Result<FormOutcome<DecisionForm>, AppError> {
    let by = actor.administrator()?.actor().person_id;
    let (step, action) = match form.verdict.as_str() {
        "approve" => (Step::Approve { by }, Action::RiskApprove),
        "refuse" => (Step::Refuse { by }, Action::RiskRefuse),
        _ => return Err(AppError::NotFound),
    };
    let mut errors = FormErrors::default();
    if form.acceptance.is_empty() {
        errors.add("acceptance", "Choose what you decide on.");
    }
    if matches!(step, Step::Refuse { .. }) && form.comment.trim().is_empty() {
        errors.add("comment", "Say why it is refused, so that the person knows what to do.");
    }
    check_comment(&form.comment, &mut errors);
    if !errors.is_empty() {
        return Ok(FormOutcome::again(form, errors));
    }
    let mut chosen = Vec::new();
    for id in &form.acceptance {
        chosen.push(store::find_acceptance(&state.database, id.parse().map_err(|_| AppError::NotFound)?).await?);
    }
    let mut left = Vec::new();
    for acceptance in &chosen {
        // Each for itself, whatever went wrong: others may be decided already.
        if let Err(error) = take(state, actor, acceptance, step, action, form.comment.trim()).await {
            let what = format!("{} for {}", acceptance.feature_name, acceptance.accepted.scope);
            errors.add(format!("acceptance-{}", acceptance.accepted.id), format!("{what}: {error}"));
            left.push(acceptance.accepted.id.to_string());
        }
    }
    if errors.is_empty() {
        return Ok(FormOutcome::Done(format!("/admin/approvals?decided={}", form.acceptance.len())));
    }
    let decided = chosen.len() - left.len();
    if decided > 0 {
        let are = if decided == 1 { "1 of them is".to_owned() } else { format!("{decided} of them are") };
        errors.add("acceptance", format!("{are} decided and recorded, and what is named here is not."));
    }
    Ok(FormOutcome::again(DecisionForm { acceptance: left, ..form }, errors))
}

/// Takes a step in a person's name, and records it.
async fn take(
    state: &AppState,
    actor: &Actor,
    acceptance: &Acceptance,
    step: Step,
    action: Action,
    comment: &str,
) -> Result<Standing, AppError> {
    let new = NewStep {
        acceptance: acceptance.accepted.id,
        number: acceptance.steps.len() + 1,
        step,
        by: Some(actor),
        comment,
        request_id: &actor.request_id,
    };
    let detail = detail_of(acceptance, comment);
    audited_in(state, actor, action, &acceptance.object(), detail, || async {
        let mut transaction = state.database.begin().await?;
        if step == Step::RemoveEffect {
            // Not while Fairway is about to change what somebody has just seen to be gone.
            Turn::OptIns.wait(&mut transaction).await?;
        }
        Ok((store::take_step(&mut transaction, new).await?, transaction))
    })
    .await
}

/// An acceptance, and what the person who looks at it may do.
#[derive(Debug, Clone)]
pub struct Shown {
    /// The acceptance.
    pub acceptance: Acceptance,
    /// They accepted it, and it is open.
    pub may_withdraw: bool,
    /// They accepted it, act for its scope, or administer: theirs to end, as long as it is granted.
    pub may_revoke: bool,
    /// They administer.
    pub may_administer: bool,
}

/// One acceptance, for whoever accepted, whoever acts for its scope or administers a namespace of it, administrators and
/// auditors.
///
/// # Errors
/// [`AppError::NotFound`] for everyone else.
pub async fn load_acceptance(state: &AppState, actor: &Actor, id: &str) -> Result<Shown, AppError> {
    let id: Uuid = id.parse().map_err(|_| AppError::NotFound)?;
    let reach = load_reach(state, actor).await;
    let viewer = viewer(actor, &reach);
    let seen_by = actor.record_reader().is_err().then(|| viewer.clone());
    let acceptance = match (store::find_seen_acceptance(&state.database, id, seen_by).await, reach) {
        // It may be theirs to see, and only the cluster knows.
        (Err(AppError::NotFound), Err(error)) => return Err(error),
        (found, _) => found?,
    };
    let acts_for = viewer.scopes.contains(&acceptance.accepted.scope);
    let is_own = acceptance.person_id == actor.person_id;
    let administers = actor.administrator().is_ok();
    Ok(Shown {
        may_withdraw: is_own && matches!(acceptance.standing(), Standing::Waiting { .. }),
        may_revoke: acts_for || is_own || administers,
        may_administer: administers,
        acceptance,
    })
}

/// What somebody does with an acceptance, as sent.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ActForm {
    /// `withdraw`, `revoke`, `done`, `undone` or `repair`.
    pub act: String,
    /// Why; needed to revoke.
    pub comment: String,
}

/// `POST /preview-features/acceptances/{id}`.
///
/// # Errors
/// Whatever is not the form's fault.
pub async fn post_act(
    State(state): State<AppState>,
    actor: Actor,
    Path(id): Path<String>,
    parts: Parts,
    body: String,
) -> Result<Response, AppError> {
    let form: ActForm = decode(&body)?;
    let shown = load_acceptance(&state, &actor, &id).await?;
    let acceptance = &shown.acceptance;
    let is_by_hand = acceptance.terms.effect == Effect::ByHand;
    if form.act == "repair" && shown.may_administer && !is_by_hand {
        repair(&state, &actor, acceptance).await?;
        return Ok(done_with(&id).respond(state, parts).await);
    }
    let (step, action) = match form.act.as_str() {
        "withdraw" => (Step::Withdraw { by: actor.person_id }, Action::RiskWithdraw),
        // What waits is for its owner to withdraw, and for administrators to refuse.
        "revoke" if shown.may_revoke && matches!(acceptance.standing(), Standing::Waiting { .. }) => {
            return Err(AppError::Conflict { message: "This waits for a decision, so there is nothing to revoke yet. Whoever accepted it may withdraw it, and an administrator refuse it.".to_owned() });
        }
        "revoke" if shown.may_revoke => (Step::End(End::Revoked), Action::RiskRevoke),
        "done" if shown.may_administer && is_by_hand => (Step::TakeEffect, Action::EffectTake),
        // Also where Fairway is refused: an administrator has looked, and answers for it.
        "undone" if shown.may_administer && (is_by_hand || !acceptance.problem.is_empty()) => {
            (Step::RemoveEffect, Action::EffectRemove)
        }
        _ => return Err(AppError::NotFound),
    };
    let mut errors = FormErrors::default();
    if step == Step::End(End::Revoked) && form.comment.trim().is_empty() {
        errors.add("comment", "Say why it is revoked; whoever accepted reads it.");
    }
    check_comment(&form.comment, &mut errors);
    if !errors.is_empty() {
        return Ok(FormOutcome::again(form, errors).respond(state, parts).await);
    }
    take(&state, &actor, acceptance, step, action, form.comment.trim()).await?;
    Ok(done_with(&id).respond(state, parts).await)
}

fn done_with(id: &str) -> FormOutcome<ActForm> {
    FormOutcome::Done(format!("/preview-features/acceptances/{id}?done=yes"))
}

/// `POST /preview-features/acceptances/{id}/record`: the acceptance with everything that is needed to verify it.
///
/// # Errors
/// [`AppError::NotFound`] for those who may not see it.
pub async fn post_record(
    State(state): State<AppState>,
    actor: Actor,
    Path(id): Path<String>,
) -> Result<Response, AppError> {
    let seen = load_acceptance(&state, &actor, &id).await?.acceptance;
    let id = seen.accepted.id;
    let exported = json!({ "exported": id });
    recorded(&state, &actor, Action::RecordExport, Phase::Succeeded, &seen.object(), exported).await?;
    // One state of all: a step that is taken meanwhile must not be in one part of the file alone.
    let mut snapshot = state.database.begin_with("begin isolation level repeatable read read only").await?;
    let acceptance = store::find_acceptance(&mut *snapshot, id).await?;
    let mut rows = rows_of_acceptance(&mut *snapshot, id).await?;
    snapshot.commit().await?;
    if actor.record_reader().is_err() {
        rows.iter_mut().for_each(|row| row.keep_only_of(acceptance.identity.as_ref()));
    }
    let evidence = Evidence::of(acceptance, rows);
    let text = serde_json::to_string_pretty(&evidence).map_err(|error| {
        tracing::error!(%error, "evidence cannot be written");
        AppError::Internal
    })?;
    let disposition = format!("attachment; filename=\"acceptance-{id}.json\"");
    Ok(([(CONTENT_TYPE, "application/json".to_owned()), (CONTENT_DISPOSITION, disposition)], text).into_response())
}

/// `GET /preview-features/{slug}/statements/{version}`: the exact text of a version, whose SHA-256 is its digest.
///
/// # Errors
/// [`AppError::NotFound`].
pub async fn get_statement(
    State(state): State<AppState>,
    _: Actor,
    Path((slug, version)): Path<(String, i32)>,
) -> Result<Response, AppError> {
    let versions = store::list_versions(&state.database, &slug).await?;
    let found = versions.into_iter().find(|found| found.terms.version == version).ok_or(AppError::NotFound)?;
    Ok(([(CONTENT_TYPE, "application/json")], found.document).into_response())
}
