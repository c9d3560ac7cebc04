//! The record on a real Postgres, with the rights of the portal's role.

use crate::parts::{NEVER, actor, cluster, portal_role, profile, state};
use app::actor::{Actor, Profile};
use app::audit::store_in_tests::{
    NewRow, RowActor, append, erase_person, list_identities, list_writes, stream_chain, stream_rows, written_end,
};
use app::audit::{EvidenceFilter, Filter, Intent, Outcome, Write, publish_head, record_event, settle};
use app::error::AppError;
use app::policy::Policy;
use app::state::{AppState, Dependencies};
use axum::Router;
use axum::body::Body;
use axum::response::Response;
use axum::routing::post;
use futures::TryStreamExt;
use http::header::AUTHORIZATION;
use http::{HeaderMap, StatusCode};
use http_body_util::BodyExt;
use jiff::{SignedDuration, Timestamp, ToSpan};
use record::{
    Action, ChainError, ChainVerifier, Digest, Entry, Event, ExportedRow, Head, NamespaceOrigin, Phase, Row,
    SubmissionRef,
};
use serde_json::Value;
use server::config::HeadsWebhook;
use server::router::site;
use server::webhook::Webhook;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Executor, PgPool};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tower::ServiceExt;
use url::Url;
use uuid::Uuid;

/// Tables that only grow, each with a column that could be written.
const APPEND_ONLY: [(&str, &str); 10] = [
    ("audit_events", "entry"),
    ("identities", "salt"),
    ("submissions", "manifest"),
    ("submission_reviews", "verdict"),
    ("submission_comments", "body"),
    ("apply_results", "message"),
    ("risk_statements", "document"),
    ("acceptances", "document"),
    ("opt_in_steps", "comment"),
    ("notices", "days"),
];

/// That somebody creates a namespace, or has.
fn creating(name: &str) -> Event {
    Event::NamespaceCreate { name: name.into(), origin: NamespaceOrigin::Parent("shop".into()) }
}

fn row<'a>(actor: &'a Profile, phase: Phase, event: &'a Event, request_id: &'a str) -> NewRow<'a> {
    NewRow { intent_id: None, phase, actor: RowActor::Known(actor), event, failure: None, request_id }
}

/// Records that somebody is about to create these namespaces; gives the last intent.
async fn intend(database: &PgPool, actor: &Profile, names: &[&str]) -> Uuid {
    let mut intent = Uuid::nil();
    for name in names {
        intent = append(database, row(actor, Phase::Intent, &creating(name), "request")).await.unwrap().id;
    }
    intent
}

/// Records how creating a namespace ended.
async fn conclude(database: &PgPool, actor: &Profile, intent: Uuid, phase: Phase, name: &str) -> sqlx::Result<()> {
    let event = creating(name);
    let outcome = NewRow { intent_id: Some(intent), ..row(actor, phase, &event, "request") };
    append(database, outcome).await.map(drop)
}

/// The name of the object that a write is about.
fn name(write: &Write) -> &str {
    write.object.name.as_deref().unwrap_or_default()
}

async fn verify(database: &PgPool) -> Result<u64, ChainError> {
    let written = written_end(database).await.unwrap();
    let mut verifier = ChainVerifier::whole();
    for row in stream_chain(database, 1, i64::MAX).try_collect::<Vec<Row>>().await.unwrap() {
        verifier.accept(&row)?;
    }
    verifier.finish(Some(written), None).map(|()| verifier.rows())
}

/// How many people the record knows, and how many of them are erased.
async fn people(database: &PgPool) -> (usize, usize) {
    let identities = list_identities(database).await.unwrap();
    (identities.len(), identities.iter().filter(|stored| stored.identity.is_none()).count())
}

