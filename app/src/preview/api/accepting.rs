//! Reading a statement and accepting it.

use super::scopes::{Reach, ScopeChoice, load_groups, load_reach, viewer};
use crate::actor::Actor;
use crate::audit::{Action, audited_in, commitment_to};
use crate::digest::Digest;
use crate::error::AppError;
use crate::form::{FormErrors, FormOutcome, decode};
use crate::preview::acceptance::{Acceptance, Accepted};
use crate::preview::opt_in::Standing;
use crate::preview::store::{self, AcceptanceQuery, Listed, Place};
use crate::preview::terms::{Effect, Scope, Stage};
use crate::preview::{Feature, Version};
use crate::state::AppState;
use axum::extract::{Path, State};
use axum::http::request::Parts;
use axum::response::Response;
use jiff::{Timestamp, Unit};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::PgExecutor;
use std::collections::BTreeMap;
use uuid::Uuid;

/// The opt-in form, as sent.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct OptInForm {
    /// The scope, as `namespace/shop`.
    pub scope: String,
    /// Places of the ticked points, from 0.
    pub points: Vec<String>,
    /// Why.
    pub justification: String,
    /// The statement that the person read.
    pub digest: String,
    /// `accept` once the person has seen what will be recorded; `change` to go back.
    pub act: String,
    /// The digest of what they have seen.
    pub shown: String,
}

/// A form that is right: what it would record is shown before it does.
#[derive(Debug, Clone)]
pub struct Confirming {
    /// The form.
    pub form: OptInForm,
    /// What would be recorded, but for its id, the time and the reference.
    pub accepted: Accepted,
    /// It is not what the person saw when they accepted.
    pub is_changed: bool,
}

/// Longest reason.
const LONGEST_JUSTIFICATION: usize = 2000;

/// `POST /preview-features/{slug}`.
///
/// # Errors
/// Whatever is not the form's fault.
pub async fn post_opt_in(
    State(state): State<AppState>,
    actor: Actor,
    Path(slug): Path<String>,
    parts: Parts,
    body: String,
) -> Result<Response, AppError> {
    let feature = store::find_feature(&state.database, &slug).await?;
    let form: OptInForm = decode(&body)?;
    if form.act == "change" {
        let errors = digest_errors(&feature, &form);
        return Ok(FormOutcome::again(form, errors).respond(state, parts).await);
    }
    let choice = match check(&state, &actor, &feature, &form).await? {
        Ok(choice) => choice,
        Err(errors) => return Ok(FormOutcome::again(form, errors).respond(state, parts).await),
    };
    let accepted = what_is_accepted(&state, &actor, &feature, choice, &form).await?;
    if let Some(missing) = accepted.namespaces.iter().find(|name| !accepted.namespace_uids.contains_key(*name)) {
        let mut errors = FormErrors::default();
        errors.add("scope", format!("The namespace {missing}, which belongs to it, is not there. Ask an administrator to correct the settings, or choose another scope."));
        return Ok(FormOutcome::again(form, errors).respond(state, parts).await);
    }
    if accepted.groups.is_empty() && matches!(feature.current.terms.effect, Effect::RoleBinding { .. }) {
        let mut errors = FormErrors::default();
        errors.add("scope", "None of your groups administers this, so nobody would get the role. Choose your team, or ask somebody whose group administers it.");
        return Ok(FormOutcome::again(form, errors).respond(state, parts).await);
    }
    let outcome = match form.act.as_str() {
        // Groups and namespaces may have changed meanwhile: then what would be recorded now is shown first.
        "accept" if form.shown == accepted.digest_as_shown().to_string() => {
            FormOutcome::Done(accept(&state, &actor, accepted).await?)
        }
        act => {
            let is_changed = act == "accept";
            FormOutcome::<OptInForm>::shown(Confirming { form, accepted, is_changed })
        }
    };
    Ok(outcome.respond(state, parts).await)
}

