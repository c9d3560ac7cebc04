//! SQL of comparing reviews and applies with the record. What the columns of the record say must have been compared
//! with its hashed text before.

use sqlx::PgConnection;
use uuid::Uuid;

/// Reviews that the record does not show to have been made: of other bytes, with another verdict, by somebody else, or
/// not at all. Whoever was erased must be so in both places.
///
/// # Errors
/// When the database is unavailable.
pub async fn list_unrecorded_reviews(connection: &mut PgConnection) -> sqlx::Result<Vec<i64>> {
    let rows = sqlx::query!(
        "select r.id from submission_reviews r left join people p on p.id = r.reviewer_id
         where p.id is null or not exists (
           select from audit_events e join identities n on n.commitment = e.actor
           where e.request_id = r.request_id and e.action = 'workload.review' and e.phase = 'succeeded'
             and e.object_id = r.submission_id and e.detail ->> 'digest' = encode(r.digest, 'hex')
             and e.detail ->> 'verdict' = r.verdict
             and case when n.details is null then p.subject = 'erased ' || p.id
               else (n.details::jsonb ->> 0, n.details::jsonb ->> 1) = (p.issuer, p.subject) end)
         order by r.id"
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| row.id).collect())
}

/// Rows of the record that show a review which is not there any more, by their places.
///
/// # Errors
/// When the database is unavailable.
pub async fn list_missing_reviews(connection: &mut PgConnection) -> sqlx::Result<Vec<i64>> {
    let rows = sqlx::query!(
        "select e.sequence from audit_events e
         where e.action = 'workload.review' and e.phase = 'succeeded' and not exists (
           select from submission_reviews r where r.request_id = e.request_id and r.submission_id = e.object_id)
         order by e.sequence"
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| row.sequence).collect())
}

/// Applies whose beginning, bytes or outcome are not what the record shows.
///
/// # Errors
/// When the database is unavailable.
pub async fn list_unrecorded_applies(connection: &mut PgConnection) -> sqlx::Result<Vec<Uuid>> {
    let rows = sqlx::query!(
        "select a.id from submission_applies a
         left join audit_events i on i.id = a.id and i.action = 'workload.apply' and i.phase = 'intent'
           and i.object_id = a.submission_id
         left join audit_events o on o.intent_id = i.id
         left join submissions s on s.id = a.submission_id
         where i.id is null or a.outcome is distinct from o.phase
           or i.detail ->> 'digest' is distinct from encode(sha256(convert_to(s.manifest, 'UTF8')), 'hex')
         order by a.began_at"
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| row.id).collect())
}

/// Rows of the record that show an apply which is not there any more, by their places.
///
/// # Errors
/// When the database is unavailable.
pub async fn list_missing_applies(connection: &mut PgConnection) -> sqlx::Result<Vec<i64>> {
    let rows = sqlx::query!(
        "select e.sequence from audit_events e
         where e.action = 'workload.apply' and e.phase = 'intent'
           and not exists (select from submission_applies a where a.id = e.id)
         order by e.sequence"
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| row.sequence).collect())
}
