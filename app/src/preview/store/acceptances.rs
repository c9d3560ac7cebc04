//! SQL of acceptances.

use super::steps::identity_of;
use crate::actor::Actor;
use crate::audit::identity::Identity;
use crate::digest::Digest;
use crate::error::AppError;
use crate::preview::acceptance::{Acceptance, Accepted, StepTaken, Unreadable, approved_at, fold};
use crate::preview::life::{LaterVersion, Life};
use crate::preview::opt_in::Standing;
use crate::preview::terms::{Renewal, Scope, Stage, Terms};
use jiff::Timestamp;
use jiff_sqlx::ToSqlx;
use serde::Deserialize;
use serde_json::Value;
use sqlx::{PgConnection, PgExecutor};
use std::fmt;
use std::str::FromStr;
use uuid::Uuid;

/// Which acceptances are asked for; what is none asks for all.
#[derive(Debug, Clone, Default)]
pub struct AcceptanceQuery {
    /// One.
    pub id: Option<Uuid>,
    /// That somebody may see.
    pub seen_by: Option<Viewer>,
    /// Of a feature, by its slug.
    pub feature: Option<String>,
    /// That stand in one of these ways.
    pub standings: Option<Vec<String>>,
    /// For a scope.
    pub scope: Option<Scope>,
    /// That reach any of these namespaces.
    pub namespaces: Option<Vec<String>>,
    /// That are not over.
    pub is_open: bool,
    /// Of which people were told that they end, and those that wait and may keep them.
    pub ends_soon: bool,
    /// In which anything happened at or after a moment.
    pub since: Option<Timestamp>,
    /// That wait for somebody: to decide, to do by hand what was decided, or to see to what went wrong.
    pub needs_somebody: bool,
    /// After a place in the list.
    pub after: Option<Place>,
    /// Those first that wait the longest.
    pub oldest_first: bool,
    /// All that fit, and not only as many as a page shows.
    pub is_whole: bool,
}

/// A place in a list of acceptances: that of the last one shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    is_waiting: bool,
    accepted_at: Timestamp,
    id: Uuid,
}

/// As addresses have it: `waiting.1795564800000000.UUID`.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.is_waiting { "waiting" } else { "decided" };
        write!(f, "{kind}.{}.{}", self.accepted_at.as_microsecond(), self.id)
    }
}

/// A text that is no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is no place in a list")]
pub struct NoPlace;

impl FromStr for Place {
    type Err = NoPlace;

    fn from_str(text: &str) -> Result<Self, NoPlace> {
        let [kind, at, id] = text.split('.').collect::<Vec<_>>()[..] else { return Err(NoPlace) };
        let is_waiting = match kind {
            "waiting" => true,
            "decided" => false,
            _ => return Err(NoPlace),
        };
        let micros = at.parse().map_err(|_| NoPlace)?;
        let accepted_at = Timestamp::from_microsecond(micros).map_err(|_| NoPlace)?;
        Ok(Self { is_waiting, accepted_at, id: id.parse().map_err(|_| NoPlace)? })
    }
}

/// A page of a list.
#[derive(Debug, Clone, Default)]
pub struct Listed {
    /// What it shows.
    pub acceptances: Vec<Acceptance>,
    /// Where the next page begins, if there is one.
    pub next: Option<Place>,
}

/// Somebody who sees what they accepted themselves, what was accepted for what is theirs, and what reaches a namespace
/// that is theirs.
#[derive(Debug, Clone)]
pub struct Viewer {
    /// Who.
    pub person: Uuid,
    /// What they may act for.
    pub scopes: Vec<Scope>,
    /// The namespaces that they administer.
    pub namespaces: Vec<String>,
}

/// How many a page shows.
const PAGE: i64 = 50;

/// Keeps others from accepting for a scope until the transaction ends.
///
/// # Errors
/// When the database is away.
pub async fn hold_scope(transaction: &mut PgConnection, feature: &str, scope: &Scope) -> sqlx::Result<()> {
    sqlx::query!(
        "select pg_advisory_xact_lock(hashtext('acceptances'), hashtext($1)) is null as locked",
        format!("{feature} {scope}"),
    )
    .fetch_one(transaction)
    .await?;
    Ok(())
}

