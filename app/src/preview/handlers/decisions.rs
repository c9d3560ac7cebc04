//! What approving and refusing share: each chosen acceptance is decided by itself, and what came of each is shown.

use crate::actor::Actor;
use crate::error::AppError;
use crate::form::{FormErrors, FormOutcome, decode};
use crate::preview::opt_in::Step;
use crate::preview::paths;
use crate::preview::service::deciding::{DecisionForm, LONGEST_COMMENT, load_acceptances, take_step};
use crate::state::AppState;
use axum::http::request::Parts;
use axum::response::Response;
use record::{Event, OptInStep};

/// A decision of an administrator.
pub(super) struct Decision {
    pub(super) step: Step,
    pub(super) event: fn(OptInStep) -> Event,
    /// What is wrong where nothing was said; nothing where nothing must be.
    pub(super) needs_comment: Option<&'static str>,
}

pub(super) async fn decide(
    state: AppState,
    actor: &Actor,
    parts: Parts,
    body: &str,
    decision: Decision,
) -> Result<Response, AppError> {
    let form: DecisionForm = decode(body)?;
    let outcome = decide_each(&state, actor, form, &decision).await?;
    let page = match parts.uri.query() {
        Some(query) => format!("{}?{query}", paths::APPROVALS),
        None => paths::APPROVALS.to_owned(),
    };
    Ok(outcome.respond_on(&page, state, parts).await)
}

async fn decide_each(
    state: &AppState,
    actor: &Actor,
    form: DecisionForm,
    decision: &Decision,
) -> Result<FormOutcome<DecisionForm>, AppError> {
    let comment = form.comment.trim();
    let mut errors = FormErrors::default();
    if form.acceptance.is_empty() {
        errors.add("acceptance", "Choose what you decide on.");
    }
    if let Some(message) = decision.needs_comment.filter(|_| comment.is_empty()) {
        errors.add("comment", message);
    }
    if comment.chars().count() > LONGEST_COMMENT {
        errors.add("comment", format!("Enter at most {LONGEST_COMMENT} characters."));
    }
    if !errors.is_empty() {
        return Ok(FormOutcome::again(form, errors));
    }
    let chosen = load_acceptances(state, actor.administrator()?, &form.acceptance).await?;
    let mut left = Vec::new();
    for acceptance in &chosen {
        // Each for itself, whatever went wrong: others may be decided already.
        if let Err(error) = take_step(state, actor, acceptance, decision.step, decision.event, comment).await {
            let what = format!("{} for {}", acceptance.feature_name, acceptance.accepted.scope);
            errors.add(format!("acceptance-{}", acceptance.accepted.id), format!("{what}: {error}"));
            left.push(acceptance.accepted.id.to_string());
        }
    }
    if errors.is_empty() {
        return Ok(FormOutcome::Done(format!("{}?decided={}", paths::APPROVALS, chosen.len())));
    }
    let decided = chosen.len() - left.len();
    if decided > 0 {
        let are = if decided == 1 { "1 of them is".to_owned() } else { format!("{decided} of them are") };
        errors.add("acceptance", format!("{are} decided and recorded, and what is named here is not."));
    }
    Ok(FormOutcome::again(DecisionForm { acceptance: left, ..form }, errors))
}
