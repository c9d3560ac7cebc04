//! The wrappers around every write: intent before, outcome after.

use crate::actor::{Actor, Profile};
use crate::audit::store::{self, Appended, NewEvent, RowActor};
use crate::audit::{Action, Phase};
use crate::digest::Digest;
use crate::error::{AppError, Part};
use crate::state::AppState;
use serde_json::{Value, json};
use sqlx::{PgConnection, PgPool, PgTransaction};
use std::future::Future;
use uuid::Uuid;

/// Who acts, and the reference that ties what they do to the log.
#[derive(Debug, Clone, Copy)]
pub struct Acting<'a> {
    /// Who.
    pub profile: &'a Profile,
    /// The reference.
    pub request_id: &'a str,
}

impl<'a> From<&'a Actor> for Acting<'a> {
    fn from(actor: &'a Actor) -> Self {
        Self { profile: &actor.profile, request_id: &actor.request_id }
    }
}

/// Records the intent, makes a write outside the database, records the outcome. The write gets the intent's id.
///
/// Without a recorded intent nothing is written. If the outcome cannot be recorded, the record shows
/// "unknown" and so does the answer, even where the write went well.
///
/// # Errors
/// The write's own, or the database's.
pub async fn audited<'a, T, Fut>(
    state: &AppState,
    who: impl Into<Acting<'a>>,
    action: Action,
    object: &str,
    detail: Value,
    write: impl FnOnce(Uuid) -> Fut,
) -> Result<T, AppError>
where
    Fut: Future<Output = Result<T, AppError>>,
{
    let intent = Intent::announce(&state.database, who.into(), action, object, detail).await?;
    match write(intent.id).await {
        Ok(value) => match store::append(&state.database, intent.success()).await {
            Ok(_) => Ok(value),
            Err(error) => Err(intent.lost(&error)),
        },
        Err(error) => Err(intent.failed(&state.database, error).await),
    }
}

/// As [`audited`], for what is written to the database, perhaps after something outside of it that can be repeated: the
/// write gives the transaction that it has written in, and its outcome is recorded in that. So nothing stands that the
/// record does not show to have succeeded.
///
/// # Errors
/// The write's own, or the database's.
pub async fn audited_in<'a, T, Fut>(
    state: &AppState,
    who: impl Into<Acting<'a>>,
    action: Action,
    object: &str,
    detail: Value,
    write: impl FnOnce() -> Fut,
) -> Result<T, AppError>
where
    Fut: Future<Output = Result<(T, PgTransaction<'static>), AppError>>,
{
    let intent = Intent::announce(&state.database, who.into(), action, object, detail).await?;
    let written = match write().await {
        Ok((value, mut transaction)) => match store::append_in(&mut transaction, intent.success()).await {
            Ok(_) => Ok((value, transaction)),
            Err(error) => Err(error.into()),
        },
        Err(error) => Err(error),
    };
    match written {
        Ok((value, transaction)) => match transaction.commit().await {
            Ok(()) => Ok(value),
            Err(error) => Err(intent.lost(&error)),
        },
        Err(error) => Err(intent.failed(&state.database, error).await),
    }
}

/// A write whose intent stands in the record.
struct Intent<'a> {
    id: Uuid,
    actor: Digest,
    who: Acting<'a>,
    action: Action,
    object: &'a str,
}

impl<'a> Intent<'a> {
    async fn announce(
        database: &PgPool,
        who: Acting<'a>,
        action: Action,
        object: &'a str,
        detail: Value,
    ) -> sqlx::Result<Self> {
        let event = event(who, action, object, None, Phase::Intent, detail);
        let Appended { id, actor } = store::append(database, event).await?;
        Ok(Self { id, actor, who, action, object })
    }

    fn outcome(&self, phase: Phase, detail: Value) -> NewEvent<'a> {
        let actor = RowActor::As(self.actor);
        NewEvent { actor, ..event(self.who, self.action, self.object, Some(self.id), phase, detail) }
    }

    fn success(&self) -> NewEvent<'a> {
        self.outcome(Phase::Succeeded, json!({}))
    }

    /// Records why it did not succeed. Where that fails too, the record shows "unknown".
    async fn failed(&self, database: &PgPool, error: AppError) -> AppError {
        let (phase, detail) = match &error {
            AppError::OutcomeUnknown { .. } => (Phase::Unknown, json!({ "code": error.code() })),
            AppError::Internal | AppError::Away { .. } => (Phase::Failed, json!({ "code": error.code() })),
            _ => {
                let message = nameless(self.who.profile, &error.to_string());
                (Phase::Refused, json!({ "code": error.code(), "message": message }))
            }
        };
        if let Err(error) = store::append(database, self.outcome(phase, detail)).await {
            tracing::error!(%error, intent = %self.id, "the outcome of a write could not be recorded");
        }
        error
    }

    /// It may have succeeded, and the record cannot say so.
    fn lost(&self, error: &sqlx::Error) -> AppError {
        tracing::error!(%error, intent = %self.id, "the outcome of a write could not be recorded");
        AppError::OutcomeUnknown { part: Part::Database }
    }
}

/// What the cluster said to somebody, without their name: it names whom it refuses, and what is stored for good cannot be
/// blanked.
#[must_use]
pub fn nameless(who: &Profile, message: &str) -> String {
    if *who == Profile::fairway() {
        return message.to_owned();
    }
    let details = [&who.email, &who.name].into_iter().filter(|detail| !detail.is_empty());
    details.fold(message.to_owned(), |message, detail| message.replace(detail.as_str(), "(the actor)"))
}

/// Records intent and success of what was written in a transaction. Call it after all that is written: from here on
/// until the transaction ends, nobody else writes to the record.
///
/// # Errors
/// When the database refuses or is away.
pub async fn recorded_within(
    transaction: &mut PgConnection,
    who: Acting<'_>,
    action: Action,
    object: &str,
    detail: Value,
) -> Result<(), AppError> {
    let intent = store::append_in(transaction, event(who, action, object, None, Phase::Intent, detail)).await?;
    let success = event(who, action, object, Some(intent.id), Phase::Succeeded, json!({}));
    store::append_in(transaction, success).await?;
    Ok(())
}

/// Records what has already happened, or was refused, in one row.
///
/// # Errors
/// When the database is away.
pub async fn recorded<'a>(
    state: &AppState,
    who: impl Into<Acting<'a>>,
    action: Action,
    phase: Phase,
    object: &str,
    detail: Value,
) -> Result<(), AppError> {
    store::append(&state.database, event(who.into(), action, object, None, phase, detail)).await?;
    Ok(())
}

fn event<'a>(
    who: Acting<'a>,
    action: Action,
    object: &'a str,
    intent_id: Option<Uuid>,
    phase: Phase,
    detail: Value,
) -> NewEvent<'a> {
    NewEvent { intent_id, phase, actor: who.profile.into(), action, object, detail, request_id: who.request_id }
}
