//! SQL of acceptances with all that belongs to them: their documents, steps, notices and mails.

use super::steps::identity_of;
use crate::actor::Actor;
use crate::audit::IdentityColumns;
use crate::error::AppError;
use crate::preview::acceptance::{Acceptance, AcceptanceDocument, StepTaken, StoredAcceptanceError, approved_at, fold};
use crate::preview::errors::PreviewError;
use crate::preview::lifecycle::{LaterVersion, Lifecycle, Notice};
use crate::preview::notification::Delivery;
use crate::preview::statement::{Renewal, RiskStatement, Scope, Stage};
use jiff::Timestamp;
use jiff_sqlx::ToSqlx;
use record::{Digest, EndReason, Occasion, Recipient, StatusKind, StepKind};
use sqlx::{PgConnection, PgExecutor};
use std::collections::HashMap;
use uuid::Uuid;

/// Keeps others from accepting for a scope until the transaction ends.
///
/// # Errors
/// When the database is unavailable.
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
/// [`PreviewError::StatementChanged`] where it is not.
pub async fn insert_acceptance(
    connection: &mut PgConnection,
    actor: &Actor,
    accepted: &AcceptanceDocument,
) -> Result<(), AppError> {
    identity_of(connection, actor).await?;
    let feature = sqlx::query!(
        r#"select stage as "stage: Stage" from preview_features where slug = $1 for share"#,
        accepted.feature
    )
    .fetch_one(&mut *connection)
    .await?;
    // A statement of its own: the one that waited for the lock sees what was there before.
    let current = sqlx::query!(
        r#"select digest as "digest: Digest" from risk_statements where feature_slug = $1
           order by version desc limit 1"#,
        accepted.feature,
    )
    .fetch_one(&mut *connection)
    .await?;
    if feature.stage != Stage::Preview || current.digest != accepted.statement_digest {
        return Err(PreviewError::StatementChanged.into());
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
pub async fn find_acceptance(connection: &mut PgConnection, id: Uuid) -> Result<Acceptance, AppError> {
    let (_, stored) = load_acceptances(connection, &[id]).await?.pop().ok_or(AppError::NotFound)?;
    stored.map_err(|error| {
        tracing::error!(%error, acceptance = %id, "a stored acceptance cannot be read");
        AppError::Internal
    })
}

/// The ids of all acceptances, whatever else of them is there or not.
///
/// # Errors
/// When the database is unavailable.
pub async fn list_ids(database: impl PgExecutor<'_>) -> sqlx::Result<Vec<Uuid>> {
    let rows = sqlx::query!("select id from acceptances order by accepted_at, id").fetch_all(database).await?;
    Ok(rows.into_iter().map(|row| row.id).collect())
}

/// Those that are not over, the latest first.
///
/// # Errors
/// When the database is unavailable.
pub async fn list_open_ids(database: impl PgExecutor<'_>) -> sqlx::Result<Vec<Uuid>> {
    let rows = sqlx::query!(
        "select a.id from acceptances a join opt_ins o on o.acceptance_id = a.id
         where o.status not in ('refused', 'withdrawn', 'ended')
         order by a.accepted_at desc, a.id desc"
    )
    .fetch_all(database)
    .await?;
    Ok(rows.into_iter().map(|row| row.id).collect())
}

/// Those that are not over and reach any of these namespaces, the latest first.
///
/// # Errors
/// When the database is unavailable.
pub async fn list_open_ids_in(database: impl PgExecutor<'_>, namespaces: &[String]) -> sqlx::Result<Vec<Uuid>> {
    let rows = sqlx::query!(
        "select a.id from acceptances a join opt_ins o on o.acceptance_id = a.id
         where a.namespaces ?| $1 and o.status not in ('refused', 'withdrawn', 'ended')
         order by a.accepted_at desc, a.id desc",
        namespaces,
    )
    .fetch_all(database)
    .await?;
    Ok(rows.into_iter().map(|row| row.id).collect())
}

/// Those in which anything happened at or after a moment, the oldest first.
///
/// # Errors
/// When the database is unavailable.
pub async fn list_recent_ids(database: impl PgExecutor<'_>, since: Timestamp) -> sqlx::Result<Vec<Uuid>> {
    let rows = sqlx::query!(
        r#"select id as "id!" from acceptances where accepted_at >= $1
           union select acceptance_id from opt_in_steps where taken_at >= $1
           union select acceptance_id from notices where given_at >= $1
           order by 1"#,
        since.to_sqlx() as _,
    )
    .fetch_all(database)
    .await?;
    Ok(rows.into_iter().map(|row| row.id).collect())
}

/// What waits for a decision and was accepted, or approved once already, by somebody.
///
/// # Errors
/// When the database is unavailable.
pub async fn list_waiting_ids_with(
    connection: &mut PgConnection,
    issuer: &str,
    subject: &str,
) -> sqlx::Result<Vec<Uuid>> {
    let rows = sqlx::query!(
        "select a.id from acceptances a join opt_ins o on o.acceptance_id = a.id
         where o.status = 'waiting' and exists (
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

/// Acceptances by their ids, in that order. One that cannot be read is left out, and does not hold up the others: it is
/// named in the log, and by `fairway audit verify`.
///
/// # Errors
/// When the database is unavailable.
pub async fn load_readable(connection: &mut PgConnection, ids: &[Uuid]) -> sqlx::Result<Vec<Acceptance>> {
    let readable = |(id, stored): (Uuid, Result<Acceptance, StoredAcceptanceError>)| {
        stored.inspect_err(|error| tracing::error!(%error, acceptance = %id, "a stored acceptance cannot be read")).ok()
    };
    Ok(load_acceptances(connection, ids).await?.into_iter().filter_map(readable).collect())
}

/// Acceptances by their ids, in that order, with those that cannot be read, and why. One query for each table, however
/// many there are.
///
/// # Errors
/// When the database is unavailable.
pub async fn load_acceptances(
    connection: &mut PgConnection,
    ids: &[Uuid],
) -> sqlx::Result<Vec<(Uuid, Result<Acceptance, StoredAcceptanceError>)>> {
    let stored = list_stored(connection, ids).await?;
    let mut steps = list_steps(connection, ids).await?;
    let mut later = list_later_versions(connection, ids).await?;
    let mut noticed = list_notices(connection, ids).await?;
    let mut deliveries = list_deliveries(connection, ids).await?;
    let complete = |stored: Stored| {
        let id = stored.id;
        let acceptance = stored.acceptance(
            steps.remove(&id).unwrap_or_default(),
            later.remove(&id).unwrap_or_default(),
            noticed.remove(&id).unwrap_or_default(),
            deliveries.remove(&id).unwrap_or_default(),
        );
        (id, acceptance)
    };
    Ok(stored.into_iter().map(complete).collect())
}

/// An acceptance as its own row, and those that it refers to, hold it.
struct Stored {
    id: Uuid,
    person_id: Uuid,
    document: String,
    digest: Digest,
    person_address: String,
    feature_name: String,
    feature_since: jiff_sqlx::Timestamp,
    stage: Stage,
    retires_at: Option<jiff_sqlx::Timestamp>,
    statement: String,
    salt: Option<Vec<u8>>,
    issuer: Option<String>,
    subject: Option<String>,
    name: Option<String>,
    email: Option<String>,
    problem: String,
    drift: String,
    next_attempt_at: Option<jiff_sqlx::Timestamp>,
    is_replaced: bool,
}

async fn list_stored(connection: &mut PgConnection, ids: &[Uuid]) -> sqlx::Result<Vec<Stored>> {
    sqlx::query_as!(
        Stored,
        r#"select a.id, a.person_id, a.document, a.digest as "digest: Digest", w.email as person_address,
             f.name as feature_name, f.created_at as "feature_since: jiff_sqlx::Timestamp", f.stage as "stage: Stage",
             f.retires_at as "retires_at: jiff_sqlx::Timestamp", s.document as statement,
             i.salt, i.issuer, i.subject, i.name, i.email,
             u.problem as "problem!", u.drift as "drift!", u.is_replaced as "is_replaced!",
             e.next_attempt_at as "next_attempt_at?: jiff_sqlx::Timestamp"
           from unnest($1::uuid[]) with ordinality as wanted (id, place)
           join acceptances a on a.id = wanted.id
           join opt_in_summaries u on u.id = a.id
           join preview_features f on f.slug = a.feature_slug
           join risk_statements s on s.feature_slug = a.feature_slug and s.version = a.statement_version
           join identities i on i.commitment = a.identity
           join people w on w.id = a.person_id
           left join effects e on e.acceptance_id = a.id
           order by wanted.place"#,
        ids,
    )
    .fetch_all(connection)
    .await
}

async fn list_steps(connection: &mut PgConnection, ids: &[Uuid]) -> sqlx::Result<HashMap<Uuid, Vec<StepTaken>>> {
    let rows = sqlx::query!(
        r#"select t.acceptance_id, t.step as "step: StepKind", t.person_id, t.identity as "identity: Digest",
             n.name as "person?", t.reason as "reason: EndReason", t.comment, t.status as "status: StatusKind",
             t.request_id,
             t.taken_at as "taken_at: jiff_sqlx::Timestamp"
           from opt_in_steps t left join identities n on n.commitment = t.identity
           where t.acceptance_id = any($1) order by t.acceptance_id, t.number"#,
        ids,
    )
    .fetch_all(connection)
    .await?;
    Ok(by_acceptance(rows.into_iter().map(|row| {
        let taken = StepTaken {
            step: row.step,
            person_id: row.person_id,
            identity: row.identity,
            person: row.person,
            reason: row.reason,
            comment: row.comment,
            status: row.status,
            request_id: row.request_id,
            taken_at: row.taken_at.to_jiff(),
        };
        (row.acceptance_id, taken)
    })))
}

async fn list_later_versions(
    connection: &mut PgConnection,
    ids: &[Uuid],
) -> sqlx::Result<HashMap<Uuid, Vec<LaterVersion>>> {
    let rows = sqlx::query!(
        r#"select a.id, s.renewal_days, s.published_at as "published_at: jiff_sqlx::Timestamp"
           from acceptances a
           join risk_statements s on s.feature_slug = a.feature_slug and s.version > a.statement_version
           where a.id = any($1) order by a.id, s.version"#,
        ids,
    )
    .fetch_all(connection)
    .await?;
    Ok(by_acceptance(rows.into_iter().map(|row| {
        let renewal = renewal(row.renewal_days);
        (row.id, LaterVersion { renewal, published_at: row.published_at.to_jiff() })
    })))
}

pub(super) fn renewal(days: Option<i32>) -> Renewal {
    days.map_or(Renewal::NotNeeded, |days| Renewal::WithinDays(u16::try_from(days).unwrap_or(u16::MAX)))
}

async fn list_notices(connection: &mut PgConnection, ids: &[Uuid]) -> sqlx::Result<HashMap<Uuid, Vec<Notice>>> {
    let rows = sqlx::query!(
        r#"select acceptance_id, days, given_at as "given_at: jiff_sqlx::Timestamp",
           ends_at as "ends_at: jiff_sqlx::Timestamp"
           from notices where acceptance_id = any($1)"#,
        ids,
    )
    .fetch_all(connection)
    .await?;
    Ok(by_acceptance(rows.into_iter().map(|row| {
        let days = u16::try_from(row.days).unwrap_or(u16::MAX);
        (row.acceptance_id, Notice { days, given_at: row.given_at.to_jiff(), ends_at: row.ends_at.to_jiff() })
    })))
}

async fn list_deliveries(connection: &mut PgConnection, ids: &[Uuid]) -> sqlx::Result<HashMap<Uuid, Vec<Delivery>>> {
    let rows = sqlx::query!(
        r#"select acceptance_id, occasion, recipient, problem, sent_at as "sent_at: jiff_sqlx::Timestamp",
             next_attempt_at as "next_attempt_at: jiff_sqlx::Timestamp"
           from notifications where acceptance_id = any($1) order by next_attempt_at, occasion, recipient"#,
        ids,
    )
    .fetch_all(connection)
    .await?;
    let deliveries = rows.into_iter().map(|row| {
        let delivery = Delivery {
            occasion: row.occasion.parse::<Occasion>().map_err(|error| sqlx::Error::Decode(Box::new(error)))?,
            recipient: row.recipient.parse::<Recipient>().map_err(|error| sqlx::Error::Decode(Box::new(error)))?,
            sent_at: row.sent_at.map(|at| at.to_jiff()),
            problem: row.problem,
            next_attempt_at: row.next_attempt_at.to_jiff(),
        };
        Ok((row.acceptance_id, delivery))
    });
    Ok(by_acceptance(deliveries.collect::<sqlx::Result<Vec<_>>>()?))
}

fn by_acceptance<T>(rows: impl IntoIterator<Item = (Uuid, T)>) -> HashMap<Uuid, Vec<T>> {
    let mut found: HashMap<Uuid, Vec<T>> = HashMap::new();
    for (id, row) in rows {
        found.entry(id).or_default().push(row);
    }
    found
}

impl Stored {
    fn acceptance(
        self,
        steps: Vec<StepTaken>,
        later: Vec<LaterVersion>,
        noticed: Vec<Notice>,
        deliveries: Vec<Delivery>,
    ) -> Result<Acceptance, StoredAcceptanceError> {
        let terms: RiskStatement = serde_json::from_str(&self.statement)?;
        let opt_in = fold(self.person_id, &terms, &steps)?;
        let lifecycle = Lifecycle {
            status: opt_in.status().kind(),
            stage: self.stage,
            retires_at: self.retires_at.map(|at| at.to_jiff()),
            approved_at: approved_at(&steps),
            validity_months: terms.validity_months,
            later,
            is_replaced: self.is_replaced,
            noticed,
        };
        let (salt, issuer, subject, name, email) = (self.salt, self.issuer, self.subject, self.name, self.email);
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
            identity: IdentityColumns { salt, issuer, subject, name, email }.identity(),
            steps,
            opt_in,
            lifecycle,
            deliveries,
            problem: self.problem,
            drift: self.drift,
            next_attempt_at: self.next_attempt_at.map(|at| at.to_jiff()),
        })
    }
}
