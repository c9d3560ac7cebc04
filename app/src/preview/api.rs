//! Accepting risks, deciding, publishing.

use super::store::{self, NewFeature};
use super::{Acceptance, Feature, Standing, Verdict, statement_digest};
use crate::actor::Actor;
use crate::audit::{Action, audited};
use crate::error::AppError;
use crate::form::{FormErrors, FormOutcome, decode};
use crate::namespaces::{is_dns_label, namespaces_where};
use crate::ports::Right;
use crate::state::AppState;
use axum::extract::{Path, State};
use axum::http::request::Parts;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

/// Who may give others access in a namespace may accept risks for it.
fn act_for_right(namespace: String) -> Right {
    Right::within(namespace, "create", "rbac.authorization.k8s.io", "rolebindings")
}

/// Namespaces for which the person may accept risks.
///
/// # Errors
/// When the cluster is away.
pub async fn load_scopes(state: &AppState, actor: &Actor) -> Result<Vec<String>, AppError> {
    namespaces_where(state, actor, act_for_right).await
}

/// The opt-in form, as sent.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct OptInForm {
    /// The namespace.
    pub namespace: String,
    /// Places of the ticked points, from 0.
    pub points: Vec<String>,
    /// Why.
    pub justification: String,
    /// The statement that the person read.
    pub digest: String,
}

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
    let outcome = accept_risks(&state, &actor, &feature, decode(&body)?).await?;
    Ok(outcome.respond(state, parts).await)
}

async fn accept_risks(
    state: &AppState,
    actor: &Actor,
    feature: &Feature,
    form: OptInForm,
) -> Result<FormOutcome<OptInForm>, AppError> {
    let mut errors = FormErrors::default();
    if !load_scopes(state, actor).await?.contains(&form.namespace) {
        errors.add("namespace", "Choose the namespace it is for.");
    }
    for index in 0..feature.points.len() {
        if !form.points.contains(&index.to_string()) {
            errors.add(
                format!("points-{index}"),
                format!("Confirm this point, or do not opt in: {}", feature.points[index]),
            );
        }
    }
    let mine = store::list_acceptances(&state.database, Some(actor.person_id)).await?;
    let stands = |acceptance: &Acceptance| {
        acceptance.namespace == form.namespace
            && acceptance.digest == feature.digest
            && acceptance.standing != Standing::Refused
    };
    if mine.iter().any(stands) {
        errors.add("namespace", "You have accepted these risks for this namespace already; see below how it stands.");
    }
    if form.digest != feature.digest.to_string() {
        errors.add(
            "digest",
            "The risk statement was changed while you read it. Read the new text below and confirm it again.",
        );
        return Ok(FormOutcome::again(OptInForm { points: Vec::new(), ..form }, errors));
    }
    if !errors.is_empty() {
        return Ok(FormOutcome::again(form, errors));
    }
    let object = format!("PreviewFeature/{}/{}", form.namespace, feature.slug);
    let detail = json!({ "version": feature.version.to_string(), "digest": form.digest });
    let id = audited(state, actor, Action::RiskAccept, &object, detail, |_| {
        store::insert_acceptance(&state.database, actor, feature, &form.namespace, form.justification.trim())
    })
    .await?;
    Ok(FormOutcome::Done(format!("/preview-features/{}?accepted={id}", feature.slug)))
}

/// A feature, and what the person accepted of it.
///
/// # Errors
/// [`AppError::NotFound`].
pub async fn load_feature(state: &AppState, actor: &Actor, slug: &str) -> Result<(Feature, Vec<Acceptance>), AppError> {
    let feature = store::find_feature(&state.database, slug).await?;
    let mut acceptances = store::list_acceptances(&state.database, Some(actor.person_id)).await?;
    acceptances.retain(|acceptance| acceptance.feature_slug == feature.slug);
    Ok((feature, acceptances))
}

/// The catalogue, for administrators.
///
/// # Errors
/// [`AppError::NotFound`] for everyone else.
pub async fn load_catalogue(state: &AppState, actor: &Actor) -> Result<Vec<Feature>, AppError> {
    actor.administrator()?;
    store::list_features(&state.database).await
}

/// The features, and what the person accepted.
///
/// # Errors
/// When the database is away.
pub async fn load_features(state: &AppState, actor: &Actor) -> Result<(Vec<Feature>, Vec<Acceptance>), AppError> {
    Ok((
        store::list_features(&state.database).await?,
        store::list_acceptances(&state.database, Some(actor.person_id)).await?,
    ))
}

/// A decision, as sent.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct DecisionForm {
    /// Which acceptance.
    pub acceptance: String,
    /// `approve` or `refuse`.
    pub verdict: String,
    /// Needed for a refusal.
    pub comment: String,
}

/// `POST /admin/approvals`.
///
/// # Errors
/// Whatever is not the form's fault.
pub async fn post_decision(
    State(state): State<AppState>,
    actor: Actor,
    parts: Parts,
    body: String,
) -> Result<Response, AppError> {
    let outcome = decide(&state, &actor, decode(&body)?).await?;
    Ok(outcome.respond(state, parts).await)
}

