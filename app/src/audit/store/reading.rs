//! SQL of finding rows.

use super::IdentityColumns;
use crate::audit::{EvidenceFilter, Filter, Outcome, Person, Write};
use futures::stream::{BoxStream, StreamExt, TryStreamExt};
use jiff::Timestamp;
use jiff_sqlx::ToSqlx;
use record::{Action, Digest, Entry, ExportedRow, HeadPlace, Phase, Row};
use sqlx::{PgConnection, PgExecutor, PgPool};
use uuid::Uuid;

/// A [`Filter`] as the columns know it. What is not asked for is null.
struct Conditions {
    actors: Option<Vec<Vec<u8>>>,
    action: Option<&'static str>,
    /// Kinds of writes, and beside them names of objects, that are evidence.
    evidence: Option<(Vec<&'static str>, Vec<String>)>,
    object: Option<String>,
    /// The same, where it is an id.
    object_id: Option<Uuid>,
    reference: Option<String>,
    /// Times as places in the chain, where both run the same way.
    from: i64,
    until: i64,
    /// Not all of the record: then an outcome belongs to the time of its intent.
    is_period: bool,
}

impl Conditions {
    async fn of(connection: &mut PgConnection, filter: &Filter) -> sqlx::Result<Self> {
        // A plan for these very conditions: one for all of them would read the whole record.
        sqlx::query!("select set_config('plan_cache_mode', 'force_custom_plan', true)")
            .fetch_one(&mut *connection)
            .await?;
        let given = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
        let evidence = |evidence: &EvidenceFilter| {
            (evidence.actions.iter().map(|action| action.as_str()).collect(), evidence.names.clone())
        };
        Ok(Self {
            actors: match given(&filter.person) {
                Some(person) => Some(actors_like(&mut *connection, &person).await?),
                None => None,
            },
            action: filter.action.map(Action::as_str),
            evidence: filter.evidence.as_ref().map(evidence),
            object: given(&filter.object),
            object_id: filter.object.trim().parse().ok(),
            reference: given(&filter.reference),
            from: first_after(&mut *connection, filter.from).await?.unwrap_or(1),
            until: match filter.until {
                Some(_) => first_after(&mut *connection, filter.until).await?.unwrap_or(i64::MAX),
                None => i64::MAX,
            },
            is_period: filter.from.is_some() || filter.until.is_some(),
        })
    }
}

/// Identities whose name or address holds a text, or whose subject it is. There are few: one for each person and each
/// change of their details.
async fn actors_like(connection: &mut PgConnection, person: &str) -> sqlx::Result<Vec<Vec<u8>>> {
    let rows = sqlx::query!(
        "select commitment from identities
         where position(lower($1) in lower(name || ' ' || email)) > 0 or subject = $1
            or encode(commitment, 'hex') = $1",
        person,
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| row.commitment).collect())
}

/// The first row at or after a moment; nothing where there is none, or no moment.
async fn first_after(connection: &mut PgConnection, moment: Option<Timestamp>) -> sqlx::Result<Option<i64>> {
    let Some(moment) = moment else { return Ok(None) };
    let row = sqlx::query!(
        "select sequence from audit_events where occurred_at >= $1 order by occurred_at, sequence limit 1",
        moment.to_sqlx() as _,
    )
    .fetch_optional(connection)
    .await?;
    // Nothing that late: beyond the end.
    Ok(Some(row.map_or(i64::MAX, |row| row.sequence)))
}

/// Writes before a place in the chain, the newest first.
///
/// # Errors
/// When the database refuses or is unavailable.
pub async fn list_writes(database: &PgPool, before: i64, filter: &Filter, limit: i64) -> sqlx::Result<Vec<Write>> {
    let mut transaction = database.begin().await?;
    let conditions = Conditions::of(&mut transaction, filter).await?;
    let rows = sqlx::query_as!(
        WriteRow,
        r#"select i.sequence, i.entry, p.name as "name?", p.email as "email?",
             i.occurred_at as "occurred_at!: jiff_sqlx::Timestamp",
             case when i.phase = 'intent' then o.phase else i.phase end as "outcome: Phase",
             o.detail as "result?", coalesce(o.failure, i.failure) as failure
           from audit_events i
           left join audit_events o on o.intent_id = i.id
           left join identities p on p.commitment = i.actor
           where i.intent_id is null and i.sequence < least($1::bigint, $2::bigint) and i.sequence >= $3
             and ($4::bytea[] is null or i.actor = any($4))
             and ($5::text[] is null or i.action = any($5) or i.object_name = any($6))
             and ($7::text is null or i.object_scope = $7 or i.object_name = $7 or i.object_id = $11)
             and ($8::text is null or i.request_id = $8)
             and ($10::text is null or i.action = $10)
           order by i.sequence desc limit $9"#,
        before,
        conditions.until,
        conditions.from,
        conditions.actors.as_deref(),
        conditions.evidence.as_ref().map(|(actions, _)| actions.as_slice()) as Option<&[&str]>,
        conditions.evidence.as_ref().map(|(_, names)| names.as_slice()),
        conditions.object,
        conditions.reference,
        limit,
        conditions.action,
        conditions.object_id,
    )
    .fetch_all(&mut *transaction)
    .await?;
    let write = |row: WriteRow| {
        let entry: Entry = serde_json::from_str(&row.entry).map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
        Ok(Write {
            sequence: row.sequence,
            actor: row.name.zip(row.email).map(|(name, email)| Person { name, email }),
            action: entry.action,
            object: entry.object,
            outcome: Outcome::from_phase(row.outcome),
            detail: row.result.unwrap_or(entry.detail),
            failure: row.failure.and_then(|failure| serde_json::from_value(failure).ok()),
            request_id: entry.request_id,
            occurred_at: row.occurred_at.to_jiff(),
        })
    };
    rows.into_iter().map(write).collect()
}