/// The chosen scope, if everything is right.
async fn check(
    state: &AppState,
    actor: &Actor,
    feature: &Feature,
    form: &OptInForm,
) -> Result<Result<ScopeChoice, FormErrors>, AppError> {
    let mut errors = FormErrors::default();
    if feature.description.stage != Stage::Preview {
        errors.add("scope", "This feature is not in preview any more, so there is nothing to accept.");
        return Ok(Err(errors));
    }
    let other = digest_errors(feature, form);
    if !other.is_empty() {
        return Ok(Err(other));
    }
    let reach = load_reach(state, actor).await?;
    let choice =
        reach.for_kinds(&feature.current.terms.scopes).find(|choice| choice.scope.sent() == form.scope).cloned();
    match &choice {
        None => errors.add("scope", "Choose what it is for."),
        Some(choice) => {
            let standing =
                find_standing(&state.database, &feature.current.digest, &feature.description.slug, &choice.scope);
            if let Some(standing) = standing.await? {
                errors.add("scope", accepted_already(&standing));
            }
        }
    }
    for (index, point) in feature.current.terms.points.iter().enumerate() {
        if !form.points.contains(&index.to_string()) {
            errors.add(format!("points-{index}"), format!("Confirm this point, or do not opt in: {point}"));
        }
    }
    if form.justification.chars().count() > LONGEST_JUSTIFICATION {
        errors.add("justification", format!("Enter at most {LONGEST_JUSTIFICATION} characters."));
    }
    Ok(choice.filter(|_| errors.is_empty()).ok_or(errors))
}

/// What is wrong where the statement is another one than the person read.
fn digest_errors(feature: &Feature, form: &OptInForm) -> FormErrors {
    let mut errors = FormErrors::default();
    if form.digest != feature.current.digest.to_string() {
        errors.add(
            "digest",
            "The risk statement was changed while you read it. Read the new text below and confirm it again.",
        );
    }
    errors
}

fn accepted_already(standing: &Acceptance) -> String {
    let who = standing.person().0;
    format!(
        "The current statement has been accepted for this scope already, by {who}; it stands below, under What was accepted."
    )
}

/// An acceptance of a statement that makes another one needless. One that has less than a month to go may be renewed.
async fn find_standing(
    database: impl PgExecutor<'_>,
    statement: &Digest,
    feature: &str,
    scope: &Scope,
) -> Result<Option<Acceptance>, AppError> {
    let query = AcceptanceQuery {
        feature: Some(feature.to_owned()),
        scope: Some(scope.clone()),
        standings: Some(Standing::STANDS.map(str::to_owned).to_vec()),
        ..AcceptanceQuery::default()
    };
    let accepted = store::list_acceptances(database, &query).await?;
    let soon = Timestamp::now() + jiff::SignedDuration::from_hours(30 * 24);
    Ok(accepted.into_iter().find(|acceptance| {
        let is_ending = acceptance.life.ends_at().is_some_and(|(ends_at, _)| ends_at <= soon);
        acceptance.accepted.statement_digest == *statement && !is_ending
    }))
}

async fn what_is_accepted(
    state: &AppState,
    actor: &Actor,
    feature: &Feature,
    choice: ScopeChoice,
    form: &OptInForm,
) -> Result<Accepted, AppError> {
    Ok(Accepted {
        id: Uuid::now_v7(),
        feature: feature.description.slug.clone(),
        statement_version: feature.current.terms.version,
        statement_digest: feature.current.digest,
        points: feature.current.terms.points.clone(),
        groups: match feature.current.terms.effect {
            // A label is nobody's.
            Effect::Metadata { .. } => Vec::new(),
            Effect::ByHand | Effect::RoleBinding { .. } => sorted(load_groups(state, actor, &choice).await?),
        },
        namespace_uids: uids_of(state, &choice.namespaces)?,
        scope: choice.scope,
        namespaces: choice.namespaces,
        person: commitment_to(state, &actor.profile).await?,
        person_groups: sorted(actor.profile.groups.clone()),
        // Browsers send line breaks as CRLF (HTML, 4.10.11).
        justification: form.justification.trim().replace("\r\n", "\n"),
        request_id: actor.request_id.clone(),
        accepted_at: Timestamp::now().round(Unit::Microsecond).unwrap_or_default(),
    })
}

/// What the cluster knows namespaces by, of those that are there.
fn uids_of(state: &AppState, namespaces: &[String]) -> Result<BTreeMap<String, String>, AppError> {
    let mut uids = BTreeMap::new();
    for name in namespaces {
        if let Some(namespace) = state.cluster.namespace(name)? {
            uids.insert(name.clone(), namespace.uid);
        }
    }
    Ok(uids)
}

