//! Opt-ins from the form to the cluster: the portal's own router and reconciler, on a real Postgres and a real API
//! server.

use crate::parts::fixture::{Fixture, bindings_path, filled, mismatches_of, policy, read, request, succeeded};
use crate::parts::{NEVER, cluster, portal_role, state};
use app::audit::store_in_tests::{erase_person, hold_person};
use app::error::AppError;
use app::policy::Policy;
use app::preview::AcceptedBy;
use app::preview::acceptance::AcceptanceDocument;
use app::preview::service::queue::{QueueFilter, QueueStatus, count_needing_action, load_queue};
use app::preview::service::{end_waiting_of, reconcile};
use app::preview::statement::EffectLimits;
use app::preview::store_in_tests::insert_acceptance;
use app::state::{AppState, Dependencies};
use http::StatusCode;
use jiff::{SignedDuration, Timestamp};
use record::{Action, StatusKind};
use serde_json::{Value, json};
use server::cluster::{Clients, KubeCluster};
use sqlx::Executor;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use std::collections::BTreeSet;
use uuid::Uuid;

#[sqlx::test(migrations = "../migrations")]
async fn two_opt_ins_share_a_binding_and_each_takes_only_its_own_groups_away(
    options: PgPoolOptions,
    connect: PgConnectOptions,
) {
    let mut fixture = Fixture::set(&portal_role(options, connect).await).await;
    let own = fixture.accept(&fixture.dana, "namespace").await;
    let team = fixture.accept(&fixture.lee, "team/helpers").await;
    fixture.approve(own).await;
    fixture.round().await;
    assert_eq!(fixture.groups().await, Some(vec!["team-shop".to_owned()]), "what is not approved gives nothing");
    fixture.approve(team).await;
    fixture.round().await;
    assert_eq!(fixture.groups().await, Some(vec!["team-pay".to_owned(), "team-shop".to_owned()]));
    assert_eq!(fixture.look_at(own).await.drift, "", "the other's group is no difference");
    fixture.revoke(&fixture.dana, own).await;
    fixture.round().await;
    assert_eq!(fixture.groups().await, Some(vec!["team-pay".to_owned()]));
    assert_eq!((fixture.status(own).await, fixture.status(team).await), ("ended", "effective"));
    fixture.round().await;
    assert_eq!(fixture.look_at(team).await.drift, "");
    fixture.revoke(&fixture.ada, team).await;
    fixture.round().await;
    assert_eq!((fixture.groups().await, fixture.status(team).await), (None, "ended"));
    assert_eq!(fixture.mismatches().await, Vec::<String>::new());
}

#[sqlx::test(migrations = "../migrations")]
async fn the_record_says_what_stays_because_another_opt_in_gives_it_as_well(
    options: PgPoolOptions,
    connect: PgConnectOptions,
) {
    let mut fixture = Fixture::set(&portal_role(options, connect).await).await;
    let mut alike = policy(&fixture.namespace);
    alike.teams[0].groups = vec!["team-shop".into()];
    fixture.portal = AppState::from(Dependencies { policy: alike.into(), ..(*fixture.portal).clone() });
    let own = fixture.accept(&fixture.dana, "namespace").await;
    let team = fixture.accept(&fixture.lee, "team/helpers").await;
    fixture.approve(own).await;
    fixture.approve(team).await;
    fixture.round().await;
    fixture.revoke(&fixture.dana, own).await;
    fixture.round().await;
    assert_eq!(fixture.groups().await, Some(vec!["team-shop".to_owned()]));
    let said = async |id: Uuid| fixture.look_at(id).await.steps.pop().unwrap().comment;
    let stays = format!(
        "The role preview-endpoints of team-shop stays in {}, because acceptance {team} gives it as well.",
        fixture.namespace
    );
    assert_eq!((fixture.status(own).await, said(own).await), ("ended", stays));
    fixture.revoke(&fixture.lee, team).await;
    fixture.round().await;
    let said = fixture.look_at(team).await.steps.pop().unwrap().comment;
    assert_eq!((fixture.groups().await, said.as_str()), (None, ""));
    assert_eq!(fixture.mismatches().await, Vec::<String>::new());
}

