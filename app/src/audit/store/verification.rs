//! SQL of what the record is verified by.

use crate::audit::chain::{Head, Link};
use crate::digest::Digest;
use futures::stream::BoxStream;
use sqlx::{PgConnection, PgExecutor};

/// The links of the chain and nothing else, from one place to another, both included.
pub fn stream_links<'e>(
    database: impl PgExecutor<'e> + 'e,
    first: i64,
    last: i64,
) -> BoxStream<'e, sqlx::Result<Link>> {
    sqlx::query_as!(
        Link,
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
/// When the database refuses or is away.
pub async fn written_end(database: impl PgExecutor<'_>) -> sqlx::Result<Head> {
    sqlx::query_as!(Head, r#"select sequence, hash as "hash: Digest" from audit_end"#).fetch_one(database).await
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
/// When the database refuses or is away.
pub async fn find_false_row(connection: &mut PgConnection, first: i64, last: i64) -> sqlx::Result<Option<FalseRow>> {
    let row = sqlx::query!(
        r#"select min(e.sequence) as sequence
           from audit_events e, jsonb_to_record(e.entry::jsonb) as said(id uuid, intent_id uuid, phase text, actor text, action text,
             object text, detail jsonb, request_id text, occurred_at timestamptz)
           where e.sequence between $1 and $2
             and (e.id, e.intent_id, e.phase, e.actor, e.action, e.object, e.object_namespace, e.object_name, e.detail, e.request_id, e.occurred_at)
               is distinct from (said.id, said.intent_id, said.phase, decode(said.actor, 'hex'), said.action, said.object,
                 split_part(said.object, '/', 2), split_part(said.object, '/', 3), said.detail, said.request_id, said.occurred_at)"#,
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
