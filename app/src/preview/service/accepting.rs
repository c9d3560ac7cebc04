//! Reading a statement, and accepting it.

use super::scopes::{OptInScopes, ScopeChoice, load_groups, load_opt_in_scopes, viewer};
use crate::actor::Actor;
use crate::audit::{commitment_to, settle};
use crate::clock;
use crate::error::AppError;
use crate::form::FormErrors;
use crate::preview::acceptance::AcceptanceDocument;
use crate::preview::errors::PreviewError;
use crate::preview::statement::{Effect, Scope, Stage};
use crate::preview::store;
use crate::preview::summary::{Cursor, FeatureSummary, OptInPage, OptInSummary, Viewer};
use crate::preview::{Feature, Version};
use crate::row_limit::{RowLimit, Rows};
use crate::state::AppState;
use jiff::Timestamp;
use record::{Digest, Event};
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use std::collections::BTreeMap;
use uuid::Uuid;

/// The opt-in form, as sent.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct OptInForm {
    /// As `namespace/shop`.
    pub scope: String,
    /// Places of the ticked points, from 0.
    pub points: Vec<String>,
    pub justification: String,
    /// The digest of the statement that the person read.
    pub digest: String,
    /// The digest of what they have seen would be recorded.
    pub shown: String,
}

/// A form that is right: what it would record is shown before it does.
#[derive(Debug, Clone)]
pub struct Confirmation {
    pub form: OptInForm,
    /// But for its id, the time and the reference.
    pub document: AcceptanceDocument,
    /// It is not what the person saw when they accepted.
    pub is_changed: bool,
}

/// In characters.
const LONGEST_JUSTIFICATION: usize = 2000;

/// # Errors
/// [`AppError::NotFound`].
pub async fn find_feature(state: &AppState, slug: &str) -> Result<Feature, AppError> {
    store::find_feature(&state.database, slug).await
}

/// A version of a statement.
///
/// # Errors
/// [`AppError::NotFound`].
pub async fn find_statement(state: &AppState, slug: &str, version: i32) -> Result<Version, AppError> {
    let versions = store::list_versions(&state.database, slug).await?;
    versions.into_iter().find(|found| found.terms.version == version).ok_or(AppError::NotFound)
}

/// What a form would record, or what is wrong with it.
///
/// # Errors
/// When the cluster or the database is unavailable.
pub async fn check(
    state: &AppState,
    actor: &Actor,
    feature: &Feature,
    form: &OptInForm,
) -> Result<Result<AcceptanceDocument, FormErrors>, AppError> {
    let choice = match check_form(state, actor, feature, form).await? {
        Ok(choice) => choice,
        Err(errors) => return Ok(Err(errors)),
    };
    let document = document(state, actor, feature, choice, form).await?;
    let mut errors = FormErrors::default();
    if let Some(missing) = document.namespaces.iter().find(|name| !document.namespace_uids.contains_key(*name)) {
        errors.add(
            "scope",
            format!(
                "The namespace {missing}, which belongs to it, is not there. Ask an administrator \
            to correct the settings, or choose another scope."
            ),
        );
    } else if document.groups.is_empty() && matches!(feature.current.terms.effect, Effect::RoleBinding { .. }) {
        errors.add(
            "scope",
            "None of your groups administers this, so nobody would get the role. Choose your team, or \
            ask somebody whose group administers it.",
        );
    }
    Ok(if errors.is_empty() { Ok(document) } else { Err(errors) })
}

