//! The record on a real Postgres, with the rights of the portal's role.

#![allow(clippy::unwrap_used)]

mod parts;

use app::actor::Profile;
use app::audit::api::{audited, post_export, publish_head};
use app::audit::chain::{ChainError, ChainVerifier, Entry, Head, Link};
use app::audit::store::{
    NewEvent, append, erase_person, list_identities, list_writes, stream_links, stream_rows, written_end,
};
use app::audit::{Action, Evidence, Filter, Outcome, Phase};
use app::state::{AppState, Policy};
use axum::Router;
use axum::extract::State;
use axum::routing::post;
use futures::TryStreamExt;
use http::header::AUTHORIZATION;
use http::{HeaderMap, StatusCode};
use http_body_util::BodyExt;
use jiff::{SignedDuration, Timestamp, ToSpan};
use parts::{actor, cluster, portal_role, profile, state};
use serde_json::{Value, json};
use server::config::HeadsWebhook;
use server::webhook::Webhook;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Executor, PgPool};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
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

fn event<'a>(actor: &'a Profile, intent_id: Option<Uuid>, phase: Phase, object: &'a str) -> NewEvent<'a> {
    let detail = json!({ "b": "2", "a": "1" });
    let actor = actor.into();
    NewEvent { intent_id, phase, actor, action: Action::NamespaceCreate, object, detail, request_id: "request" }
}

async fn intend(database: &PgPool, actor: &Profile, objects: &[&str]) {
    for object in objects {
        append(database, event(actor, None, Phase::Intent, object)).await.unwrap();
    }
}

async fn verify(database: &PgPool) -> Result<u64, ChainError> {
    let written = written_end(database).await.unwrap();
    let mut verifier = ChainVerifier::of_all();
    for link in stream_links(database, 1, i64::MAX).try_collect::<Vec<Link>>().await.unwrap() {
        verifier.accept(&link)?;
    }
    verifier.finish(Some(written), None).map(|()| verifier.rows())
}

/// How many people the record knows, and how many of them are blanked.
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
    intend(&owner, &profile("dana", &[]), &["Namespace//a"]).await;
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
    intend(&portal, &dana, &["Namespace//a"]).await;
    let first: Link = stream_links(&portal, 1, 1).try_next().await.unwrap().unwrap();
    let entry: Entry = serde_json::from_str(&first.entry).unwrap();
    let end = Head { sequence: 1, hash: first.hash };
    let next = |entry: Entry| Link::after(&end, &Entry { sequence: 2, id: Uuid::now_v7(), ..entry });
    let insert = |link: Link| {
        let portal = portal.clone();
        async move {
            sqlx::query("insert into audit_events (sequence, entry, previous_hash, hash) values ($1, $2, $3, $4)")
                .bind(link.sequence)
                .bind(link.entry)
                .bind(link.previous_hash)
                .bind(link.hash)
                .execute(&portal)
                .await
        }
    };
    let skipped = Link::after(&end, &Entry { sequence: 3, id: Uuid::now_v7(), ..entry.clone() });
    let forked = Link::after(&Head::GENESIS, &Entry { sequence: 2, id: Uuid::now_v7(), ..entry.clone() });
    let earlier = next(Entry { occurred_at: entry.occurred_at - 1.second(), ..entry.clone() });
    let unhashed = Link { hash: Head::GENESIS.hash, ..next(entry.clone()) };
    let renumbered = Link { sequence: 2, ..skipped.clone() };
    for (link, what) in [
        (skipped, "skipped"),
        (forked, "forked"),
        (earlier, "earlier"),
        (unhashed, "unhashed"),
        (renumbered, "renumbered"),
    ] {
        assert!(insert(link).await.is_err(), "{what}");
    }
    assert!(insert(next(entry)).await.is_ok());
    assert_eq!(verify(&portal).await, Ok(2));
}

#[sqlx::test(migrations = "../migrations")]
async fn rows_written_at_the_same_time_form_one_unbroken_chain(options: PgPoolOptions, connect: PgConnectOptions) {
    let portal = portal_role(options, connect).await;
    let actor = profile("dana", &[]);
    let objects: Vec<String> = (0..20).map(|number| format!("Namespace//shop-{number}")).collect();
    let writes = objects.iter().map(|object| append(&portal, event(&actor, None, Phase::Intent, object)));
    futures::future::try_join_all(writes).await.unwrap();
    assert_eq!(verify(&portal).await, Ok(20));
    // One person, one identity.
    assert_eq!(people(&portal).await, (1, 0));
}

