//! SQL of finding rows.

use crate::audit::chain::Link;
use crate::audit::identity::Identity;
use crate::audit::{Action, Evidence, Filter, Outcome, Person, Write};
use crate::digest::Digest;
use futures::stream::{BoxStream, StreamExt, TryStreamExt};
use jiff::Timestamp;
use jiff_sqlx::ToSqlx;
use sqlx::{PgConnection, PgExecutor, PgPool};

/// A [`Filter`] as the columns know it. What is not asked for is null.
struct Conditions {
    actors: Option<Vec<Vec<u8>>>,
    action: Option<&'static str>,
    /// Kinds of writes, and beside them names of objects, that are evidence.
    evidence: Option<(Vec<&'static str>, Vec<String>)>,
    object: Option<String>,
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
        let evidence = |evidence: &Evidence| {
            (evidence.actions.iter().map(|action| action.code()).collect(), evidence.names.clone())
        };
        Ok(Self {
            actors: match given(&filter.person) {
                Some(person) => Some(actors_like(&mut *connection, &person).await?),
                None => None,
            },
            action: filter.action.map(Action::code),
            evidence: filter.evidence.as_ref().map(evidence),
            object: given(&filter.object),
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
         where position(lower($1) in lower(name || ' ' || email)) > 0 or subject = $1 or encode(commitment, 'hex') = $1",
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
/// When the database refuses or is away.
pub async fn list_writes(database: &PgPool, before: i64, filter: &Filter, limit: i64) -> sqlx::Result<Vec<Write>> {
    let mut transaction = database.begin().await?;
    let conditions = Conditions::of(&mut transaction, filter).await?;
    let rows = sqlx::query!(
        r#"select i.sequence, p.name as "name?", p.email as "email?", i.action as "action!", i.object as "object!", i.detail as "detail!",
             i.request_id as "request_id!", i.occurred_at as "occurred_at!: jiff_sqlx::Timestamp",
             case when i.phase = 'intent' then o.phase else i.phase end as outcome, o.detail as "result?"
           from audit_events i
           left join audit_events o on o.intent_id = i.id
           left join identities p on p.commitment = i.actor
           where i.intent_id is null and i.sequence < least($1::bigint, $2::bigint) and i.sequence >= $3
             and ($4::bytea[] is null or i.actor = any($4))
             and ($5::text[] is null or i.action = any($5) or i.object_name = any($6))
             and ($7::text is null or i.object = $7 or i.object_namespace = $7 or i.object_name = $7)
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
    )
    .fetch_all(&mut *transaction)
    .await?;
    let writes = rows.into_iter().map(|row| Write {
        sequence: row.sequence,
        actor: row.name.zip(row.email).map(|(name, email)| Person { name, email }),
        action: row.action,
        object: row.object,
        outcome: Outcome::from_phase(row.outcome.as_deref()),
        detail: row.detail,
        result: row.result.unwrap_or_default(),
        request_id: row.request_id,
        occurred_at: row.occurred_at.to_jiff(),
    });
    Ok(writes.collect())
}

/// A row with the identity that its actor is the commitment of, unless that was blanked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredLink {
    /// The row.
    pub link: Link,
    /// Who.
    pub identity: Option<Identity>,
}

struct LinkRow {
    sequence: i64,
    entry: String,
    previous_hash: Digest,
    hash: Digest,
    salt: Option<String>,
    issuer: Option<String>,
    subject: Option<String>,
    name: Option<String>,
    email: Option<String>,
}

impl From<LinkRow> for StoredLink {
    fn from(row: LinkRow) -> Self {
        Self {
            identity: Identity::stored(row.salt, [row.issuer, row.subject, row.name, row.email]),
            link: Link { sequence: row.sequence, entry: row.entry, previous_hash: row.previous_hash, hash: row.hash },
        }
    }
}

/// The rows of writes that fit, intents and outcomes, in order; of a period, with the outcomes of what began in it. Read as they are asked for, so that any number costs the
/// same memory. `connection` is best within a transaction: then it is one state of the record that is read.
///
/// # Errors
/// When the database refuses or is away, at the beginning or in the middle.
pub async fn stream_rows<'c>(
    connection: &'c mut PgConnection,
    filter: &Filter,
) -> sqlx::Result<BoxStream<'c, sqlx::Result<StoredLink>>> {
    let conditions = Conditions::of(&mut *connection, filter).await?;
    let rows = sqlx::query_as!(
        LinkRow,
        r#"select e.sequence, e.entry, e.previous_hash as "previous_hash: Digest", e.hash as "hash: Digest",
             encode(p.salt, 'hex') as salt, p.issuer as "issuer?", p.subject as "subject?", p.name as "name?", p.email as "email?"
           from audit_events e left join identities p on p.commitment = e.actor
           -- Only of a period: then an outcome belongs to the time of its intent.
           left join audit_events i on $9::boolean and i.id = e.intent_id
           where e.sequence >= $2 and coalesce(i.sequence, e.sequence) < $1 and coalesce(i.sequence, e.sequence) >= $2
             and ($3::bytea[] is null or e.actor = any($3))
             and ($4::text[] is null or e.action = any($4) or e.object_name = any($5))
             and ($6::text is null or e.object = $6 or e.object_namespace = $6 or e.object_name = $6)
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
    )
    .fetch(connection);
    Ok(rows.map_ok(StoredLink::from).boxed())
}

/// The rows of all writes whose detail names an acceptance, intents and outcomes, in order.
///
/// # Errors
/// When the database refuses or is away.
pub async fn list_rows_of_acceptance(database: impl PgExecutor<'_>, acceptance: &str) -> sqlx::Result<Vec<StoredLink>> {
    let rows = sqlx::query_as!(
        LinkRow,
        r#"with intents as (select id from audit_events where detail ? 'acceptance' and detail ->> 'acceptance' = $1)
           select e.sequence, e.entry, e.previous_hash as "previous_hash: Digest", e.hash as "hash: Digest",
             encode(p.salt, 'hex') as salt, p.issuer as "issuer?", p.subject as "subject?", p.name as "name?", p.email as "email?"
           from audit_events e left join identities p on p.commitment = e.actor
           where e.id in (select id from intents union all select o.id from audit_events o join intents on o.intent_id = intents.id)
           order by e.sequence"#,
        acceptance,
    )
    .fetch_all(database)
    .await?;
    Ok(rows.into_iter().map(StoredLink::from).collect())
}

/// Whether the record has a row with a reference.
///
/// # Errors
/// When the database refuses or is away.
pub async fn is_recorded(database: impl PgExecutor<'_>, reference: &str) -> sqlx::Result<bool> {
    let row =
        sqlx::query!(r#"select exists (select from audit_events where request_id = $1) as "is_there!""#, reference)
            .fetch_one(database)
            .await?;
    Ok(row.is_there)
}

/// When a head was last published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// When somebody last set out to.
    pub tried_at: Option<Timestamp>,
    /// When that last went well.
    pub succeeded_at: Option<Timestamp>,
}

/// When a head was last published to a place, by its object.
///
/// # Errors
/// When the database refuses or is away.
pub async fn last_published(database: &PgPool, place: &str) -> sqlx::Result<Published> {
    let row = sqlx::query!(
        r#"select
             (select occurred_at from audit_events where action = $1 and object = $2 and phase = 'intent' order by sequence desc limit 1)
               as "tried_at: jiff_sqlx::Timestamp",
             (select occurred_at from audit_events where action = $1 and object = $2 and phase = 'succeeded' order by sequence desc limit 1)
               as "succeeded_at: jiff_sqlx::Timestamp""#,
        Action::HeadPublish.code(),
        place,
    )
    .fetch_one(database)
    .await?;
    Ok(Published {
        tried_at: row.tried_at.map(|at| at.to_jiff()),
        succeeded_at: row.succeeded_at.map(|at| at.to_jiff()),
    })
}
