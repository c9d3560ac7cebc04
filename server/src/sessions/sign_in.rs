//! `/sign-in`, `/sign-in/callback`.

use super::authenticate::kube_identity;
use super::device::Device;
use super::person::{PersonError, upsert_person};
use super::renewal::end_session;
use super::sign_in_error::{refused_at_redirect, refused_by_provider};
use super::{CURRENT, Current, PENDING, Pending, PendingSignIns, ReturnPath, request_id, unavailable};
use crate::client_address::ClientAddress;
use app::actor::Actor;
use app::audit::{RecordActor, record_event, record_refused_sign_in};
use app::error::{AppError, AreaError};
use app::ports::{Finished, Prompt};
use app::sessions::errors::SignInError;
use app::state::AppState;
use axum::extract::{Extension, OptionalFromRequestParts, Query, State};
use axum::http::HeaderMap;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Redirect, Response};
use record::{Event, Failure, SessionEndReason};
use serde::Deserialize;
use time::OffsetDateTime;
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
    let left = leave_for_provider(&state, &session, return_path, Prompt::AsNeeded).await;
    left.inspect_err(|error| count_failure(&state, error))
}

/// Sends the browser to the provider, and remembers what it must bring back.
pub(super) async fn leave_for_provider(
    state: &AppState,
    session: &Session,
    return_path: ReturnPath,
    prompt: Prompt,
) -> Result<Response, AppError> {
    let (url, sign_in) = state.identity_provider.begin(prompt).await.map_err(refused_by_provider)?;
    let mut pending: PendingSignIns = session.get(PENDING).await.map_err(unavailable)?.unwrap_or_default();
    pending.push(Pending { sign_in, return_path });
    session.insert(PENDING, pending).await.map_err(unavailable)?;
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
    address: Option<Extension<ClientAddress>>,
    headers: HeaderMap,
    Query(answer): Query<Callback>,
) -> Result<Response, AppError> {
    let device = Device::of(&headers, address.map(|Extension(address)| address));
    let came_back = CameBack { is_signed_in: actor.is_some(), device, request_id: request_id(&headers), answer };
    let finished = come_back(&state, session, came_back).await;
    finished.inspect_err(|error| count_failure(&state, error))
}

fn count_failure(state: &AppState, error: &AppError) {
    metrics::counter!("fairway_sign_ins_failed_total", "code" => error.code()).increment(1);
    state.sign_in_failures.count(error.code());
}

/// A browser that comes back from the provider.
struct CameBack {
    is_signed_in: bool,
    device: Device,
    request_id: String,
    answer: Callback,
}

async fn come_back(state: &AppState, session: Session, came_back: CameBack) -> Result<Response, AppError> {
    let CameBack { is_signed_in, device, request_id, answer } = came_back;
    let mut waiting: PendingSignIns = session.get(PENDING).await.map_err(unavailable)?.unwrap_or_default();
    let Some(pending) = waiting.take(&answer.state) else {
        tracing::warn!("a sign-in came back that this browser did not begin");
        return if is_signed_in { Ok(Redirect::to("/").into_response()) } else { Err(SignInError::Stale.into()) };
    };
    // Before anything else, so that an answer can be used only once.
    session.insert(PENDING, waiting).await.map_err(unavailable)?;
    session.save().await.map_err(unavailable)?;
    let before: Option<Current> = session.get(CURRENT).await.unwrap_or_default();
    let Pending { sign_in, return_path } = pending;
    let prompt = sign_in.prompt;
    let Some(code) = answer.code.clone() else {
        return come_back_without_code(state, &session, before, (prompt, return_path), answer).await;
    };
    let signed_in = match state.identity_provider.finish(code, sign_in).await.map_err(refused_by_provider)? {
        Finished::SignedIn(signed_in) => *signed_in,
        Finished::BeginAgain => return leave_for_provider(state, &session, return_path, prompt).await,
    };
    let who = RecordActor { profile: signed_in.profile.clone(), request_id };
    let person_id = admit(state, &who).await?;
    let is_same_person = before.as_ref().is_some_and(|before| before.person_id == person_id);
    let current = Current { person_id, signed_in, groups_read_at: OffsetDateTime::now_utc().unix_timestamp(), device };
    if prompt == Prompt::Never && is_same_person {
        session.insert(CURRENT, current).await.map_err(unavailable)?;
        return Ok(Redirect::to(return_path.as_str()).into_response());
    }
    if let Some(before) = before.filter(|_| !is_same_person) {
        let former = RecordActor { profile: before.signed_in.profile, request_id: who.request_id.clone() };
        record_event(state, former, &Event::SessionEnd { reason: SessionEndReason::Replaced }).await?;
    }
    // A new id: one planted before signing in is worth nothing afterwards.
    session.cycle_id().await.map_err(unavailable)?;
    session.insert(CURRENT, current).await.map_err(unavailable)?;
    record_event(state, who, &Event::SignIn {}).await?;
    Ok(Redirect::to(return_path.as_str()).into_response())
}

/// The provider has signed nobody in, or has not renewed a session without asking the person.
async fn come_back_without_code(
    state: &AppState,
    session: &Session,
    before: Option<Current>,
    (prompt, return_path): (Prompt, ReturnPath),
    answer: Callback,
) -> Result<Response, AppError> {
    let error = answer.error.unwrap_or_default();
    if prompt == Prompt::Never {
        match Unrenewed::of(&error) {
            Unrenewed::MayAsk => return leave_for_provider(state, session, return_path, Prompt::AsNeeded).await,
            Unrenewed::Refused => end_session(state, session, before, SessionEndReason::RefusedByProvider).await?,
            Unrenewed::Later => {}
        }
    }
    Err(refused_at_redirect(&error, &shown(&answer.error_description.unwrap_or_default())))
}

/// What it means that the provider did not renew a session without asking the person.
enum Unrenewed {
    /// It would have to ask, or knows no renewal without asking.
    MayAsk,
    Refused,
    /// It has a bad moment.
    Later,
}

impl Unrenewed {
    fn of(error: &str) -> Self {
        match error {
            "access_denied" => Self::Refused,
            "server_error" | "temporarily_unavailable" => Self::Later,
            _ => Self::MayAsk,
        }
    }
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
