//! What is stored about opt-ins, as it is compared with the record.

use crate::preview::Description;
use crate::preview::lifecycle::Notice;
use crate::preview::statement::Stage;
use jiff::Timestamp;
use record::Digest;
use sqlx::PgConnection;
use std::collections::BTreeMap;
use uuid::Uuid;

/// Steps whose person is not the one that is committed to, by acceptance and number; number 0 is the acceptance itself.
/// Whoever was erased must be so in both places.
///
/// # Errors
/// When the database is unavailable.
pub async fn list_misattributed(connection: &mut PgConnection) -> sqlx::Result<Vec<(Uuid, i32)>> {
    let rows = sqlx::query!(
        r#"with named as (
             select acceptance_id as acceptance, number, person_id, identity from opt_in_steps
             union all select id, 0, person_id, identity from acceptances)
           select n.acceptance as "acceptance!", n.number as "number!"
           from named n left join people p on p.id = n.person_id left join identities i on i.commitment = n.identity
           where n.person_id is not null and (p.id is null or i.commitment is null or case when i.details is null
             then p.subject <> 'erased ' || p.id
             else (i.details::jsonb ->> 0, i.details::jsonb ->> 1) is distinct from (p.issuer, p.subject) end)
           order by 1, 2"#
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| (row.acceptance, row.number)).collect())
}

/// A published version of a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredStatement {
    /// Of which feature.
    pub feature: String,
    pub version: i32,
    /// Of its text.
    pub digest: Digest,
    pub published_at: Timestamp,
}

/// All versions of all statements.
///
/// # Errors
/// When the database is unavailable.
pub async fn list_statements(connection: &mut PgConnection) -> sqlx::Result<Vec<StoredStatement>> {
    let rows = sqlx::query!(
        r#"select feature_slug, version, sha256(convert_to(document, 'UTF8')) as "digest!: Digest",
             published_at as "published_at: jiff_sqlx::Timestamp" from risk_statements order by 1, 2"#
    )
    .fetch_all(connection)
    .await?;
    let statements = rows.into_iter().map(|row| StoredStatement {
        feature: row.feature_slug,
        version: row.version,
        digest: row.digest,
        published_at: row.published_at.to_jiff(),
    });
    Ok(statements.collect())
}

/// What is said about each feature, by its slug.
///
/// # Errors
/// When the database is unavailable.
pub async fn list_descriptions(connection: &mut PgConnection) -> sqlx::Result<BTreeMap<String, Description>> {
    let rows = sqlx::query!(
        r#"select slug, name, purpose, owner, documentation_url, stage as "stage: Stage",
           retires_at as "retires_at: jiff_sqlx::Timestamp"
           from preview_features"#
    )
    .fetch_all(connection)
    .await?;
    let descriptions = rows.into_iter().map(|row| {
        let description = Description {
            slug: row.slug.clone(),
            name: row.name,
            purpose: row.purpose,
            owner: row.owner,
            documentation_url: row.documentation_url,
            stage: row.stage,
            retires_at: row.retires_at.map(|at| at.to_jiff()),
        };
        (row.slug, description)
    });
    Ok(descriptions.collect())
}

/// A notice, and of which acceptance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoredNotice {
    pub acceptance: Uuid,
    pub notice: Notice,
}

/// All notices.
///
/// # Errors
/// When the database is unavailable.
pub async fn list_notices(connection: &mut PgConnection) -> sqlx::Result<Vec<StoredNotice>> {
    let rows = sqlx::query!(
        r#"select acceptance_id, days, ends_at as "ends_at: jiff_sqlx::Timestamp",
           given_at as "given_at: jiff_sqlx::Timestamp"
           from notices order by 1, 2, 3"#
    )
    .fetch_all(connection)
    .await?;
    let notices = rows.into_iter().map(|row| {
        let days = u16::try_from(row.days).unwrap_or(u16::MAX);
        let notice = Notice { days, ends_at: row.ends_at.to_jiff(), given_at: row.given_at.to_jiff() };
        StoredNotice { acceptance: row.acceptance_id, notice }
    });
    Ok(notices.collect())
}

/// Acceptances whose status is not what their steps make it.
///
/// # Errors
/// When the database is unavailable.
pub async fn list_false_statuses(connection: &mut PgConnection) -> sqlx::Result<Vec<Uuid>> {
    let rows = sqlx::query!(
        r#"select a.id from acceptances a left join opt_ins o on o.acceptance_id = a.id
           left join lateral (select * from opt_in_steps t where t.acceptance_id = a.id order by t.number desc limit 1)
           last on true
           where (o.status, o.steps, o.end_reason, o.comment, o.approved_at) is distinct from
             (coalesce(last.status, 'waiting'), coalesce(last.number, 0), last.reason, coalesce(last.comment, ''),
              (select min(t.taken_at) from opt_in_steps t where t.acceptance_id = a.id and t.status = 'approved'))
           order by a.id"#
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| row.id).collect())
}

/// Versions of statements whose columns are not what their documents say: what lists and deadlines go by.
///
/// # Errors
/// When the database is unavailable.
pub async fn list_false_statement_columns(connection: &mut PgConnection) -> sqlx::Result<Vec<(String, i32)>> {
    let rows = sqlx::query!(
        r#"select feature_slug, version from risk_statements, lateral (select document::jsonb as said offset 0) as read
           where (validity_months, approvals, effect, is_manual, renewal_days) is distinct from
             ((said ->> 'validity_months')::smallint, (said ->> 'approvals')::smallint, said -> 'effect',
              said ->> 'effect' is not distinct from 'manual', (said -> 'renewal' ->> 'within_days')::integer)
           order by feature_slug, version"#
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| (row.feature_slug, row.version)).collect())
}

/// Acceptances whose columns are not what their documents say: what lists find them by.
///
/// # Errors
/// When the database is unavailable.
pub async fn list_false_columns(connection: &mut PgConnection) -> sqlx::Result<Vec<Uuid>> {
    let rows = sqlx::query!(
        r#"select id from acceptances, lateral (select document::jsonb as said offset 0) as read
           where (feature_slug, statement_version, statement_digest, identity, scope_kind, scope_name, accepted_at,
           namespaces, groups)
             is distinct from
             (said ->> 'feature', (said ->> 'statement_version')::integer, decode(said ->> 'statement_digest', 'hex'),
              decode(said ->> 'person', 'hex'), said -> 'scope' ->> 'kind', said -> 'scope' ->> 'name',
              (said ->> 'accepted_at')::timestamptz,
              said -> 'namespaces', said -> 'groups')
           order by id"#
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| row.id).collect())
}
