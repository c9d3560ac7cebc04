//! SQL of the record.

use super::{Action, Event, GENESIS, Phase, Write};
use crate::actor::Profile;
use crate::digest::Digest;
use jiff::{Timestamp, Unit};
use jiff_sqlx::ToSqlx;
use serde_json::Value;
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

/// A row to be written; place, time and hash are added on the way.
pub struct NewEvent<'a> {
    /// What it is the outcome of.
    pub intent_id: Option<Uuid>,
    /// How far it has come.
    pub phase: Phase,
    /// Who.
    pub actor: &'a Profile,
    /// What.
    pub action: Action,
    /// To what.
    pub object: &'a str,
    /// More; strings only.
    pub detail: Value,
    /// Ties it to the log.
    pub request_id: &'a str,
}

/// Appends a row in a transaction of its own and gives its id.
///
/// # Errors
/// When the database refuses or is away.
pub async fn append(database: &PgPool, new: NewEvent<'_>) -> sqlx::Result<Uuid> {
    let mut transaction = database.begin().await?;
    let id = append_in(&mut transaction, new).await?;
    transaction.commit().await?;
    Ok(id)
}

/// Appends a row within a transaction, so that it stands exactly if the rest does.
///
/// # Errors
/// When the database refuses or is away.
pub async fn append_in(connection: &mut PgConnection, new: NewEvent<'_>) -> sqlx::Result<Uuid> {
    // One writer at a time: a chain has one end. Held until the transaction ends.
    sqlx::query!("select pg_advisory_xact_lock(hashtext('audit_events')) is null as locked")
        .fetch_one(&mut *connection)
        .await?;
    let last =
        sqlx::query!(r#"select sequence, hash as "hash: Digest" from audit_events order by sequence desc limit 1"#)
            .fetch_optional(&mut *connection)
            .await?;
    let (sequence, previous) = match last {
        Some(row) => (row.sequence + 1, row.hash),
        None => (1, GENESIS),
    };
    let event = Event {
        sequence,
        id: Uuid::now_v7(),
        intent_id: new.intent_id,
        phase: new.phase.code().to_owned(),
        actor_issuer: new.actor.issuer.clone(),
        actor_subject: new.actor.subject.clone(),
        actor_name: new.actor.name.clone(),
        actor_email: new.actor.email.clone(),
        action: new.action.code().to_owned(),
        object: new.object.to_owned(),
        detail: new.detail,
        request_id: new.request_id.to_owned(),
        // Postgres keeps microseconds; a finer time would not read back the same.
        occurred_at: Timestamp::now().round(Unit::Microsecond).unwrap_or_default(),
    };
    let hash = event.hash(&previous);
    sqlx::query!(
        "insert into audit_events (sequence, id, intent_id, phase, actor_issuer, actor_subject, actor_name, actor_email,
           action, object, detail, request_id, occurred_at, previous_hash, hash)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)",
        event.sequence,
        event.id,
        event.intent_id,
        event.phase,
        event.actor_issuer,
        event.actor_subject,
        event.actor_name,
        event.actor_email,
        event.action,
        event.object,
        event.detail,
        event.request_id,
        event.occurred_at.to_sqlx() as _,
        previous.as_bytes(),
        hash.as_bytes(),
    )
    .execute(connection)
    .await?;
    Ok(event.id)
}

/// Writes before a place in the chain, the newest first; only those whose actor, action or object
/// holds `filter`.
///
/// # Errors
/// When the database refuses or is away.
pub async fn list_writes(database: &PgPool, before: i64, filter: &str, limit: i64) -> sqlx::Result<Vec<Write>> {
    let rows = sqlx::query!(
        r#"select i.sequence, i.actor_name, i.actor_email, i.action, i.object, i.detail, i.request_id,
             i.occurred_at as "occurred_at: jiff_sqlx::Timestamp",
             case when i.phase = 'intent' then o.phase else i.phase end as outcome
           from audit_events i left join audit_events o on o.intent_id = i.id
           where i.intent_id is null and i.sequence < $1
             and ($2 = '' or position(lower($2) in lower(i.actor_name || ' ' || i.actor_email || ' ' || i.action || ' ' || i.object || ' ' || i.request_id)) > 0)
           order by i.sequence desc limit $3"#,
        before,
        filter,
        limit,
    )
    .fetch_all(database)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Write {
            sequence: row.sequence,
            actor_name: row.actor_name,
            actor_email: row.actor_email,
            action: row.action,
            object: row.object,
            outcome: row.outcome,
            detail: row.detail,
            request_id: row.request_id,
            occurred_at: row.occurred_at.to_jiff(),
        })
        .collect())
}

/// A stored row with its two hashes.
pub struct StoredEvent {
    /// The row.
    pub event: Event,
    /// The hash before it.
    pub previous_hash: Digest,
    /// Its own.
    pub hash: Digest,
}

/// Up to `limit` rows after a place in the chain, in order.
///
/// # Errors
/// When the database refuses or is away.
pub async fn list_events_after(database: &PgPool, after: i64, limit: i64) -> sqlx::Result<Vec<StoredEvent>> {
    let rows = sqlx::query!(
        r#"select sequence, id, intent_id, phase, actor_issuer, actor_subject, actor_name, actor_email, action, object,
             detail, request_id, occurred_at as "occurred_at: jiff_sqlx::Timestamp", previous_hash as "previous_hash: Digest", hash as "hash: Digest"
           from audit_events where sequence > $1 order by sequence limit $2"#,
        after,
        limit,
    )
    .fetch_all(database)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| StoredEvent {
            event: Event {
                sequence: row.sequence,
                id: row.id,
                intent_id: row.intent_id,
                phase: row.phase,
                actor_issuer: row.actor_issuer,
                actor_subject: row.actor_subject,
                actor_name: row.actor_name,
                actor_email: row.actor_email,
                action: row.action,
                object: row.object,
                detail: row.detail,
                request_id: row.request_id,
                occurred_at: row.occurred_at.to_jiff(),
            },
            previous_hash: row.previous_hash,
            hash: row.hash,
        })
        .collect())
}
