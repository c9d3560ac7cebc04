//! The ways into the record. What is written to the database goes through [`settle`], which records it in the same
//! transaction. What happens outside of it goes through an [`Intent`], which is recorded before, and its outcome after.

use crate::actor::{Actor, Profile};
use crate::audit::store::{self, Appended, NewRow, RowActor};
use crate::error::{AppError, Dependency};
use crate::point_of_no_return::PointOfNoReturn;
use crate::state::AppState;
use record::{Event, Failure, Phase};
use sqlx::{PgConnection, PgPool, PgTransaction};
use uuid::Uuid;

/// Who acts, and the reference that ties what they do to the log.
#[derive(Debug, Clone)]
pub struct RecordActor {
    pub profile: Profile,
    pub request_id: String,
}

impl From<&Actor> for RecordActor {
    fn from(actor: &Actor) -> Self {
        Self { profile: actor.profile.clone(), request_id: actor.request_id.clone() }
    }
}

impl RecordActor {
    /// Fairway itself, for what it does without being asked; with a reference of its own.
    #[must_use]
    pub fn fairway() -> Self {
        Self { profile: Profile::fairway(), request_id: Uuid::now_v7().to_string() }
    }

    /// Makes sure that whoever acts was not erased meanwhile, and is not until the transaction ends: their details must
    /// not come back with a row of theirs.
    async fn keep(&self, transaction: &mut PgConnection) -> Result<(), AppError> {
        let Profile { issuer, subject, .. } = &self.profile;
        let is_kept = self.profile == Profile::fairway() || store::keep_person(transaction, issuer, subject).await?;
        if is_kept { Ok(()) } else { Err(AppError::SignInRequired) }
    }

    fn row<'a>(&'a self, event: &'a Event, phase: Phase, failure: Option<Failure>) -> NewRow<'a> {
        let actor = RowActor::Known(&self.profile);
        NewRow { intent_id: None, phase, actor, event, failure, request_id: &self.request_id }
    }
}

/// From here on the request runs to its end, whoever waits for it: what is done or refused must not go unrecorded.
fn go_on() -> Result<(), AppError> {
    if PointOfNoReturn::pass() {
        return Ok(());
    }
    tracing::debug!("a request whose sender is gone began nothing");
    Err(AppError::Internal)
}

/// An effect outside of the database whose intent stands in the record. Dropped without an outcome, it is shown as
/// unknown.
#[derive(Debug)]
#[must_use]
pub struct Intent {
    id: Uuid,
    commitment: record::Digest,
    actor: RecordActor,
    event: Event,
}

impl Intent {
    /// Records what is about to be done. Without that, it must not be.
    ///
    /// # Errors
    /// When the database is unavailable.
    pub async fn announce(database: &PgPool, actor: impl Into<RecordActor>, event: Event) -> Result<Self, AppError> {
        let mut transaction = database.begin().await?;
        let intent = Self::announce_in(&mut transaction, actor, event).await?;
        transaction.commit().await?;
        Ok(intent)
    }

    /// As [`Intent::announce`], in a transaction that stores more about it.
    ///
    /// # Errors
    /// When the database is unavailable.
    pub async fn announce_in(
        transaction: &mut PgConnection,
        actor: impl Into<RecordActor>,
        event: Event,
    ) -> Result<Self, AppError> {
        go_on()?;
        let actor = actor.into();
        actor.keep(transaction).await?;
        let Appended { id, actor: commitment } =
            store::append_in(transaction, actor.row(&event, Phase::Intent, None)).await?;
        Ok(Self { id, commitment, actor, event })
    }

    #[must_use]
    pub fn id(&self) -> Uuid {
        self.id
    }

    /// Replaces the event by one that says more, now that the outcome is known.
    pub fn with_event(self, event: Event) -> Self {
        Self { event, ..self }
    }

    /// Records how it ended. Where that fails, the record shows "unknown" and so does the answer, even where it went
    /// well.
    ///
    /// # Errors
    /// Those of what was done, or [`AppError::OutcomeUnknown`].
    pub async fn conclude<T>(self, database: &PgPool, done: Result<T, AppError>) -> Result<T, AppError> {
        match done {
            Ok(value) => match store::append(database, self.outcome(Phase::Succeeded, None)).await {
                Ok(_) => Ok(value),
                Err(error) => Err(self.lost(&error)),
            },
            Err(error) => Err(self.failed(database, error).await),
        }
    }

    /// As [`Intent::conclude`], where what was done gives a transaction that has stored what came of it: that stands
    /// exactly if the record shows it.
    ///
    /// # Errors
    /// Those of what was done, the database's, or [`AppError::OutcomeUnknown`].
    pub async fn conclude_in<T>(
        self,
        database: &PgPool,
        done: Result<(T, PgTransaction<'static>), AppError>,
    ) -> Result<T, AppError> {
        let stored = match done {
            Ok((value, mut transaction)) => {
                match store::append_in(&mut transaction, self.outcome(Phase::Succeeded, None)).await {
                    Ok(_) => Ok((value, transaction)),
                    // It was done, so nobody may read that it was not.
                    Err(error) => Err(self.lost(&error)),
                }
            }
            Err(error) => Err(error),
        };
        match stored {
            Ok((value, transaction)) => match transaction.commit().await {
                Ok(()) => Ok(value),
                Err(error) => Err(self.lost(&error)),
            },
            Err(error) => Err(self.failed(database, error).await),
        }
    }

    /// Records in a transaction why it did not succeed, or that nobody knows.
    ///
    /// # Errors
    /// When the database is unavailable.
    pub async fn fail_in(&self, transaction: &mut PgConnection, error: &AppError) -> sqlx::Result<Phase> {
        let (phase, failure) = failure_of(&self.actor.profile, error);
        store::append_in(transaction, self.outcome(phase, Some(failure))).await?;
        Ok(phase)
    }

    /// Records in a transaction that it succeeded.
    ///
    /// # Errors
    /// When the database is unavailable.
    pub async fn succeed_in(&self, transaction: &mut PgConnection) -> sqlx::Result<()> {
        store::append_in(transaction, self.outcome(Phase::Succeeded, None)).await.map(drop)
    }

    fn outcome(&self, phase: Phase, failure: Option<Failure>) -> NewRow<'_> {
        let actor = RowActor::As(self.commitment);
        NewRow { intent_id: Some(self.id), actor, ..self.actor.row(&self.event, phase, failure) }
    }

