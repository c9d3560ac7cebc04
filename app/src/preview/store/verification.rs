//! What is stored about opt-ins, as it is compared with the record.

use crate::digest::Digest;
use crate::preview::Description;
use crate::preview::terms::Stage;
use jiff::Timestamp;
use sqlx::PgConnection;
use std::collections::BTreeMap;
use uuid::Uuid;

/// The ids of all acceptances, whatever else of them is there or not.
///
/// # Errors
/// When the database is away.
pub async fn list_acceptance_ids(connection: &mut PgConnection) -> sqlx::Result<Vec<Uuid>> {
    let rows = sqlx::query!("select id from acceptances order by id").fetch_all(connection).await?;
    Ok(rows.into_iter().map(|row| row.id).collect())
}

/// Steps whose person is not the one that is committed to, by acceptance and number; number 0 is the acceptance itself.
/// Whoever was blanked must be so in both places.
///
/// # Errors
/// When the database is away.
pub async fn list_misattributed(connection: &mut PgConnection) -> sqlx::Result<Vec<(Uuid, i32)>> {
    let rows = sqlx::query!(
        r#"with named as (
             select acceptance_id as acceptance, number, person_id, identity from opt_in_steps
             union all select id, 0, person_id, identity from acceptances)
           select n.acceptance as "acceptance!", n.number as "number!"
           from named n left join people p on p.id = n.person_id left join identities i on i.commitment = n.identity
           where n.person_id is not null and (p.id is null or i.commitment is null or case when i.details is null
             then p.subject <> 'blanked ' || p.id
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
    /// Which.
    pub version: i32,
    /// Of its text.
    pub digest: Digest,
    /// When.
    pub published_at: Timestamp,
}

/// All versions of all statements.
///
/// # Errors
/// When the database is away.
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
/// When the database is away.
pub async fn list_descriptions(connection: &mut PgConnection) -> sqlx::Result<BTreeMap<String, Description>> {
    let rows = sqlx::query!(
        r#"select slug, name, purpose, owner, documentation_url, stage, retires_at as "retires_at: jiff_sqlx::Timestamp"
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
            stage: Stage::from_stored(&row.stage).unwrap_or_default(),
            retires_at: row.retires_at.map(|at| at.to_jiff()),
        };
        (row.slug, description)
    });
    Ok(descriptions.collect())
}

/// All notices: acceptance, days, of which end, and when each was given.
///
/// # Errors
/// When the database is away.
pub async fn list_notices(connection: &mut PgConnection) -> sqlx::Result<Vec<(Uuid, i32, Timestamp, Timestamp)>> {
    let rows = sqlx::query!(
        r#"select acceptance_id, days, ends_at as "ends_at: jiff_sqlx::Timestamp", given_at as "given_at: jiff_sqlx::Timestamp"
           from notices order by 1, 2, 3"#
    )
    .fetch_all(connection)
    .await?;
    let notices =
        rows.into_iter().map(|row| (row.acceptance_id, row.days, row.ends_at.to_jiff(), row.given_at.to_jiff()));
    Ok(notices.collect())
}

/// Acceptances whose columns are not what their documents say: what lists find them by.
///
/// # Errors
/// When the database is away.
pub async fn list_false_columns(connection: &mut PgConnection) -> sqlx::Result<Vec<Uuid>> {
    let rows = sqlx::query!(
        r#"select id from acceptances, lateral (select document::jsonb as said offset 0) as read
           where (feature_slug, statement_version, statement_digest, identity, scope_kind, scope_name, accepted_at) is distinct from
             (said ->> 'feature', (said ->> 'statement_version')::integer, decode(said ->> 'statement_digest', 'hex'),
              decode(said ->> 'person', 'hex'), said -> 'scope' ->> 'kind', said -> 'scope' ->> 'name', (said ->> 'accepted_at')::timestamptz)
           order by id"#
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| row.id).collect())
}
