//! `/sign-in`, `/sign-in/callback`.

use super::authenticate::kube_identity;
use super::device::Device;
use super::person::{PersonError, upsert_person};
use super::renewal::{end_session, refused_because};
use super::sign_in_error::{refused_at_redirect, refused_by_provider};
use super::{
    CURRENT, Current, PENDING, Pending, PendingSignIns, PgSessionStore, ReturnPath, now, read, request_id, unavailable,
};
use crate::client_address::ClientAddress;
use app::actor::Actor;
use app::audit::{RecordActor, record_event, record_refused_sign_in};
use app::error::{AppError, AreaError};
use app::ports::{Beginning, Finished, Prompt};
use app::sessions::errors::SignInError;
use app::state::AppState;
use axum::extract::{Extension, OptionalFromRequestParts, Query, State};
use axum::http::HeaderMap;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Redirect, Response};
use record::{Event, Failure, SessionEndReason};
use serde::Deserialize;
use std::sync::Arc;
use tower_sessions::Session;
use uuid::Uuid;

#[derive(Deserialize)]
pub(super) struct Begin {
    #[serde(default, rename = "return")]
    return_path: String,
}

pub(super) async fn begin(
    State(state): State<AppState>,
    session: Session,
    actor: Option<Signed>,
    Query(query): Query<Begin>,
) -> Result<Response, AppError> {
    let return_path = ReturnPath::parse(&query.return_path);
    if actor.is_some() {
        return Ok(Redirect::to(return_path.as_str()).into_response());
    }
    let left = leave_for_provider(&state, &session, return_path, Beginning::default()).await;
    left.inspect_err(|error| count_failure(&state, error))
}

/// Sends the browser to the provider, and remembers what it must bring back.
pub(super) async fn leave_for_provider(
    state: &AppState,
    session: &Session,
    return_path: ReturnPath,
    beginning: Beginning<'_>,
) -> Result<Response, AppError> {
    let (url, sign_in) = state.identity_provider.begin(beginning).await.map_err(refused_by_provider)?;
    // Another tab may have begun one, and groups may have been read again, since this request began.
    session.load().await.map_err(unavailable)?;
    let mut pending: PendingSignIns = read(session, PENDING).await?.unwrap_or_default();
    pending.push(Pending { sign_in, return_path, begun_at: now() });
    session.insert(PENDING, pending).await.map_err(unavailable)?;
    session.save().await.map_err(unavailable)?;
    Ok(Redirect::to(url.as_str()).into_response())
}

/// What the provider sends the browser back with (RFC 6749, 4.1.2).
#[derive(Deserialize)]
pub(super) struct Callback {
    #[serde(default)]
    state: String,
    code: Option<String>,
    error: Option<String>,
    error_description: Option<String>,
}

pub(super) async fn finish(
    State(state): State<AppState>,
    session: Session,
    actor: Option<Signed>,
    Extension(store): Extension<Arc<PgSessionStore>>,
    address: Option<Extension<ClientAddress>>,
    headers: HeaderMap,
    Query(answer): Query<Callback>,
) -> Result<Response, AppError> {
    let device = Device::of(&headers, address.map(|Extension(address)| address));
    let request_id = request_id(&headers);
    let came_back = CameBack { state: &state, session: &session, store: &store, device, request_id };
    let finished = came_back.finish(actor.is_some(), answer).await;
    finished.inspect_err(|error| count_failure(&state, error))
}

fn count_failure(state: &AppState, error: &AppError) {
    metrics::counter!("fairway_sign_ins_failed_total", "code" => error.code()).increment(1);
    state.sign_in_failures.count(error.code());
}

/// Longest code that is asked about: providers' are far shorter.
const LONGEST_CODE: usize = 4_096;

/// A browser that comes back from the provider.
struct CameBack<'a> {
    state: &'a AppState,
    session: &'a Session,
    store: &'a PgSessionStore,
    device: Device,
    request_id: String,
}

