//! `/sign-in`, `/sign-in/callback`, `/sign-out`.

use super::authenticate::kube_identity;
use super::person::{PersonError, upsert_person};
use super::{CURRENT, Current, PENDING, Pending, PendingSignIns, ReturnPath};
use app::actor::{Actor, Profile};
use app::audit::{Intent, RecordActor, record_event, record_refused_sign_in};
use app::error::{AppError, AreaError, Dependency};
use app::ports::{Finished, ProviderError};
use app::state::AppState;
use axum::Router;
use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use record::{Event, Failure};
use serde::Deserialize;
use time::OffsetDateTime;
use tower_sessions::Session;
use uuid::Uuid;

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
    leave_for_provider(&state, &session, return_path).await
}

/// Sends the browser to the provider, and remembers what it must bring back.
async fn leave_for_provider(
    state: &AppState,
    session: &Session,
    return_path: ReturnPath,
) -> Result<Response, AppError> {
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
        return if actor.is_some() { Ok(Redirect::to("/").into_response()) } else { Err(SignInError::Stale.into()) };
    };
    // Before anything else, so that an answer can be used only once.
    session.insert(PENDING, waiting).await.map_err(database)?;
    session.save().await.map_err(database)?;
    let request_id = request_id(&headers);
    let Some(code) = answer.code else { return Err(refused(answer.error.as_deref().unwrap_or_default())) };
    let signed_in = match state.identity_provider.finish(code, pending.sign_in).await.map_err(provider)? {
        Finished::SignedIn(signed_in) => *signed_in,
        Finished::BeginAgain => return leave_for_provider(&state, &session, pending.return_path).await,
    };
    let profile = signed_in.profile.clone();
    let person_id = match admit(&state, &profile).await? {
        Ok(person_id) => person_id,
        Err(refused) => {
            tracing::warn!(code = refused.code(), "somebody whom the provider knows was not let in");
            // What comes before this is logged only: whoever is nobody yet must not be able to fill the record.
            let failure = Failure { code: refused.code().to_owned(), message: String::new() };
            record_refused_sign_in(&state, &RecordActor { profile, request_id }, failure).await?;
            return Err(refused.into());
        }
    };
    // A new id: one planted before signing in is worth nothing afterwards.
    session.cycle_id().await.map_err(database)?;
    let current = Current { person_id, signed_in, groups_read_at: OffsetDateTime::now_utc().unix_timestamp() };
    session.insert(CURRENT, current).await.map_err(database)?;
    record_event(&state, RecordActor { profile, request_id }, &Event::SignIn {}).await?;
    Ok(Redirect::to(pending.return_path.as_str()).into_response())
}

/// The id of somebody whom the provider knows, or why they are not let in here.
async fn admit(state: &AppState, profile: &Profile) -> Result<Result<Uuid, SignInError>, AppError> {
    let Some(identity) = kube_identity(profile, &state.policy) else {
        return Ok(Err(SignInError::NameNotUsable));
    };
    match upsert_person(&state.database, profile, &identity.user).await {
        Ok(person_id) => Ok(Ok(person_id)),
        Err(PersonError::NameTaken) => Ok(Err(SignInError::NameTaken)),
        Err(PersonError::Database(error)) => Err(error),
    }
}

async fn sign_out(State(state): State<AppState>, session: Session, headers: HeaderMap) -> Result<Response, AppError> {
    let current: Option<Current> = session.get(CURRENT).await.map_err(database)?;
    let Some(current) = current else {
        session.flush().await.map_err(database)?;
        return Ok(Redirect::to("/").into_response());
    };
    let actor = RecordActor { profile: current.signed_in.profile.clone(), request_id: request_id(&headers) };
    let intent = Intent::announce(&state.database, actor, Event::SignOut {}).await?;
    let ended = session.flush().await.map_err(database);
    intent.conclude(&state.database, ended).await?;
    // A provider that is unavailable does not keep anybody signed in here.
    let url = state.identity_provider.sign_out_url(&current.signed_in).await.unwrap_or_else(|error| {
        tracing::warn!(%error, "the provider could not be told of a sign-out");
        None
    });
    Ok(Redirect::to(url.as_ref().map_or("/", |url| url.as_str())).into_response())
}

fn request_id(headers: &HeaderMap) -> String {
    headers.get("x-request-id").and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
}

