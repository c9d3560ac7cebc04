//! SQL of who acted.

use record::{Digest, Identity};
use sqlx::{PgConnection, PgExecutor};

/// The commitment of somebody's details, made where there is none yet.
///
/// # Errors
/// When the database refuses or is unavailable.
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
/// When the database refuses or is unavailable.
pub async fn list_commitments(database: impl PgExecutor<'_>, address: &str) -> sqlx::Result<Vec<Digest>> {
    let rows = sqlx::query!(
        r#"select commitment as "commitment: Digest" from identities where lower(email) = lower($1)
           order by commitment"#,
        address,
    )
    .fetch_all(database)
    .await?;
    Ok(rows.into_iter().map(|row| row.commitment).collect())
}

/// Who is behind a commitment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredIdentity {
    pub commitment: Digest,
    /// Nothing where the details were erased.
    pub identity: Option<Identity>,
}

/// The columns of an identity, all of which are null once it was erased.
#[derive(Debug)]
pub struct IdentityColumns {
    pub salt: Option<Vec<u8>>,
    pub issuer: Option<String>,
    pub subject: Option<String>,
    pub name: Option<String>,
    pub email: Option<String>,
}

impl IdentityColumns {
    #[must_use]
    pub fn identity(self) -> Option<Identity> {
        Some(Identity {
            salt: self.salt?.try_into().ok()?,
            issuer: self.issuer?,
            subject: self.subject?,
            name: self.name?,
            email: self.email?,
        })
    }
}

/// Everybody in the record, in no order.
///
/// # Errors
/// When the database refuses or is unavailable.
pub async fn list_identities(database: impl PgExecutor<'_>) -> sqlx::Result<Vec<StoredIdentity>> {
    let rows = sqlx::query!(
        r#"select commitment as "commitment: Digest", salt, details::jsonb ->> 0 as issuer,
           details::jsonb ->> 1 as subject,
             details::jsonb ->> 2 as name, details::jsonb ->> 3 as email from identities"#
    )
    .fetch_all(database)
    .await?;
    let stored = rows.into_iter().map(|row| {
        let (salt, issuer, subject, name, email) = (row.salt, row.issuer, row.subject, row.name, row.email);
        let identity = IdentityColumns { salt, issuer, subject, name, email }.identity();
        StoredIdentity { commitment: row.commitment, identity }
    });
    Ok(stored.collect())
}

/// Whether somebody is still who signed in, and was not erased meanwhile; where they are, they stay so until the
/// transaction ends.
///
/// # Errors
/// When the database refuses or is unavailable.
pub async fn keep_person(connection: &mut PgConnection, issuer: &str, subject: &str) -> sqlx::Result<bool> {
    let row = sqlx::query!("select id from people where issuer = $1 and subject = $2 for key share", issuer, subject)
        .fetch_optional(connection)
        .await?;
    Ok(row.is_some())
}

/// Keeps somebody from doing anything until the transaction ends. Whoever writes holds who acts first and the chain
/// second; in the other order two would wait for each other.
///
/// # Errors
/// When the database refuses or is unavailable.
pub async fn hold_person(connection: &mut PgConnection, issuer: &str, subject: &str) -> sqlx::Result<()> {
    sqlx::query!("select id from people where issuer = $1 and subject = $2 for update", issuer, subject)
        .fetch_optional(connection)
        .await?;
    Ok(())
}

/// Erases the details of one person, in the record and wherever else pages show them; gives the commitments that nobody
/// can open any more. They must be held. Needs the owner's rights.
///
/// # Errors
/// When the database refuses or is unavailable.
pub async fn erase_person(connection: &mut PgConnection, issuer: &str, subject: &str) -> sqlx::Result<Vec<Digest>> {
    sqlx::query!("select pg_advisory_xact_lock(hashtext('audit_events')) is null as locked")
        .fetch_one(&mut *connection)
        .await?;
    let erased = sqlx::query!(
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
        "update people set name = 'Erased', email = '', subject = 'erased ' || id, cluster_user = null
         where issuer = $1 and subject = $2",
        issuer,
        subject,
    )
    .execute(connection)
    .await?;
    Ok(erased.into_iter().map(|row| row.commitment).collect())
}
