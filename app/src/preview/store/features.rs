//! SQL of features and their statements.

use crate::error::AppError;
use crate::preview::errors::PreviewError;
use crate::preview::statement::{RiskStatement, Stage};
use crate::preview::summary::FeatureSummary;
use crate::preview::{Description, Feature, Version};
use jiff_sqlx::ToSqlx;
use record::Digest;
use sqlx::{PgConnection, PgExecutor, PgPool};

/// All features with their current statements, by name.
///
/// # Errors
/// When the database is unavailable.
pub async fn list_features(database: &PgPool) -> Result<Vec<Feature>, AppError> {
    select_features(database, None).await
}

/// One feature.
///
/// # Errors
/// [`AppError::NotFound`].
pub async fn find_feature(database: &PgPool, slug: &str) -> Result<Feature, AppError> {
    select_features(database, Some(slug)).await?.pop().ok_or(AppError::NotFound)
}

async fn select_features(database: &PgPool, slug: Option<&str>) -> Result<Vec<Feature>, AppError> {
    let rows = sqlx::query!(
        r#"select f.slug, f.name, f.purpose, f.owner, f.documentation_url, f.stage as "stage: Stage",
           f.retires_at as "retires_at: jiff_sqlx::Timestamp", s.document, s.digest as "digest: Digest",
             s.published_at as "published_at: jiff_sqlx::Timestamp"
           from preview_features f
           join lateral (select * from risk_statements where feature_slug = f.slug order by version desc limit 1) s
           on true
           where $1::text is null or f.slug = $1
           order by f.name"#,
        slug,
    )
    .fetch_all(database)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(Feature {
                description: Description {
                    slug: row.slug,
                    name: row.name,
                    purpose: row.purpose,
                    owner: row.owner,
                    documentation_url: row.documentation_url,
                    stage: row.stage,
                    retires_at: row.retires_at.map(|at| at.to_jiff()),
                },
                current: version(&row.document, row.digest, row.published_at)?,
            })
        })
        .collect()
}

/// Features by name, but not those that are retired; at most `limit`.
///
/// # Errors
/// When the database is unavailable.
pub async fn list_feature_summaries(database: impl PgExecutor<'_>, limit: i64) -> sqlx::Result<Vec<FeatureSummary>> {
    sqlx::query_as!(
        FeatureSummary,
        r#"select f.slug, f.name, f.purpose, f.stage as "stage: Stage" from preview_features f
           where f.stage <> 'retired' and exists (select from risk_statements s where s.feature_slug = f.slug)
           order by f.name, f.slug limit $1"#,
        limit,
    )
    .fetch_all(database)
    .await
}

/// Slug and name of each feature, by name.
///
/// # Errors
/// When the database is unavailable.
pub async fn list_feature_names(database: &PgPool) -> sqlx::Result<Vec<(String, String)>> {
    let rows = sqlx::query!("select slug, name from preview_features order by name").fetch_all(database).await?;
    Ok(rows.into_iter().map(|row| (row.slug, row.name)).collect())
}

/// All versions of a feature's statement, the newest first.
///
/// # Errors
/// When the database is unavailable.
pub async fn list_versions(database: &PgPool, slug: &str) -> Result<Vec<Version>, AppError> {
    let rows = sqlx::query!(
        r#"select document, digest as "digest: Digest", published_at as "published_at: jiff_sqlx::Timestamp"
           from risk_statements where feature_slug = $1 order by version desc"#,
        slug,
    )
    .fetch_all(database)
    .await?;
    rows.into_iter().map(|row| version(&row.document, row.digest, row.published_at)).collect()
}

/// The versions of a feature's statement before one of them, the newest first.
///
/// # Errors
/// When the database is unavailable.
pub async fn list_versions_before(database: &PgPool, slug: &str, before: i32) -> Result<Vec<Version>, AppError> {
    let rows = sqlx::query!(
        r#"select document, digest as "digest: Digest", published_at as "published_at: jiff_sqlx::Timestamp"
           from risk_statements where feature_slug = $1 and version < $2 order by version desc"#,
        slug,
        before,
    )
    .fetch_all(database)
    .await?;
    rows.into_iter().map(|row| version(&row.document, row.digest, row.published_at)).collect()
}

