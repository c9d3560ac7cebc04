//! What is stored about opt-ins, as it is compared with the record.

use crate::audit::identity::Identity;
use crate::digest::Digest;
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
             else (i.issuer, i.subject) is distinct from (p.issuer, p.subject) end)
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

/// What is said about each feature and is recorded: slug, then stage, owner, name, and when it retires.
///
/// # Errors
/// When the database is away.
pub async fn list_descriptions(connection: &mut PgConnection) -> sqlx::Result<BTreeMap<String, [String; 4]>> {
    let rows = sqlx::query!(
        r#"select slug, stage, owner, name, retires_at as "retires_at: jiff_sqlx::Timestamp" from preview_features"#
    )
    .fetch_all(connection)
    .await?;
    let descriptions = rows.into_iter().map(|row| {
        let retires_at = row.retires_at.map(|at| at.to_jiff().to_string()).unwrap_or_default();
        (row.slug, [row.stage, row.owner, row.name, retires_at])
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

/// Who is behind each commitment; nothing where they were blanked.
///
/// # Errors
/// When the database is away.
pub async fn list_identities(connection: &mut PgConnection) -> sqlx::Result<BTreeMap<Digest, Option<Identity>>> {
    let rows = sqlx::query!(
        r#"select commitment as "commitment: Digest", encode(salt, 'hex') as salt, issuer, subject, name, email from identities"#
    )
    .fetch_all(connection)
    .await?;
    let identities = rows
        .into_iter()
        .map(|row| (row.commitment, Identity::stored(row.salt, [row.issuer, row.subject, row.name, row.email])));
    Ok(identities.collect())
}
