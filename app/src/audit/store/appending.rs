//! SQL of new rows, each chained to the one before.

use super::commit_to;
use crate::actor::Profile;
use crate::audit::details_of;
use record::{Digest, Entry, Event, Failure, Head, Phase, Row};
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

/// Who a new row is of.
#[derive(Debug, Clone, Copy)]
pub enum RowActor<'a> {
    Known(&'a Profile),
    /// The same as in an earlier row. Their details may have been erased since, and must not come back with this one.
    As(Digest),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Appended {
    pub id: Uuid,
    /// What the row names its actor by.
    pub actor: Digest,
}

/// A row to be written; place, time and hash are added on the way.
#[derive(Debug)]
pub struct NewRow<'a> {
    /// What it is the outcome of.
    pub intent_id: Option<Uuid>,
    pub phase: Phase,
    pub actor: RowActor<'a>,
    pub event: &'a Event,
    pub failure: Option<Failure>,
    pub request_id: &'a str,
}

/// Appends a row in a transaction of its own.
///
/// # Errors
/// When the database refuses or is unavailable.
pub async fn append(database: &PgPool, new: NewRow<'_>) -> sqlx::Result<Appended> {
    let mut transaction = database.begin().await?;
    let appended = append_in(&mut transaction, new).await?;
    transaction.commit().await?;
    Ok(appended)
}

/// Appends a row within a transaction, so that it stands exactly if the rest does.
///
/// # Errors
/// When the database refuses or is unavailable.
pub async fn append_in(connection: &mut PgConnection, new: NewRow<'_>) -> sqlx::Result<Appended> {
    // Who acts first and the chain second, as everywhere: in the other order two would wait for each other.
    let actor = match new.actor {
        RowActor::Known(profile) => commit_to(&mut *connection, &details_of(profile)).await?,
        RowActor::As(commitment) => commitment,
    };
    // One writer at a time: a chain has one end. Held until the transaction ends.
    sqlx::query!("select pg_advisory_xact_lock(hashtext('audit_events')) is null as locked")
        .fetch_one(&mut *connection)
        .await?;
    // The clock of the database is one for all replicas. Where it was set back, the chain's own order counts.
    let end = sqlx::query!(
        r#"select sequence, hash as "hash: Digest",
           greatest(occurred_at, clock_timestamp()) as "now!: jiff_sqlx::Timestamp" from audit_end"#
    )
    .fetch_one(&mut *connection)
    .await?;
    let entry = Entry {
        sequence: end.sequence + 1,
        format: Entry::FORMAT,
        id: Uuid::now_v7(),
        intent_id: new.intent_id,
        phase: new.phase,
        actor,
        action: new.event.action().as_str().to_owned(),
        object: new.event.object(),
        detail: new.event.detail(),
        failure: new.failure,
        request_id: new.request_id.to_owned(),
        occurred_at: end.now.to_jiff(),
    };
    let row = Row::after(&Head { sequence: end.sequence, hash: end.hash }, &entry);
    sqlx::query!(
        "insert into audit_events (sequence, entry, previous_hash, hash) values ($1, $2, $3, $4)",
        row.sequence,
        row.entry,
        row.previous_hash.as_bytes(),
        row.hash.as_bytes(),
    )
    .execute(connection)
    .await?;
    Ok(Appended { id: entry.id, actor })
}
