//! SQL that compares acceptances, steps and statements with the record.

use sqlx::PgConnection;
use uuid::Uuid;

/// Steps that name another person than the record does, by acceptance and number; number 0 is the acceptance itself.
/// Nothing is known of whoever was blanked.
///
/// # Errors
/// When the database is away.
pub async fn list_misattributed(connection: &mut PgConnection) -> sqlx::Result<Vec<(Uuid, i32)>> {
    let rows = sqlx::query!(
        r#"select t.acceptance_id as "acceptance!", t.number as "number!"
           from opt_in_steps t
           join people p on p.id = t.person_id
           join audit_events e on e.detail ? 'acceptance' and e.detail ->> 'acceptance' = t.acceptance_id::text
             and e.detail ->> 'step' = t.number::text and e.phase = 'intent'
           join audit_events o on o.intent_id = e.id and o.phase = 'succeeded'
           join identities i on i.commitment = e.actor
           where (i.issuer, i.subject) <> (p.issuer, p.subject)
           union all
           select a.id, 0 from acceptances a join people p on p.id = a.person_id join identities i on i.commitment = a.identity
           where (i.issuer, i.subject) <> (p.issuer, p.subject)
           order by 1, 2"#
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| (row.acceptance, row.number)).collect())
}

/// Acceptances that the record shows and that are not there, by id and object.
///
/// # Errors
/// When the database is away.
pub async fn list_missing_acceptances(connection: &mut PgConnection) -> sqlx::Result<Vec<(String, String)>> {
    let rows = sqlx::query!(
        r#"select e.detail ->> 'acceptance' as "id!", e.object as "object!"
           from audit_events e join audit_events o on o.intent_id = e.id and o.phase = 'succeeded'
           where e.action = 'preview_feature.accept_risk' and e.phase = 'intent'
             and not exists (select from acceptances a where a.id::text = e.detail ->> 'acceptance')
           order by e.sequence"#
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| (row.id, row.object)).collect())
}

/// Versions of statements that stand in only one of the two places, or differ: feature and version.
///
/// # Errors
/// When the database is away.
pub async fn list_unproven_statements(connection: &mut PgConnection) -> sqlx::Result<Vec<(String, String)>> {
    let rows = sqlx::query!(
        r#"with published as (
             select e.object_name as feature, e.detail ->> 'version' as version, e.detail ->> 'digest' as digest
             from audit_events e join audit_events o on o.intent_id = e.id and o.phase = 'succeeded'
             where e.action = 'preview_feature.publish_statement' and e.phase = 'intent')
           select distinct coalesce(s.feature_slug, p.feature) as "feature!", coalesce(s.version::text, p.version) as "version!"
           from risk_statements s full join published p
             on p.feature = s.feature_slug and p.version = s.version::text and p.digest = encode(s.digest, 'hex')
           where s.feature_slug is null or p.feature is null
           order by 1, 2"#
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| (row.feature, row.version)).collect())
}
