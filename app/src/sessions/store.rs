//! SQL of sessions. Whose may be ended is for the caller to decide.

use super::{FailedSignIns, SessionSummary, SignedInPerson};
use crate::actor::Profile;
use crate::error::AppError;
use crate::ports::LoggedOut;
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

/// The most people on one page; with more, they are searched.
pub const MOST_PEOPLE: i64 = 100;

/// A person's sessions, the last used first.
pub async fn list_sessions(database: &PgPool, person: Uuid) -> Result<Vec<SessionSummary>, AppError> {
    let rows = sqlx::query!(
        r#"select id, browser as "browser!", address, created_at as "created_at: jiff_sqlx::Timestamp",
             last_used_at as "last_used_at: jiff_sqlx::Timestamp"
           from sessions where person_id = $1 order by last_used_at desc"#,
        person
    )
    .fetch_all(database)
    .await?;
    let summary = rows.into_iter().map(|row| SessionSummary {
        id: row.id,
        browser: row.browser,
        address: row.address,
        began_at: row.created_at.to_jiff(),
        last_used_at: row.last_used_at.to_jiff(),
    });
    Ok(summary.collect())
}

/// Those who are signed in, the last seen first; those whose name or address holds a text, where one is given.
pub async fn list_signed_in(database: &PgPool, text: &str) -> Result<Vec<SignedInPerson>, AppError> {
    let rows = sqlx::query!(
        r#"select p.id, p.name, p.email, count(*) as "sessions!",
             max(s.last_used_at) as "last_used_at!: jiff_sqlx::Timestamp"
           from sessions s join people p on p.id = s.person_id
           where position(lower($1) in lower(p.name || ' ' || p.email)) > 0
           group by p.id order by max(s.last_used_at) desc limit $2"#,
        text,
        MOST_PEOPLE
    )
    .fetch_all(database)
    .await?;
    let people = rows.into_iter().map(|row| SignedInPerson {
        id: row.id,
        name: row.name,
        email: row.email,
        sessions: row.sessions,
        last_used_at: row.last_used_at.to_jiff(),
    });
    Ok(people.collect())
}

/// Ends one of a person's sessions; says whether it was there.
pub async fn delete_session(transaction: &mut PgConnection, person: Uuid, id: Uuid) -> Result<bool, AppError> {
    let done =
        sqlx::query!("delete from sessions where person_id = $1 and id = $2", person, id).execute(transaction).await?;
    Ok(done.rows_affected() == 1)
}

/// Ends all of a person's but one; gives how many there were.
pub async fn delete_others(transaction: &mut PgConnection, person: Uuid, kept: Option<Uuid>) -> Result<u64, AppError> {
    let done = sqlx::query!("delete from sessions where person_id = $1 and id is distinct from $2", person, kept)
        .execute(transaction)
        .await?;
    Ok(done.rows_affected())
}

/// The address of somebody, by their id.
pub async fn find_email(database: &PgPool, person: Uuid) -> Result<String, AppError> {
    Ok(sqlx::query_scalar!("select email from people where id = $1", person).fetch_one(database).await?)
}

/// Whose sessions may have ended at the provider.
pub async fn list_logged_out(database: &PgPool, ended: &LoggedOut) -> Result<Vec<(Uuid, Profile)>, AppError> {
    let rows = sqlx::query!(
        "select distinct p.id, p.issuer, p.subject, p.name, p.email from people p join sessions s on s.person_id = p.id
         where p.issuer = $1 and ($2::text is null or p.subject = $2) and ($3::text is null or s.provider_session = $3
           or (s.provider_session is null and $2 is not null))",
        ended.issuer,
        ended.subject.as_deref(),
        ended.session.as_deref(),
    )
    .fetch_all(database)
    .await?;
    let people = rows.into_iter().map(|row| {
        let profile = Profile {
            issuer: row.issuer,
            subject: row.subject,
            name: row.name,
            user_name: row.email.clone(),
            email: row.email,
            groups: Vec::new(),
        };
        (row.id, profile)
    });
    Ok(people.collect())
}

/// Ends a person's sessions that have ended at the provider; gives how many there were. Clocks may differ by some seconds.
pub async fn delete_logged_out(
    transaction: &mut PgConnection,
    person: Uuid,
    ended: &LoggedOut,
) -> Result<u64, AppError> {
    let done = sqlx::query!(
        "delete from sessions where person_id = $1 and ($2::text is null or provider_session = $2
           or (provider_session is null and $3)) and created_at < to_timestamp($4) + interval '5 seconds'",
        person,
        ended.session.as_deref(),
        ended.subject.is_some(),
        ended.at as f64,
    )
    .execute(transaction)
    .await?;
    Ok(done.rows_affected())
}

/// Adds to today's count.
pub async fn add_failures(database: &PgPool, code: &str, count: i64) -> Result<(), AppError> {
    sqlx::query!(
        "insert into sign_in_failures as known (day, code, count) values (current_date, $1, $2)
         on conflict (day, code) do update set count = known.count + excluded.count",
        code,
        count
    )
    .execute(database)
    .await?;
    Ok(())
}

/// The last two weeks, the latest first.
pub async fn list_failures(database: &PgPool) -> Result<Vec<FailedSignIns>, AppError> {
    let rows = sqlx::query!(
        r#"select day as "day: jiff_sqlx::Date", code, count from sign_in_failures
           where day > current_date - 14 order by day desc, count desc, code"#
    )
    .fetch_all(database)
    .await?;
    let failures =
        rows.into_iter().map(|row| FailedSignIns { day: row.day.to_jiff(), code: row.code, count: row.count });
    Ok(failures.collect())
}

/// Deletes counts that no page shows any more.
pub async fn delete_old_failures(database: &PgPool) -> Result<(), AppError> {
    sqlx::query!("delete from sign_in_failures where day < current_date - 30").execute(database).await?;
    Ok(())
}
