//! Ending sessions: what is ended and what is recorded stand or fall together. Sessions first and the record second,
//! everywhere: in two orders two would wait for each other.

use super::errors::SessionError;
use super::{FailedSignIns, SessionSummary, SignedInPerson, store};
use crate::actor::{Actor, Administrator};
use crate::audit::{RecordActor, commitments_of, record_event_in};
use crate::error::AppError;
use crate::ports::LoggedOut;
use crate::state::AppState;
use record::{Event, SessionEndReason};
use uuid::Uuid;

pub use store::MOST_PEOPLE;

/// One's own sessions, the last used first.
///
/// # Errors
/// When the database is unavailable.
pub async fn load_own_sessions(state: &AppState, actor: &Actor) -> Result<Vec<SessionSummary>, AppError> {
    store::list_sessions(&state.database, actor.person_id).await
}

/// Those who are signed in and whose name or address holds a text.
///
/// # Errors
/// When the database is unavailable.
pub async fn load_signed_in(
    state: &AppState,
    _: Administrator<'_>,
    text: &str,
) -> Result<Vec<SignedInPerson>, AppError> {
    store::list_signed_in(&state.database, text.trim()).await
}

/// The sign-ins that failed in the last two weeks, by day and reason.
///
/// # Errors
/// When the database is unavailable.
pub async fn load_failed_sign_ins(state: &AppState, _: Administrator<'_>) -> Result<Vec<FailedSignIns>, AppError> {
    state.sign_in_failures.store(&state.database).await?;
    store::list_failures(&state.database).await
}

/// Ends one of one's own sessions.
///
/// # Errors
/// [`SessionError::AlreadyEnded`]; when the database is unavailable.
pub async fn end_own_session(state: &AppState, actor: &Actor, id: Uuid) -> Result<(), AppError> {
    let mut transaction = state.database.begin().await?;
    if !store::delete_session(&mut transaction, actor.person_id, id).await? {
        return Err(SessionError::AlreadyEnded.into());
    }
    let event = Event::SessionEnd { reason: SessionEndReason::EndedByPerson };
    record_event_in(&mut transaction, &actor.into(), &event).await?;
    transaction.commit().await?;
    Ok(())
}

/// Ends all of one's own sessions but the one that asks.
///
/// # Errors
/// [`SessionError::AlreadyEnded`]; when the database is unavailable.
pub async fn end_other_sessions(state: &AppState, actor: &Actor) -> Result<(), AppError> {
    let mut transaction = state.database.begin().await?;
    if store::delete_others(&mut transaction, actor.person_id, actor.session).await? == 0 {
        return Err(SessionError::AlreadyEnded.into());
    }
    let event = Event::SessionEnd { reason: SessionEndReason::EndedByPerson };
    record_event_in(&mut transaction, &actor.into(), &event).await?;
    transaction.commit().await?;
    Ok(())
}

/// Ends all sessions of somebody.
///
/// # Errors
/// [`SessionError::AlreadyEnded`]; when the database is unavailable.
pub async fn end_sessions_of(state: &AppState, administrator: Administrator<'_>, person: Uuid) -> Result<(), AppError> {
    // By their commitments: the address itself could not be erased.
    let email = store::find_email(&state.database, person).await?;
    let whose = commitments_of(state, &email).await?;
    let mut transaction = state.database.begin().await?;
    let count = store::delete_others(&mut transaction, person, None).await?;
    if count == 0 {
        return Err(SessionError::AlreadyEnded.into());
    }
    let event = Event::SessionsRevoke { whose, count };
    record_event_in(&mut transaction, &administrator.actor().into(), &event).await?;
    transaction.commit().await?;
    Ok(())
}

/// Ends the sessions that have ended at the provider.
///
/// # Errors
/// When the database is unavailable.
pub async fn end_logged_out(state: &AppState, ended: &LoggedOut, request_id: &str) -> Result<(), AppError> {
    // Each in a transaction of its own: whoever holds two people would wait for others who do.
    for (person, profile) in store::list_logged_out(&state.database, ended).await? {
        let mut transaction = state.database.begin().await?;
        if store::delete_logged_out(&mut transaction, person, ended).await? > 0 {
            let actor = RecordActor { profile, request_id: request_id.to_owned() };
            let event = Event::SessionEnd { reason: SessionEndReason::EndedAtProvider };
            record_event_in(&mut transaction, &actor, &event).await?;
        }
        transaction.commit().await?;
    }
    Ok(())
}
