//! SQL of comparing reviews with the record. What the columns of the record say must have been compared with its hashed
//! text before.

use sqlx::PgConnection;

/// Reviews that the record does not show to have been made: of other bytes, with another verdict, by somebody else, or
/// not at all. Whoever was blanked must be so in both places.
///
/// # Errors
/// When the database is away.
pub async fn list_unrecorded_reviews(connection: &mut PgConnection) -> sqlx::Result<Vec<i64>> {
    let rows = sqlx::query!(
        "select r.id from submission_reviews r join people p on p.id = r.reviewer_id
         where not exists (
           select from audit_events i
             join audit_events o on o.intent_id = i.id and o.phase = 'succeeded'
             join identities n on n.commitment = i.actor
           where i.request_id = r.request_id and i.action = 'workload.review'
             and i.detail ->> 'submission' = r.submission_id::text and i.detail ->> 'digest' = encode(r.digest, 'hex')
             and i.detail ->> 'verdict' = r.verdict
             and case when n.details is null then p.subject = 'blanked ' || p.id
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
/// When the database is away.
pub async fn list_missing_reviews(connection: &mut PgConnection) -> sqlx::Result<Vec<i64>> {
    let rows = sqlx::query!(
        "select i.sequence from audit_events i
           join audit_events o on o.intent_id = i.id and o.phase = 'succeeded'
         where i.action = 'workload.review' and not exists (
           select from submission_reviews r
           where r.request_id = i.request_id and r.submission_id::text = i.detail ->> 'submission')
         order by i.sequence"
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| row.sequence).collect())
}