async fn decide(state: &AppState, actor: &Actor, form: DecisionForm) -> Result<FormOutcome<DecisionForm>, AppError> {
    let decider = actor.administrator()?.actor();
    let id: Uuid = form.acceptance.parse().map_err(|_| AppError::NotFound)?;
    let acceptance = store::find_acceptance(&state.database, id).await?;
    let verdict = match form.verdict.as_str() {
        "approve" => Verdict::Approve,
        "refuse" => Verdict::Refuse,
        _ => return Err(AppError::NotFound),
    };
    let comment = form.comment.trim();
    if verdict == Verdict::Refuse && comment.is_empty() {
        let mut errors = FormErrors::default();
        errors.add(format!("comment-{id}"), "Say why it is refused, so that the person knows what to do.");
        return Ok(FormOutcome::again(form, errors));
    }
    let object = format!("PreviewFeature/{}/{}", acceptance.namespace, acceptance.feature_slug);
    let detail = json!({ "acceptance": id, "verdict": verdict.stored() });
    let action = match verdict {
        Verdict::Approve => Action::RiskApprove,
        Verdict::Refuse => Action::RiskRefuse,
    };
    audited(state, actor, action, &object, detail, |_| {
        store::insert_decision(&state.database, decider, &acceptance, verdict, comment)
    })
    .await?;
    Ok(FormOutcome::Done(format!("/admin/approvals?decided={id}")))
}

/// All acceptances: those that wait, and those decided.
///
/// # Errors
/// [`AppError::NotFound`] for everyone but administrators and auditors.
pub async fn load_queue(state: &AppState, actor: &Actor) -> Result<(Vec<Acceptance>, Vec<Acceptance>), AppError> {
    actor.record_reader()?;
    let all = store::list_acceptances(&state.database, None).await?;
    Ok(all.into_iter().partition(|acceptance| acceptance.standing == Standing::Waiting))
}

/// A feature, as an administrator types it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct FeatureForm {
    /// In the address.
    pub slug: String,
    /// Its name.
    pub name: String,
    /// What it is for.
    pub purpose: String,
    /// Where it is documented.
    pub documentation_url: String,
    /// The risk statement.
    pub body: String,
    /// The points, one a field.
    pub points: Vec<String>,
}

/// `POST /admin/features`.
///
/// # Errors
/// Whatever is not the form's fault.
pub async fn post_feature(
    State(state): State<AppState>,
    actor: Actor,
    parts: Parts,
    body: String,
) -> Result<Response, AppError> {
    let outcome = publish_feature(&state, &actor, decode(&body)?).await?;
    Ok(outcome.respond(state, parts).await)
}

async fn publish_feature(
    state: &AppState,
    actor: &Actor,
    form: FeatureForm,
) -> Result<FormOutcome<FeatureForm>, AppError> {
    actor.administrator()?;
    let mut errors = FormErrors::default();
    if !is_dns_label(form.slug.trim()) {
        errors.add("slug", "Enter a short name of lower-case letters, digits and '-'; it becomes part of the address.");
    }
    for (field, value, message) in [
        ("name", &form.name, "Enter the feature's name."),
        ("purpose", &form.purpose, "Say in a sentence what it is for."),
        ("body", &form.body, "Write down what may go wrong; people accept exactly these words."),
    ] {
        if value.trim().is_empty() {
            errors.add(field, message);
        }
    }
    let points: Vec<String> =
        form.points.iter().map(|point| point.trim().to_owned()).filter(|point| !point.is_empty()).collect();
    if points.is_empty() {
        errors.add("points-0", "Enter at least one point to confirm.");
    }
    let url = form.documentation_url.trim();
    if !url.is_empty() && !url::Url::parse(url).is_ok_and(|url| matches!(url.scheme(), "http" | "https")) {
        errors.add("documentation_url", "Enter an address that begins with https://, or leave it empty.");
    }
    if !errors.is_empty() {
        return Ok(FormOutcome::again(form, errors));
    }
    // Browsers send the line breaks of a text area as CRLF (HTML, 4.10.11).
    let body = form.body.trim().replace("\r\n", "\n");
    let digest = statement_digest(&body, &points);
    let new = NewFeature {
        slug: form.slug.trim(),
        name: form.name.trim(),
        purpose: form.purpose.trim(),
        documentation_url: Some(url).filter(|url| !url.is_empty()),
        body: &body,
        points: &points,
        digest,
    };
    let object = format!("PreviewFeature//{}", new.slug);
    let detail = json!({ "digest": digest.to_string() });
    let slug = new.slug.to_owned();
    audited(state, actor, Action::StatementPublish, &object, detail, |_| store::publish(&state.database, new)).await?;
    Ok(FormOutcome::Done(format!("/admin/features?published={slug}")))
}