fn version(document: &str, digest: Digest, published_at: jiff_sqlx::Timestamp) -> Result<Version, AppError> {
    let terms = serde_json::from_str(document).map_err(|error| {
        tracing::error!(%error, "a stored statement cannot be read");
        AppError::Internal
    })?;
    Ok(Version { terms, document: document.to_owned(), digest, published_at: published_at.to_jiff() })
}

/// Adds a feature, or changes what is said about it if that is still what it was `before`.
///
/// # Errors
/// [`PreviewError`] where somebody else has added or changed it meanwhile.
pub async fn describe_feature(
    connection: &mut PgConnection,
    new: &Description,
    before: Option<&Description>,
) -> Result<(), AppError> {
    let described = match before {
        None => insert_feature(connection, new).await?,
        Some(before) => update_feature(connection, new, before).await?,
    };
    match described {
        0 => Err(PreviewError::FeatureChanged.into()),
        _ => Ok(()),
    }
}

async fn insert_feature(connection: &mut PgConnection, new: &Description) -> sqlx::Result<u64> {
    let done = sqlx::query!(
        "insert into preview_features (slug, name, purpose, owner, documentation_url, stage, retires_at)
           values ($1, $2, $3, $4, $5, $6, $7)
         on conflict (slug) do update set name = excluded.name, purpose = excluded.purpose, owner = excluded.owner,
           documentation_url = excluded.documentation_url, stage = excluded.stage, retires_at = excluded.retires_at
           -- Without a statement it was never finished, and nobody has seen it.
           where not exists (select from risk_statements s where s.feature_slug = excluded.slug)",
        new.slug,
        new.name,
        new.purpose,
        new.owner,
        new.documentation_url,
        new.stage.as_str(),
        new.retires_at.map(|at| at.to_sqlx()) as _,
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected())
}

async fn update_feature(connection: &mut PgConnection, new: &Description, before: &Description) -> sqlx::Result<u64> {
    let done = sqlx::query!(
        "update preview_features set name = $2, purpose = $3, owner = $4, documentation_url = $5, stage = $6,
           retires_at = $12
         where slug = $1 and (name, purpose, owner, stage) = ($7, $8, $9, $10) and documentation_url is not distinct
            from $11
           and retires_at is not distinct from $13",
        new.slug,
        new.name,
        new.purpose,
        new.owner,
        new.documentation_url,
        new.stage.as_str(),
        before.name,
        before.purpose,
        before.owner,
        before.stage.as_str(),
        before.documentation_url,
        new.retires_at.map(|at| at.to_sqlx()) as _,
        before.retires_at.map(|at| at.to_sqlx()) as _,
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected())
}

/// Publishes the next version of a statement. Whoever accepts at the same moment either comes before, with the earlier
/// text, or finds the new one.
///
/// # Errors
/// [`PreviewError`] where somebody else has published that version meanwhile.
pub async fn publish(connection: &mut PgConnection, terms: &RiskStatement) -> Result<(), AppError> {
    sqlx::query!("select slug from preview_features where slug = $1 for update", terms.feature)
        .fetch_one(&mut *connection)
        .await?;
    let (document, digest) = (terms.document(), terms.digest());
    let published = sqlx::query!(
        "insert into risk_statements (feature_slug, version, document, digest)
         select $1, $2, $3, $4
            where $2 = 1 + (select coalesce(max(version), 0) from risk_statements where feature_slug = $1)",
        terms.feature,
        terms.version,
        document,
        digest.as_bytes(),
    )
    .execute(connection)
    .await?;
    match published.rows_affected() {
        0 => Err(PreviewError::VersionPublished.into()),
        _ => Ok(()),
    }
}