/// Why nobody is signed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
enum SignInError {
    #[error(
        "Your user name cannot be used in the cluster, so you are not signed in. It must be plain ASCII and must not \
         begin with system:. Ask whoever manages your account at the identity provider."
    )]
    NameNotUsable,
    #[error(
        "Another account at the identity provider has the same user name, so you are not signed in: in the cluster you \
         would be one person. If that account was yours and is gone, ask an administrator to free the name."
    )]
    NameTaken,
    #[error(
        "The identity provider does not say that your e-mail address is verified, so you are not signed in: anybody \
         could have entered it. Verify the address there, and sign in again."
    )]
    EmailNotVerified,
    #[error(
        "This sign-in is no longer valid: it was used already, took too long, or began in another browser. \
         Begin again with Sign in."
    )]
    Stale,
    #[error(
        "The identity provider did not let you in, so you are not signed in. Ask the people who manage your account \
         there."
    )]
    Denied,
    #[error(
        "The identity provider needs you to answer something first, so you are not signed in. Sign in again, and \
         finish every step there."
    )]
    Unfinished,
    /// A fault of the settings, here or at the provider. The log has the code.
    #[error(
        "The identity provider refused Fairway's own request, so nobody can sign in at the moment. Your account is \
         fine. Tell an administrator: the client or its scopes are set up differently at the provider."
    )]
    ClientNotAccepted,
    #[error(
        "The identity provider's answer could not be accepted, so you are not signed in. Try once more; if it stays \
         so, tell an administrator."
    )]
    AnswerNotAccepted,
}

impl AreaError for SignInError {
    fn code(&self) -> &'static str {
        match self {
            Self::NameNotUsable => "name_not_usable",
            Self::NameTaken => "name_taken",
            Self::EmailNotVerified => "email_not_verified",
            Self::Stale => "sign_in_stale",
            Self::Denied => "sign_in_denied",
            Self::Unfinished => "sign_in_unfinished",
            Self::ClientNotAccepted => "client_not_accepted",
            Self::AnswerNotAccepted => "answer_not_accepted",
        }
    }

    fn title(&self) -> &'static str {
        "You are not signed in"
    }
}

/// What the provider's error means (RFC 6749, 4.1.2.1; OpenID Connect Core 1.0, 3.1.2.6). Its own words are not shown:
/// anybody can write them into an address.
fn refused(code: &str) -> AppError {
    tracing::warn!(code, "the provider refused a sign-in");
    match code {
        "access_denied" => SignInError::Denied.into(),
        "login_required" | "interaction_required" | "account_selection_required" | "consent_required" => {
            SignInError::Unfinished.into()
        }
        "server_error" | "temporarily_unavailable" => {
            AppError::Unavailable { dependency: Dependency::IdentityProvider }
        }
        _ => SignInError::ClientNotAccepted.into(),
    }
}

fn provider(error: ProviderError) -> AppError {
    match error {
        ProviderError::NotAccepted(code) => {
            tracing::error!(code, "the identity provider does not accept this client");
            SignInError::ClientNotAccepted.into()
        }
        ProviderError::EmailNotVerified => {
            tracing::warn!("sign-in refused: the e-mail address is not verified (OIDC_EMAIL_IS_VERIFIED)");
            SignInError::EmailNotVerified.into()
        }
        ProviderError::Refused(cause) => {
            tracing::warn!(cause, "sign-in refused");
            SignInError::AnswerNotAccepted.into()
        }
        ProviderError::Unavailable(cause) => {
            tracing::warn!(cause, "identity provider unavailable");
            AppError::Unavailable { dependency: Dependency::IdentityProvider }
        }
    }
}

fn database(error: tower_sessions::session::Error) -> AppError {
    tracing::warn!(%error, "session");
    AppError::Unavailable { dependency: Dependency::Database }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_provider_refuses_is_told_as_what_it_is() {
        let says = |code: &str| refused(code).to_string();
        assert!(says("access_denied").contains("Ask the people who manage your account"));
        for code in ["invalid_scope", "not_allowed", "unauthorized_client", "<script>"] {
            assert!(says(code).contains("Your account is fine. Tell an administrator"), "{code}");
            assert!(!says(code).contains(code), "{code}");
        }
        assert_eq!(
            refused("temporarily_unavailable"),
            AppError::Unavailable { dependency: Dependency::IdentityProvider }
        );
        assert!(says("consent_required").contains("finish every step"));
    }
}
