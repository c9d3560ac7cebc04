//! SQL of features, statements, acceptances and decisions.

use super::{Acceptance, Feature, Standing, Verdict};
use crate::actor::Actor;
use crate::digest::Digest;
use crate::error::AppError;
use sqlx::PgPool;
use uuid::Uuid;

/// All features, by name.
///
/// # Errors
/// When the database is away.
pub async fn list_features(database: &PgPool) -> Result<Vec<Feature>, AppError> {
    Ok(sqlx::query_as!(
        Feature,
        r#"select f.slug, f.name, f.purpose, f.documentation_url, s.id as statement_id, s.version, s.body, s.points, s.digest as "digest: Digest"
           from preview_features f
           join lateral (select * from risk_statements where feature_slug = f.slug order by version desc limit 1) s on true
           order by f.name"#
    )
    .fetch_all(database)
    .await?)
}

/// One feature.
///
/// # Errors
/// [`AppError::NotFound`].
pub async fn find_feature(database: &PgPool, slug: &str) -> Result<Feature, AppError> {
    list_features(database).await?.into_iter().find(|feature| feature.slug == slug).ok_or(AppError::NotFound)
}

/// A feature as an administrator publishes it.
pub struct NewFeature<'a> {
    /// In the address.
    pub slug: &'a str,
    /// Its name.
    pub name: &'a str,
    /// What it is for.
    pub purpose: &'a str,
    /// Where it is documented.
    pub documentation_url: Option<&'a str>,
    /// The statement's text.
    pub body: &'a str,
    /// What must be confirmed.
    pub points: &'a [String],
    /// Of text and points.
    pub digest: Digest,
}

/// Publishes a feature, or the next version of its statement.
///
/// # Errors
/// When the database refuses or is away.
pub async fn publish(database: &PgPool, new: NewFeature<'_>) -> Result<(), AppError> {
    let mut transaction = database.begin().await?;
    sqlx::query!(
        "insert into preview_features (slug, name, purpose, documentation_url) values ($1, $2, $3, $4)
         on conflict (slug) do update set name = excluded.name, purpose = excluded.purpose, documentation_url = excluded.documentation_url",
        new.slug,
        new.name,
        new.purpose,
        new.documentation_url,
    )
    .execute(&mut *transaction)
    .await?;
    sqlx::query!(
        "insert into risk_statements (feature_slug, version, body, points, digest)
         values ($1, (select coalesce(max(version), 0) + 1 from risk_statements where feature_slug = $1), $2, $3, $4)",
        new.slug,
        new.body,
        new.points,
        new.digest.as_bytes(),
    )
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await?;
    Ok(())
}

/// Stores an acceptance; everything about the person and the text is copied into it.
///
/// # Errors
/// When the database refuses or is away.
pub async fn insert_acceptance(
    database: &PgPool,
    actor: &Actor,
    feature: &Feature,
    namespace: &str,
    justification: &str,
) -> Result<Uuid, AppError> {
    let profile = &actor.profile;
    let row = sqlx::query!(
        "insert into acceptances (statement_id, person_id, person_issuer, person_subject, person_name, person_email, person_groups,
           namespace, statement_body, confirmed_points, statement_digest, justification, request_id)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) returning id",
        feature.statement_id,
        actor.person_id,
        profile.issuer,
        profile.subject,
        profile.name,
        profile.email,
        &profile.groups,
        namespace,
        feature.body,
        &feature.points,
        feature.digest.as_bytes(),
        justification,
        actor.request_id,
    )
    .fetch_one(database)
    .await?;
    Ok(row.id)
}

/// Acceptances of one person, or of everyone; those that wait first, then the latest.
///
/// # Errors
/// When the database is away.
pub async fn list_acceptances(database: &PgPool, person: Option<Uuid>) -> Result<Vec<Acceptance>, AppError> {
    select_acceptances(database, person, None).await
}

/// One acceptance.
///
/// # Errors
/// [`AppError::NotFound`].
pub async fn find_acceptance(database: &PgPool, id: Uuid) -> Result<Acceptance, AppError> {
    select_acceptances(database, None, Some(id)).await?.pop().ok_or(AppError::NotFound)
}

async fn select_acceptances(
    database: &PgPool,
    person: Option<Uuid>,
    id: Option<Uuid>,
) -> Result<Vec<Acceptance>, AppError> {
    let rows = sqlx::query!(
        r#"select a.id, f.slug, f.name as feature_name, s.version, a.statement_digest as "digest: Digest", a.person_id, a.person_name, a.person_email, a.namespace,
             a.justification, a.accepted_at as "accepted_at: jiff_sqlx::Timestamp",
             d.verdict as "verdict?", p.name as "decided_by?", d.comment as "comment?", d.decided_at as "decided_at?: jiff_sqlx::Timestamp"
           from acceptances a
           join risk_statements s on s.id = a.statement_id
           join preview_features f on f.slug = s.feature_slug
           left join decisions d on d.acceptance_id = a.id
           left join people p on p.id = d.decided_by
           where ($1::uuid is null or a.person_id = $1) and ($2::uuid is null or a.id = $2)
           order by (d.verdict is null) desc, a.accepted_at desc limit 200"#,
        person,
        id,
    )
    .fetch_all(database)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Acceptance {
            id: row.id,
            feature_slug: row.slug,
            feature_name: row.feature_name,
            version: row.version,
            digest: row.digest,
            person_id: row.person_id,
            person_name: row.person_name,
            person_email: row.person_email,
            namespace: row.namespace,
            justification: row.justification,
            accepted_at: row.accepted_at.to_jiff(),
            standing: Standing::from_verdict(row.verdict.as_deref()),
            decided_by: row.decided_by,
            comment: row.comment,
            decided_at: row.decided_at.map(|at| at.to_jiff()),
        })
        .collect())
}

/// Stores a decision. The database itself refuses a second one, and one by the person who accepted.
///
/// # Errors
/// [`AppError::Conflict`] in both of these cases.
pub async fn insert_decision(
    database: &PgPool,
    decider: &Actor,
    acceptance: &Acceptance,
    verdict: Verdict,
    comment: &str,
) -> Result<(), AppError> {
    let done = sqlx::query!(
        "insert into decisions (acceptance_id, accepted_by, decided_by, verdict, comment, request_id) values ($1, $2, $3, $4, $5, $6)",
        acceptance.id,
        acceptance.person_id,
        decider.person_id,
        verdict.stored(),
        comment,
        decider.request_id,
    )
    .execute(database)
    .await;
    match done {
        Ok(_) => Ok(()),
        Err(sqlx::Error::Database(error)) if error.is_unique_violation() => {
            Err(AppError::Conflict { message: "Another administrator has decided this in the meantime. Nothing was changed; reload to see the decision.".to_owned() })
        }
        Err(sqlx::Error::Database(error)) if error.constraint() == Some("decisions_need_a_second_person") => {
            Err(AppError::Conflict { message: "You accepted this yourself, so somebody else has to decide it.".to_owned() })
        }
        Err(error) => Err(error.into()),
    }
}