/// Five rows, changed by their owner: what `fairway audit verify` then says of all of them, and of the three in the middle.
async fn told_of(owner: &PgPool, forgery: &[&'static str], of_all: &str, of_the_middle: &str) {
    let objects = ["Namespace//a", "Namespace//b", "Namespace//c", "Namespace//d", "Namespace//e"];
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
        "update audit_events set entry = replace(entry, 'Namespace//b', 'Namespace//x'),
           hash = sha256(previous_hash || convert_to(replace(entry, 'Namespace//b', 'Namespace//x'), 'UTF8')) where sequence = 2"
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
    somebody_elses_name_in_place_of_the_actors_is_found(
        "alter table identities disable trigger all",
        "alter table identities drop constraint identities_check1",
        "update identities set details = '[\"https://idp.example.com\",\"pia\",\"PIA\",\"pia@example.com\"]'"
    ) is "are not those that were recorded" and "are not those that were recorded";
}

#[sqlx::test(migrations = "../migrations")]
async fn who_was_blanked_without_a_row_that_says_so_is_found(owner: PgPool) {
    intend(&owner, &profile("dana", &[]), &["Namespace//a"]).await;
    // The trigger lets whoever owns the database blank, which must be possible.
    owner.execute("update identities set salt = null, details = null").await.unwrap();
    let (code, said) = fairway(&owner.connect_options(), &["audit", "verify"]);
    assert_eq!((code, said.contains("does not show that they were blanked")), (Some(1), true), "{said}");
}

#[sqlx::test(migrations = "../migrations")]
async fn a_history_written_anew_is_found_by_a_head_that_was_published_before(owner: PgPool) {
    intend(&owner, &profile("dana", &[]), &["Namespace//a", "Namespace//b"]).await;
    let published = written_end(&owner).await.unwrap();
    let anew = [
        "delete from audit_events",
        "update audit_end set sequence = 0, hash = decode(repeat('00', 32), 'hex')",
        "alter table audit_events enable trigger all",
    ];
    behind_the_triggers_back(&owner, &anew).await;
    intend(&owner, &profile("dana", &[]), &["Namespace//a", "Namespace//other"]).await;
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
async fn blanking_a_person_leaves_what_they_did_and_an_unbroken_chain(owner: PgPool) {
    let (dana, pia) = (actor(&owner, "dana", &[]).await, actor(&owner, "pia", &[]).await);
    intend(&owner, &dana.profile, &["Namespace//a"]).await;
    intend(&owner, &pia.profile, &["Namespace//b"]).await;
    let mut connection = owner.acquire().await.unwrap();
    let erased = erase_person(&mut connection, &dana.profile.issuer, &dana.profile.subject).await.unwrap();
    assert_eq!((erased.len(), verify(&owner).await), (1, Ok(2)));
    assert_eq!(people(&owner).await, (2, 1));
    let writes = list_writes(&owner, i64::MAX, &Filter::default(), 10).await.unwrap();
    let shown: Vec<_> =
        writes.iter().map(|write| (write.object.as_str(), write.actor.as_ref().map(|who| who.name.as_str()))).collect();
    assert_eq!(shown, [("Namespace//b", Some("PIA")), ("Namespace//a", None)]);
    let (left,): (i64,) = sqlx::query_as(
        "select count(*) from (select to_jsonb(p)::text as row from people p union all select to_jsonb(e)::text from audit_events e
         union all select to_jsonb(i)::text from identities i) as everything where row ilike '%dana@example.com%' or row ilike '%\"DANA\"%'",
    )
    .fetch_one(&owner)
    .await
    .unwrap();
    assert_eq!(left, 0);
    // Somebody who comes back is somebody new to the record.
    intend(&owner, &dana.profile, &["Namespace//c"]).await;
    assert_eq!((verify(&owner).await, people(&owner).await), (Ok(3), (3, 1)));
}

#[sqlx::test(migrations = "../migrations")]
async fn a_write_whose_outcome_was_never_recorded_is_not_shown_as_a_success(
    options: PgPoolOptions,
    connect: PgConnectOptions,
) {
    let portal = portal_role(options, connect).await;
    let actor = profile("dana", &[]);
    intend(&portal, &actor, &["Namespace//lost"]).await;
    let intent = append(&portal, event(&actor, None, Phase::Intent, "Namespace//kept")).await.unwrap().id;
    append(&portal, event(&actor, Some(intent), Phase::Succeeded, "Namespace//kept")).await.unwrap();
    let writes = list_writes(&portal, i64::MAX, &Filter::default(), 10).await.unwrap();
    let shown: Vec<_> = writes.iter().map(|write| (write.object.as_str(), write.outcome)).collect();
    assert_eq!(shown, [("Namespace//kept", Outcome::Succeeded), ("Namespace//lost", Outcome::Unknown)]);
}

#[sqlx::test(migrations = "../migrations")]
async fn writes_are_found_by_person_action_object_reference_and_time(
    options: PgPoolOptions,
    connect: PgConnectOptions,
) {
    let portal = portal_role(options, connect).await;
    let (dana, pia) = (profile("dana", &[]), profile("pia", &[]));
    for (actor, action, object, request_id) in [
        (&dana, Action::NamespaceCreate, "Namespace//shop", "r1"),
        (&dana, Action::WorkloadApply, "Submission/shop/web", "r2"),
        (&pia, Action::WorkloadApply, "Submission/pay/web", "r3"),
    ] {
        let (actor, detail) = (actor.into(), json!({}));
        let new = NewEvent { intent_id: None, phase: Phase::Succeeded, actor, action, object, detail, request_id };
        append(&portal, new).await.unwrap();
    }
    let found = async |filter: Filter| {
        let writes = list_writes(&portal, i64::MAX, &filter, 10).await.unwrap();
        let listed: Vec<String> = writes.iter().rev().map(|write| write.object.clone()).collect();
        // The export holds the same.
        let mut transaction = portal.begin().await.unwrap();
        let rows = stream_rows(&mut transaction, &filter).await.unwrap().try_collect::<Vec<_>>().await.unwrap();
        let exported: Vec<String> =
            rows.iter().map(|row| serde_json::from_str::<Entry>(&row.link.entry).unwrap().object).collect();
        assert_eq!(listed, exported);
        assert!(rows.iter().all(|row| row.identity.as_ref().is_some_and(|identity| {
            let entry: Entry = serde_json::from_str(&row.link.entry).unwrap();
            identity.commitment() == Some(entry.actor)
        })));
        listed
    };
    let all = ["Namespace//shop", "Submission/shop/web", "Submission/pay/web"];
    let none = Filter::default;
    assert_eq!(found(none()).await, all);
    assert_eq!(found(Filter { person: "PIA@".into(), ..none() }).await, all[2..]);
    assert_eq!(found(Filter { person: "nobody".into(), ..none() }).await, [""; 0]);
    assert_eq!(found(Filter { action: Some(Action::WorkloadApply), ..none() }).await, all[1..]);
    let evidence = |actions: &[Action], names: &[&str]| {
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        Filter { evidence: Some(Evidence { actions: actions.to_vec(), names }), ..none() }
    };
    assert_eq!(found(evidence(&[Action::WorkloadApply], &[])).await, all[1..]);
    assert_eq!(found(evidence(&[], &["shop"])).await, all[..1]);
    assert_eq!(found(evidence(&[Action::WorkloadApply], &["shop"])).await, all);
    assert_eq!(found(evidence(&[], &[])).await, [""; 0], "a control that only articles are evidence for");
    let both = Filter { action: Some(Action::NamespaceCreate), ..evidence(&[Action::WorkloadApply], &[]) };
    assert_eq!(found(both).await, [""; 0], "no evidence for it");
    assert_eq!(found(Filter { object: "shop".into(), ..none() }).await, all[..2]);
    assert_eq!(found(Filter { object: "web".into(), ..none() }).await, all[1..]);
    assert_eq!(found(Filter { object: "Submission/pay/web".into(), ..none() }).await, all[2..]);
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
    let intend_one = async |object| append(&portal, event(&dana, None, Phase::Intent, object)).await.unwrap().id;
    let before = intend_one("Namespace//before").await;
    let within = intend_one("Namespace//within").await;
    let (from, until): (jiff_sqlx::Timestamp, jiff_sqlx::Timestamp) = sqlx::query_as(
        "select min(occurred_at), max(occurred_at) + interval '1 microsecond' from audit_events where sequence = 2",
    )
    .fetch_one(&portal)
    .await
    .unwrap();
    for (intent, object) in [(before, "Namespace//before"), (within, "Namespace//within")] {
        append(&portal, event(&dana, Some(intent), Phase::Succeeded, object)).await.unwrap();
    }
    let period = Filter { from: Some(from.to_jiff()), until: Some(until.to_jiff()), ..Filter::default() };
    let mut transaction = portal.begin().await.unwrap();
    let rows = stream_rows(&mut transaction, &period).await.unwrap().try_collect::<Vec<_>>().await.unwrap();
    assert_eq!(rows.iter().map(|row| row.link.sequence).collect::<Vec<_>>(), [2, 4]);
}

#[sqlx::test(migrations = "../migrations")]
async fn the_outcome_of_a_write_does_not_bring_back_whoever_was_blanked_meanwhile(owner: PgPool) {
    let dana = actor(&owner, "dana", &[]).await;
    let state = AppState { policy: Policy::default().into(), ..state_of(&owner).await };
    let written = audited(&state, &dana, Action::NamespaceCreate, "Namespace//a", json!({}), |_| async {
        let mut connection = owner.acquire().await?;
        assert_eq!(erase_person(&mut connection, &dana.profile.issuer, &dana.profile.subject).await?.len(), 1);
        Ok(())
    });
    written.await.unwrap();
    assert_eq!((verify(&owner).await, people(&owner).await), (Ok(2), (1, 1)));
}

#[sqlx::test(migrations = "../migrations")]
async fn a_write_has_at_most_one_outcome(options: PgPoolOptions, connect: PgConnectOptions) {
    let portal = portal_role(options, connect).await;
    let actor = profile("dana", &[]);
    let intent = append(&portal, event(&actor, None, Phase::Intent, "Namespace//a")).await.unwrap().id;
    append(&portal, event(&actor, Some(intent), Phase::Failed, "Namespace//a")).await.unwrap();
    assert!(append(&portal, event(&actor, Some(intent), Phase::Succeeded, "Namespace//a")).await.is_err());
    assert_eq!(verify(&portal).await, Ok(2));
}

/// Runs the program on the database of a test; gives its exit code and what it said.
fn fairway(database: &PgConnectOptions, arguments: &[&str]) -> (Option<i32>, String) {
    let mut address = url::Url::parse(&parts::told("DATABASE_URL")).unwrap();
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
async fn the_command_line_verifies_exports_and_blanks(options: PgPoolOptions, connect: PgConnectOptions) {
    let owner = options.connect_with(connect.clone()).await.unwrap();
    intend(&owner, &profile("dana", &[]), &["Namespace//a", "Namespace//b"]).await;
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
    assert_eq!((code, said.contains("2 identities, 1 of them blanked")), (Some(0), true), "{said}");
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
    intend(&portal, &profile("dana", &[]), &["Namespace//a"]).await;
    let status = Arc::new(AtomicU16::new(500));
    let (url, mut received) = webhook(status.clone()).await;
    let settings = HeadsWebhook { url, token: Some("token".to_owned().into()) };
    let state = AppState {
        witness: Some(Arc::new(Webhook::new(settings).unwrap())),
        ..state(portal.clone(), cluster().await, Policy::default())
    };
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
    let link = stream_links(&portal, head.sequence, head.sequence).try_next().await.unwrap().unwrap();
    assert_eq!((head.hash, taken["day"].as_str()), (link.hash, Some(&*later.strftime("%Y-%m-%d").to_string())));
    publish_head(&state, Timestamp::now()).await.unwrap();
    assert!(received.try_recv().is_err(), "once a day");
    let objects: Vec<String> =
        sqlx::query_scalar("select distinct object from audit_events where action = 'record.publish_head'")
            .fetch_all(&portal)
            .await
            .unwrap();
    assert_eq!(objects, ["Webhook//127.0.0.1"], "nothing secret of the address is recorded");
}

#[sqlx::test(migrations = "../migrations")]
async fn an_export_that_breaks_off_does_not_look_whole(options: PgPoolOptions, connect: PgConnectOptions) {
    let owner = options.clone().connect_with(connect.clone()).await.unwrap();
    let portal = portal_role(options, connect).await;
    let auditor = actor(&portal, "alex", &["auditors"]).await;
    let object = format!("Namespace//{}", "x".repeat(100_000));
    // More than sockets and channels hold.
    for _ in 0..300 {
        append(&portal, event(&auditor.profile, None, Phase::Intent, &object)).await.unwrap();
    }
    let answer = post_export(State(state_of(&portal).await), auditor, "format=jsonl".to_owned()).await.unwrap();
    // Nobody reads yet, so most of it is still to come.
    let killed = async {
        while !sqlx::query_scalar::<_, bool>("select bool_or(pg_terminate_backend(pid)) is true from pg_stat_activity where datname = current_database() and state = 'active' and pid <> pg_backend_pid() and query like '%from audit_events e left join%'")
            .fetch_one(&owner)
            .await
            .unwrap()
        {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), killed).await.unwrap();
    assert!(answer.into_body().collect().await.is_err());
    let whole = post_export(
        State(state_of(&portal).await),
        actor(&portal, "alina", &["auditors"]).await,
        "format=jsonl".to_owned(),
    );
    assert!(whole.await.unwrap().into_body().collect().await.is_ok());
}

async fn state_of(portal: &PgPool) -> AppState {
    state(portal.clone(), cluster().await, Policy::default())
}
