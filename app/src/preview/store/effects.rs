//! SQL of notices, and of how it goes with effects in the cluster.

use jiff::Timestamp;
use jiff_sqlx::ToSqlx;
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

/// What came of an attempt, or of a look.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EffectNote {
    /// What was in the way; empty where nothing was.
    pub problem: String,
    /// How the cluster differs from what was given; empty where it does not.
    pub drift: String,
}

/// Whether it is this replica's turn, until the transaction ends.
///
/// # Errors
/// When the database is away.
pub async fn takes_turn(connection: &mut PgConnection) -> sqlx::Result<bool> {
    let row = sqlx::query!(r#"select pg_try_advisory_xact_lock(hashtext('opt_ins')) as "is_turn!""#)
        .fetch_one(connection)
        .await?;
    Ok(row.is_turn)
}

/// Waits until no replica looks after opt-ins, and keeps them from it until the transaction ends.
///
/// # Errors
/// When the database is away.
pub async fn waits_for_turn(connection: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query!("select pg_advisory_xact_lock(hashtext('opt_ins')) is null as locked").fetch_one(connection).await?;
    Ok(())
}

/// Whether it is time to try again. After each failure the pause doubles, from 5 seconds to 10 minutes.
///
/// # Errors
/// When the database is away.
pub async fn is_due(database: &PgPool, acceptance: Uuid, now: Timestamp) -> sqlx::Result<bool> {
    let row = sqlx::query!(
        r#"select coalesce((select next_attempt_at <= $2 from effects where acceptance_id = $1), true) as "is_due!""#,
        acceptance,
        now.to_sqlx() as _,
    )
    .fetch_one(database)
    .await?;
    Ok(row.is_due)
}

/// Notes what came of an attempt.
///
/// # Errors
/// When the database is away.
pub async fn note_effect(database: &PgPool, acceptance: Uuid, note: &EffectNote, now: Timestamp) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into effects as e (acceptance_id, attempts, next_attempt_at, problem, drift, looked_at)
         values ($1, case when $2 = '' then 0 else 1 end, case when $2 = '' then $4::timestamptz else $4::timestamptz + interval '5 seconds' end, $2, $3, $4)
         on conflict (acceptance_id) do update set
           attempts = case when $2 = '' then 0 else e.attempts + 1 end,
           next_attempt_at = case when $2 = '' then $4::timestamptz else $4::timestamptz + least(interval '5 seconds' * power(2, least(e.attempts, 10)), interval '10 minutes') end,
           problem = $2, drift = $3, looked_at = $4",
        acceptance,
        note.problem,
        note.drift,
        now.to_sqlx() as _,
    )
    .execute(database)
    .await?;
    Ok(())
}

/// Records that people were told; says whether they had not been told before.
///
/// # Errors
/// When the database is away.
pub async fn record_notice(
    database: &PgPool,
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