/// The chosen scope, if everything is right.
async fn check_form(
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
    let scopes = load_opt_in_scopes(state, actor).await?;
    let choice =
        scopes.for_kinds(&feature.current.terms.scopes).find(|choice| choice.scope.form_value() == form.scope).cloned();
    match &choice {
        None => errors.add("scope", "Choose what it is for."),
        Some(choice) => {
            let mut connection = state.database.acquire().await?;
            let slug = &feature.description.slug;
            let digest = &feature.current.digest;
            if let Some(current) = find_current(&mut connection, slug, &choice.scope, digest).await? {
                errors.add("scope", accepted_already(&current));
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
pub fn digest_errors(feature: &Feature, form: &OptInForm) -> FormErrors {
    let mut errors = FormErrors::default();
    if form.digest != feature.current.digest.to_string() {
        errors.add(
            "digest",
            "The risk statement was changed while you read it. Read the new text below and confirm it again.",
        );
    }
    errors
}

fn accepted_already(current: &OptInSummary) -> String {
    let who = current.person();
    format!(
        "The current statement has been accepted for this scope already, by {who}; it stands below, under What was \
         accepted."
    )
}

/// An acceptance of a statement that makes another one needless. One that has less than a month to go may be renewed.
async fn find_current(
    connection: &mut PgConnection,
    feature: &str,
    scope: &Scope,
    statement: &Digest,
) -> sqlx::Result<Option<OptInSummary>> {
    let current = store::list_current_for(connection, feature, scope, statement).await?;
    let soon = Timestamp::now() + jiff::SignedDuration::from_hours(30 * 24);
    let is_ending = |summary: &OptInSummary| summary.lifecycle.ends_at().is_some_and(|(ends_at, _)| ends_at <= soon);
    Ok(current.into_iter().find(|summary| !is_ending(summary)))
}

async fn document(
    state: &AppState,
    actor: &Actor,
    feature: &Feature,
    choice: ScopeChoice,
    form: &OptInForm,
) -> Result<AcceptanceDocument, AppError> {
    Ok(AcceptanceDocument {
        id: Uuid::now_v7(),
        feature: feature.description.slug.clone(),
        statement_version: feature.current.terms.version,
        statement_digest: feature.current.digest,
        points: feature.current.terms.points.clone(),
        groups: match feature.current.terms.effect {
            // A label is nobody's.
            Effect::Metadata { .. } => Vec::new(),
            Effect::Manual | Effect::RoleBinding { .. } => sorted(load_groups(state, actor, &choice).await?),
        },
        namespace_uids: uids_of(state, &choice.namespaces)?,
        scope: choice.scope,
        namespaces: choice.namespaces,
        person: commitment_to(state, &actor.profile).await?,
        person_groups: sorted(actor.profile.groups.clone()),
        // Browsers send line breaks as CRLF (HTML, 4.10.11).
        justification: form.justification.trim().replace("\r\n", "\n"),
        request_id: actor.request_id.clone(),
        accepted_at: clock::now(&state.database).await?,
    })
}

/// The uid of each namespace that is there.
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

/// Records what somebody has read, seen and confirmed; gives its id.
///
/// # Errors
/// [`PreviewError`] where somebody else was faster.
pub async fn accept(state: &AppState, actor: &Actor, document: &AcceptanceDocument) -> Result<Uuid, AppError> {
    let event = Event::RiskAccept {
        opt_in: document.opt_in_ref(),
        digest: document.digest(),
        version: document.statement_version,
        statement: document.statement_digest,
    };
    let mut transaction = state.database.begin().await?;
    let stored = store_once(&mut transaction, actor, document).await;
    settle(&state.database, transaction, actor, &event, stored).await?;
    Ok(document.id)
}

/// A button that was pressed twice accepts once.
async fn store_once(
    transaction: &mut PgConnection,
    actor: &Actor,
    document: &AcceptanceDocument,
) -> Result<(), AppError> {
    let AcceptanceDocument { feature, scope, statement_digest, .. } = document;
    store::hold_scope(transaction, feature, scope).await?;
    if find_current(transaction, feature, scope, statement_digest).await?.is_some() {
        return Err(PreviewError::AcceptedAlready.into());
    }
    store::insert_acceptance(transaction, actor, document).await
}

/// A feature as it is offered to somebody.
#[derive(Debug, Clone)]
pub struct FeatureOffer {
    pub feature: Feature,
    /// The versions of its statement before the current one, the newest first.
    pub earlier: Vec<Version>,
    /// The scopes that the person may accept for.
    pub choices: Result<Vec<ScopeChoice>, AppError>,
    pub opt_ins: VisibleOptIns,
}

/// An opt-in of which people were told that it ends.
#[derive(Debug, Clone)]
pub struct EndingOptIn {
    pub summary: OptInSummary,
    /// Its risks were accepted again, and that waits for a decision.
    pub is_renewed: bool,
}

/// What somebody may see of what was accepted.
#[derive(Debug, Clone)]
pub struct VisibleOptIns {
    pub page: OptInPage,
    /// What people were told that it ends, wherever it stands in the list.
    pub ending: Vec<EndingOptIn>,
    /// Why some of it may be missing, such as a cluster that is unavailable.
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
    after: Option<Cursor>,
) -> Result<FeatureOffer, AppError> {
    let feature = store::find_feature(&state.database, slug).await?;
    let earlier = match feature.current.terms.version {
        1 => Vec::new(),
        current => store::list_versions_before(&state.database, slug, current).await?,
    };
    let scopes = load_opt_in_scopes(state, actor).await;
    let mut connection = state.database.acquire().await?;
    let opt_ins = load_visible(&mut connection, actor, &scopes, Some(slug), after).await?;
    let choices = scopes.map(|scopes| scopes.for_kinds(&feature.current.terms.scopes).cloned().collect());
    Ok(FeatureOffer { feature, earlier, choices, opt_ins })
}

/// The features, and what was accepted by the person, for what they may act for, or for a namespace of theirs.
///
/// # Errors
/// When the database is unavailable.
pub async fn load_features(
    state: &AppState,
    actor: &Actor,
    limit: RowLimit,
    after: Option<Cursor>,
) -> Result<(Rows<FeatureSummary>, VisibleOptIns), AppError> {
    let scopes = load_opt_in_scopes(state, actor).await;
    let mut connection = state.database.acquire().await?;
    let features = store::list_feature_summaries(&mut *connection, limit.to_read()).await?;
    Ok((limit.cut(features), load_visible(&mut connection, actor, &scopes, None, after).await?))
}

async fn load_visible(
    connection: &mut PgConnection,
    actor: &Actor,
    scopes: &Result<OptInScopes, AppError>,
    feature: Option<&str>,
    after: Option<Cursor>,
) -> Result<VisibleOptIns, AppError> {
    let viewer = viewer(actor, scopes);
    Ok(VisibleOptIns {
        page: store::list_visible(connection, &viewer, feature, after).await?,
        ending: load_ending(connection, &viewer, feature).await?,
        missing: scopes.as_ref().err().cloned(),
    })
}

async fn load_ending(
    connection: &mut PgConnection,
    viewer: &Viewer,
    feature: Option<&str>,
) -> sqlx::Result<Vec<EndingOptIn>> {
    let ending = store::list_ending(connection, viewer, feature).await?;
    if ending.is_empty() {
        return Ok(Vec::new());
    }
    let features: Vec<String> = ending.iter().map(|summary| summary.feature.clone()).collect();
    let waiting = store::list_waiting(connection, viewer, &features).await?;
    let renews = |other: &OptInSummary, summary: &OptInSummary| {
        (&other.feature, &other.scope) == (&summary.feature, &summary.scope) && other.lifecycle.is_in_force()
    };
    let with_renewal = |summary: OptInSummary| EndingOptIn {
        is_renewed: waiting.iter().any(|other| renews(other, &summary)),
        summary,
    };
    Ok(ending.into_iter().map(with_renewal).collect())
}
