//! SQL of notices, and of how it goes with effects in the cluster.

use jiff::{SignedDuration, Timestamp};
use jiff_sqlx::ToSqlx;
use sqlx::{PgExecutor, PgPool};
use uuid::Uuid;

/// What came of an attempt, or of a check for drift.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EffectNote {
    /// What was in the way; empty where nothing was.
    pub problem: String,
    /// How the cluster differs from what was given; empty where it does not.
    pub drift: String,
}

/// Notes what came of an attempt, or of a check. It is checked again after a pause that `check_every` says; after a
/// failure the pause begins with 5 seconds and doubles with each, up to 10 minutes. Noted only while the opt-in has
/// taken as many steps: of what it has come to meanwhile nothing was seen.
///
/// # Errors
/// When the database is unavailable.
pub async fn note_effect(
    database: &PgPool,
    acceptance: Uuid,
    steps: usize,
    note: &EffectNote,
    check_every: SignedDuration,
    now: Timestamp,
) -> sqlx::Result<()> {
    let again = now + check_every;
    sqlx::query!(
        "insert into effects as e (acceptance_id, attempts, next_attempt_at, problem, drift, checked_at)
         select $1, case when $2 = '' then 0 else 1 end,
            case when $2 = '' then $5::timestamptz else $4::timestamptz + interval '5 seconds' end, $2, $3, $4
         where (select count(*) from opt_in_steps where acceptance_id = $1) = $6
         on conflict (acceptance_id) do update set
           attempts = case when $2 = '' then 0 else e.attempts + 1 end,
           next_attempt_at = case when $2 = '' then $5::timestamptz
              else $4::timestamptz + least(interval '5 seconds' * power(2, least(e.attempts, 10)), interval '10 minutes')
              end,
           problem = $2, drift = $3, checked_at = $4",
        acceptance,
        note.problem,
        note.drift,
        now.to_sqlx() as _,
        again.to_sqlx() as _,
        i64::try_from(steps).unwrap_or(i64::MAX),
    )
    .execute(database)
    .await?;
    Ok(())
}

/// Records that people were told; says whether they had not been told before.
///
/// # Errors
/// When the database is unavailable.
pub async fn record_notice(
    database: impl PgExecutor<'_>,
    acceptance: Uuid,
    days: u16,
    ends_at: Timestamp,
    now: Timestamp,
) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        "insert into notices (acceptance_id, days, ends_at, given_at) values ($1, $2, $3, $4) on conflict do nothing",
        acceptance,
        i32::from(days),
        ends_at.to_sqlx() as _,
        now.to_sqlx() as _,
    )
    .execute(database)
    .await?;
    Ok(done.rows_affected() == 1)
}