/// Stores an acceptance, if what it accepts is the current statement of a feature in preview: decided under a lock that
/// publishing takes as well.
///
/// # Errors
/// [`AppError::Conflict`] where it is not.
pub async fn insert_acceptance(
    connection: &mut PgConnection,
    actor: &Actor,
    accepted: &Accepted,
) -> Result<(), AppError> {
    identity_of(connection, actor).await?;
    let stage = sqlx::query!("select stage from preview_features where slug = $1 for share", accepted.feature)
        .fetch_one(&mut *connection)
        .await?
        .stage;
    // A statement of its own: the one that waited for the lock sees what was there before.
    let current = sqlx::query!(
        r#"select digest as "digest: Digest" from risk_statements where feature_slug = $1 order by version desc limit 1"#,
        accepted.feature,
    )
    .fetch_one(&mut *connection)
    .await?;
    if Stage::from_stored(&stage) != Some(Stage::Preview) || current.digest != accepted.statement_digest {
        return Err(AppError::Conflict { message: "The risk statement was changed while you read it. Nothing was recorded; read the new text and accept that.".to_owned() });
    }
    let (document, digest) = (accepted.document(), accepted.digest());
    sqlx::query!(
        "insert into acceptances (id, person_id, document, digest) values ($1, $2, $3, $4)",
        accepted.id,
        actor.person_id,
        document,
        digest.as_bytes(),
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// One acceptance.
///
/// # Errors
/// [`AppError::NotFound`].
pub async fn find_acceptance(database: impl PgExecutor<'_>, id: Uuid) -> Result<Acceptance, AppError> {
    find_seen_acceptance(database, id, None).await
}

/// One acceptance, if it may be seen; nobody as viewer sees all.
///
/// # Errors
/// [`AppError::NotFound`].
pub async fn find_seen_acceptance(
    database: impl PgExecutor<'_>,
    id: Uuid,
    seen_by: Option<Viewer>,
) -> Result<Acceptance, AppError> {
    let query = AcceptanceQuery { id: Some(id), seen_by, ..AcceptanceQuery::default() };
    let (_, stored) = read_acceptances(database, &query).await?.pop().ok_or(AppError::NotFound)?;
    stored.map_err(|error| {
        tracing::error!(%error, acceptance = %id, "a stored acceptance cannot be read");
        AppError::Internal
    })
}

/// What waits for a decision and was accepted, or approved once already, by somebody.
///
/// # Errors
/// When the database is away.
pub async fn list_waiting_with(connection: &mut PgConnection, issuer: &str, subject: &str) -> sqlx::Result<Vec<Uuid>> {
    let rows = sqlx::query!(
        "select a.id from acceptances a where standing_of(a.id) = 'waiting' and exists (
           select from people p where p.issuer = $1 and p.subject = $2 and (p.id = a.person_id
             or exists (select from opt_in_steps t where t.acceptance_id = a.id and t.person_id = p.id)))
         order by a.accepted_at",
        issuer,
        subject,
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| row.id).collect())
}

/// Acceptances; those that wait first, then the latest. One that cannot be read is left out, and does not hold up the
/// others: it is named in the log, and by `fairway audit verify`.
///
/// # Errors
/// When the database is away.
pub async fn list_acceptances(
    database: impl PgExecutor<'_>,
    query: &AcceptanceQuery,
) -> Result<Vec<Acceptance>, AppError> {
    Ok(readable(read_acceptances(database, query).await?))
}

/// A page of what [`list_acceptances`] gives, and where the next one begins.
///
/// # Errors
/// When the database is away.
pub async fn list_page(database: impl PgExecutor<'_>, query: &AcceptanceQuery) -> Result<Listed, AppError> {
    let stored = read_acceptances(database, query).await?;
    let is_full = i64::try_from(stored.len()) == Ok(PAGE);
    let acceptances = readable(stored);
    let next = acceptances.last().filter(|_| is_full).map(|last| Place {
        is_waiting: matches!(last.standing(), Standing::Waiting { .. }),
        accepted_at: last.accepted.accepted_at,
        id: last.accepted.id,
    });
    Ok(Listed { acceptances, next })
}

fn readable(stored: Vec<(Uuid, Result<Acceptance, Unreadable>)>) -> Vec<Acceptance> {
    let read = |(id, stored): (Uuid, Result<Acceptance, Unreadable>)| {
        stored.inspect_err(|error| tracing::error!(%error, acceptance = %id, "a stored acceptance cannot be read")).ok()
    };
    stored.into_iter().filter_map(read).collect()
}

