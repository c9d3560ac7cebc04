//! The session store. The published one for Postgres keeps ids in the clear and brings a deleted session
//! back when a slow request saves it; this one does neither.

use super::seal::{id_hash, open, public_id, seal};
use super::{CURRENT, Current};
use crate::config::SessionLimits;
use async_trait::async_trait;
use sqlx::PgPool;
use sqlx::postgres::types::PgInterval;
use std::time::Duration;
use tower_sessions::session::{Id, Record};
use tower_sessions::session_store::{Error, Result, SessionStore};
use uuid::Uuid;

/// Sessions in Postgres.
#[derive(Debug, Clone)]
pub struct PgSessionStore {
    database: PgPool,
    limits: SessionLimits,
}

/// Who reads the groups again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Claim {
    Ours,
    Others,
}

/// How reading the groups again has gone so far.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct RefreshProgress {
    /// Somebody is at it, or was within a minute and could not.
    pub(super) is_running: bool,
    /// For how long it could not be done, where it could not the last time.
    pub(super) failing_for: Option<Duration>,
}

fn backend(error: sqlx::Error) -> Error {
    tracing::warn!(%error, "session store");
    Error::Backend(error.to_string())
}

fn interval(duration: Duration) -> PgInterval {
    PgInterval { months: 0, days: 0, microseconds: i64::try_from(duration.as_micros()).unwrap_or(i64::MAX) }
}

/// What pages and the provider know a session by, once sign-in is complete.
#[derive(Default)]
struct Facts {
    person: Option<Uuid>,
    provider_session: Option<String>,
    browser: Option<String>,
    address: Option<String>,
}

impl Facts {
    fn of(record: &Record) -> Self {
        let current = record.data.get(CURRENT).and_then(|current| serde_json::from_value(current.clone()).ok());
        current.map_or_else(Self::default, |Current { person_id, signed_in, device, .. }| Self {
            person: Some(person_id),
            provider_session: signed_in.provider_session,
            browser: Some(device.browser.to_owned()),
            address: device.address,
        })
    }
}

fn sealed(record: &Record) -> Result<Vec<u8>> {
    let data = serde_json::to_vec(&record.data).map_err(|error| Error::Encode(error.to_string()))?;
    seal(&record.id, &data).ok_or_else(|| Error::Encode("no randomness".to_owned()))
}

impl PgSessionStore {
    /// A store with these limits.
    #[must_use]
    pub fn new(database: PgPool, limits: SessionLimits) -> Self {
        Self { database, limits }
    }

    /// Claims the right to read the groups again: refresh tokens may be used only once. A claim whose
    /// request died, or found the provider unavailable, lapses after a minute.
    pub(super) async fn claim_refresh(&self, id: &Id) -> sqlx::Result<Claim> {
        let hash = id_hash(id);
        let claimed = sqlx::query!(
            "update sessions set refresh_started_at = now()
             where id_hash = $1 and (refresh_started_at is null or refresh_started_at < now() - interval '1 minute')",
            &hash[..]
        )
        .execute(&self.database)
        .await?;
        Ok(if claimed.rows_affected() == 1 { Claim::Ours } else { Claim::Others })
    }

    /// How reading them again has gone so far.
    pub(super) async fn refresh_progress(&self, id: &Id) -> sqlx::Result<RefreshProgress> {
        let hash = id_hash(id);
        let row = sqlx::query!(
            r#"select refresh_started_at is not null as "is_running!",
                 extract(epoch from now() - refresh_failing_since)::float8 as failing_for
               from sessions where id_hash = $1"#,
            &hash[..]
        )
        .fetch_optional(&self.database)
        .await?;
        Ok(row.map_or_else(RefreshProgress::default, |row| RefreshProgress {
            is_running: row.is_running,
            failing_for: row.failing_for.map(|seconds| Duration::from_secs_f64(seconds.max(0.0))),
        }))
    }