struct WriteRow {
    sequence: i64,
    entry: String,
    name: Option<String>,
    email: Option<String>,
    occurred_at: jiff_sqlx::Timestamp,
    outcome: Option<Phase>,
    result: Option<serde_json::Value>,
    failure: Option<serde_json::Value>,
}

struct ChainRow {
    sequence: i64,
    entry: String,
    previous_hash: Digest,
    hash: Digest,
    salt: Option<Vec<u8>>,
    issuer: Option<String>,
    subject: Option<String>,
    name: Option<String>,
    email: Option<String>,
}

impl From<ChainRow> for ExportedRow {
    fn from(found: ChainRow) -> Self {
        let ChainRow { sequence, entry, previous_hash, hash, salt, issuer, subject, name, email } = found;
        Self {
            row: Row { sequence, entry, previous_hash, hash },
            actor: IdentityColumns { salt, issuer, subject, name, email }.identity(),
        }
    }
}

/// The rows of writes that fit, intents and outcomes, in order; of a period, with the outcomes of what began in it.
/// Read as they are asked for, so that any number costs the same memory. `connection` is best within a transaction:
/// then it is one state of the record that is read.
///
/// # Errors
/// When the database refuses or is unavailable, at the beginning or in the middle.
pub async fn stream_rows<'c>(
    connection: &'c mut PgConnection,
    filter: &Filter,
) -> sqlx::Result<BoxStream<'c, sqlx::Result<ExportedRow>>> {
    let conditions = Conditions::of(&mut *connection, filter).await?;
    let rows = sqlx::query_as!(
        ChainRow,
        r#"select e.sequence, e.entry, e.previous_hash as "previous_hash: Digest", e.hash as "hash: Digest",
             p.salt as "salt?", p.issuer as "issuer?", p.subject as "subject?", p.name as "name?", p.email as "email?"
           from audit_events e left join identities p on p.commitment = e.actor
           -- Only of a period: then an outcome belongs to the time of its intent.
           left join audit_events i on $9::boolean and i.id = e.intent_id
           where e.sequence >= $2 and coalesce(i.sequence, e.sequence) < $1 and coalesce(i.sequence, e.sequence) >= $2
             and ($3::bytea[] is null or e.actor = any($3))
             and ($4::text[] is null or e.action = any($4) or e.object_name = any($5))
             and ($6::text is null or e.object_scope = $6 or e.object_name = $6 or e.object_id = $10)
             and ($7::text is null or e.request_id = $7)
             and ($8::text is null or e.action = $8)
           order by e.sequence"#,
        conditions.until,
        conditions.from,
        conditions.actors.as_deref(),
        conditions.evidence.as_ref().map(|(actions, _)| actions.as_slice()) as Option<&[&str]>,
        conditions.evidence.as_ref().map(|(_, names)| names.as_slice()),
        conditions.object,
        conditions.reference,
        conditions.action,
        conditions.is_period,
        conditions.object_id,
    )
    .fetch(connection);
    Ok(rows.map_ok(ExportedRow::from).boxed())
}

/// The rows about an acceptance, intents and outcomes, in order; that somebody exported it is not about it.
///
/// # Errors
/// When the database refuses or is unavailable.
pub async fn list_rows_of_acceptance(
    database: impl PgExecutor<'_>,
    acceptance: Uuid,
) -> sqlx::Result<Vec<ExportedRow>> {
    let rows = sqlx::query_as!(
        ChainRow,
        r#"select e.sequence, e.entry, e.previous_hash as "previous_hash: Digest", e.hash as "hash: Digest",
             p.salt as "salt?", p.issuer as "issuer?", p.subject as "subject?", p.name as "name?", p.email as "email?"
           from audit_events e left join identities p on p.commitment = e.actor
           where e.object_id = $1 and e.action <> $2
           order by e.sequence"#,
        acceptance,
        Action::RecordExport.as_str(),
    )
    .fetch_all(database)
    .await?;
    Ok(rows.into_iter().map(ExportedRow::from).collect())
}

/// Whether the record has a row with a reference.
///
/// # Errors
/// When the database refuses or is unavailable.
pub async fn is_recorded(database: impl PgExecutor<'_>, reference: &str) -> sqlx::Result<bool> {
    let row =
        sqlx::query!(r#"select exists (select from audit_events where request_id = $1) as "is_there!""#, reference)
            .fetch_one(database)
            .await?;
    Ok(row.is_there)
}

/// When a head was last published to a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastPublished {
    /// When that was last begun.
    pub tried_at: Option<Timestamp>,
    pub succeeded_at: Option<Timestamp>,
}

/// When a head was last published to a place.
///
/// # Errors
/// When the database refuses or is unavailable.
pub async fn last_published(database: &PgPool, place: &HeadPlace) -> sqlx::Result<LastPublished> {
    let object = place.object();
    let scope = match place {
        HeadPlace::ConfigMap { namespace, .. } => Some(namespace),
        HeadPlace::Webhook { .. } => None,
    };
    let row = sqlx::query!(
        r#"select max(occurred_at) filter (where phase = 'intent') as "tried_at: jiff_sqlx::Timestamp",
             max(occurred_at) filter (where phase = 'succeeded') as "succeeded_at: jiff_sqlx::Timestamp"
           from audit_events where action = $1 and object_name = $2 and object_scope is not distinct from $3"#,
        Action::HeadPublish.as_str(),
        object.name,
        scope,
    )
    .fetch_one(database)
    .await?;
    Ok(LastPublished {
        tried_at: row.tried_at.map(|at| at.to_jiff()),
        succeeded_at: row.succeeded_at.map(|at| at.to_jiff()),
    })
}
