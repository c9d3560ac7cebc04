//! SQL of what people have been told by e-mail.

use crate::preview::notification::Notification;
use jiff::Timestamp;
use jiff_sqlx::ToSqlx;
use sqlx::PgExecutor;
use uuid::Uuid;

/// Notes that the mail server took the mail.
///
/// # Errors
/// When the database is unavailable.
pub async fn note_told(
    database: impl PgExecutor<'_>,
    acceptance: Uuid,
    told: &Notification,
    now: Timestamp,
) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into notifications as n (acceptance_id, occasion, recipient, next_attempt_at, sent_at)
           values ($1, $2, $3, $4, $4)
         on conflict (acceptance_id, occasion, recipient) do update set sent_at = $4, problem = '', attempts = 0",
        acceptance,
        told.occasion.to_string(),
        told.recipient.to_string(),
        now.to_sqlx() as _,
    )
    .execute(database)
    .await?;
    Ok(())
}

/// Notes that a mail is about to be sent, before it is: what cannot be noted is not sent. If nothing more is noted, it
/// is tried again after a pause that begins with a minute and doubles with each attempt, up to an hour.
///
/// # Errors
/// When the database is unavailable.
pub async fn note_attempt(
    database: impl PgExecutor<'_>,
    acceptance: Uuid,
    told: &Notification,
    now: Timestamp,
) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into notifications as n (acceptance_id, occasion, recipient, attempts, next_attempt_at, problem)
         values ($1, $2, $3, 1, $4::timestamptz + interval '1 minute', $5)
         on conflict (acceptance_id, occasion, recipient) do update set attempts = n.attempts + 1, problem = $5,
           next_attempt_at = $4::timestamptz + least(interval '1 minute' * power(2, least(n.attempts, 10)), interval '1 hour')",
        acceptance,
        told.occasion.to_string(),
        told.recipient.to_string(),
        now.to_sqlx() as _,
        "It is not known whether the mail server took it.",
    )
    .execute(database)
    .await?;
    Ok(())
}

/// Notes what was in the way of the attempt that was noted last.
///
/// # Errors
/// When the database is unavailable.
pub async fn note_problem(
    database: impl PgExecutor<'_>,
    acceptance: Uuid,
    told: &Notification,
    problem: &str,
) -> sqlx::Result<()> {
    sqlx::query!(
        "update notifications set problem = $4 where acceptance_id = $1 and occasion = $2 and recipient = $3",
        acceptance,
        told.occasion.to_string(),
        told.recipient.to_string(),
        problem,
    )
    .execute(database)
    .await?;
    Ok(())
}