#[sqlx::test(migrations = "../migrations")]
async fn of_several_opt_ins_that_still_give_something_the_latest_keeps_it(
    options: PgPoolOptions,
    connect: PgConnectOptions,
) {
    let mut fixture = Fixture::set(&portal_role(options, connect).await).await;
    let mut alike = policy(&fixture.namespace);
    alike.teams[0].groups = vec!["team-shop".into()];
    fixture.portal = AppState::from(Dependencies { policy: alike.into(), ..(*fixture.portal).clone() });
    let mut accepted = Vec::new();
    let (dana, lee) = (&fixture.dana, &fixture.lee);
    for (who, scope) in [(dana, "namespace"), (lee, "team/helpers"), (dana, "environment/trial")] {
        let id = fixture.accept(who, scope).await;
        fixture.approve(id).await;
        accepted.push(id);
    }
    fixture.round().await;
    for (ended, kept_by) in [(accepted[2], accepted[1]), (accepted[0], accepted[1])] {
        fixture.revoke(&fixture.ada, ended).await;
        fixture.round().await;
        let said = fixture.look_at(ended).await.steps.pop().unwrap().comment;
        assert!(said.contains(&format!("because acceptance {kept_by} gives it as well")), "{said}");
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn what_is_approved_while_the_cluster_is_unavailable_becomes_effective_once_it_is_back(
    options: PgPoolOptions,
    connect: PgConnectOptions,
) {
    let mut fixture = Fixture::set(&portal_role(options, connect).await).await;
    let (first, second) =
        (fixture.accept(&fixture.dana, "namespace").await, fixture.accept(&fixture.lee, "team/helpers").await);
    fixture.approve(first).await;
    fixture.approve(second).await;
    let nowhere = kube::Config::new("http://127.0.0.1:9".parse().unwrap());
    let away = AppState::from(Dependencies {
        cluster: std::sync::Arc::new(KubeCluster::start(Clients::new(nowhere).unwrap())),
        ..(*fixture.portal).clone()
    });
    reconcile(&away, fixture.now).await.unwrap();
    let mut problems = Vec::new();
    for id in [first, second] {
        assert_eq!(fixture.status(id).await, "approved");
        problems.push(fixture.look_at(id).await.problem);
    }
    problems.retain(|problem| !problem.is_empty());
    assert_eq!(problems.len(), 1, "the second is not waited for in vain: {problems:?}");
    assert!(problems[0].contains("cannot reach the cluster"), "{problems:?}");
    fixture.round().await;
    assert_eq!((fixture.status(first).await, fixture.status(second).await), ("effective", "effective"));
    assert_eq!(fixture.look_at(first).await.problem + &fixture.look_at(second).await.problem, "");
    assert_eq!(fixture.mismatches().await, Vec::<String>::new());
    fixture.revoke(&fixture.ada, first).await;
    fixture.revoke(&fixture.ada, second).await;
    fixture.round().await;
    assert_eq!(fixture.groups().await, None);
}

#[sqlx::test(migrations = "../migrations")]
async fn two_replicas_at_work_at_once_do_everything_once(options: PgPoolOptions, connect: PgConnectOptions) {
    let mut fixture = Fixture::set(&portal_role(options.clone(), connect.clone()).await).await;
    let own = fixture.accept(&fixture.dana, "namespace").await;
    let team = fixture.accept(&fixture.lee, "team/helpers").await;
    fixture.approve(own).await;
    fixture.approve(team).await;
    let cluster = cluster().await;
    filled(&cluster, &fixture.namespace).await;
    let other = state(portal_role(options, connect).await, cluster, policy(&fixture.namespace));
    let rounds = (0..6).map(|number| reconcile(if number % 2 == 0 { &fixture.portal } else { &other }, fixture.now));
    futures::future::try_join_all(rounds).await.unwrap();
    assert_eq!((fixture.status(own).await, fixture.status(team).await), ("effective", "effective"));
    assert_eq!(succeeded(&fixture.portal.database, Action::EffectTake).await, 2);
    let refused: i64 =
        sqlx::query_scalar("select count(*) from audit_events where phase in ('refused', 'failed', 'unknown')")
            .fetch_one(&fixture.portal.database)
            .await
            .unwrap();
    assert_eq!(refused, 0, "nobody tried what another had done");
    fixture.revoke(&fixture.ada, own).await;
    fixture.revoke(&fixture.ada, team).await;
    fixture.round().await;
    assert_eq!(fixture.groups().await, None);
}

#[sqlx::test(migrations = "../migrations")]
async fn a_replica_that_lost_its_turn_begins_nothing_more(options: PgPoolOptions, connect: PgConnectOptions) {
    let owner = options.clone().connect_with(connect.clone()).await.unwrap();
    let mut fixture = Fixture::set(&portal_role(options, connect).await).await;
    let own = fixture.accept(&fixture.dana, "namespace").await;
    let team = fixture.accept(&fixture.lee, "team/helpers").await;
    fixture.approve(own).await;
    fixture.approve(team).await;
    let lose_it = async {
        // Holds up the first action, which has to be recorded.
        let mut record = owner.begin().await.unwrap();
        sqlx::query("select pg_advisory_xact_lock(hashtext('audit_events'))").execute(&mut *record).await.unwrap();
        let waits = async || {
            let sql = "select exists (select from pg_locks where locktype = 'advisory' and not granted
                 and database = (select oid from pg_database where datname = current_database()))";
            sqlx::query_scalar::<_, bool>(sql).fetch_one(&owner).await.unwrap()
        };
        while !waits().await {
            tokio::task::yield_now().await;
        }
        let sql = "select pg_terminate_backend(pid) from pg_locks
             where locktype = 'advisory' and granted and objid = (hashtext('opt_ins')::bigint & 4294967295)::oid
               and database = (select oid from pg_database where datname = current_database())";
        assert_eq!(sqlx::query_scalar::<_, bool>(sql).fetch_all(&owner).await.unwrap(), [true]);
        record.rollback().await.unwrap();
    };
    let round = async { tokio::join!(reconcile(&fixture.portal, fixture.now), lose_it).0 };
    let done = tokio::time::timeout(NEVER, round).await.unwrap();
    assert!(matches!(done, Err(AppError::Unavailable { .. })), "{done:?}");
    assert_eq!(succeeded(&fixture.portal.database, Action::EffectTake).await, 1);
    fixture.round().await;
    assert_eq!((fixture.status(own).await, fixture.status(team).await), ("effective", "effective"));
}

#[sqlx::test(migrations = "../migrations")]
async fn what_expires_is_announced_three_times_and_taken_back(options: PgPoolOptions, connect: PgConnectOptions) {
    let mut fixture = Fixture::set(&portal_role(options, connect).await).await;
    let id = fixture.accept(&fixture.dana, "namespace").await;
    fixture.approve(id).await;
    fixture.round().await;
    let (ends_at, _) = fixture.look_at(id).await.lifecycle.ends_at().unwrap();
    for days in [31, 29, 8, 6, 2, 0] {
        fixture.now = ends_at - SignedDuration::from_hours(24 * days + 12);
        fixture.round().await;
    }
    let notices: Vec<i32> = sqlx::query_scalar("select days from notices order by days desc")
        .fetch_all(&fixture.portal.database)
        .await
        .unwrap();
    assert_eq!((notices, fixture.status(id).await), (vec![30, 7, 1], "effective"));
    assert_eq!(succeeded(&fixture.portal.database, Action::RiskNotice).await, 3);
    fixture.now = ends_at + SignedDuration::from_hours(24);
    fixture.round().await;
    fixture.round().await;
    assert_eq!((fixture.status(id).await, fixture.groups().await), ("ended", None));
}

#[sqlx::test(migrations = "../migrations")]
async fn labels_of_two_opt_ins_in_one_namespace_add_up(options: PgPoolOptions, connect: PgConnectOptions) {
    let mut fixture = Fixture::set(&portal_role(options, connect).await).await;
    let labelled = |name: &str| {
        json!({
            "metadata": { "labels": { (format!("preview.fairway.dev/{}-{name}", fixture.feature)): "on" } }
        })
    };
    let (first, second) = (labelled("a"), labelled("b"));
    fixture.publish(first).await;
    let own = fixture.accept(&fixture.dana, "namespace").await;
    fixture.approve(own).await;
    fixture.round().await;
    fixture.publish(second).await;
    let team = fixture.accept(&fixture.lee, "team/helpers").await;
    fixture.approve(team).await;
    fixture.round().await;
    fixture.round().await;
    assert_eq!(fixture.labels().await, ["a", "b"]);
    assert_eq!(fixture.look_at(own).await.drift + &fixture.look_at(team).await.drift, "");
    fixture.revoke(&fixture.ada, team).await;
    fixture.round().await;
    assert_eq!(fixture.labels().await, ["a"]);
    fixture.revoke(&fixture.ada, own).await;
    fixture.round().await;
    assert_eq!(fixture.labels().await, Vec::<String>::new());
}

#[sqlx::test(migrations = "../migrations")]
async fn the_export_of_an_acceptance_opens_the_identities_of_others_only_to_readers_of_the_record(
    options: PgPoolOptions,
    connect: PgConnectOptions,
) {
    let fixture = Fixture::set(&portal_role(options, connect).await).await;
    let id = fixture.accept(&fixture.dana, "namespace").await;
    fixture.approve(id).await;
    for (who, opened) in [(&fixture.dana, vec!["dana"]), (&fixture.ada, vec!["ada", "dana"])] {
        let evidence = fixture.export(who, id).await;
        assert_eq!(evidence.verify().unwrap().status.kind().as_str(), "approved");
        let actors: BTreeSet<&str> =
            evidence.record.iter().filter_map(|row| Some(row.actor.as_ref()?.subject.as_str())).collect();
        assert_eq!(actors.into_iter().collect::<Vec<_>>(), opened);
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn what_waits_ends_when_somebody_who_took_part_in_it_is_erased(
    options: PgPoolOptions,
    connect: PgConnectOptions,
) {
    let owner = options.clone().connect_with(connect.clone()).await.unwrap();
    let fixture = Fixture::set(&portal_role(options, connect).await).await;
    let dana = fixture.accept(&fixture.dana, "namespace").await;
    let lee = fixture.accept(&fixture.lee, "team/helpers").await;
    let granted = fixture.accept(&fixture.dana, "environment/trial").await;
    fixture.approve(granted).await;
    let mut transaction = owner.begin().await.unwrap();
    let (issuer, subject) = (fixture.dana.profile.issuer.as_str(), fixture.dana.profile.subject.as_str());
    hold_person(&mut transaction, issuer, subject).await.unwrap();
    assert_eq!(end_waiting_of(&mut transaction, issuer, subject).await, Ok(1));
    erase_person(&mut transaction, issuer, subject).await.unwrap();
    transaction.commit().await.unwrap();
    assert_eq!((fixture.status(dana).await, fixture.status(lee).await), ("ended", "waiting"));
    assert_eq!(fixture.mismatches().await, Vec::<String>::new());
    assert_eq!(fixture.export(&fixture.ada, dana).await.verify().unwrap().status.kind().as_str(), "ended");
    // What was sent before and comes late is nobody's any more.
    let late = fixture.act(&fixture.dana, granted, "revoke").await;
    assert_eq!(late.status, StatusCode::UNAUTHORIZED, "{}", late.text());
    let mut transaction = fixture.portal.database.begin().await.unwrap();
    let accepted = fixture.look_at(dana).await.accepted;
    let again =
        insert_acceptance(&mut transaction, &fixture.dana, &AcceptanceDocument { id: Uuid::now_v7(), ..accepted })
            .await;
    assert_eq!(again, Err(AppError::SignInRequired));
}

#[sqlx::test(migrations = "../migrations")]
async fn somebody_is_erased_while_they_accept_and_nobody_waits_for_ever(
    options: PgPoolOptions,
    connect: PgConnectOptions,
) {
    let owner = options.clone().connect_with(connect.clone()).await.unwrap();
    let fixture = Fixture::set(&portal_role(options, connect).await).await;
    fixture.accept(&fixture.dana, "namespace").await;
    let (issuer, subject) = (fixture.dana.profile.issuer.clone(), fixture.dana.profile.subject.clone());
    let erase = async {
        let mut transaction = owner.begin().await.unwrap();
        hold_person(&mut transaction, &issuer, &subject).await.unwrap();
        end_waiting_of(&mut transaction, &issuer, &subject).await.unwrap();
        erase_person(&mut transaction, &issuer, &subject).await.unwrap();
        transaction.commit().await.unwrap();
    };
    let withdraw = async {
        let ids: Vec<Uuid> = sqlx::query_scalar("select id from acceptances").fetch_all(&owner).await.unwrap();
        for id in ids {
            let _either = fixture.act(&fixture.dana, id, "withdraw").await;
        }
    };
    tokio::time::timeout(NEVER, async { tokio::join!(erase, withdraw) }).await.unwrap();
    let known: i64 = sqlx::query_scalar("select count(*) from identities where subject = $1")
        .bind(&subject)
        .fetch_one(&owner)
        .await
        .unwrap();
    assert_eq!(known, 0, "nothing that was refused brings them back");
    assert_eq!(fixture.mismatches().await, Vec::<String>::new());
}

#[sqlx::test(migrations = "../migrations")]
async fn nothing_counts_as_taken_back_while_the_role_is_still_given(options: PgPoolOptions, connect: PgConnectOptions) {
    let mut fixture = Fixture::set(&portal_role(options, connect).await).await;
    let id = fixture.accept(&fixture.dana, "namespace").await;
    fixture.approve(id).await;
    // Another feature that rightly gives something there, and no role.
    let with_role = std::mem::replace(&mut fixture.feature, "disguised".to_owned());
    fixture.publish(json!({ "metadata": { "labels": { "preview.fairway.dev/disguised": "on" } } })).await;
    let labelled = fixture.accept(&fixture.dana, "namespace").await;
    fixture.approve(labelled).await;
    fixture.feature = with_role;
    fixture.round().await;
    assert_eq!((fixture.status(id).await, fixture.status(labelled).await), ("effective", "effective"));
    // Whoever has the role binds it once more, under another name, and keeps the first one by a finalizer.
    let copy = format!("copy-of-{}", fixture.feature);
    let binding = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {
            "name": copy, "namespace": fixture.namespace
        },
        "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "preview-endpoints" },
        "subjects": [{ "apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "dana@example.com" }],
    });
    let bindings = bindings_path(&fixture.namespace);
    request(http::Method::POST, &bindings, Some(&binding)).await;
    // Nor does a copy get away with looking like what another feature would have made.
    let mut disguised = binding.clone();
    disguised["metadata"]["name"] = "fairway-preview-disguised".into();
    disguised["metadata"]["labels"] = json!({ "app.kubernetes.io/managed-by": "fairway" });
    request(http::Method::POST, &bindings, Some(&disguised)).await;
    let held = json!({ "metadata": { "finalizers": ["example.com/held"] } });
    request(http::Method::PATCH, &fixture.binding_path(), Some(&held)).await;
    fixture.round().await;
    let drift = fixture.look_at(id).await.drift;
    assert!(drift.contains(&copy) && drift.contains("fairway-preview-disguised"), "{drift}");
    fixture.revoke(&fixture.ada, id).await;
    fixture.round().await;
    let problem = fixture.look_at(id).await.problem;
    assert!(problem.contains(&copy) && problem.contains(&format!("fairway-preview-{}", fixture.feature)), "{problem}");
    assert_eq!(fixture.status(id).await, "ending");
    request(http::Method::PATCH, &fixture.binding_path(), Some(&json!({ "metadata": { "finalizers": null } }))).await;
    request(http::Method::DELETE, &format!("{bindings}/{copy}"), None).await;
    request(http::Method::DELETE, &format!("{bindings}/fairway-preview-disguised"), None).await;
    fixture.round().await;
    assert_eq!((fixture.status(id).await, fixture.groups().await), ("ended", None));
}

/// What somebody could do who owns the database, and what is then said of it.
const FORGERIES: [(&str, &str); 23] = [
    ("update opt_in_steps set comment = 'Gladly' where step = 'ending'", "does not show that step"),
    (
        "update opt_in_steps set taken_at = taken_at - interval '1 day' where step = 'approved'",
        "does not show that step",
    ),
    ("update opt_in_steps set reason = 'expired' where reason = 'revoked'", "does not show that step"),
    (
        "update opt_in_steps set person_id = (select id from people where subject = 'lee') where step = 'approved'",
        "is kept under another person",
    ),
    ("delete from opt_in_steps where step = 'ended'", "shows more steps"),
    ("delete from opt_in_steps; delete from acceptances", "is not there any more"),
    (
        "update acceptances set person_id = (select id from people where subject = 'lee')",
        "is kept under another person",
    ),
    (
        "update acceptances set document = replace(document, '\"justification\": \"\"', '\"justification\": \"x\"')",
        "does not show that step 0",
    ),
    ("update risk_statements set document = replace(document, 'Risky.', 'Safe.')", "another statement was accepted"),
    (
        "update opt_in_steps set person_id = null, identity = null where step = 'ending'",
        "by somebody else than the \
        record says",
    ),
    ("update opt_in_steps set person_id = gen_random_uuid() where step = 'approved'", "is kept under another person"),
    (
        "update opt_in_steps set identity = (select commitment from identities where subject = 'dana') where step = \
        'approved'",
        "by somebody else than the record says",
    ),
    ("delete from identities where subject = 'dana'", "is hidden"),
    ("delete from identities where subject = 'ada'", "is not among the identities"),
    ("update opt_ins set status = 'effective'", "The status of acceptance"),
    ("delete from opt_ins", "The status of acceptance"),
    (
        "alter table risk_statements alter column renewal_days drop expression; update risk_statements set \
         renewal_days = 3",
        "The columns of version 1",
    ),
    ("delete from preview_features", "is hidden"),
    ("update preview_features set stage = 'general'", "What is said about"),
    ("update risk_statements set published_at = published_at + interval '1 year'", "Version 1 of the statement"),
    ("insert into notices (acceptance_id, days, ends_at) select id, 1, now() from acceptances", "the notice of 1 days"),
    ("update people set subject = 'erased ' || id where subject = 'ada'", "is kept under another person"),
    (
        "alter table audit_events alter column detail drop expression, alter column action drop expression;
         update audit_events set detail = '{}', action = 'record.export'; delete from opt_in_steps; delete from \
         acceptances",
        "is not there any more",
    ),
];

#[sqlx::test(migrations = "../migrations")]
async fn whatever_is_changed_in_the_tables_is_found_by_comparing_them_with_the_record(
    options: PgPoolOptions,
    connect: PgConnectOptions,
) {
    let owner = options.clone().connect_with(connect.clone()).await.unwrap();
    let mut fixture = Fixture::set(&portal_role(options, connect).await).await;
    let id = fixture.accept(&fixture.dana, "namespace").await;
    fixture.approve(id).await;
    fixture.round().await;
    fixture.revoke(&fixture.dana, id).await;
    fixture.round().await;
    assert_eq!((fixture.status(id).await, fixture.mismatches().await), ("ended", Vec::new()));
    for (forgery, told) in FORGERIES {
        let mut transaction = owner.begin().await.unwrap();
        // Neither triggers nor constraints are in the way of an owner.
        transaction.execute(UNGUARDED).await.unwrap();
        transaction.execute(forgery).await.unwrap();
        let mismatches = mismatches_of(&mut transaction).await;
        assert!(mismatches.iter().any(|mismatch| mismatch.contains(told)), "{forgery}: {mismatches:?}");
        transaction.rollback().await.unwrap();
    }
    let mut transaction = owner.begin().await.unwrap();
    transaction.execute(UNGUARDED).await.unwrap();
    let unread = "update risk_statements set document = replace(document, 'Risky.', 'Safe.'), digest = \
        sha256(convert_to(replace(document, 'Risky.', 'Safe.'), 'UTF8'))";
    transaction.execute(unread).await.unwrap();
    let mismatches = mismatches_of(&mut transaction).await;
    assert!(mismatches.iter().any(|mismatch| mismatch.contains("Version 1 of the statement")), "{mismatches:?}");
}

/// Takes away every check and trigger of the tables that are compared.
const UNGUARDED: &str = "
    set local session_replication_role = replica;
    do $$
    declare found record;
    begin
      for found in select conrelid::regclass as owner, conname from pg_constraint
        where contype = 'c' and conrelid in ('acceptances'::regclass, 'risk_statements'::regclass, \
        'opt_in_steps'::regclass)
      loop
        execute format('alter table %s drop constraint %I', found.owner, found.conname);
      end loop;
    end
    $$";

#[sqlx::test(migrations = "../migrations")]
async fn a_step_and_its_outcome_in_the_record_stand_or_fall_together(
    options: PgPoolOptions,
    connect: PgConnectOptions,
) {
    let owner = options.clone().connect_with(connect.clone()).await.unwrap();
    let fixture = Fixture::set(&portal_role(options, connect).await).await;
    let id = fixture.accept(&fixture.dana, "namespace").await;
    owner
        .execute(
            "create function refuse_success() returns trigger language plpgsql as $$
               begin if new.entry like '%\"phase\":\"succeeded\"%' then raise exception 'the disk is full'; end if; \
               return new; end $$;
             create trigger no_success before insert on audit_events for each row execute function refuse_success()",
        )
        .await
        .unwrap();
    let answer = fixture.decide(id).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "no success that was not recorded");
    assert_eq!(fixture.status(id).await, "waiting");
    assert_eq!(fixture.mismatches().await, Vec::<String>::new());
}

#[sqlx::test(migrations = "../migrations")]
async fn of_two_who_accept_for_one_scope_at_once_one_is_told_and_the_record_names_neither(
    options: PgPoolOptions,
    connect: PgConnectOptions,
) {
    let fixture = Fixture::set(&portal_role(options, connect).await).await;
    let as_dana = fixture.confirmation(&fixture.dana, "namespace").await;
    let as_lee = fixture.confirmation(&fixture.lee, "namespace").await;
    let (one, other) = tokio::join!(
        fixture.confirm(&fixture.dana, "namespace", &as_dana),
        fixture.confirm(&fixture.lee, "namespace", &as_lee)
    );
    let (accepted, told) = if one.status == StatusCode::SEE_OTHER { (one, other) } else { (other, one) };
    assert_eq!(accepted.status, StatusCode::SEE_OTHER, "{}", accepted.text());
    // Before the lock or under it, depending on how far the first one had come.
    assert!(told.status == StatusCode::CONFLICT || told.status == StatusCode::UNPROCESSABLE_ENTITY, "{told:?}");
    assert!(told.says("accepted for this scope already"), "{}", told.text());
    let accepted: i64 =
        sqlx::query_scalar("select count(*) from acceptances").fetch_one(&fixture.portal.database).await.unwrap();
    assert_eq!(accepted, 1);
    let named: i64 =
        sqlx::query_scalar("select count(*) from audit_events where entry like '%DANA%' or entry like '%LEE%'")
            .fetch_one(&fixture.portal.database)
            .await
            .unwrap();
    assert_eq!(named, 0, "names stand apart, where they can be erased");
    assert_eq!(fixture.mismatches().await, Vec::<String>::new());
}

#[sqlx::test(migrations = "../migrations")]
async fn a_namespace_that_was_made_anew_gets_nothing_of_what_was_accepted_for_the_one_before(
    options: PgPoolOptions,
    connect: PgConnectOptions,
) {
    let mut fixture = Fixture::set(&portal_role(options, connect).await).await;
    let own = fixture.accept(&fixture.dana, "namespace").await;
    // As it would be had somebody accepted before the namespace of today was made.
    let accepted = fixture.look_at(own).await.accepted;
    let before = AcceptanceDocument {
        id: Uuid::now_v7(),
        namespace_uids: [(fixture.namespace.clone(), Uuid::new_v4().to_string())].into(),
        groups: vec!["team-of-before".into()],
        ..accepted
    };
    let mut transaction = fixture.portal.database.begin().await.unwrap();
    insert_acceptance(
        &mut transaction,
        &fixture.lee,
        &AcceptanceDocument { person: fixture.commitment(&fixture.lee).await, ..before.clone() },
    )
    .await
    .unwrap();
    transaction.commit().await.unwrap();
    fixture.approve(before.id).await;
    fixture.round().await;
    let problem = fixture.look_at(before.id).await.problem;
    assert!(problem.contains("was created again after the risks were accepted"), "{problem}");
    assert_eq!((fixture.status(before.id).await, fixture.groups().await), ("approved", None));
    fixture.approve(own).await;
    fixture.round().await;
    assert_eq!(fixture.groups().await, Some(vec!["team-shop".to_owned()]), "nor does it get in beside others");
    fixture.revoke(&fixture.ada, before.id).await;
    fixture.round().await;
    assert_eq!(
        (fixture.status(before.id).await, fixture.groups().await),
        ("ended", Some(vec!["team-shop".to_owned()]))
    );
}

#[sqlx::test(migrations = "../migrations")]
async fn what_is_revoked_while_it_is_being_made_is_taken_back(options: PgPoolOptions, connect: PgConnectOptions) {
    let owner = options.clone().connect_with(connect.clone()).await.unwrap();
    let mut fixture = Fixture::set(&portal_role(options, connect).await).await;
    let id = fixture.accept(&fixture.dana, "namespace").await;
    fixture.approve(id).await;
    // The reconciler makes the binding, and then cannot say so until somebody has revoked.
    let mut held = owner.begin().await.unwrap();
    held.execute("lock table opt_in_steps in exclusive mode").await.unwrap();
    let release = async {
        while fixture.groups().await.is_none() {
            tokio::task::yield_now().await;
        }
        let waits = "select count(*) from pg_locks where not granted and relation = 'opt_in_steps'::regclass
             and database = (select oid from pg_database where datname = current_database())";
        while sqlx::query_scalar::<_, i64>(waits).fetch_one(&owner).await.unwrap() < 2 {
            tokio::task::yield_now().await;
        }
        held.rollback().await.unwrap();
    };
    let revoke = async {
        while fixture.groups().await.is_none() {
            tokio::task::yield_now().await;
        }
        fixture.act(&fixture.dana, id, "revoke").await.status == StatusCode::SEE_OTHER
    };
    let all = async { tokio::join!(reconcile(&fixture.portal, fixture.now), revoke, release) };
    let (round, revoked, ()) = tokio::time::timeout(NEVER, all).await.unwrap();
    round.unwrap();
    // Whichever came first, the other was told; and nothing stays.
    if !revoked {
        assert_eq!(fixture.status(id).await, "effective");
        fixture.revoke(&fixture.dana, id).await;
    }
    fixture.round().await;
    assert_eq!((fixture.status(id).await, fixture.groups().await), ("ended", None));
    assert_eq!(fixture.mismatches().await, Vec::<String>::new());
}

#[sqlx::test(migrations = "../migrations")]
async fn who_may_accept_is_a_setting(options: PgPoolOptions, connect: PgConnectOptions) {
    let mut fixture = Fixture::set(&portal_role(options, connect).await).await;
    let leads = Policy { risks_accepted_by: AcceptedBy::TeamLead, ..policy(&fixture.namespace) };
    fixture.portal = AppState::from(Dependencies { policy: leads.into(), ..(*fixture.portal).clone() });
    let refused = fixture.opt_in(&fixture.dana, "namespace").await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "who administers, and leads nothing");
    for scope in ["namespace", "team/helpers", "environment/trial"] {
        let id = fixture.accept(&fixture.lee, scope).await;
        assert_eq!(fixture.look_at(id).await.accepted.namespaces, std::slice::from_ref(&fixture.namespace), "{scope}");
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn an_opt_in_for_an_environment_gives_the_role_in_all_its_namespaces(
    options: PgPoolOptions,
    connect: PgConnectOptions,
) {
    let mut fixture = Fixture::set(&portal_role(options, connect).await).await;
    let id = fixture.accept(&fixture.dana, "environment/trial").await;
    fixture.approve(id).await;
    fixture.round().await;
    assert_eq!((fixture.status(id).await, fixture.groups().await), ("effective", Some(vec!["team-shop".to_owned()])));
    fixture.revoke(&fixture.dana, id).await;
    fixture.round().await;
    assert_eq!((fixture.status(id).await, fixture.groups().await), ("ended", None));
}

#[sqlx::test(migrations = "../migrations")]
async fn whoever_is_also_bound_by_name_opts_in_for_their_group_all_the_same(
    options: PgPoolOptions,
    connect: PgConnectOptions,
) {
    let fixture = Fixture::set(&portal_role(options, connect).await).await;
    let by_name = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {
            "name": "by-name", "namespace": fixture.namespace
        },
        "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "admin" },
        "subjects": [{ "apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "dana@example.com" }],
    });
    request(http::Method::POST, &bindings_path(&fixture.namespace), Some(&by_name)).await;
    let id = fixture.accept(&fixture.dana, "namespace").await;
    assert_eq!(fixture.look_at(id).await.accepted.groups, ["team-shop"]);
}

#[sqlx::test(migrations = "../migrations")]
async fn what_becomes_generally_available_stays_and_has_no_end(options: PgPoolOptions, connect: PgConnectOptions) {
    let mut fixture = Fixture::set(&portal_role(options, connect).await).await;
    let id = fixture.accept(&fixture.dana, "namespace").await;
    fixture.approve(id).await;
    fixture.round().await;
    let effect = json!({ "role_binding": { "cluster_role": "preview-endpoints" } });
    fixture.publish_with(json!({ "stage": "general", "effect": effect })).await;
    fixture.now += SignedDuration::from_hours(24 * 800);
    fixture.round().await;
    fixture.round().await;
    assert_eq!((fixture.status(id).await, fixture.groups().await), ("effective", Some(vec!["team-shop".to_owned()])));
    let refused = fixture.opt_in(&fixture.lee, "team/helpers").await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "there is nothing left to accept");
}

#[sqlx::test(migrations = "../migrations")]
async fn a_version_that_is_not_accepted_in_time_ends_what_was_accepted_before(
    options: PgPoolOptions,
    connect: PgConnectOptions,
) {
    let mut fixture = Fixture::set(&portal_role(options, connect).await).await;
    let id = fixture.accept(&fixture.dana, "namespace").await;
    fixture.approve(id).await;
    fixture.round().await;
    let effect = json!({ "role_binding": { "cluster_role": "preview-endpoints" } });
    fixture.publish_with(json!({ "effect": effect, "body": "Riskier.", "renewal": { "within_days": 7 } })).await;
    for hours in [1, 24 * 6, 18] {
        fixture.now += SignedDuration::from_hours(hours);
        fixture.round().await;
        assert_eq!(fixture.status(id).await, "effective", "it was to be accepted within seven days");
    }
    fixture.now += SignedDuration::from_hours(24);
    fixture.round().await;
    fixture.round().await;
    assert_eq!((fixture.status(id).await, fixture.groups().await), ("ended", None));
    let last = fixture.look_at(id).await.steps.pop().unwrap();
    assert_eq!(last.reason.map(app::preview::opt_in::EndReason::as_str), Some("not_renewed"));
}

#[sqlx::test(migrations = "../migrations")]
async fn labels_and_annotations_are_given_and_a_change_by_hand_is_seen_and_fixed(
    options: PgPoolOptions,
    connect: PgConnectOptions,
) {
    let mut fixture = Fixture::set(&portal_role(options, connect).await).await;
    let key = format!("preview.fairway.dev/{}-a", fixture.feature);
    fixture
        .publish(json!({ "metadata": { "labels": { (&key): "on" }, "annotations": { (&key): "since today" } } }))
        .await;
    let id = fixture.accept(&fixture.dana, "namespace").await;
    fixture.approve(id).await;
    fixture.round().await;
    let path = format!("/api/v1/namespaces/{}", fixture.namespace);
    let annotation = async || read(&path).await.unwrap()["metadata"]["annotations"][&key].clone();
    assert_eq!((fixture.labels().await, annotation().await), (vec!["a".to_owned()], json!("since today")));
    let manual = json!({ "metadata": { "labels": { (&key): "off" }, "annotations": { (&key): Value::Null } } });
    request(http::Method::PATCH, &path, Some(&manual)).await;
    fixture.round().await;
    assert_eq!(
        fixture.look_at(id).await.drift,
        format!("In {}, {key} is \"off\" instead of \"on\".", fixture.namespace)
    );
    fixture.act(&fixture.ada, id, "repair").await.led_to();
    assert_eq!((fixture.look_at(id).await.drift, annotation().await), (String::new(), json!("since today")));
    fixture.revoke(&fixture.dana, id).await;
    fixture.round().await;
    assert_eq!((fixture.labels().await, annotation().await), (Vec::new(), Value::Null));
    assert_eq!(fixture.mismatches().await, Vec::<String>::new());
}

#[sqlx::test(migrations = "../migrations")]
async fn making_again_says_what_still_differs(options: PgPoolOptions, connect: PgConnectOptions) {
    let mut fixture = Fixture::set(&portal_role(options, connect).await).await;
    let id = fixture.accept(&fixture.dana, "namespace").await;
    fixture.approve(id).await;
    fixture.round().await;
    let copy = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {
            "name": "copy", "namespace": fixture.namespace
        },
        "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "preview-endpoints" },
        "subjects": [{ "apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "dana@example.com" }],
    });
    request(http::Method::POST, &bindings_path(&fixture.namespace), Some(&copy)).await;
    let told = fixture.act(&fixture.ada, id, "repair").await;
    assert!(told.says("the cluster still differs") && told.says("copy"), "{}", told.text());
    assert!(fixture.look_at(id).await.drift.contains("copy"));
}

#[sqlx::test(migrations = "../migrations")]
async fn what_is_done_by_hand_is_confirmed_by_hand_and_a_renewal_keeps_it(
    options: PgPoolOptions,
    connect: PgConnectOptions,
) {
    let mut fixture = Fixture::set(&portal_role(options, connect).await).await;
    fixture.publish(json!("manual")).await;
    let first = fixture.accept(&fixture.dana, "namespace").await;
    fixture.approve(first).await;
    fixture.round().await;
    assert_eq!(fixture.status(first).await, "approved", "nobody has done it yet");
    assert!(
        fixture.act(&fixture.dana, first, "confirm-effect").await.status == StatusCode::NOT_FOUND,
        "nor is it for whoever accepted to say so"
    );
    fixture.act(&fixture.ada, first, "confirm-effect").await.led_to();
    assert_eq!(fixture.status(first).await, "effective");
    fixture.publish_with(json!({ "body": "Riskier.", "renewal": { "within_days": 7 } })).await;
    let second = fixture.accept(&fixture.dana, "namespace").await;
    fixture.approve(second).await;
    fixture.round().await;
    fixture.round().await;
    let last = fixture.look_at(first).await.steps.pop().unwrap();
    assert_eq!(fixture.status(first).await, "ended");
    assert!(last.comment.contains(&format!("stays, because acceptance {second} needs it as well")), "{}", last.comment);
    fixture.act(&fixture.ada, second, "confirm-effect").await.led_to();
    fixture.revoke(&fixture.dana, second).await;
    fixture.round().await;
    assert_eq!(fixture.status(second).await, "ending", "nobody has taken it back yet");
    fixture.act(&fixture.ada, second, "confirm-removal").await.led_to();
    assert_eq!((fixture.status(second).await, fixture.mismatches().await), ("ended", Vec::new()));
}

#[sqlx::test(migrations = "../migrations")]
async fn what_the_settings_no_longer_allow_is_neither_made_nor_called_as_approved(
    options: PgPoolOptions,
    connect: PgConnectOptions,
) {
    let mut fixture = Fixture::set(&portal_role(options, connect).await).await;
    let (own, team) =
        (fixture.accept(&fixture.dana, "namespace").await, fixture.accept(&fixture.lee, "team/helpers").await);
    fixture.approve(own).await;
    fixture.round().await;
    let narrower = Policy { effects: EffectLimits::default(), ..policy(&fixture.namespace) };
    fixture.portal = AppState::from(Dependencies { policy: narrower.into(), ..(*fixture.portal).clone() });
    fixture.approve(team).await;
    fixture.round().await;
    assert_eq!((fixture.status(team).await, fixture.groups().await), ("approved", Some(vec!["team-shop".to_owned()])));
    for told in [fixture.look_at(team).await.problem, fixture.look_at(own).await.drift] {
        assert!(told.contains("The settings do not allow this any more."), "{told}");
    }
    fixture.revoke(&fixture.ada, own).await;
    fixture.round().await;
    assert_eq!(
        (fixture.status(own).await, fixture.groups().await),
        ("ended", None),
        "what was given is taken back all the same"
    );
}

#[sqlx::test(migrations = "../migrations")]
async fn whoever_comes_too_late_to_revoke_is_told_so(options: PgPoolOptions, connect: PgConnectOptions) {
    let fixture = Fixture::set(&portal_role(options, connect).await).await;
    let id = fixture.accept(&fixture.dana, "namespace").await;
    fixture.approve(id).await;
    fixture.revoke(&fixture.dana, id).await;
    for act in ["revoke", "repair"] {
        let late = fixture.act(&fixture.ada, id, act).await;
        assert_eq!(late.status, StatusCode::CONFLICT, "{act}: {}", late.text());
    }
    // While the cluster cannot say what is theirs, administrators alone may end it.
    let nowhere = kube::Config::new("http://127.0.0.1:9".parse().unwrap());
    let cluster = std::sync::Arc::new(KubeCluster::start(Clients::new(nowhere).unwrap()));
    let again = fixture.accept(&fixture.dana, "namespace").await;
    let early = fixture.act(&fixture.ada, again, "revoke").await;
    assert_eq!(early.status, StatusCode::CONFLICT, "what waits is refused, not revoked: {}", early.text());
    fixture.approve(again).await;
    let away = Fixture { portal: AppState::from(Dependencies { cluster, ..(*fixture.portal).clone() }), ..fixture };
    for who in [&away.dana, &away.lee] {
        let told = away.act(who, again, "revoke").await;
        assert_eq!(told.status, StatusCode::SERVICE_UNAVAILABLE, "nobody is told that it is not there");
    }
    away.revoke(&away.ada, again).await;
    assert_eq!(away.status(again).await, "ending");
}

#[sqlx::test(migrations = "../migrations")]
async fn lists_have_pages_and_those_who_wait_the_longest_come_first(options: PgPoolOptions, connect: PgConnectOptions) {
    let fixture = Fixture::set(&portal_role(options, connect).await).await;
    fixture.publish(json!("manual")).await;
    let id = fixture.accept(&fixture.dana, "namespace").await;
    let accepted = fixture.look_at(id).await.accepted;
    let mut transaction = fixture.portal.database.begin().await.unwrap();
    for number in 1..120 {
        let more = AcceptanceDocument {
            id: Uuid::now_v7(),
            accepted_at: accepted.accepted_at + SignedDuration::from_secs(number / 2),
            ..accepted.clone()
        };
        insert_acceptance(&mut transaction, &fixture.dana, &more).await.unwrap();
    }
    transaction.commit().await.unwrap();
    // Some wait for somebody to do by hand what was decided, and those come after the others.
    let ids: Vec<Uuid> = sqlx::query_scalar("select id from acceptances order by id limit 30")
        .fetch_all(&fixture.portal.database)
        .await
        .unwrap();
    for id in ids {
        fixture.approve(id).await;
    }
    for status in [QueueStatus::NeedsAction, QueueStatus::All] {
        let mut filter = QueueFilter { status, ..QueueFilter::default() };
        let mut pages = Vec::new();
        loop {
            let page = load_queue(&fixture.portal, &fixture.ada, &filter).await.unwrap();
            let waiting = page.waiting.iter().map(|one| (one.accepted.accepted_at, one.accepted.id));
            let others = page.others.iter().map(|one| (one.accepted_at, one.id));
            pages.push(waiting.chain(others).collect::<Vec<_>>());
            let Some(next) = page.next else { break };
            filter.after = Some(next.to_string().parse().unwrap());
        }
        assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [50, 50, 20]);
        let all: Vec<(Timestamp, Uuid)> = pages.concat();
        let sorted = |list: &[(Timestamp, Uuid)]| {
            list.is_sorted_by(|(one, _), (next, _)| match status {
                QueueStatus::NeedsAction => one <= next,
                _ => one >= next,
            })
        };
        assert!(sorted(&all[..90]) && sorted(&all[90..]), "those that wait, and then the others: {status:?}");
        let ids: BTreeSet<Uuid> = all.iter().map(|(_, id)| *id).collect();
        assert_eq!(ids.len(), 120, "{status:?}");
    }
    let approved = QueueFilter { status: QueueStatus::Of(StatusKind::Approved), ..QueueFilter::default() };
    assert_eq!(load_queue(&fixture.portal, &fixture.ada, &approved).await.unwrap().others.len(), 30);
    assert_eq!(count_needing_action(&fixture.portal, &fixture.ada).await, Ok(120));
}
