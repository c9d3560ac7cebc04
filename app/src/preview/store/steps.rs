//! SQL of the steps in the life of an opt-in.

use super::find_acceptance;
use crate::actor::Actor;
use crate::audit::commitment_within;
use crate::error::AppError;
use crate::preview::errors::PreviewError;
use crate::preview::opt_in::{Status, Step, StepError};
use record::Digest;
use sqlx::PgConnection;
use uuid::Uuid;

/// A step that somebody wants to take, or that Fairway takes by itself.
#[derive(Debug, Clone, Copy)]
pub struct NewStep<'a> {
    /// Of which opt-in.
    pub acceptance: Uuid,
    /// Its number: that of the step after those that were seen.
    pub number: usize,
    pub step: Step,
    /// Who; nobody where Fairway takes it by itself.
    pub by: Option<&'a Actor>,
    pub comment: &'a str,
    /// Ties it to the log.
    pub request_id: &'a str,
}

/// Takes a step within a transaction, if the rules allow it as things stand at this moment; gives how the opt-in stands
/// afterwards. Of two who act at once one is told, and nobody acts on a statement while the next one is being
/// published.
///
/// # Errors
/// [`PreviewError`] with the reason.
pub async fn take_step(transaction: &mut PgConnection, new: NewStep<'_>) -> Result<Status, AppError> {
    sqlx::query!(
        "select slug from preview_features where slug = (select feature_slug from acceptances where id = $1) for share",
        new.acceptance,
    )
    .fetch_one(&mut *transaction)
    .await?;
    let identity = match new.by {
        Some(actor) => Some(identity_of(transaction, actor).await?),
        None => None,
    };
    let acceptance = find_acceptance(&mut *transaction, new.acceptance).await?;
    if new.number != acceptance.steps.len() + 1 {
        return Err(too_late());
    }
    let number = i32::try_from(new.number).unwrap_or(i32::MAX);
    let opt_in = acceptance.opt_in.after(new.step, acceptance.lifecycle.is_in_force()).map_err(PreviewError::Step)?;
    let inserted = sqlx::query!(
        "insert into opt_in_steps (acceptance_id, number, accepted_by, step, person_id, reason, comment, status,
           request_id, identity)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        new.acceptance,
        number,
        acceptance.person_id,
        new.step.kind().as_str(),
        new.by.map(|actor| actor.person_id),
        opt_in.status().end_reason().map(|reason| reason.as_str()),
        new.comment,
        opt_in.status().kind().as_str(),
        new.request_id,
        identity.map(|identity| identity.as_bytes().to_vec()),
    )
    .execute(&mut *transaction)
    .await;
    match inserted {
        Ok(_) => {}
        Err(sqlx::Error::Database(error)) if error.is_unique_violation() => {
            return Err(too_late());
        }
        // Another account with the same address.
        Err(sqlx::Error::Database(error)) if error.constraint() == Some("decisions_need_a_second_person") => {
            return Err(PreviewError::Step(StepError::SamePerson).into());
        }
        Err(error) => return Err(error.into()),
    }
    // What has come to another stage need not wait for the pause after what failed before, whatever time it is
    // elsewhere.
    sqlx::query!("update effects set next_attempt_at = 'epoch' where acceptance_id = $1", new.acceptance)
        .execute(&mut *transaction)
        .await?;
    Ok(opt_in.status().clone())
}

/// What the record names somebody by, as long as they are who signed in: whoever is erased meanwhile is somebody else
/// from then on. Held until the transaction ends.
///
/// # Errors
/// [`AppError::SignInRequired`].
pub(super) async fn identity_of(transaction: &mut PgConnection, actor: &Actor) -> Result<Digest, AppError> {
    sqlx::query!(
        "select id from people where id = $1 and issuer = $2 and subject = $3 for key share",
        actor.person_id,
        actor.profile.issuer,
        actor.profile.subject,
    )
    .fetch_optional(&mut *transaction)
    .await?
    .ok_or(AppError::SignInRequired)?;
    commitment_within(transaction, &actor.profile).await
}

fn too_late() -> AppError {
    PreviewError::Step(StepError::TooLate).into()
}