/// Providers name groups in any order, and what was shown must be what is recorded.
fn sorted(mut groups: Vec<String>) -> Vec<String> {
    groups.sort();
    groups.dedup();
    groups
}

async fn accept(state: &AppState, actor: &Actor, accepted: Accepted) -> Result<String, AppError> {
    let object = format!("PreviewFeature/{}/{}", accepted.scope.name, accepted.feature);
    let detail = json!({
        "acceptance": accepted.id,
        "digest": accepted.digest(),
        "scope": accepted.scope.to_string(),
        "version": accepted.statement_version.to_string(),
        "statement": accepted.statement_digest,
    });
    audited_in(state, actor, Action::RiskAccept, &object, detail, || async {
        let mut transaction = state.database.begin().await?;
        store::hold_scope(&mut transaction, &accepted.feature, &accepted.scope).await?;
        // A button that was pressed twice accepts once.
        let (statement, feature) = (&accepted.statement_digest, &accepted.feature);
        if find_standing(&mut *transaction, statement, feature, &accepted.scope).await?.is_some() {
            // Names nobody: the record keeps this sentence for good.
            return Err(AppError::Conflict { message: "The current statement has been accepted for this scope already, just now. Nothing more was recorded.".to_owned() });
        }
        store::insert_acceptance(&mut transaction, actor, &accepted).await?;
        Ok(((), transaction))
    })
    .await?;
    Ok(format!("/preview-features/acceptances/{}?accepted=yes", accepted.id))
}

/// A feature as it is offered to somebody.
#[derive(Debug, Clone)]
pub struct Offer {
    /// The feature.
    pub feature: Feature,
    /// The versions of its statement before the current one, the newest first.
    pub earlier: Vec<Version>,
    /// The scopes that the person may accept for.
    pub choices: Result<Vec<ScopeChoice>, AppError>,
    /// What the person may see of what was accepted.
    pub acceptances: Seen,
}

/// What somebody may see of what was accepted.
#[derive(Debug, Clone)]
pub struct Seen {
    /// A page of it.
    pub listed: Listed,
    /// What ends within a month, wherever it stands in the list.
    pub ending: Vec<Acceptance>,
    /// Why some of it may be missing, such as a cluster that is away.
    pub missing: Option<AppError>,
}

/// A feature, for somebody who may want it.
///
/// # Errors
/// [`AppError::NotFound`].
pub async fn load_feature(
    state: &AppState,
    actor: &Actor,
    slug: &str,
    after: Option<Place>,
) -> Result<Offer, AppError> {
    let feature = store::find_feature(&state.database, slug).await?;
    let mut earlier = store::list_versions(&state.database, slug).await?;
    earlier.retain(|version| version.terms.version < feature.current.terms.version);
    let reach = load_reach(state, actor).await;
    let query = AcceptanceQuery { feature: Some(slug.to_owned()), after, ..AcceptanceQuery::default() };
    let acceptances = load_seen(state, actor, &reach, query).await?;
    let choices = reach.map(|reach| reach.for_kinds(&feature.current.terms.scopes).cloned().collect());
    Ok(Offer { feature, earlier, choices, acceptances })
}

/// The features, and what was accepted by the person, for what they may act for, or for a namespace of theirs.
///
/// # Errors
/// When the database is away.
pub async fn load_features(
    state: &AppState,
    actor: &Actor,
    after: Option<Place>,
) -> Result<(Vec<Feature>, Seen), AppError> {
    let features = store::list_features(&state.database).await?;
    let reach = load_reach(state, actor).await;
    let query = AcceptanceQuery { after, ..AcceptanceQuery::default() };
    Ok((features, load_seen(state, actor, &reach, query).await?))
}

async fn load_seen(
    state: &AppState,
    actor: &Actor,
    reach: &Result<Reach, AppError>,
    query: AcceptanceQuery,
) -> Result<Seen, AppError> {
    let query = AcceptanceQuery { seen_by: Some(viewer(actor, reach)), ..query };
    let standings = Some(Standing::STANDS.map(str::to_owned).to_vec());
    let standing = AcceptanceQuery { standings, ends_soon: true, after: None, is_whole: true, ..query.clone() };
    Ok(Seen {
        listed: store::list_page(&state.database, &query).await?,
        ending: store::list_acceptances(&state.database, &standing).await?,
        missing: reach.as_ref().err().cloned(),
    })
}
