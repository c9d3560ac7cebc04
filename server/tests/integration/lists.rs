//! Long lists: their first rows, and the way to the others.

use crate::parts::portal::{get, portal_with, sign_in};
use crate::parts::{portal_role, provider};
use app::policy::Policy;
use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use std::sync::Arc;
use std::time::Duration;

async fn insert_drafts(database: &PgPool, number: i32) {
    sqlx::query(
        "insert into drafts (author_id, saved_by, contributors, shared_with, form, name, namespace, next_step,
           is_untouched)
         select p.id, p.id, array[p.id], '', '{}', 'draft-' || number, '', 'workload', false
         from people p, generate_series(1, $1) number where p.email = 'dana@example.com'",
    )
    .bind(number)
    .execute(database)
    .await
    .unwrap();
}

#[sqlx::test(migrations = "../migrations")]
async fn a_long_list_shows_its_first_rows_and_more_where_somebody_asks_for_them(
    options: PgPoolOptions,
    connect: PgConnectOptions,
) {
    let database = portal_role(options, connect).await;
    let portal =
        portal_with(database.clone(), Arc::new(provider()), Duration::from_secs(3_600), Policy::default()).await;
    let cookie = sign_in(&portal, "dana").await.cookie.unwrap();
    let shown = async |address: &str| {
        let page = get(&portal, &cookie, address).await.text;
        let more = page.contains("Show more drafts");
        (page.matches("href=\"/workloads/drafts/").count(), more, page)
    };
    insert_drafts(&database, 20).await;
    let (rows, more, _) = shown("/workloads").await;
    assert_eq!((rows, more), (20, false));
    insert_drafts(&database, 5).await;
    let (rows, more, page) = shown("/workloads?search=we%26b").await;
    assert_eq!((rows, more), (20, true));
    // What else was asked for stays as it is.
    assert!(page.contains("href=\"/workloads?search=we%26b&amp;drafts=120#drafts\""), "{page}");
    let (rows, more, _) = shown("/workloads?drafts=120").await;
    assert_eq!((rows, more), (25, false));
}
