//! SQL of who acted.

use crate::audit::identity::Identity;
use crate::digest::Digest;
use sqlx::{PgConnection, PgExecutor};

/// The commitment of somebody's details, made where there is none yet.
///
/// # Errors
/// When the database refuses or is away.
pub async fn commit_to(connection: &mut PgConnection, details: &str) -> sqlx::Result<Digest> {
    sqlx::query!(
        "with salted as (select uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()) as salt)
         insert into identities (commitment, salt, details)
         select sha256(salt || convert_to($1, 'UTF8')), salt, $1 from salted
         on conflict (details) do nothing",
        details,
    )
    .execute(&mut *connection)
    .await?;
    let row = sqlx::query!(r#"select commitment as "commitment: Digest" from identities where details = $1"#, details)
        .fetch_one(connection)
        .await?;
    Ok(row.commitment)
}

/// The commitments of whoever has, or had, an address.
///
/// # Errors
/// When the database refuses or is away.
pub async fn list_commitments(database: impl PgExecutor<'_>, address: &str) -> sqlx::Result<Vec<Digest>> {
    let rows = sqlx::query!(
        r#"select commitment as "commitment: Digest" from identities where lower(email) = lower($1) order by commitment"#,
        address,
    )
    .fetch_all(database)
    .await?;
    Ok(rows.into_iter().map(|row| row.commitment).collect())
}

/// Who is behind a commitment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredIdentity {
    /// What rows name them by.
    pub commitment: Digest,
    /// Their details; nothing where they were blanked.
    pub identity: Option<Identity>,
}

/// Everybody in the record, in no order.
///
/// # Errors
/// When the database refuses or is away.
pub async fn list_identities(database: impl PgExecutor<'_>) -> sqlx::Result<Vec<StoredIdentity>> {
    let rows = sqlx::query!(
        r#"select commitment as "commitment: Digest", encode(salt, 'hex') as salt, details::jsonb ->> 0 as issuer,
             details::jsonb ->> 1 as subject, details::jsonb ->> 2 as name, details::jsonb ->> 3 as email from identities"#
    )
    .fetch_all(database)
    .await?;
    let stored = rows.into_iter().map(|row| StoredIdentity {
        commitment: row.commitment,
        identity: Identity::stored(row.salt, [row.issuer, row.subject, row.name, row.email]),
    });
    Ok(stored.collect())
}

/// Keeps somebody from doing anything until the transaction ends. Whoever writes holds who acts first and the chain
/// second; in the other order two would wait for each other.
///
/// # Errors
/// When the database refuses or is away.
pub async fn hold_person(connection: &mut PgConnection, issuer: &str, subject: &str) -> sqlx::Result<()> {
    sqlx::query!("select id from people where issuer = $1 and subject = $2 for update", issuer, subject)
        .fetch_optional(connection)
        .await?;
    Ok(())
}

/// Blanks the details of one person, in the record and wherever else pages show them; gives the commitments that nobody
/// can open any more. They must be held. Needs the owner's rights.
///
/// # Errors
/// When the database refuses or is away.
pub async fn erase_person(connection: &mut PgConnection, issuer: &str, subject: &str) -> sqlx::Result<Vec<Digest>> {
    sqlx::query!("select pg_advisory_xact_lock(hashtext('audit_events')) is null as locked")
        .fetch_one(&mut *connection)
        .await?;
    let blanked = sqlx::query!(
        r#"update identities set salt = null, details = null where issuer = $1 and subject = $2
           returning commitment as "commitment: Digest""#,
        issuer,
        subject,
    )
    .fetch_all(&mut *connection)
    .await?;
    sqlx::query!(
        "delete from sessions where person_id in (select id from people where issuer = $1 and subject = $2)",
        issuer,
        subject,
    )
    .execute(&mut *connection)
    .await?;
    // What they did stays theirs by the id alone; whoever comes back is somebody new.
    sqlx::query!(
        "update people set name = 'Blanked', email = '', subject = 'blanked ' || id where issuer = $1 and subject = $2",
        issuer,
        subject,
    )
    .execute(connection)
    .await?;
    Ok(blanked.into_iter().map(|row| row.commitment).collect())
}
