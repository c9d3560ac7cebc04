//! People, known by issuer and subject and by nothing else.

use app::actor::Profile;
use sqlx::PgPool;
use uuid::Uuid;

/// Notes that a person was here, with today's name and address, and gives their id.
pub(super) async fn upsert_person(database: &PgPool, profile: &Profile) -> sqlx::Result<Uuid> {
    let row = sqlx::query!(
        "insert into people (issuer, subject, name, email) values ($1, $2, $3, $4)
         on conflict (issuer, subject) do update set name = excluded.name, email = excluded.email, last_seen_at = now()
         returning id",
        profile.issuer,
        profile.subject,
        profile.name,
        profile.email,
    )
    .fetch_one(database)
    .await?;
    Ok(row.id)
}
