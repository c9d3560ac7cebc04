//! People, known by issuer and subject and by nothing else.

use app::access::KubeName;
use app::actor::Profile;
use app::error::AppError;
use sqlx::PgPool;
use uuid::Uuid;

#[derive(Debug)]
pub(super) enum PersonError {
    /// Another account is already known to the cluster by this name.
    NameTaken,
    Database(AppError),
}

/// Notes that a person was here, with today's name and address and who they are to the cluster, and gives their id.
pub(super) async fn upsert_person(database: &PgPool, profile: &Profile, user: &KubeName) -> Result<Uuid, PersonError> {
    let stored = sqlx::query!(
        "insert into people (issuer, subject, name, email, cluster_user) values ($1, $2, $3, $4, $5)
         on conflict (issuer, subject) do update
           set name = excluded.name, email = excluded.email, cluster_user = excluded.cluster_user, last_seen_at = now()
         returning id",
        profile.issuer,
        profile.subject,
        profile.name,
        profile.email,
        user.as_ref(),
    )
    .fetch_one(database)
    .await;
    match stored {
        Ok(row) => Ok(row.id),
        Err(sqlx::Error::Database(error)) if error.constraint() == Some("people_have_a_cluster_user_of_their_own") => {
            Err(PersonError::NameTaken)
        }
        Err(error) => Err(PersonError::Database(error.into())),
    }
}
