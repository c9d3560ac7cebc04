//! The session store on a real Postgres, with the rights of the portal's role.

use crate::parts::portal_role;
use server::config::SessionLimits;
use server::sessions::PgSessionStore;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Executor, PgPool};
use std::time::Duration;
use tower_sessions::SessionStore;
use tower_sessions::session::{Id, Record};

const LIMITS: SessionLimits = SessionLimits {
    idle: Duration::from_secs(30 * 60),
    absolute: Duration::from_secs(8 * 60 * 60),
    groups_max_age: Duration::from_secs(60),
    provider_away: Duration::from_secs(60),
};

fn record(id: i128) -> Record {
    let data = [("secret".to_owned(), "the refresh token".into())].into_iter().collect();
    Record { id: Id(id), data, expiry_date: time::OffsetDateTime::now_utc() }
}

async fn stored(portal: &PgPool, id: i128) -> PgSessionStore {
    let store = PgSessionStore::new(portal.clone(), LIMITS);
    store.create(&mut record(id)).await.unwrap();
    store
}

#[sqlx::test(migrations = "../migrations")]
async fn who_reads_the_table_finds_neither_an_id_nor_a_token(options: PgPoolOptions, connect: PgConnectOptions) {
    let portal = portal_role(options, connect).await;
    let store = stored(&portal, 0x1122_3344_5566_7788).await;
    let (id, data): (Vec<u8>, Vec<u8>) =
        sqlx::query_as("select id_hash, sealed_data from sessions").fetch_one(&portal).await.unwrap();
    let bytes = 0x1122_3344_5566_7788_i128.to_le_bytes();
    assert!(!id.windows(8).any(|window| bytes.windows(8).any(|part| part == window)));
    assert!(!data.windows(7).any(|window| window == b"refresh"));
    let loaded = store.load(&Id(0x1122_3344_5566_7788)).await.unwrap().unwrap();
    assert_eq!(loaded.data["secret"], "the refresh token");
}

#[sqlx::test(migrations = "../migrations")]
async fn a_session_deleted_while_a_request_was_running_stays_deleted(
    options: PgPoolOptions,
    connect: PgConnectOptions,
) {
    let portal = portal_role(options, connect).await;
    let store = stored(&portal, 7).await;
    let slow = store.load(&Id(7)).await.unwrap().unwrap();
    store.delete(&Id(7)).await.unwrap();
    store.save(&slow).await.unwrap();
    assert!(store.load(&Id(7)).await.unwrap().is_none());
}

#[sqlx::test(migrations = "../migrations")]
async fn a_session_ends_when_idle_too_long_and_after_its_longest_life(
    options: PgPoolOptions,
    connect: PgConnectOptions,
) {
    let portal = portal_role(options, connect).await;
    for (id, aged) in
        [(1, "last_used_at = now() - interval '31 minutes'"), (2, "created_at = now() - interval '9 hours'")]
    {
        let store = stored(&portal, id).await;
        assert!(store.load(&Id(id)).await.unwrap().is_some());
        let statement = format!("update sessions set {aged}");
        portal.execute(sqlx::AssertSqlSafe(statement)).await.unwrap();
        assert!(store.load(&Id(id)).await.unwrap().is_none(), "{aged}");
        assert_eq!(store.delete_expired().await.unwrap(), 1, "{aged}");
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn a_sign_in_that_never_came_back_is_forgotten(options: PgPoolOptions, connect: PgConnectOptions) {
    let portal = portal_role(options, connect).await;
    let store = stored(&portal, 3).await;
    assert_eq!(store.delete_expired().await.unwrap(), 0);
    portal.execute("update sessions set created_at = now() - interval '16 minutes'").await.unwrap();
    assert_eq!(store.delete_expired().await.unwrap(), 1);
}