    async fn failed(&self, database: &PgPool, error: AppError) -> AppError {
        let (phase, failure) = failure_of(&self.actor.profile, &error);
        if let Err(error) = store::append(database, self.outcome(phase, Some(failure))).await {
            tracing::error!(%error, intent = %self.id, "the outcome of a write could not be recorded");
        }
        error
    }

    /// It may have succeeded, and the record cannot say so.
    #[must_use]
    pub fn lost(&self, error: &sqlx::Error) -> AppError {
        tracing::error!(%error, intent = %self.id, "the outcome of a write could not be recorded");
        AppError::OutcomeUnknown { dependency: Dependency::Database }
    }
}

/// Records what a transaction has written, and commits; or takes it back, and records why. From the moment this is
/// called until the transaction ends, nobody else writes to the record.
///
/// # Errors
/// Those of what was written, or the database's.
pub async fn settle<T>(
    database: &PgPool,
    mut transaction: PgTransaction<'static>,
    actor: impl Into<RecordActor>,
    event: &Event,
    written: Result<T, AppError>,
) -> Result<T, AppError> {
    go_on()?;
    let actor = actor.into();
    let recorded = match written {
        Ok(value) => record_event_in(&mut transaction, &actor, event).await.map(|()| value),
        Err(error) => Err(error),
    };
    let error = match recorded {
        Ok(value) => {
            return transaction.commit().await.map(|()| value).map_err(|error| {
                tracing::error!(%error, "it is not known whether a transaction was committed");
                AppError::OutcomeUnknown { dependency: Dependency::Database }
            });
        }
        Err(error) => error,
    };
    transaction.rollback().await?;
    let (phase, failure) = failure_of(&actor.profile, &error);
    if let Err(error) = append(database, &actor, event, phase, Some(failure)).await {
        tracing::error!(%error, "a write that was refused could not be recorded");
    }
    Err(error)
}

/// Appends a row of somebody who was not erased meanwhile, in a transaction of its own.
async fn append(
    database: &PgPool,
    actor: &RecordActor,
    event: &Event,
    phase: Phase,
    failure: Option<Failure>,
) -> Result<(), AppError> {
    go_on()?;
    let mut transaction = database.begin().await?;
    actor.keep(&mut transaction).await?;
    store::append_in(&mut transaction, actor.row(event, phase, failure)).await?;
    Ok(transaction.commit().await?)
}

/// Records what a transaction has written beside other events. Call it after all that is written.
///
/// # Errors
/// When the database is unavailable.
pub async fn record_event_in(
    transaction: &mut PgConnection,
    actor: &RecordActor,
    event: &Event,
) -> Result<(), AppError> {
    actor.keep(transaction).await?;
    store::append_in(transaction, actor.row(event, Phase::Succeeded, None)).await?;
    Ok(())
}

/// Records what has already happened.
///
/// # Errors
/// When the database is unavailable.
pub async fn record_event(state: &AppState, actor: impl Into<RecordActor>, event: &Event) -> Result<(), AppError> {
    append(&state.database, &actor.into(), event, Phase::Succeeded, None).await
}

/// Records what was refused.
///
/// # Errors
/// When the database is unavailable.
pub async fn record_refusal(
    state: &AppState,
    actor: impl Into<RecordActor>,
    event: &Event,
    failure: Failure,
) -> Result<(), AppError> {
    append(&state.database, &actor.into(), event, Phase::Refused, Some(failure)).await
}

/// Records that somebody was not let in, who need not be known yet.
///
/// # Errors
/// When the database is unavailable.
pub async fn record_refused_sign_in(state: &AppState, actor: &RecordActor, failure: Failure) -> Result<(), AppError> {
    store::append(&state.database, actor.row(&Event::SignIn {}, Phase::Refused, Some(failure))).await?;
    Ok(())
}

fn failure_of(who: &Profile, error: &AppError) -> (Phase, Failure) {
    let code = error.code().to_owned();
    match error {
        AppError::OutcomeUnknown { .. } => (Phase::Unknown, Failure { code, message: String::new() }),
        AppError::Internal | AppError::Unavailable { .. } => (Phase::Failed, Failure { code, message: String::new() }),
        _ => (Phase::Refused, Failure { code, message: without_name(who, &error.to_string()) }),
    }
}

/// What the cluster said to somebody, without their name: it names whom it refuses, and what is stored for good cannot
/// be erased.
#[must_use]
pub fn without_name(who: &Profile, message: &str) -> String {
    if *who == Profile::fairway() {
        return message.to_owned();
    }
    let mut details = [&who.email, &who.user_name, &who.name];
    // One may be a part of another.
    details.sort_by_key(|detail| std::cmp::Reverse(detail.len()));
    let given = details.into_iter().filter(|detail| !detail.is_empty());
    given.fold(message.to_owned(), |message, detail| message.replace(detail.as_str(), "(the actor)"))
}