/// What somebody does who owns the database and wants to leave no trace.
async fn behind_the_triggers_back(owner: &PgPool, statements: &[&'static str]) {
    owner.execute("alter table audit_events disable trigger all").await.unwrap();
    for statement in statements {
        owner.execute(*statement).await.unwrap();
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn the_portals_role_can_neither_change_nor_remove_what_is_recorded(
    options: PgPoolOptions,
    connect: PgConnectOptions,
) {
    let portal = portal_role(options, connect).await;
    let tables = APPEND_ONLY.into_iter().chain([("audit_end", "sequence")]);
    for (table, column) in tables {
        for statement in [
            format!("update {table} set {column} = null"),
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
    intend(&owner, &profile("dana", &[]), &["a"]).await;
    for (table, _) in APPEND_ONLY {
        for statement in [format!("delete from {table}"), format!("truncate {table} cascade")] {
            let done = owner.execute(sqlx::AssertSqlSafe(statement.clone())).await;
            // A trigger for each row has nothing to refuse where there is no row.
            let is_empty = table != "audit_events" && table != "identities" && statement.starts_with("delete");
            match done {
                Err(refused) => assert!(refused.to_string().contains("append-only"), "{statement}: {refused}"),
                Ok(done) => assert!(is_empty && done.rows_affected() == 0, "{statement}"),
            }
        }
    }
    let other = "update identities set salt = null, details = null, commitment = decode(repeat('00', 32), 'hex')";
    assert!(owner.execute(other).await.unwrap_err().to_string().contains("append-only"));
}

#[sqlx::test(migrations = "../migrations")]
async fn a_row_that_is_not_the_next_of_the_chain_is_refused_by_the_database(
    options: PgPoolOptions,
    connect: PgConnectOptions,
) {
    let portal = portal_role(options, connect).await;
    let dana = profile("dana", &[]);
    intend(&portal, &dana, &["a"]).await;
    let first: Row = stream_chain(&portal, 1, 1).try_next().await.unwrap().unwrap();
    let entry: Entry = first.read().unwrap();
    let end = Head { sequence: 1, hash: first.hash };
    let next = |entry: Entry| Row::after(&end, &Entry { sequence: 2, id: Uuid::now_v7(), ..entry });
    let insert = |row: Row| {
        let portal = portal.clone();
        async move {
            sqlx::query("insert into audit_events (sequence, entry, previous_hash, hash) values ($1, $2, $3, $4)")
                .bind(row.sequence)
                .bind(row.entry)
                .bind(row.previous_hash)
                .bind(row.hash)
                .execute(&portal)
                .await
        }
    };
    let skipped = Row::after(&end, &Entry { sequence: 3, id: Uuid::now_v7(), ..entry.clone() });
    let forked = Row::after(&Head::GENESIS, &Entry { sequence: 2, id: Uuid::now_v7(), ..entry.clone() });
    let earlier = next(Entry { occurred_at: entry.occurred_at - 1.second(), ..entry.clone() });
    let unhashed = Row { hash: Head::GENESIS.hash, ..next(entry.clone()) };
    let renumbered = Row { sequence: 2, ..skipped.clone() };
    for (row, what) in [
        (skipped, "skipped"),
        (forked, "forked"),
        (earlier, "earlier"),
        (unhashed, "unhashed"),
        (renumbered, "renumbered"),
    ] {
        assert!(insert(row).await.is_err(), "{what}");
    }
    assert!(insert(next(entry)).await.is_ok());
    assert_eq!(verify(&portal).await, Ok(2));
}

#[sqlx::test(migrations = "../migrations")]
async fn rows_written_at_the_same_time_form_one_unbroken_chain(options: PgPoolOptions, connect: PgConnectOptions) {
    let portal = portal_role(options, connect).await;
    let actor = profile("dana", &[]);
    let names: Vec<String> = (0..20).map(|number| format!("shop-{number}")).collect();
    futures::future::join_all(names.iter().map(|name| async { intend(&portal, &actor, &[name]).await })).await;
    assert_eq!(verify(&portal).await, Ok(20));
    // One person, one identity.
    assert_eq!(people(&portal).await, (1, 0));
}

/// Five rows, changed by their owner: what `fairway audit verify` then says of all of them, and of the three in the
/// middle.
async fn told_of(owner: &PgPool, forgery: &[&'static str], of_all: &str, of_the_middle: &str) {
    let objects = ["a", "b", "c", "d", "e"];
    intend(owner, &profile("dana", &[]), &objects).await;
    let verify = |arguments: &[&str]| fairway(&owner.connect_options(), &[&["audit", "verify"], arguments].concat());
    let middle = ["--first", "2", "--last", "4"];
    for arguments in [&[][..], &middle] {
        let (code, said) = verify(arguments);
        assert_eq!((code, said.contains("unbroken")), (Some(0), true), "before {arguments:?}: {said}");
    }
    behind_the_triggers_back(owner, forgery).await;
    for (arguments, told) in [(&[][..], of_all), (&middle, of_the_middle)] {
        let (code, said) = verify(arguments);
        assert_eq!(
            (code, said.contains(told), said.contains("unbroken")),
            (Some(1), true, false),
            "{arguments:?}: {said}"
        );
    }
}

macro_rules! forgeries {
    ($($name:ident($($statement:literal),*) is $of_all:literal and $of_the_middle:literal;)*) => {
        $(#[sqlx::test(migrations = "../migrations")]
        async fn $name(owner: PgPool) {
            told_of(&owner, &[$($statement),*], $of_all, $of_the_middle).await;
        })*
    };
}

forgeries! {
    a_change_made_behind_the_triggers_back_is_found(
        r#"update audit_events set entry = replace(entry, '"name":"b"', '"name":"x"'),
           hash = sha256(previous_hash || convert_to(replace(entry, '"name":"b"', '"name":"x"'), 'UTF8')) where
           sequence = 2"#
    ) is "row 3 was changed" and "row 3 was changed";
    a_row_taken_from_the_middle_is_found(
        "delete from audit_events where sequence = 3"
    ) is "row 3 is missing" and "row 3 is missing";
    a_row_taken_from_the_beginning_of_a_part_is_found(
        "delete from audit_events where sequence = 2"
    ) is "row 2 is missing" and "row 2 is missing";
    a_row_taken_from_the_end_of_a_part_is_found(
        "delete from audit_events where sequence = 4"
    ) is "row 4 is missing" and "ends with row 3, though row 4 was written";
    a_part_of_which_nothing_is_left_is_found(
        "delete from audit_events where sequence between 2 and 4"
    ) is "row 2 is missing" and "ends with row 1, though row 4 was written";
    two_rows_that_changed_places_are_found(
        "alter table audit_events drop constraint audit_events_check",
        "update audit_events set sequence = 99 where sequence = 2",
        "update audit_events set sequence = 2 where sequence = 3",
        "update audit_events set sequence = 3 where sequence = 99"
    ) is "row 2 was changed" and "row 2 was changed";
    rows_cut_from_the_end_are_found(
        "delete from audit_events where sequence > 3"
    ) is "ends with row 3, though row 5 was written" and "ends with row 3, though row 4 was written";
    a_column_that_says_something_else_than_its_row_is_found(
        "alter table audit_events alter column action drop expression",
        "update audit_events set action = 'session.sign_in' where sequence = 3"
    ) is "the columns of row 3 are not" and "the columns of row 3 are not";
    a_detail_that_pages_would_not_show_is_found(
        "alter table audit_events alter column detail drop expression",
        "update audit_events set detail = '{}' where sequence = 4"
    ) is "the columns of row 4 are not" and "the columns of row 4 are not";
    an_actor_who_was_removed_is_found(
        "alter table audit_events drop constraint audit_events_actor_fkey",
        "alter table identities disable trigger all",
        "delete from identities"
    ) is "whoever acted in row 1 is not" and "whoever acted in row 2 is not";
    a_name_that_pages_would_show_in_place_of_the_actors_is_found(
        "alter table identities disable trigger all",
        "alter table identities alter column name drop expression",
        "update identities set name = 'PIA'"
    ) is "are not the details that were recorded" and "are not the details that were recorded";
    somebody_elses_name_in_place_of_the_actors_is_found(
        "alter table identities disable trigger all",
        "alter table identities drop constraint identities_check1",
        "update identities set details = '[\"https://idp.example.com\",\"pia\",\"PIA\",\"pia@example.com\"]'"
    ) is "are not those that were recorded" and "are not those that were recorded";
}

#[sqlx::test(migrations = "../migrations")]
async fn who_was_erased_without_a_row_that_says_so_is_found(owner: PgPool) {
    intend(&owner, &profile("dana", &[]), &["a"]).await;
    // The trigger lets whoever owns the database erase, which must be possible.
    owner.execute("update identities set salt = null, details = null").await.unwrap();
    let (code, said) = fairway(&owner.connect_options(), &["audit", "verify"]);
    assert_eq!((code, said.contains("does not show that they were erased")), (Some(1), true), "{said}");
}

#[sqlx::test(migrations = "../migrations")]
async fn a_history_written_anew_is_found_by_a_head_that_was_published_before(owner: PgPool) {
    intend(&owner, &profile("dana", &[]), &["a", "b"]).await;
    let published = written_end(&owner).await.unwrap();
    let anew = [
        "delete from audit_events",
        "update audit_end set sequence = 0, hash = decode(repeat('00', 32), 'hex')",
        "alter table audit_events enable trigger all",
    ];
    behind_the_triggers_back(&owner, &anew).await;
    intend(&owner, &profile("dana", &[]), &["a", "other"]).await;
    let verify = |heads: &[Head]| {
        let lines: String = heads.iter().map(|head| format!("{head}\n")).collect();
        let file = std::env::temp_dir().join(format!("fairway-heads-{}.txt", Uuid::new_v4()));
        std::fs::write(&file, lines).unwrap();
        let told = fairway(&owner.connect_options(), &["audit", "verify", "--heads", file.to_str().unwrap()]);
        std::fs::remove_file(file).unwrap();
        told
    };
    assert_eq!(fairway(&owner.connect_options(), &["audit", "verify"]).0, Some(0), "by itself it looks whole");
    let new = written_end(&owner).await.unwrap();
    // Also where the false head was published since, before the real one or after it.
    for heads in [&[published][..], &[published, new], &[new, published]] {
        let (code, said) = verify(heads);
        assert_eq!((code, said.contains("history was written anew")), (Some(1), true), "{said}");
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn erasing_a_person_leaves_what_they_did_and_an_unbroken_chain(owner: PgPool) {
    let (dana, pia) = (actor(&owner, "dana", &[]).await, actor(&owner, "pia", &[]).await);
    intend(&owner, &dana.profile, &["a"]).await;
    intend(&owner, &pia.profile, &["b"]).await;
    let mut connection = owner.acquire().await.unwrap();
    let erased = erase_person(&mut connection, &dana.profile.issuer, &dana.profile.subject).await.unwrap();
    assert_eq!((erased.len(), verify(&owner).await), (1, Ok(2)));
    assert_eq!(people(&owner).await, (2, 1));
    let writes = list_writes(&owner, i64::MAX, &Filter::default(), 10).await.unwrap();
    let shown: Vec<_> =
        writes.iter().map(|write| (name(write), write.actor.as_ref().map(|who| who.name.as_str()))).collect();
    assert_eq!(shown, [("b", Some("PIA")), ("a", None)]);
    let (left,): (i64,) = sqlx::query_as(
        "select count(*) from (select to_jsonb(p)::text as row from people p union all select to_jsonb(e)::text from \
         audit_events e
         union all select to_jsonb(i)::text from identities i) as everything where row ilike '%dana@example.com%' or \
         row ilike '%\"DANA\"%'",
    )
    .fetch_one(&owner)
    .await
    .unwrap();
    assert_eq!(left, 0);
    // Somebody who comes back is somebody new to the record.
    intend(&owner, &dana.profile, &["c"]).await;
    assert_eq!((verify(&owner).await, people(&owner).await), (Ok(3), (3, 1)));
}

#[sqlx::test(migrations = "../migrations")]
async fn a_write_whose_outcome_was_never_recorded_is_not_shown_as_a_success(
    options: PgPoolOptions,
    connect: PgConnectOptions,
) {
    let portal = portal_role(options, connect).await;
    let actor = profile("dana", &[]);
    intend(&portal, &actor, &["lost"]).await;
    let intent = intend(&portal, &actor, &["kept"]).await;
    conclude(&portal, &actor, intent, Phase::Succeeded, "kept").await.unwrap();
    let writes = list_writes(&portal, i64::MAX, &Filter::default(), 10).await.unwrap();
    let shown: Vec<_> = writes.iter().map(|write| (name(write), write.outcome)).collect();
    assert_eq!(shown, [("kept", Outcome::Succeeded), ("lost", Outcome::Unknown)]);
}

#[sqlx::test(migrations = "../migrations")]
async fn writes_are_found_by_person_action_object_reference_and_time(
    options: PgPoolOptions,
    connect: PgConnectOptions,
) {
    let portal = portal_role(options, connect).await;
    let (dana, pia) = (profile("dana", &[]), profile("pia", &[]));
    let applying = |namespace: &str| Event::WorkloadApply {
        submission: SubmissionRef { id: Uuid::now_v7(), namespace: namespace.into(), name: "web".into() },
        digest: Digest::ZERO,
        approval: None,
    };
    for (actor, event, request_id) in
        [(&dana, creating("shop"), "r1"), (&dana, applying("shop"), "r2"), (&pia, applying("pay"), "r3")]
    {
        append(&portal, row(actor, Phase::Succeeded, &event, request_id)).await.unwrap();
    }
    let found = async |filter: Filter| {
        let writes = list_writes(&portal, i64::MAX, &filter, 10).await.unwrap();
        let listed: Vec<String> = writes.iter().rev().map(|write| write.object.to_string()).collect();
        // The export holds the same.
        let mut transaction = portal.begin().await.unwrap();
        let rows = stream_rows(&mut transaction, &filter).await.unwrap().try_collect::<Vec<_>>().await.unwrap();
        let read = |exported: &ExportedRow| exported.row.read().unwrap();
        let exported: Vec<String> = rows.iter().map(|row| read(row).object.to_string()).collect();
        assert_eq!(listed, exported);
        assert!(rows.iter().all(|row| row.actor.as_ref().unwrap().commitment() == read(row).actor));
        listed
    };
    let all = ["namespace shop", "submission web in namespace shop", "submission web in namespace pay"];
    let none = Filter::default;
    assert_eq!(found(none()).await, all);
    assert_eq!(found(Filter { person: "PIA@".into(), ..none() }).await, all[2..]);
    assert_eq!(found(Filter { person: "nobody".into(), ..none() }).await, [""; 0]);
    assert_eq!(found(Filter { action: Some(Action::WorkloadApply), ..none() }).await, all[1..]);
    let evidence = |actions: &[Action], names: &[&str]| {
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        Filter { evidence: Some(EvidenceFilter { actions: actions.to_vec(), names }), ..none() }
    };
    assert_eq!(found(evidence(&[Action::WorkloadApply], &[])).await, all[1..]);
    assert_eq!(found(evidence(&[], &["shop"])).await, all[..1]);
    assert_eq!(found(evidence(&[Action::WorkloadApply], &["shop"])).await, all);
    assert_eq!(found(evidence(&[], &[])).await, [""; 0], "a control that only articles are evidence for");
    let both = Filter { action: Some(Action::NamespaceCreate), ..evidence(&[Action::WorkloadApply], &[]) };
    assert_eq!(found(both).await, [""; 0], "no evidence for it");
    assert_eq!(found(Filter { object: "shop".into(), ..none() }).await, all[..2]);
    assert_eq!(found(Filter { object: "web".into(), ..none() }).await, all[1..]);
    let applied = list_writes(&portal, i64::MAX, &none(), 1).await.unwrap().remove(0).object;
    assert_eq!(found(Filter { object: applied.id.unwrap().to_string(), ..none() }).await, all[2..]);
    assert_eq!(found(Filter { reference: "r2".into(), ..none() }).await, all[1..2]);
    let now = jiff::Timestamp::now();
    assert_eq!(found(Filter { from: Some(now - 1.hour()), until: Some(now + 1.hour()), ..none() }).await, all);
    assert_eq!(found(Filter { from: Some(now + 1.hour()), ..none() }).await, [""; 0]);
    assert_eq!(found(Filter { until: Some(now - 1.hour()), ..none() }).await, [""; 0]);
}

#[sqlx::test(migrations = "../migrations")]
async fn the_export_of_a_period_holds_the_outcomes_of_what_began_in_it_and_of_nothing_else(
    options: PgPoolOptions,
    connect: PgConnectOptions,
) {
    let portal = portal_role(options, connect).await;
    let dana = profile("dana", &[]);
    let before = intend(&portal, &dana, &["before"]).await;
    let within = intend(&portal, &dana, &["within"]).await;
    let (from, until): (jiff_sqlx::Timestamp, jiff_sqlx::Timestamp) = sqlx::query_as(
        "select min(occurred_at), max(occurred_at) + interval '1 microsecond' from audit_events where sequence = 2",
    )
    .fetch_one(&portal)
    .await
    .unwrap();
    for (intent, name) in [(before, "before"), (within, "within")] {
        conclude(&portal, &dana, intent, Phase::Succeeded, name).await.unwrap();
    }
    let period = Filter { from: Some(from.to_jiff()), until: Some(until.to_jiff()), ..Filter::default() };
    let mut transaction = portal.begin().await.unwrap();
    let rows = stream_rows(&mut transaction, &period).await.unwrap().try_collect::<Vec<_>>().await.unwrap();
    assert_eq!(rows.iter().map(|row| row.row.sequence).collect::<Vec<_>>(), [2, 4]);
}

#[sqlx::test(migrations = "../migrations")]
async fn the_outcome_of_a_write_does_not_bring_back_whoever_was_erased_meanwhile(owner: PgPool) {
    let dana = actor(&owner, "dana", &[]).await;
    let intent = Intent::announce(&owner, &dana, creating("a")).await.unwrap();
    let mut connection = owner.acquire().await.unwrap();
    let erased = erase_person(&mut connection, &dana.profile.issuer, &dana.profile.subject).await.unwrap();
    assert_eq!(erased.len(), 1);
    intent.conclude(&owner, Ok(())).await.unwrap();
    assert_eq!((verify(&owner).await, people(&owner).await), (Ok(2), (1, 1)));
}

#[sqlx::test(migrations = "../migrations")]
async fn nothing_that_was_sent_before_brings_back_whoever_was_erased(owner: PgPool) {
    let dana = actor(&owner, "dana", &[]).await;
    let portal = state_of(&owner).await;
    record_event(&portal, &dana, &Event::SignIn {}).await.unwrap();
    let mut connection = owner.acquire().await.unwrap();
    erase_person(&mut connection, &dana.profile.issuer, &dana.profile.subject).await.unwrap();
    let late = Err(AppError::SignInRequired);
    assert_eq!(record_event(&portal, &dana, &Event::SignIn {}).await, late);
    assert_eq!(Intent::announce(&owner, &dana, creating("a")).await.map(drop), late);
    for written in [Ok(()), Err(AppError::NotFound)] {
        let transaction = owner.begin().await.unwrap();
        assert!(settle(&owner, transaction, &dana, &creating("a"), written).await.is_err());
    }
    assert_eq!((verify(&owner).await, people(&owner).await), (Ok(1), (1, 1)));
}

#[sqlx::test(migrations = "../migrations")]
async fn the_portals_role_cannot_borrow_the_owners_rights_of_a_trigger(
    options: PgPoolOptions,
    connect: PgConnectOptions,
) {
    let portal = portal_role(options, connect).await;
    let mut connection = portal.acquire().await.unwrap();
    connection.execute("create temporary table mine (acceptance_id uuid, sequence bigint)").await.unwrap();
    for function in ["advance_opt_in", "begin_opt_in", "advance_audit_end"] {
        let trigger =
            format!("create trigger borrowed after insert on mine for each row execute function public.{function}()");
        let refused = connection.execute(sqlx::AssertSqlSafe(trigger)).await.unwrap_err();
        // 42501: insufficient privilege.
        assert_eq!(refused.as_database_error().and_then(|error| error.code()).as_deref(), Some("42501"), "{function}");
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn a_write_has_at_most_one_outcome(options: PgPoolOptions, connect: PgConnectOptions) {
    let portal = portal_role(options, connect).await;
    let actor = profile("dana", &[]);
    let intent = intend(&portal, &actor, &["a"]).await;
    conclude(&portal, &actor, intent, Phase::Failed, "a").await.unwrap();
    assert!(conclude(&portal, &actor, intent, Phase::Succeeded, "a").await.is_err());
    assert_eq!(verify(&portal).await, Ok(2));
}

/// Runs the program on the database of a test; gives its exit code and what it said.
fn fairway(database: &PgConnectOptions, arguments: &[&str]) -> (Option<i32>, String) {
    let mut address = url::Url::parse(&crate::parts::told("DATABASE_URL")).unwrap();
    address.set_path(database.get_database().unwrap());
    let run = std::process::Command::new(env!("CARGO_BIN_EXE_fairway"))
        .args(arguments)
        .env("DATABASE_URL", address.as_str())
        .env("FAIRWAY_MIGRATE_DATABASE_URL", address.as_str())
        .output()
        .unwrap();
    let said = [run.stdout, run.stderr].concat();
    (run.status.code(), String::from_utf8(said).unwrap())
}

#[sqlx::test(migrations = "../migrations")]
async fn the_command_line_verifies_exports_and_erases(options: PgPoolOptions, connect: PgConnectOptions) {
    let owner = options.connect_with(connect.clone()).await.unwrap();
    intend(&owner, &profile("dana", &[]), &["a", "b"]).await;
    let (code, said) = fairway(&connect, &["audit", "verify"]);
    assert_eq!((code, said.starts_with("2 rows, unbroken. The head is 2 ")), (Some(0), true), "{said}");
    let issuer = "https://idp.example.com";
    let erase = |subject| {
        fairway(&connect, &["audit", "erase", "--issuer", issuer, "--subject", subject, "--reason", "TICKET-7"])
    };
    let (code, said) = erase("nobody");
    assert_eq!((code, said.contains("knows nobody")), (Some(1), true), "{said}");
    let (code, said) = erase("dana");
    assert_eq!(code, Some(0), "{said}");
    let (code, said) = fairway(&connect, &["audit", "verify"]);
    assert_eq!((code, said.contains("2 identities, 1 of them erased")), (Some(0), true), "{said}");
    let (_, exported) = fairway(&connect, &["audit", "export"]);
    assert_eq!(exported.lines().count(), 4, "that it is exported stands before the first row");
    assert!(!exported.contains("dana") && exported.contains("record.erase"), "{exported}");
    let (_, table) = fairway(&connect, &["audit", "export", "--format", "csv", "--to", "2020-01-01"]);
    assert_eq!(table.lines().count(), 1, "{table}");
    let file = std::env::temp_dir().join(format!("fairway-export-{}.jsonl", std::process::id()));
    std::fs::write(&file, &exported).unwrap();
    let path = file.to_str().unwrap();
    let (code, said) = fairway(&connect, &["audit", "verify", path]);
    assert_eq!((code, said.contains("4 rows, unbroken")), (Some(0), true), "{said}");
    let (code, said) = fairway(&connect, &["audit", "verify", path, "--first", "2", "--last", "3"]);
    assert_eq!((code, said.contains("2 rows, unbroken")), (Some(0), true), "{said}");
    std::fs::remove_file(file).unwrap();
    let exports: Vec<(String, String)> = sqlx::query_as(
        "select o.phase, o.detail ->> 'rows' from audit_events i join audit_events o on o.intent_id = i.id
         where i.action = 'record.export' order by i.sequence",
    )
    .fetch_all(&owner)
    .await
    .unwrap();
    let done = |rows: &str| ("succeeded".to_owned(), rows.to_owned());
    assert_eq!(exports, [done("4"), done("0")]);
    let (code, said) = fairway(&connect, &["audit", "export", "--action", "nothing"]);
    assert_eq!((code, said.contains("--action: Choose what they did")), (Some(1), true), "{said}");
    let (_, erased) = fairway(&connect, &["audit", "export", "--action", "record.erase"]);
    assert_eq!((erased.lines().count(), erased.contains("TICKET-7")), (1, true), "{erased}");
    let statement = "delete from audit_events where sequence = (select max(sequence) from audit_events)";
    behind_the_triggers_back(&owner, &[statement]).await;
    let (code, said) = fairway(&connect, &["audit", "verify"]);
    assert_eq!((code, said.contains("its end was cut off")), (Some(1), true), "{said}");
    let (code, said) = fairway(&connect, &["audit", "verify", "--first", "3", "--last", "2"]);
    assert_eq!((code, said.contains("must not be before")), (Some(1), true), "{said}");
}

/// A webhook that answers what it is told to, and keeps what it gets.
async fn webhook(status: Arc<AtomicU16>) -> (Url, mpsc::Receiver<(Option<String>, Value)>) {
    let (sender, receiver) = mpsc::channel(8);
    let take = move |headers: HeaderMap, body: String| async move {
        let token = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()).map(str::to_owned);
        sender.send((token, serde_json::from_str(&body).unwrap())).await.unwrap();
        StatusCode::from_u16(status.load(Ordering::Relaxed)).unwrap()
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/heads?key=secret", listener.local_addr().unwrap()).parse().unwrap();
    tokio::spawn(async move { axum::serve(listener, Router::new().route("/heads", post(take))).await });
    (url, receiver)
}

#[sqlx::test(migrations = "../migrations")]
async fn the_head_is_sent_to_a_webhook_once_a_day_and_again_after_it_was_not_taken(
    options: PgPoolOptions,
    connect: PgConnectOptions,
) {
    let portal = portal_role(options, connect).await;
    intend(&portal, &profile("dana", &[]), &["a"]).await;
    let status = Arc::new(AtomicU16::new(500));
    let (url, mut received) = webhook(status.clone()).await;
    let settings = HeadsWebhook { url, token: Some("token".to_owned().into()) };
    let state = AppState::from(Dependencies {
        head_publisher: Some(Arc::new(Webhook::new(settings).unwrap())),
        ..(*state(portal.clone(), cluster().await, Policy::default())).clone()
    });
    let now = Timestamp::now();
    assert!(publish_head(&state, now).await.is_err());
    let (token, refused) = received.try_recv().unwrap();
    assert_eq!(token.as_deref(), Some("Bearer token"));
    status.store(204, Ordering::Relaxed);
    publish_head(&state, now).await.unwrap();
    assert!(received.try_recv().is_err(), "not at once");
    let later = now + SignedDuration::from_mins(16);
    publish_head(&state, later).await.unwrap();
    let (_, taken) = received.try_recv().unwrap();
    assert_eq!(refused["head"].as_str().unwrap().split(' ').next(), Some("1"));
    let head: Head = taken["head"].as_str().unwrap().parse().unwrap();
    let row = stream_chain(&portal, head.sequence, head.sequence).try_next().await.unwrap().unwrap();
    assert_eq!((head.hash, taken["day"].as_str()), (row.hash, Some(&*later.strftime("%Y-%m-%d").to_string())));
    publish_head(&state, Timestamp::now()).await.unwrap();
    assert!(received.try_recv().is_err(), "once a day");
    let objects: Vec<String> =
        sqlx::query_scalar("select distinct object_name from audit_events where action = 'record.publish_head'")
            .fetch_all(&portal)
            .await
            .unwrap();
    assert_eq!(objects, ["127.0.0.1"], "nothing secret of the address is recorded");
}

#[sqlx::test(migrations = "../migrations")]
async fn an_export_that_breaks_off_does_not_look_whole(options: PgPoolOptions, connect: PgConnectOptions) {
    let owner = options.clone().connect_with(connect.clone()).await.unwrap();
    let portal = portal_role(options, connect).await;
    let auditor = actor(&portal, "alex", &["auditors"]).await;
    // More than sockets and channels hold.
    for _ in 0..300 {
        intend(&portal, &auditor.profile, &[&"x".repeat(100_000)]).await;
    }
    let answer = exported(&state_of(&portal).await, auditor).await;
    // Nobody reads yet, so most of it is still to come.
    let killed = async {
        while !sqlx::query_scalar::<_, bool>(
            "select bool_or(pg_terminate_backend(pid)) is true from pg_stat_activity \
            where datname = current_database() and state = 'active' and pid <> pg_backend_pid() and query like '%from \
            audit_events e left join%'",
        )
        .fetch_one(&owner)
        .await
        .unwrap()
        {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(NEVER, killed).await.unwrap();
    assert!(answer.into_body().collect().await.is_err());
    let whole = exported(&state_of(&portal).await, actor(&portal, "alina", &["auditors"]).await).await;
    assert!(whole.into_body().collect().await.is_ok());
}

/// The export that somebody gets, as far as it is there.
async fn exported(portal: &AppState, who: Actor) -> Response {
    let request = http::Request::post("/admin/audit/export").extension(who).body(Body::from("format=jsonl")).unwrap();
    let answer = site(portal).with_state(portal.clone()).oneshot(request).await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    answer
}

async fn state_of(portal: &PgPool) -> AppState {
    state(portal.clone(), cluster().await, Policy::default())
}
