//! SQL of the record.

use super::chain::{Entry, Head, Link};
use super::identity::{Identity, details_of};
use super::{Action, Filter, Outcome, Person, Phase, Write};
use crate::actor::Profile;
use crate::digest::Digest;
use futures::stream::{BoxStream, StreamExt, TryStreamExt};
use jiff::{Timestamp, Unit};
use jiff_sqlx::ToSqlx;
use serde_json::Value;
use sqlx::{PgConnection, PgExecutor, PgPool};
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
    /// More: an object.
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
    let actor = commit_to(&mut *connection, &details_of(new.actor)).await?;
    let end = sqlx::query!(
        r#"select sequence, hash as "hash: Digest", occurred_at as "occurred_at: jiff_sqlx::Timestamp" from audit_end"#
    )
    .fetch_one(&mut *connection)
    .await?;
    // Postgres keeps microseconds. Where clocks differ, the chain's own order counts.
    let now = Timestamp::now().round(Unit::Microsecond).unwrap_or_default();
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
        occurred_at: now.max(end.occurred_at.to_jiff()),
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
    Ok(entry.id)
}

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

/// A [`Filter`] as the columns know it. What is not asked for is null.
struct Conditions {
    actors: Option<Vec<Vec<u8>>>,
    actions: Option<Vec<String>>,
    names: Option<Vec<String>>,
    object: Option<String>,
    reference: Option<String>,
    /// Times as places in the chain, where both run the same way.
    from: i64,
    until: i64,
}

impl Conditions {
    async fn of(connection: &mut PgConnection, filter: &Filter) -> sqlx::Result<Self> {
        // A plan for these very conditions: one for all of them would read the whole record.
        sqlx::query!("select set_config('plan_cache_mode', 'force_custom_plan', true)")
            .fetch_one(&mut *connection)
            .await?;
        let given = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
        let asks_for_kinds = !filter.actions.is_empty() || !filter.names.is_empty();
        let codes = filter.actions.iter().map(|action| action.code().to_owned()).collect();
        Ok(Self {
            actors: match given(&filter.person) {
                Some(person) => Some(actors_like(&mut *connection, &person).await?),
                None => None,
            },
            actions: asks_for_kinds.then_some(codes),
            names: asks_for_kinds.then(|| filter.names.clone()),
            object: given(&filter.object),
            reference: given(&filter.reference),
            from: first_after(&mut *connection, filter.from).await?.unwrap_or(1),
            until: match filter.until {
                Some(_) => first_after(&mut *connection, filter.until).await?.unwrap_or(i64::MAX),
                None => i64::MAX,
            },
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
             case when i.phase = 'intent' then o.phase else i.phase end as outcome
           from audit_events i
           left join audit_events o on o.intent_id = i.id
           left join identities p on p.commitment = i.actor
           where i.intent_id is null and i.sequence < least($1::bigint, $2::bigint) and i.sequence >= $3
             and ($4::bytea[] is null or i.actor = any($4))
             and ($5::text[] is null or i.action = any($5) or i.object_name = any($6))
             and ($7::text is null or i.object = $7 or i.object_namespace = $7 or i.object_name = $7)
             and ($8::text is null or i.request_id = $8)
           order by i.sequence desc limit $9"#,
        before,
        conditions.until,
        conditions.from,
        conditions.actors.as_deref(),
        conditions.actions.as_deref(),
        conditions.names.as_deref(),
        conditions.object,
        conditions.reference,
        limit,
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

/// The rows of writes that fit, intents and outcomes, in order; read as they are asked for, so that any number costs the
/// same memory. `connection` is best within a transaction: then it is one state of the record that is read.
///
/// # Errors
/// When the database refuses or is away, at the beginning or in the middle.
pub async fn stream_rows<'c>(
    connection: &'c mut PgConnection,
    filter: &Filter,
) -> sqlx::Result<BoxStream<'c, sqlx::Result<StoredLink>>> {
    let conditions = Conditions::of(&mut *connection, filter).await?;
    let rows = sqlx::query!(
        r#"select e.sequence, e.entry, e.previous_hash as "previous_hash: Digest", e.hash as "hash: Digest",
             encode(p.salt, 'hex') as salt, p.issuer as "issuer?", p.subject as "subject?", p.name as "name?", p.email as "email?"
           from audit_events e left join identities p on p.commitment = e.actor
           where e.sequence < $1 and e.sequence >= $2
             and ($3::bytea[] is null or e.actor = any($3))
             and ($4::text[] is null or e.action = any($4) or e.object_name = any($5))
             and ($6::text is null or e.object = $6 or e.object_namespace = $6 or e.object_name = $6)
             and ($7::text is null or e.request_id = $7)
           order by e.sequence"#,
        conditions.until,
        conditions.from,
        conditions.actors.as_deref(),
        conditions.actions.as_deref(),
        conditions.names.as_deref(),
        conditions.object,
        conditions.reference,
    )
    .fetch(connection);
    Ok(rows
        .map_ok(|row| StoredLink {
            identity: Identity::stored(row.salt, [row.issuer, row.subject, row.name, row.email]),
            link: Link { sequence: row.sequence, entry: row.entry, previous_hash: row.previous_hash, hash: row.hash },
        })
        .boxed())
}

/// The rows of all writes whose detail names an acceptance, intents and outcomes, in order.
///
/// # Errors
/// When the database refuses or is away.
pub async fn list_rows_of_acceptance(database: impl PgExecutor<'_>, acceptance: &str) -> sqlx::Result<Vec<StoredLink>> {
    let rows = sqlx::query!(
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
    let stored = rows.into_iter().map(|row| StoredLink {
        identity: Identity::stored(row.salt, [row.issuer, row.subject, row.name, row.email]),
        link: Link { sequence: row.sequence, entry: row.entry, previous_hash: row.previous_hash, hash: row.hash },
    });
    Ok(stored.collect())
}

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

/// How many identities there are, how many of them were blanked, and the first whose details are not what was committed to.
///
/// # Errors
/// When the database refuses or is away.
pub async fn check_identities(database: impl PgExecutor<'_>) -> sqlx::Result<(i64, i64, Option<Digest>)> {
    let row = sqlx::query!(
        r#"select count(*) as "all!", count(*) filter (where details is null) as "blanked!",
             min(encode(commitment, 'hex')) filter (where commitment <> sha256(salt || convert_to(details, 'UTF8'))) as wrong
           from identities"#
    )
    .fetch_one(database)
    .await?;
    Ok((row.all, row.blanked, row.wrong.and_then(|wrong| wrong.parse().ok())))
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

/// Blanks the details of one person, in the record and wherever else pages show them; gives how many of their identities
/// were blanked. They must be held. Needs the owner's rights.
///
/// # Errors
/// When the database refuses or is away.
pub async fn erase_person(connection: &mut PgConnection, issuer: &str, subject: &str) -> sqlx::Result<u64> {
    sqlx::query!("select pg_advisory_xact_lock(hashtext('audit_events')) is null as locked")
        .fetch_one(&mut *connection)
        .await?;
    let erased = sqlx::query!(
        "update identities set salt = null, details = null where issuer = $1 and subject = $2",
        issuer,
        subject,
    )
    .execute(&mut *connection)
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
    Ok(erased.rows_affected())
}
