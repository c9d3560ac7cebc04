//! The record on a real Postgres, with the rights of the portal's role.

#![allow(clippy::unwrap_used)]

mod parts;

use app::actor::Profile;
use app::audit::store::{NewEvent, append, list_events_after, list_writes};
use app::audit::{Action, ChainError, ChainVerifier, Phase};
use parts::{portal_role, profile};
use serde_json::json;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Executor, PgPool};
use uuid::Uuid;

/// Tables that only grow, each with a column that could be written.
const APPEND_ONLY: [(&str, &str); 6] = [
    ("audit_events", "object"),
    ("submissions", "manifest"),
    ("apply_results", "message"),
    ("risk_statements", "body"),
    ("acceptances", "justification"),
    ("decisions", "comment"),
];

fn event<'a>(actor: &'a Profile, intent_id: Option<Uuid>, phase: Phase, object: &'a str) -> NewEvent<'a> {
    let detail = json!({ "b": "2", "a": "1" });
    NewEvent { intent_id, phase, actor, action: Action::NamespaceCreate, object, detail, request_id: "request" }
}

async fn verify(database: &PgPool) -> Result<i64, ChainError> {
    let mut verifier = ChainVerifier::default();
    for row in list_events_after(database, 0, 1000).await.unwrap() {
        verifier.accept(&row.event, &row.previous_hash, &row.hash)?;
    }
    Ok(verifier.accepted())
}

#[sqlx::test(migrations = "../migrations")]
async fn the_portals_role_can_neither_change_nor_remove_what_is_recorded(
    options: PgPoolOptions,
    connect: PgConnectOptions,
) {
    let portal = portal_role(options, connect).await;
    for (table, column) in APPEND_ONLY {
        for statement in [
            format!("update {table} set {column} = ''"),
            format!("delete from {table}"),
            format!("truncate {table}"),
            format!("alter table {table} disable trigger all"),
            format!("drop table {table}"),
        ] {
            let refused = portal.execute(sqlx::AssertSqlSafe(statement.clone())).await.unwrap_err();
            let code = refused.as_database_error().and_then(|error| error.code().map(|code| code.into_owned()));
            // 42501: insufficient privilege.
            assert_eq!(code.as_deref(), Some("42501"), "{statement}");
        }
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn even_the_owner_must_remove_a_trigger_first(owner: PgPool) {
    for (table, _) in APPEND_ONLY {
        for statement in [format!("delete from {table}"), format!("truncate {table} cascade")] {
            let refused = owner.execute(sqlx::AssertSqlSafe(statement.clone())).await.unwrap_err().to_string();
            assert!(refused.contains("append-only"), "{statement}: {refused}");
        }
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn rows_written_at_the_same_time_form_one_unbroken_chain(options: PgPoolOptions, connect: PgConnectOptions) {
    let portal = portal_role(options, connect).await;
    let actor = profile("dana", &[]);
    let objects: Vec<String> = (0..20).map(|number| format!("Namespace//shop-{number}")).collect();
    let writes = objects.iter().map(|object| append(&portal, event(&actor, None, Phase::Intent, object)));
    futures::future::try_join_all(writes).await.unwrap();
    assert_eq!(verify(&portal).await, Ok(20));
}

#[sqlx::test(migrations = "../migrations")]
async fn a_change_made_behind_the_triggers_back_is_found(owner: PgPool) {
    let actor = profile("dana", &[]);
    for object in ["Namespace//a", "Namespace//b", "Namespace//c"] {
        append(&owner, event(&actor, None, Phase::Intent, object)).await.unwrap();
    }
    owner.execute("alter table audit_events disable trigger all").await.unwrap();
    owner
        .execute("update audit_events set actor_email = 'somebody.else@example.com' where sequence = 2")
        .await
        .unwrap();
    assert_eq!(verify(&owner).await, Err(ChainError::Changed { sequence: 2 }));
}

#[sqlx::test(migrations = "../migrations")]
async fn a_write_whose_outcome_was_never_recorded_is_not_shown_as_a_success(
    options: PgPoolOptions,
    connect: PgConnectOptions,
) {
    let portal = portal_role(options, connect).await;
    let actor = profile("dana", &[]);
    let lost = event(&actor, None, Phase::Intent, "Namespace//lost");
    append(&portal, lost).await.unwrap();
    let intent = append(&portal, event(&actor, None, Phase::Intent, "Namespace//kept")).await.unwrap();
    append(&portal, event(&actor, Some(intent), Phase::Succeeded, "Namespace//kept")).await.unwrap();
    let writes = list_writes(&portal, i64::MAX, "", 10).await.unwrap();
    let shown: Vec<_> = writes.iter().map(|write| (write.object.as_str(), write.outcome.as_deref())).collect();
    // The page calls an intent without an outcome "Unknown".
    assert_eq!(shown, [("Namespace//kept", Some("succeeded")), ("Namespace//lost", None)]);
    assert_eq!(list_writes(&portal, i64::MAX, "LOST", 10).await.unwrap().len(), 1);
}

#[sqlx::test(migrations = "../migrations")]
async fn a_write_has_at_most_one_outcome(options: PgPoolOptions, connect: PgConnectOptions) {
    let portal = portal_role(options, connect).await;
    let actor = profile("dana", &[]);
    let intent = append(&portal, event(&actor, None, Phase::Intent, "Namespace//a")).await.unwrap();
    append(&portal, event(&actor, Some(intent), Phase::Failed, "Namespace//a")).await.unwrap();
    assert!(append(&portal, event(&actor, Some(intent), Phase::Succeeded, "Namespace//a")).await.is_err());
    assert_eq!(verify(&portal).await, Ok(2));
}