impl CameBack<'_> {
    async fn finish(self, is_signed_in: bool, answer: Callback) -> Result<Response, AppError> {
        let mut waiting: PendingSignIns = read(self.session, PENDING).await?.unwrap_or_default();
        let Some(pending) = waiting.take(&answer.state, now()) else {
            tracing::warn!("a sign-in came back that this browser did not begin");
            return if is_signed_in { Ok(go_to(&ReturnPath::default())) } else { Err(SignInError::Stale.into()) };
        };
        // Before anything else, so that an answer can be used only once.
        self.session.insert(PENDING, waiting).await.map_err(unavailable)?;
        self.session.save().await.map_err(unavailable)?;
        match pending.sign_in.prompt {
            Prompt::AsNeeded => self.sign_in(pending, answer).await,
            Prompt::Never => self.renew(pending, answer).await,
        }
    }

    async fn sign_in(
        self,
        Pending { sign_in, return_path, .. }: Pending,
        answer: Callback,
    ) -> Result<Response, AppError> {
        let code = match answer.outcome() {
            Ok(code) => code,
            Err((error, description)) => {
                if let Some(offline_access) = self.state.identity_provider.begins_again(&error, &sign_in) {
                    return self.begin_again(return_path, Beginning { offline_access, ..Beginning::default() }).await;
                }
                return Err(refused_at_redirect(&error, &description));
            }
        };
        let signed_in = match self.state.identity_provider.finish(code, sign_in).await.map_err(refused_by_provider)? {
            Finished::SignedIn(signed_in) => *signed_in,
            Finished::BeginAgain(offline_access) => {
                return self.begin_again(return_path, Beginning { offline_access, ..Beginning::default() }).await;
            }
        };
        let who = RecordActor { profile: signed_in.profile.clone(), request_id: self.request_id };
        let person_id = admit(self.state, &who).await?;
        let before: Option<Current> = read(self.session, CURRENT).await?;
        if let Some(before) = before.filter(|before| before.person_id != person_id) {
            let former = RecordActor { profile: before.signed_in.profile, request_id: who.request_id.clone() };
            record_event(self.state, former, &Event::SessionEnd { reason: SessionEndReason::Replaced }).await?;
        }
        // A new id: one planted before signing in is worth nothing afterwards.
        self.session.cycle_id().await.map_err(unavailable)?;
        let current = Current { person_id, signed_in, groups_read_at: now(), device: self.device };
        self.session.insert(CURRENT, current).await.map_err(unavailable)?;
        record_event(self.state, who, &Event::SignIn {}).await?;
        Ok(go_to(&return_path))
    }

    /// The provider was to ask the person nothing. What it says decides about the session as a refresh would.
    async fn renew(
        self,
        Pending { sign_in, return_path, .. }: Pending,
        answer: Callback,
    ) -> Result<Response, AppError> {
        let Some(before) = read::<Current>(self.session, CURRENT).await? else {
            return self.begin_again(return_path, Beginning::default()).await;
        };
        let code = match answer.outcome() {
            Ok(code) => code,
            Err((error, description)) => return self.not_renewed(before, return_path, (error, description)).await,
        };
        let signed_in = match self.state.identity_provider.finish(code, sign_in).await {
            Ok(Finished::SignedIn(signed_in)) => *signed_in,
            Ok(Finished::BeginAgain(offline_access)) => {
                let beginning = Beginning { prompt: Prompt::Never, who: Some(&before.signed_in), offline_access };
                return leave_for_provider(self.state, self.session, return_path, beginning).await;
            }
            Err(error) => {
                if let Some(reason) = refused_because(&error) {
                    end_session(self.state, self.session, Some(before), reason).await?;
                    return Err(refused_by_provider(error));
                }
                tracing::warn!(%error, "a session could not be renewed");
                return self.later(return_path).await;
            }
        };
        // Somebody else is signed in there now: nobody goes on as somebody else without knowing.
        if signed_in.profile.subject != before.signed_in.profile.subject
            || signed_in.profile.issuer != before.signed_in.profile.issuer
        {
            end_session(self.state, self.session, Some(before), SessionEndReason::EndedAtProvider).await?;
            return self.begin_again(return_path, Beginning::default()).await;
        }
        let who = RecordActor { profile: signed_in.profile.clone(), request_id: self.request_id };
        if let Err(error) = admit(self.state, &who).await {
            end_session(self.state, self.session, Some(before), SessionEndReason::NameNotUsable).await?;
            return Err(error);
        }
        let current = Current { signed_in, groups_read_at: now(), ..before };
        self.session.insert(CURRENT, current).await.map_err(unavailable)?;
        if let Some(id) = self.session.id() {
            self.store.release_refresh(&id).await?;
        }
        Ok(go_to(&return_path))
    }

    async fn not_renewed(
        self,
        before: Current,
        return_path: ReturnPath,
        (error, description): (String, String),
    ) -> Result<Response, AppError> {
        match error.as_str() {
            "access_denied" => {
                end_session(self.state, self.session, Some(before), SessionEndReason::RefusedByProvider).await?;
                Err(refused_at_redirect(&error, &description))
            }
            "server_error" | "temporarily_unavailable" => self.later(return_path).await,
            // It would have to ask, or knows no renewal without asking.
            _ => self.begin_again(return_path, Beginning::default()).await,
        }
    }

    /// The page is shown with what is known, and the provider asked again in a minute.
    async fn later(&self, return_path: ReturnPath) -> Result<Response, AppError> {
        if let Some(id) = self.session.id() {
            self.store.note_refresh_failed(&id).await?;
        }
        Ok(go_to(&return_path))
    }

    async fn begin_again(&self, return_path: ReturnPath, beginning: Beginning<'_>) -> Result<Response, AppError> {
        leave_for_provider(self.state, self.session, return_path, beginning).await
    }
}

