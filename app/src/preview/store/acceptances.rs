//! SQL of acceptances.

use super::steps::identity_of;
use crate::actor::Actor;
use crate::audit::identity::Identity;
use crate::digest::Digest;
use crate::error::AppError;
use crate::preview::acceptance::{Acceptance, Accepted, StepTaken, Unreadable, approved_at, fold};
use crate::preview::life::{LaterVersion, Life};
use crate::preview::terms::{Renewal, Scope, Stage, Terms};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use sqlx::{PgConnection, PgExecutor};
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
    /// That reach a namespace.
    pub namespace: Option<String>,
    /// All that fit, and not only as many as a page shows.
    pub is_whole: bool,
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

/// The most that a list shows.
const MOST: i64 = 500;

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
    let read = |(id, stored): (Uuid, Result<Acceptance, Unreadable>)| {
        stored.inspect_err(|error| tracing::error!(%error, acceptance = %id, "a stored acceptance cannot be read")).ok()
    };
    Ok(read_acceptances(database, query).await?.into_iter().filter_map(read).collect())
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
        r#"select a.id, a.person_id, a.document, a.digest as "digest: Digest", f.name as feature_name, f.created_at as "feature_since: jiff_sqlx::Timestamp", f.stage, f.retires_at as "retires_at: jiff_sqlx::Timestamp", s.document as statement,
             encode(i.salt, 'hex') as salt, i.issuer as "issuer?", i.subject as "subject?", i.name as "name?", i.email as "email?",
             coalesce(e.problem, '') as "problem!", coalesce(e.drift, '') as "drift!",
             e.next_attempt_at as "next_attempt_at?: jiff_sqlx::Timestamp",
             coalesce((select jsonb_agg(jsonb_build_object('step', t.step, 'person_id', t.person_id, 'person', n.name, 'identity', encode(t.identity, 'hex'), 'reason', t.reason,
               'comment', t.comment, 'standing', t.standing, 'request_id', t.request_id, 'taken_at', t.taken_at) order by t.number)
               from opt_in_steps t left join identities n on n.commitment = t.identity where t.acceptance_id = a.id), '[]') as "steps!",
             coalesce((select jsonb_agg(jsonb_build_object('renewal', later.document::jsonb -> 'renewal', 'published_at', later.published_at))
               from risk_statements later where later.feature_slug = a.feature_slug and later.version > a.statement_version), '[]') as "later!",
             coalesce((select jsonb_agg(jsonb_build_object('days', n.days, 'given_at', n.given_at, 'ends_at', n.ends_at)) from notices n where n.acceptance_id = a.id), '[]') as "noticed!",
             exists (select from acceptances after where after.feature_slug = a.feature_slug and after.scope_kind = a.scope_kind
               and after.scope_name = a.scope_name and after.accepted_at > a.accepted_at
               and standing_of(after.id) in ('approved', 'effective')) as "is_replaced!"
           from acceptances a
           join preview_features f on f.slug = a.feature_slug
           join risk_statements s on s.feature_slug = a.feature_slug and s.version = a.statement_version
           join identities i on i.commitment = a.identity
           left join effects e on e.acceptance_id = a.id
           where ($1::uuid is null or a.id = $1)
             and ($2::uuid is null or a.person_id = $2
               or (a.scope_kind, a.scope_name) in (select * from unnest($8::text[], $9::text[]))
               or a.document::jsonb -> 'namespaces' ?| $10::text[])
             and ($11::text is null or a.document::jsonb -> 'namespaces' ? $11)
             and ($3::text is null or a.feature_slug = $3) and ($4::text[] is null or standing_of(a.id) = any($4))
             and ($5::text is null or (a.scope_kind = $5 and a.scope_name = $6))
           order by (standing_of(a.id) = 'waiting') desc, a.accepted_at desc limit $7"#,
        query.id,
        query.seen_by.as_ref().map(|viewer| viewer.person),
        query.feature,
        query.standings.as_deref(),
        query.scope.as_ref().map(|scope| scope.kind.stored()),
        query.scope.as_ref().map(|scope| scope.name.as_str()),
        if query.is_whole { i64::MAX } else { MOST },
        &kinds as &[&str],
        &names as &[&str],
        query.seen_by.as_ref().map(|viewer| viewer.namespaces.as_slice()),
        query.namespace,
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
            identity: Identity::stored(self.salt, [self.issuer, self.subject, self.name, self.email]),
            steps,
            opt_in,
            life,
            problem: self.problem,
            drift: self.drift,
            next_attempt_at: self.next_attempt_at.map(|at| at.to_jiff()),
        })
    }
}
