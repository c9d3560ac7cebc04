//! `/sign-in`, `/sign-in/callback`, `/sign-out`.

use super::person::upsert_person;
use super::who::kube_identity;
use super::{CURRENT, Current, PENDING, Pending, PendingSignIns, ReturnPath};
use app::actor::Actor;
use app::audit::{Acting, Action, Phase, audited, recorded};
use app::error::{AppError, Part};
use app::ports::ProviderError;
use app::state::AppState;
use axum::Router;
use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use serde::Deserialize;
use serde_json::json;
use time::OffsetDateTime;
use tower_sessions::Session;

/// The routes of this module.
pub fn routes() -> Router<AppState> {
    Router::new()
        .route("/sign-in", get(begin))
        .route("/sign-in/callback", get(finish))
        .route("/sign-out", post(sign_out))
}

#[derive(Deserialize)]
struct Begin {
    #[serde(default, rename = "return")]
    return_path: String,
}

async fn begin(
    State(state): State<AppState>,
    session: Session,
    actor: Option<Signed>,
    Query(query): Query<Begin>,
) -> Result<Response, AppError> {
    let return_path = ReturnPath::parse(&query.return_path);
    if actor.is_some() {
        return Ok(Redirect::to(return_path.as_str()).into_response());
    }
    let (url, sign_in) = state.identity_provider.begin().await.map_err(provider)?;
    let mut pending: PendingSignIns = session.get(PENDING).await.map_err(database)?.unwrap_or_default();
    pending.push(Pending { sign_in, return_path });
    session.insert(PENDING, pending).await.map_err(database)?;
    Ok(Redirect::to(url.as_str()).into_response())
}

/// What the provider sends the browser back with (RFC 6749, 4.1.2).
#[derive(Deserialize)]
struct Callback {
    #[serde(default)]
    state: String,
    code: Option<String>,
    error: Option<String>,
}

async fn finish(
    State(state): State<AppState>,
    session: Session,
    actor: Option<Signed>,
    headers: HeaderMap,
    Query(answer): Query<Callback>,
) -> Result<Response, AppError> {
    let mut waiting: PendingSignIns = session.get(PENDING).await.map_err(database)?.unwrap_or_default();
    let Some(pending) = waiting.take(&answer.state) else {
        tracing::warn!("a sign-in came back that this browser did not begin");
        return if actor.is_some() { Ok(Redirect::to("/").into_response()) } else { Err(stale()) };
    };
    // Before anything else, so that an answer can be used only once.
    session.insert(PENDING, waiting).await.map_err(database)?;
    session.save().await.map_err(database)?;
    let request_id = request_id(&headers);
    let Some(code) = answer.code else {
        tracing::info!(error = answer.error, "the provider refused a sign-in");
        return Err(stale());
    };
    let signed_in = state.identity_provider.finish(code, pending.sign_in).await.map_err(provider)?;
    if kube_identity(&signed_in.profile, &state.policy.groups).is_none() {
        tracing::warn!("a person whose name cannot be used in the cluster");
        // What comes before this is logged only: whoever is nobody yet must not be able to fill the record.
        let who = Acting { profile: &signed_in.profile, request_id };
        let detail = json!({ "code": "name_not_usable" });
        recorded(&state, who, Action::SignIn, Phase::Refused, "Session//", detail).await?;
        return Err(AppError::Conflict { message: "Your e-mail address cannot be a user name in the cluster, so you are not signed in: it must be plain ASCII and must not begin with system:. Ask whoever keeps your account at the identity provider.".to_owned() });
    }
    let person_id = upsert_person(&state.database, &signed_in.profile).await?;
    let profile = signed_in.profile.clone();
    // A new id: one planted before signing in is worth nothing afterwards.
    session.cycle_id().await.map_err(database)?;
    let current = Current { person_id, signed_in, groups_read_at: OffsetDateTime::now_utc().unix_timestamp() };
    session.insert(CURRENT, current).await.map_err(database)?;
    let who = Acting { profile: &profile, request_id };
    recorded(&state, who, Action::SignIn, Phase::Succeeded, "Session//", json!({})).await?;
    Ok(Redirect::to(pending.return_path.as_str()).into_response())
}

async fn sign_out(State(state): State<AppState>, session: Session, headers: HeaderMap) -> Result<Response, AppError> {
    let current: Option<Current> = session.get(CURRENT).await.map_err(database)?;
    let Some(current) = current else {
        session.flush().await.map_err(database)?;
        return Ok(Redirect::to("/").into_response());
    };
    let who = Acting { profile: &current.signed_in.profile, request_id: request_id(&headers) };
    audited(&state, who, Action::SignOut, "Session//", json!({}), |_| async {
        session.flush().await.map_err(database)
    })
    .await?;
    // A provider that is away does not keep anybody signed in here.
    let url = state.identity_provider.sign_out_url(&current.signed_in).await.unwrap_or_else(|error| {
        tracing::warn!(%error, "the provider could not be told of a sign-out");
        None
    });
    Ok(Redirect::to(url.as_ref().map_or("/", |url| url.as_str())).into_response())
}

fn request_id(headers: &HeaderMap) -> &str {
    headers.get("x-request-id").and_then(|value| value.to_str().ok()).unwrap_or_default()
}

fn stale() -> AppError {
    AppError::Conflict { message: "This sign-in is no longer valid: it was used already, took too long, or began in another browser. Begin again with Sign in.".to_owned() }
}

fn provider(error: ProviderError) -> AppError {
    match error {
        ProviderError::Refused(cause) => {
            tracing::warn!(cause, "sign-in refused");
            AppError::Conflict { message: "The identity provider's answer could not be accepted, so you are not signed in. Try once more; if it stays so, tell an administrator.".to_owned() }
        }
        ProviderError::Away(cause) => {
            tracing::warn!(cause, "identity provider away");
            AppError::Away { part: Part::IdentityProvider }
        }
    }
}

fn database(error: tower_sessions::session::Error) -> AppError {
    tracing::warn!(%error, "session");
    AppError::Away { part: Part::Database }
}

/// The person who is signed in already, for handlers that also serve others.
struct Signed;

impl<S: Send + Sync> axum::extract::OptionalFromRequestParts<S> for Signed {
    type Rejection = AppError;

    async fn from_request_parts(
        parts: &mut axum::http::request::Parts,
        _: &S,
    ) -> Result<Option<Self>, Self::Rejection> {
        Ok(parts.extensions.get::<Actor>().map(|_| Self))
    }
}