    /// Gives the claim back once the groups have been read.
    pub(super) async fn release_refresh(&self, id: &Id) -> sqlx::Result<()> {
        let hash = id_hash(id);
        sqlx::query!(
            "update sessions set refresh_started_at = null, refresh_failing_since = null where id_hash = $1",
            &hash[..]
        )
        .execute(&self.database)
        .await?;
        Ok(())
    }

    /// Notes that they could not be read. The claim stays, so that nobody tries again at once.
    pub(super) async fn note_refresh_failed(&self, id: &Id) -> sqlx::Result<()> {
        let hash = id_hash(id);
        sqlx::query!(
            "update sessions set refresh_failing_since = coalesce(refresh_failing_since, now()) where id_hash = $1",
            &hash[..]
        )
        .execute(&self.database)
        .await?;
        Ok(())
    }

    /// Deletes what is over its limits, and sign-ins that never came back.
    ///
    /// # Errors
    /// When the database is unavailable.
    pub async fn delete_expired(&self) -> sqlx::Result<u64> {
        let deleted = sqlx::query!(
            "delete from sessions where last_used_at < now() - $1::interval or created_at < now() - $2::interval
               or (person_id is null and created_at < now() - interval '15 minutes')",
            interval(self.limits.idle),
            interval(self.limits.absolute),
        )
        .execute(&self.database)
        .await?;
        Ok(deleted.rows_affected())
    }
}

#[async_trait]
impl SessionStore for PgSessionStore {
    async fn create(&self, record: &mut Record) -> Result<()> {
        // 128 random bits do not collide; if they did, the primary key would refuse.
        let hash = id_hash(&record.id);
        let facts = Facts::of(record);
        sqlx::query!(
            "insert into sessions (id_hash, id, person_id, sealed_data, provider_session, browser, address)
             values ($1, $2, $3, $4, $5, $6, $7)",
            &hash[..],
            public_id(&record.id),
            facts.person,
            sealed(record)?,
            facts.provider_session,
            facts.browser,
            facts.address,
        )
        .execute(&self.database)
        .await
        .map_err(backend)?;
        Ok(())
    }

    /// Changes a session that is there. One that was deleted meanwhile stays deleted.
    async fn save(&self, record: &Record) -> Result<()> {
        let hash = id_hash(&record.id);
        let facts = Facts::of(record);
        sqlx::query!(
            "update sessions set person_id = $2, sealed_data = $3, provider_session = $4, browser = $5, address = $6
             where id_hash = $1",
            &hash[..],
            facts.person,
            sealed(record)?,
            facts.provider_session,
            facts.browser,
            facts.address,
        )
        .execute(&self.database)
        .await
        .map_err(backend)?;
        Ok(())
    }

    async fn load(&self, id: &Id) -> Result<Option<Record>> {
        let hash = id_hash(id);
        let row = sqlx::query!(
            "update sessions set last_used_at = now()
             where id_hash = $1 and last_used_at > now() - $2::interval and created_at > now() - $3::interval
             returning sealed_data",
            &hash[..],
            interval(self.limits.idle),
            interval(self.limits.absolute),
        )
        .fetch_optional(&self.database)
        .await
        .map_err(backend)?;
        let Some(row) = row else { return Ok(None) };
        let data = open(id, &row.sealed_data).ok_or_else(|| Error::Decode("a session cannot be opened".to_owned()))?;
        let data = serde_json::from_slice(&data).map_err(|error| Error::Decode(error.to_string()))?;
        // The limits are in the query; the date only satisfies the interface.
        Ok(Some(Record { id: *id, data, expiry_date: time::OffsetDateTime::now_utc() + self.limits.absolute }))
    }

    async fn delete(&self, id: &Id) -> Result<()> {
        let hash = id_hash(id);
        sqlx::query!("delete from sessions where id_hash = $1", &hash[..])
            .execute(&self.database)
            .await
            .map_err(backend)?;
        Ok(())
    }
}