/// How many acceptances wait for somebody.
///
/// # Errors
/// When the database is away.
pub async fn count_open(database: impl PgExecutor<'_>) -> sqlx::Result<i64> {
    let row = sqlx::query!(r#"select count(*) as "open!" from acceptances a where not exists (select from opt_in_steps o where o.acceptance_id = a.id and o.standing in ('refused', 'withdrawn', 'ended')) and needs_somebody(a.id)"#)
        .fetch_one(database)
        .await?;
    Ok(row.open)
}

/// As [`list_acceptances`], with those that cannot be read, and why.
///
/// # Errors
/// When the database is away.
pub async fn read_acceptances(
    database: impl PgExecutor<'_>,
    query: &AcceptanceQuery,
) -> sqlx::Result<Vec<(Uuid, Result<Acceptance, Unreadable>)>> {
    let (kinds, names): (Vec<&str>, Vec<&str>) = query
        .seen_by
        .iter()
        .flat_map(|viewer| &viewer.scopes)
        .map(|scope| (scope.kind.stored(), scope.name.as_str()))
        .unzip();
    let rows = sqlx::query_as!(
        Row,
        r#"select a.id, a.person_id, a.document, a.digest as "digest: Digest", w.email as person_address, f.name as feature_name, f.created_at as "feature_since: jiff_sqlx::Timestamp", f.stage, f.retires_at as "retires_at: jiff_sqlx::Timestamp", s.document as statement,
             encode(i.salt, 'hex') as salt, i.issuer as "issuer?", i.subject as "subject?", i.name as "name?", i.email as "email?",
             coalesce(e.problem, '') as "problem!", coalesce(e.drift, '') as "drift!",
             e.next_attempt_at as "next_attempt_at?: jiff_sqlx::Timestamp",
             coalesce((select jsonb_agg(jsonb_build_object('step', t.step, 'person_id', t.person_id, 'person', n.name, 'identity', encode(t.identity, 'hex'), 'reason', t.reason,
               'comment', t.comment, 'standing', t.standing, 'request_id', t.request_id, 'taken_at', t.taken_at) order by t.number)
               from opt_in_steps t left join identities n on n.commitment = t.identity where t.acceptance_id = a.id), '[]') as "steps!",
             coalesce((select jsonb_agg(jsonb_build_object('renewal', later.document::jsonb -> 'renewal', 'published_at', later.published_at))
               from risk_statements later where later.feature_slug = a.feature_slug and later.version > a.statement_version), '[]') as "later!",
             coalesce((select jsonb_agg(jsonb_build_object('days', n.days, 'given_at', n.given_at, 'ends_at', n.ends_at)) from notices n where n.acceptance_id = a.id), '[]') as "noticed!",
             coalesce((select jsonb_agg(jsonb_build_object('occasion', d.occasion, 'recipient', d.recipient, 'sent_at', d.sent_at, 'problem', d.problem, 'next_attempt_at', d.next_attempt_at) order by d.next_attempt_at, d.occasion, d.recipient)
               from notifications d where d.acceptance_id = a.id), '[]') as "deliveries!",
             exists (select from acceptances after where after.feature_slug = a.feature_slug and after.scope_kind = a.scope_kind
               and after.scope_name = a.scope_name and after.accepted_at > a.accepted_at
               and standing_of(after.id) in ('approved', 'effective')) as "is_replaced!"
           from acceptances a
           join preview_features f on f.slug = a.feature_slug
           join risk_statements s on s.feature_slug = a.feature_slug and s.version = a.statement_version
           join identities i on i.commitment = a.identity
           join people w on w.id = a.person_id
           left join effects e on e.acceptance_id = a.id
           where ($1::uuid is null or a.id = $1)
             and ($2::uuid is null or a.person_id = $2
               or (a.scope_kind, a.scope_name) in (select * from unnest($8::text[], $9::text[]))
               or a.document::jsonb -> 'namespaces' ?| $10::text[])
             and ($11::text[] is null or a.document::jsonb -> 'namespaces' ?| $11)
             and (not $18::boolean or not exists (select from opt_in_steps o where o.acceptance_id = a.id and o.standing in ('refused', 'withdrawn', 'ended')))
             and (not $19::boolean or standing_of(a.id) = 'waiting' or exists (select from notices n where n.acceptance_id = a.id))
             and ($3::text is null or a.feature_slug = $3) and ($4::text[] is null or standing_of(a.id) = any($4))
             and ($5::text is null or (a.scope_kind = $5 and a.scope_name = $6))
             and ($12::timestamptz is null or a.id in (select id from acceptances where accepted_at >= $12
               union all select acceptance_id from opt_in_steps where taken_at >= $12
               union all select acceptance_id from notices where given_at >= $12))
             and (not $13::boolean or (not exists (select from opt_in_steps o where o.acceptance_id = a.id and o.standing in ('refused', 'withdrawn', 'ended')) and needs_somebody(a.id)))
             and ($14::boolean is null or (standing_of(a.id) = 'waiting') < $14 or ((standing_of(a.id) = 'waiting') = $14
               and case when $17::boolean then (a.accepted_at, a.id) > ($15, $16) else (a.accepted_at, a.id) < ($15, $16) end))
           order by (standing_of(a.id) = 'waiting') desc, case when $17::boolean then a.accepted_at end, case when $17::boolean then a.id end,
             a.accepted_at desc, a.id desc limit $7"#,
        query.id,
        query.seen_by.as_ref().map(|viewer| viewer.person),
        query.feature,
        query.standings.as_deref(),
        query.scope.as_ref().map(|scope| scope.kind.stored()),
        query.scope.as_ref().map(|scope| scope.name.as_str()),
        if query.is_whole { i64::MAX } else { PAGE },
        &kinds as &[&str],
        &names as &[&str],
        query.seen_by.as_ref().map(|viewer| viewer.namespaces.as_slice()),
        query.namespaces.as_deref(),
        query.since.map(|at| at.to_sqlx()) as _,
        query.needs_somebody,
        query.after.map(|place| place.is_waiting),
        query.after.map(|place| place.accepted_at.to_sqlx()) as _,
        query.after.map(|place| place.id),
        query.oldest_first,
        query.is_open,
        query.ends_soon,
    )
    .fetch_all(database)
    .await?;
    Ok(rows.into_iter().map(|row| (row.id, row.acceptance())).collect())
}

struct Row {
    id: Uuid,
    person_id: Uuid,
    document: String,
    digest: Digest,
    person_address: String,
    feature_name: String,
    feature_since: jiff_sqlx::Timestamp,
    stage: String,
    retires_at: Option<jiff_sqlx::Timestamp>,
    statement: String,
    salt: Option<String>,
    issuer: Option<String>,
    subject: Option<String>,
    name: Option<String>,
    email: Option<String>,
    problem: String,
    drift: String,
    next_attempt_at: Option<jiff_sqlx::Timestamp>,
    steps: Value,
    later: Value,
    noticed: Value,
    deliveries: Value,
    is_replaced: bool,
}

#[derive(Deserialize)]
struct Later {
    renewal: Renewal,
    published_at: Timestamp,
}

impl Row {
    fn acceptance(self) -> Result<Acceptance, Unreadable> {
        let terms: Terms = serde_json::from_str(&self.statement)?;
        let steps: Vec<StepTaken> = serde_json::from_value(self.steps)?;
        let later: Vec<Later> = serde_json::from_value(self.later)?;
        let opt_in = fold(self.person_id, &terms, &steps)?;
        let life = Life {
            standing: opt_in.standing().clone(),
            stage: Stage::from_stored(&self.stage).unwrap_or_default(),
            retires_at: self.retires_at.map(|at| at.to_jiff()),
            approved_at: approved_at(&steps),
            validity_months: terms.validity_months,
            later: later
                .into_iter()
                .map(|later| LaterVersion { renewal: later.renewal, published_at: later.published_at })
                .collect(),
            is_replaced: self.is_replaced,
            noticed: serde_json::from_value(self.noticed)?,
        };
        Ok(Acceptance {
            accepted: serde_json::from_str(&self.document)?,
            document: self.document,
            statement: self.statement,
            digest: self.digest,
            terms,
            feature_name: self.feature_name,
            feature_since: self.feature_since.to_jiff(),
            person_id: self.person_id,
            person_address: self.person_address,
            identity: Identity::stored(self.salt, [self.issuer, self.subject, self.name, self.email]),
            steps,
            opt_in,
            life,
            deliveries: serde_json::from_value(self.deliveries)?,
            problem: self.problem,
            drift: self.drift,
            next_attempt_at: self.next_attempt_at.map(|at| at.to_jiff()),
        })
    }
}
