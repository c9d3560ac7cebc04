//! SQL of what the record is verified by.

use futures::stream::BoxStream;
use record::{Digest, Head, Row};
use sqlx::{PgConnection, PgExecutor};

/// The rows of the chain and nothing else, from one place to another, both included.
pub fn stream_chain<'e>(database: impl PgExecutor<'e> + 'e, first: i64, last: i64) -> BoxStream<'e, sqlx::Result<Row>> {
    sqlx::query_as!(
        Row,
        r#"select sequence, entry, previous_hash as "previous_hash: Digest", hash as "hash: Digest"
           from audit_events where sequence between $1 and $2 order by sequence"#,
        first,
        last,
    )
    .fetch(database)
}

/// Where the chain was said to end when the last row was written.
///
/// # Errors
/// When the database refuses or is unavailable.
pub async fn written_end(database: impl PgExecutor<'_>) -> sqlx::Result<Head> {
    sqlx::query_as!(Head, r#"select sequence, hash as "hash: Digest" from audit_end"#).fetch_one(database).await
}

/// The first person whom pages would name otherwise than the record commits to.
///
/// # Errors
/// When the database refuses or is unavailable.
pub async fn find_false_identity(database: impl PgExecutor<'_>) -> sqlx::Result<Option<Digest>> {
    let row = sqlx::query!(
        r#"select commitment as "commitment: Digest" from identities
           where (issuer, subject, name, email) is distinct from
             (details::jsonb ->> 0, details::jsonb ->> 1, details::jsonb ->> 2, details::jsonb ->> 3)
           order by commitment limit 1"#
    )
    .fetch_optional(database)
    .await?;
    Ok(row.map(|row| row.commitment))
}

/// A row that pages would show otherwise than it is hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FalseRow {
    /// A column is not what the text says.
    Columns(i64),
    /// Nobody stands behind its actor.
    Actor(i64),
}

/// The first row, from one place to another, whose columns differ from its text or whose actor is nobody. The database
/// lets neither happen; its owner could.
///
/// # Errors
/// When the database refuses or is unavailable.
pub async fn find_false_row(connection: &mut PgConnection, first: i64, last: i64) -> sqlx::Result<Option<FalseRow>> {
    let row = sqlx::query!(
        r#"select min(e.sequence) as sequence
           from audit_events e,
             jsonb_to_record(e.entry::jsonb) as said(id uuid, intent_id uuid, phase text, actor text, action text,
               object jsonb, detail jsonb, failure jsonb, request_id text, occurred_at timestamptz)
           where e.sequence between $1 and $2
             and (e.id, e.intent_id, e.phase, e.actor, e.action, e.object_kind, e.object_id, e.object_scope,
             e.object_name,
                 e.detail, e.failure, e.request_id, e.occurred_at)
               is distinct from (said.id, said.intent_id, said.phase, decode(said.actor, 'hex'), said.action,
                 said.object ->> 'kind', (said.object ->> 'id')::uuid,
                 coalesce(said.object ->> 'namespace', said.object ->> 'team', said.object ->> 'environment'),
                 said.object ->> 'name', said.detail, nullif(said.failure, 'null'), said.request_id,
                 said.occurred_at)"#,
        first,
        last,
    )
    .fetch_one(&mut *connection)
    .await?;
    if let Some(sequence) = row.sequence {
        return Ok(Some(FalseRow::Columns(sequence)));
    }
    let row = sqlx::query!(
        "select min(e.sequence) as sequence from audit_events e
         where e.sequence between $1 and $2 and not exists (select from identities i where i.commitment = e.actor)",
        first,
        last,
    )
    .fetch_one(connection)
    .await?;
    Ok(row.sequence.map(FalseRow::Actor))
}
