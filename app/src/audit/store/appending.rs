//! SQL of new rows, each chained to the one before.

use super::commit_to;
use crate::actor::Profile;
use crate::audit::chain::{Entry, Head, Link};
use crate::audit::identity::details_of;
use crate::audit::{Action, Phase};
use crate::digest::Digest;
use serde_json::Value;
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

/// Who a new row is of.
#[derive(Debug, Clone, Copy)]
pub enum RowActor<'a> {
    /// Somebody, by their details.
    Known(&'a Profile),
    /// The same as in an earlier row. Their details may have been blanked since, and must not come back with this one.
    As(Digest),
}

impl<'a> From<&'a Profile> for RowActor<'a> {
    fn from(profile: &'a Profile) -> Self {
        Self::Known(profile)
    }
}

/// A row that was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Appended {
    /// Its id.
    pub id: Uuid,
    /// What it names its actor by.
    pub actor: Digest,
}

/// A row to be written; place, time and hash are added on the way.
pub struct NewEvent<'a> {
    /// What it is the outcome of.
    pub intent_id: Option<Uuid>,
    /// How far it has come.
    pub phase: Phase,
    /// Who.
    pub actor: RowActor<'a>,
    /// What.
    pub action: Action,
    /// To what.
    pub object: &'a str,
    /// More: an object.
    pub detail: Value,
    /// Ties it to the log.
    pub request_id: &'a str,
}

/// Appends a row in a transaction of its own.
///
/// # Errors
/// When the database refuses or is away.
pub async fn append(database: &PgPool, new: NewEvent<'_>) -> sqlx::Result<Appended> {
    let mut transaction = database.begin().await?;
    let appended = append_in(&mut transaction, new).await?;
    transaction.commit().await?;
    Ok(appended)
}

/// Appends a row within a transaction, so that it stands exactly if the rest does.
///
/// # Errors
/// When the database refuses or is away.
pub async fn append_in(connection: &mut PgConnection, new: NewEvent<'_>) -> sqlx::Result<Appended> {
    // One writer at a time: a chain has one end. Held until the transaction ends.
    sqlx::query!("select pg_advisory_xact_lock(hashtext('audit_events')) is null as locked")
        .fetch_one(&mut *connection)
        .await?;
    let actor = match new.actor {
        RowActor::Known(profile) => commit_to(&mut *connection, &details_of(profile)).await?,
        RowActor::As(commitment) => commitment,
    };
    // The clock of the database is one for all replicas. Where it was set back, the chain's own order counts.
    let end = sqlx::query!(
        r#"select sequence, hash as "hash: Digest", greatest(occurred_at, clock_timestamp()) as "now!: jiff_sqlx::Timestamp" from audit_end"#
    )
    .fetch_one(&mut *connection)
    .await?;
    let entry = Entry {
        sequence: end.sequence + 1,
        id: Uuid::now_v7(),
        intent_id: new.intent_id,
        phase: new.phase,
        actor,
        action: new.action.code().to_owned(),
        object: new.object.to_owned(),
        detail: new.detail,
        request_id: new.request_id.to_owned(),
        occurred_at: end.now.to_jiff(),
    };
    let link = Link::after(&Head { sequence: end.sequence, hash: end.hash }, &entry);
    sqlx::query!(
        "insert into audit_events (sequence, entry, previous_hash, hash) values ($1, $2, $3, $4)",
        link.sequence,
        link.entry,
        link.previous_hash.as_bytes(),
        link.hash.as_bytes(),
    )
    .execute(connection)
    .await?;
    Ok(Appended { id: entry.id, actor })
}