impl Callback {
    /// The code, or what is wrong and the provider's words about it, as they may stand in the log.
    fn outcome(self) -> Result<String, (String, String)> {
        match self.code {
            Some(code) if !code.is_empty() && code.len() <= LONGEST_CODE => Ok(code),
            Some(_) => Err(("access_denied".to_owned(), "the code is none".to_owned())),
            None => Err((self.error.unwrap_or_default(), shown(&self.error_description.unwrap_or_default()))),
        }
    }
}

fn go_to(path: &ReturnPath) -> Response {
    Redirect::to(path.as_str()).into_response()
}

/// As it may stand in the log: anybody can write it into an address.
fn shown(description: &str) -> String {
    description.chars().filter(|c| !c.is_control()).take(200).collect()
}

/// The id of somebody whom the provider knows and who is let in here. That somebody is not is recorded; what comes before
/// this is logged only, as whoever is nobody yet must not be able to fill the record.
async fn admit(state: &AppState, who: &RecordActor) -> Result<Uuid, AppError> {
    let refused = match kube_identity(&who.profile, &state.policy) {
        None => SignInError::NameNotUsable,
        Some(identity) => match upsert_person(&state.database, &who.profile, &identity.user).await {
            Ok(person_id) => return Ok(person_id),
            Err(PersonError::NameTaken) => SignInError::NameTaken,
            Err(PersonError::Database(error)) => return Err(error),
        },
    };
    tracing::warn!(code = refused.code(), "somebody whom the provider knows was not let in");
    let failure = Failure { code: refused.code().to_owned(), message: String::new() };
    record_refused_sign_in(state, who, failure).await?;
    Err(refused.into())
}

/// The person who is signed in already, for handlers that also serve others.
pub(super) struct Signed;

impl<S: Send + Sync> OptionalFromRequestParts<S> for Signed {
    type Rejection = AppError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Self::Rejection> {
        Ok(parts.extensions.get::<Actor>().map(|_| Self))
    }
}
