//! Opt-ins from the form to the cluster: the portal's own handlers and steward, on a real Postgres and a real API server.

#![allow(clippy::unwrap_used, clippy::panic)]

mod parts;

use app::audit::Action;
use app::audit::store::{erase_person, hold_person};
use app::error::AppError;
use app::preview::AcceptedBy;
use app::preview::acceptance::Accepted;
use app::preview::api::{end_what_waits, post_act, post_decision, steward};
use app::preview::store::insert_acceptance;
use app::preview::terms::EffectLimits;
use app::state::{AppState, Policy};
use axum::extract::{Path, State};
use http::StatusCode;
use jiff::SignedDuration;
use kube::Client;
use parts::scene::{Scene, bindings_path, doubts_of, filled, form, led_to, policy, read, request, sent, succeeded};
use parts::{cluster, portal_role, state};
use serde_json::{Value, json};
use server::cluster::KubeCluster;
use sqlx::Executor;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use std::collections::BTreeSet;
use std::time::Duration;
use uuid::Uuid;

#[sqlx::test(migrations = "../migrations")]
async fn two_opt_ins_share_a_binding_and_each_takes_only_its_own_groups_away(
    options: PgPoolOptions,
    connect: PgConnectOptions,
) {
    let mut scene = Scene::set(&portal_role(options, connect).await).await;
    let own = scene.accept(&scene.dana, "namespace").await;
    let team = scene.accept(&scene.lee, "team/helpers").await;
    scene.approve(own).await;
    scene.round().await;
    assert_eq!(scene.groups().await, Some(vec!["team-shop".to_owned()]), "what is not approved gives nothing");
    scene.approve(team).await;
    scene.round().await;
    assert_eq!(scene.groups().await, Some(vec!["team-pay".to_owned(), "team-shop".to_owned()]));
    assert_eq!(scene.look_at(own).await.drift, "", "the other's group is no difference");
    scene.revoke(&scene.dana, own).await;
    scene.round().await;
    assert_eq!(scene.groups().await, Some(vec!["team-pay".to_owned()]));
    assert_eq!((scene.standing(own).await, scene.standing(team).await), ("ended", "effective"));
    scene.round().await;
    assert_eq!(scene.look_at(team).await.drift, "");
    scene.revoke(&scene.ada, team).await;
    scene.round().await;
    assert_eq!((scene.groups().await, scene.standing(team).await), (None, "ended"));
    assert_eq!(scene.doubts().await, Vec::<String>::new());
}

#[sqlx::test(migrations = "../migrations")]
async fn the_record_says_what_stays_because_another_opt_in_gives_it_as_well(
    options: PgPoolOptions,
    connect: PgConnectOptions,
) {
    let mut scene = Scene::set(&portal_role(options, connect).await).await;
    let mut alike = policy(&scene.namespace);
    alike.teams[0].groups = vec!["team-shop".into()];
    scene.portal = AppState { policy: alike.into(), ..scene.portal.clone() };
    let own = scene.accept(&scene.dana, "namespace").await;
    let team = scene.accept(&scene.lee, "team/helpers").await;
    scene.approve(own).await;
    scene.approve(team).await;
    scene.round().await;
    scene.revoke(&scene.dana, own).await;
    scene.round().await;
    assert_eq!(scene.groups().await, Some(vec!["team-shop".to_owned()]));
    let said = async |id: Uuid| scene.look_at(id).await.steps.pop().unwrap().comment;
    let stays = format!(
        "The role preview-endpoints of team-shop stays in {}, because acceptance {team} gives it as well.",
        scene.namespace
    );
    assert_eq!((scene.standing(own).await, said(own).await), ("ended", stays));
    scene.revoke(&scene.lee, team).await;
    scene.round().await;
    let said = scene.look_at(team).await.steps.pop().unwrap().comment;
    assert_eq!((scene.groups().await, said.as_str()), (None, ""));
    assert_eq!(scene.doubts().await, Vec::<String>::new());
}

#[sqlx::test(migrations = "../migrations")]
async fn what_is_approved_while_the_cluster_is_away_becomes_effective_once_it_is_back(
    options: PgPoolOptions,
    connect: PgConnectOptions,
) {
    let mut scene = Scene::set(&portal_role(options, connect).await).await;
    let (first, second) =
        (scene.accept(&scene.dana, "namespace").await, scene.accept(&scene.lee, "team/helpers").await);
    scene.approve(first).await;
    scene.approve(second).await;
    let nowhere = kube::Config::new("http://127.0.0.1:9".parse().unwrap());
    let away = AppState {
        cluster: std::sync::Arc::new(KubeCluster::start(Client::try_from(nowhere).unwrap())),
        ..scene.portal.clone()
    };
    steward(&away, scene.now).await.unwrap();
    let mut problems = Vec::new();
    for id in [first, second] {
        assert_eq!(scene.standing(id).await, "approved");
        problems.push(scene.look_at(id).await.problem);
    }
    problems.retain(|problem| !problem.is_empty());
    assert_eq!(problems.len(), 1, "the second is not waited for in vain: {problems:?}");
    assert!(problems[0].contains("cannot reach the cluster"), "{problems:?}");
    scene.round().await;
    assert_eq!((scene.standing(first).await, scene.standing(second).await), ("effective", "effective"));
    assert_eq!(scene.look_at(first).await.problem + &scene.look_at(second).await.problem, "");
    assert_eq!(scene.doubts().await, Vec::<String>::new());
    scene.revoke(&scene.ada, first).await;
    scene.revoke(&scene.ada, second).await;
    scene.round().await;
    assert_eq!(scene.groups().await, None);
}

#[sqlx::test(migrations = "../migrations")]
async fn two_replicas_at_work_at_once_do_everything_once(options: PgPoolOptions, connect: PgConnectOptions) {
    let mut scene = Scene::set(&portal_role(options.clone(), connect.clone()).await).await;
    let own = scene.accept(&scene.dana, "namespace").await;
    let team = scene.accept(&scene.lee, "team/helpers").await;
    scene.approve(own).await;
    scene.approve(team).await;
    let cluster = cluster().await;
    filled(&cluster, &scene.namespace).await;
    let other = state(portal_role(options, connect).await, cluster, policy(&scene.namespace));
    let rounds = (0..6).map(|number| steward(if number % 2 == 0 { &scene.portal } else { &other }, scene.now));
    futures::future::try_join_all(rounds).await.unwrap();
    assert_eq!((scene.standing(own).await, scene.standing(team).await), ("effective", "effective"));
    assert_eq!(succeeded(&scene.portal.database, Action::EffectTake).await, 2);
    let refused: i64 =
        sqlx::query_scalar("select count(*) from audit_events where phase in ('refused', 'failed', 'unknown')")
            .fetch_one(&scene.portal.database)
            .await
            .unwrap();
    assert_eq!(refused, 0, "nobody tried what another had done");
    scene.revoke(&scene.ada, own).await;
    scene.revoke(&scene.ada, team).await;
    scene.round().await;
    assert_eq!(scene.groups().await, None);
}

#[sqlx::test(migrations = "../migrations")]
async fn a_replica_that_lost_its_turn_begins_nothing_more(options: PgPoolOptions, connect: PgConnectOptions) {
    let owner = options.clone().connect_with(connect.clone()).await.unwrap();
    let mut scene = Scene::set(&portal_role(options, connect).await).await;
    let own = scene.accept(&scene.dana, "namespace").await;
    let team = scene.accept(&scene.lee, "team/helpers").await;
    scene.approve(own).await;
    scene.approve(team).await;
    let lose_it = async {
        // Holds up the first duty, which has to be recorded.
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
    let round = async { tokio::join!(steward(&scene.portal, scene.now), lose_it).0 };
    let done = tokio::time::timeout(Duration::from_secs(20), round).await.unwrap();
    assert!(matches!(done, Err(AppError::Away { .. })), "{done:?}");
    assert_eq!(succeeded(&scene.portal.database, Action::EffectTake).await, 1);
    scene.round().await;
    assert_eq!((scene.standing(own).await, scene.standing(team).await), ("effective", "effective"));
}

#[sqlx::test(migrations = "../migrations")]
async fn what_expires_is_announced_three_times_and_taken_back(options: PgPoolOptions, connect: PgConnectOptions) {
    let mut scene = Scene::set(&portal_role(options, connect).await).await;
    let id = scene.accept(&scene.dana, "namespace").await;
    scene.approve(id).await;
    scene.round().await;
    let (ends_at, _) = scene.look_at(id).await.life.ends_at().unwrap();
    for days in [31, 29, 8, 6, 2, 0] {
        scene.now = ends_at - SignedDuration::from_hours(24 * days + 12);
        scene.round().await;
    }
    let notices: Vec<i32> = sqlx::query_scalar("select days from notices order by days desc")
        .fetch_all(&scene.portal.database)
        .await
        .unwrap();
    assert_eq!((notices, scene.standing(id).await), (vec![30, 7, 1], "effective"));
    assert_eq!(succeeded(&scene.portal.database, Action::RiskNotice).await, 3);
    scene.now = ends_at + SignedDuration::from_hours(24);
    scene.round().await;
    scene.round().await;
    assert_eq!((scene.standing(id).await, scene.groups().await), ("ended", None));
}

#[sqlx::test(migrations = "../migrations")]
async fn labels_of_two_opt_ins_in_one_namespace_add_up(options: PgPoolOptions, connect: PgConnectOptions) {
    let mut scene = Scene::set(&portal_role(options, connect).await).await;
    let labelled = |name: &str| json!({ "metadata": { "labels": { (format!("preview.fairway.dev/{}-{name}", scene.feature)): "on" } } });
    let (first, second) = (labelled("a"), labelled("b"));
    scene.publish(first).await;
    let own = scene.accept(&scene.dana, "namespace").await;
    scene.approve(own).await;
    scene.round().await;
    scene.publish(second).await;
    let team = scene.accept(&scene.lee, "team/helpers").await;
    scene.approve(team).await;
    scene.round().await;
    scene.round().await;
    assert_eq!(scene.labels().await, ["a", "b"]);
    assert_eq!(scene.look_at(own).await.drift + &scene.look_at(team).await.drift, "");
    scene.revoke(&scene.ada, team).await;
    scene.round().await;
    assert_eq!(scene.labels().await, ["a"]);
    scene.revoke(&scene.ada, own).await;
    scene.round().await;
    assert_eq!(scene.labels().await, Vec::<String>::new());
}

#[sqlx::test(migrations = "../migrations")]
async fn the_export_of_an_acceptance_opens_the_identities_of_others_only_to_readers_of_the_record(
    options: PgPoolOptions,
    connect: PgConnectOptions,
) {
    let scene = Scene::set(&portal_role(options, connect).await).await;
    let id = scene.accept(&scene.dana, "namespace").await;
    scene.approve(id).await;
    for (who, opened) in [(&scene.dana, vec!["dana"]), (&scene.ada, vec!["ada", "dana"])] {
        let evidence = scene.export(who, id).await;
        assert_eq!(evidence.verify().unwrap().standing.stored(), "approved");
        let actors: BTreeSet<&str> =
            evidence.record.iter().filter_map(|row| Some(row.actor.as_ref()?.subject.as_str())).collect();
        assert_eq!(actors.into_iter().collect::<Vec<_>>(), opened);
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn what_waits_ends_when_somebody_who_took_part_in_it_is_blanked(
    options: PgPoolOptions,
    connect: PgConnectOptions,
) {
    let owner = options.clone().connect_with(connect.clone()).await.unwrap();
    let scene = Scene::set(&portal_role(options, connect).await).await;
    let dana = scene.accept(&scene.dana, "namespace").await;
    let lee = scene.accept(&scene.lee, "team/helpers").await;
    let mut transaction = owner.begin().await.unwrap();
    let (issuer, subject) = (scene.dana.profile.issuer.as_str(), scene.dana.profile.subject.as_str());
    hold_person(&mut transaction, issuer, subject).await.unwrap();
    assert_eq!(end_what_waits(&mut transaction, issuer, subject).await, Ok(1));
    erase_person(&mut transaction, issuer, subject).await.unwrap();
    transaction.commit().await.unwrap();
    assert_eq!((scene.standing(dana).await, scene.standing(lee).await), ("ended", "waiting"));
    assert_eq!(scene.doubts().await, Vec::<String>::new());
    assert_eq!(scene.export(&scene.ada, dana).await.verify().unwrap().standing.stored(), "ended");
    // What was sent before and comes late is nobody's any more.
    let id = Path(lee.to_string());
    let late =
        post_act(State(scene.portal.clone()), scene.dana.clone(), id, sent(), form(&[("act", "withdraw")])).await;
    assert!(late.is_err());
    let mut transaction = scene.portal.database.begin().await.unwrap();
    let accepted = scene.look_at(dana).await.accepted;
    let again = insert_acceptance(&mut transaction, &scene.dana, &Accepted { id: Uuid::now_v7(), ..accepted }).await;
    assert_eq!(again, Err(AppError::SignInRequired));
}

#[sqlx::test(migrations = "../migrations")]
async fn somebody_is_blanked_while_they_accept_and_nobody_waits_for_ever(
    options: PgPoolOptions,
    connect: PgConnectOptions,
) {
    let owner = options.clone().connect_with(connect.clone()).await.unwrap();
    let scene = Scene::set(&portal_role(options, connect).await).await;
    scene.accept(&scene.dana, "namespace").await;
    let (issuer, subject) = (scene.dana.profile.issuer.clone(), scene.dana.profile.subject.clone());
    let blank = async {
        let mut transaction = owner.begin().await.unwrap();
        hold_person(&mut transaction, &issuer, &subject).await.unwrap();
        end_what_waits(&mut transaction, &issuer, &subject).await.unwrap();
        erase_person(&mut transaction, &issuer, &subject).await.unwrap();
        transaction.commit().await.unwrap();
    };
    let withdraw = async {
        let body = form(&[("act", "withdraw")]);
        let ids: Vec<Uuid> = sqlx::query_scalar("select id from acceptances").fetch_all(&owner).await.unwrap();
        for id in ids {
            let id = Path(id.to_string());
            let _either = post_act(State(scene.portal.clone()), scene.dana.clone(), id, sent(), body.clone()).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), async { tokio::join!(blank, withdraw) }).await.unwrap();
    assert_eq!(scene.doubts().await, Vec::<String>::new());
}

#[sqlx::test(migrations = "../migrations")]
async fn nothing_counts_as_taken_back_while_the_role_is_still_given(options: PgPoolOptions, connect: PgConnectOptions) {
    let mut scene = Scene::set(&portal_role(options, connect).await).await;
    let id = scene.accept(&scene.dana, "namespace").await;
    scene.approve(id).await;
    // Another feature that rightly gives something there, and no role.
    let with_role = std::mem::replace(&mut scene.feature, "disguised".to_owned());
    scene.publish(json!({ "metadata": { "labels": { "preview.fairway.dev/disguised": "on" } } })).await;
    let labelled = scene.accept(&scene.dana, "namespace").await;
    scene.approve(labelled).await;
    scene.feature = with_role;
    scene.round().await;
    assert_eq!((scene.standing(id).await, scene.standing(labelled).await), ("effective", "effective"));
    // Whoever has the role binds it once more, under another name, and keeps the first one by a finalizer.
    let copy = format!("copy-of-{}", scene.feature);
    let binding = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": { "name": copy, "namespace": scene.namespace },
        "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "preview-endpoints" },
        "subjects": [{ "apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "dana@example.com" }],
    });
    let bindings = bindings_path(&scene.namespace);
    request(http::Method::POST, &bindings, Some(&binding)).await;
    // Nor does a copy get away with looking like what another feature would have made.
    let mut disguised = binding.clone();
    disguised["metadata"]["name"] = "fairway-preview-disguised".into();
    disguised["metadata"]["labels"] = json!({ "app.kubernetes.io/managed-by": "fairway" });
    request(http::Method::POST, &bindings, Some(&disguised)).await;
    let held = json!({ "metadata": { "finalizers": ["example.com/held"] } });
    request(http::Method::PATCH, &scene.binding_path(), Some(&held)).await;
    scene.round().await;
    let drift = scene.look_at(id).await.drift;
    assert!(drift.contains(&copy) && drift.contains("fairway-preview-disguised"), "{drift}");
    scene.revoke(&scene.ada, id).await;
    scene.round().await;
    let problem = scene.look_at(id).await.problem;
    assert!(problem.contains(&copy) && problem.contains(&format!("fairway-preview-{}", scene.feature)), "{problem}");
    assert_eq!(scene.standing(id).await, "ending");
    request(http::Method::PATCH, &scene.binding_path(), Some(&json!({ "metadata": { "finalizers": null } }))).await;
    request(http::Method::DELETE, &format!("{bindings}/{copy}"), None).await;
    request(http::Method::DELETE, &format!("{bindings}/fairway-preview-disguised"), None).await;
    scene.round().await;
    assert_eq!((scene.standing(id).await, scene.groups().await), ("ended", None));
}

/// What somebody could do who owns the database, and what is then said of it.
const FORGERIES: [(&str, &str); 20] = [
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
    ("update opt_in_steps set person_id = null, identity = null where step = 'ending'", "by somebody else than the record says"),
    ("update opt_in_steps set person_id = gen_random_uuid() where step = 'approved'", "is kept under another person"),
    ("update opt_in_steps set identity = (select commitment from identities where subject = 'dana') where step = 'approved'", "by somebody else than the record says"),
    ("delete from identities where subject = 'dana'", "is hidden"),
    ("delete from identities where subject = 'ada'", "is not among the identities"),
    ("delete from preview_features", "is hidden"),
    ("update preview_features set stage = 'general'", "What is said about"),
    ("update risk_statements set published_at = published_at + interval '1 year'", "Version 1 of the statement"),
    ("insert into notices (acceptance_id, days, ends_at) select id, 1, now() from acceptances", "the notice of 1 days"),
    ("update people set subject = 'blanked ' || id where subject = 'ada'", "is kept under another person"),
    (
        "alter table audit_events alter column detail drop expression, alter column action drop expression;
         update audit_events set detail = '{}', action = 'record.export'; delete from opt_in_steps; delete from acceptances",
        "is not there any more",
    ),
];

#[sqlx::test(migrations = "../migrations")]
async fn whatever_is_changed_in_the_tables_is_found_by_comparing_them_with_the_record(
    options: PgPoolOptions,
    connect: PgConnectOptions,
) {
    let owner = options.clone().connect_with(connect.clone()).await.unwrap();
    let mut scene = Scene::set(&portal_role(options, connect).await).await;
    let id = scene.accept(&scene.dana, "namespace").await;
    scene.approve(id).await;
    scene.round().await;
    scene.revoke(&scene.dana, id).await;
    scene.round().await;
    assert_eq!((scene.standing(id).await, scene.doubts().await), ("ended", Vec::new()));
    for (forgery, told) in FORGERIES {
        let mut transaction = owner.begin().await.unwrap();
        // Neither triggers nor constraints are in the way of an owner.
        transaction.execute(UNGUARDED).await.unwrap();
        transaction.execute(forgery).await.unwrap();
        let doubts = doubts_of(&mut transaction).await;
        assert!(doubts.iter().any(|doubt| doubt.contains(told)), "{forgery}: {doubts:?}");
        transaction.rollback().await.unwrap();
    }
    let mut transaction = owner.begin().await.unwrap();
    transaction.execute(UNGUARDED).await.unwrap();
    let unread = "update risk_statements set document = replace(document, 'Risky.', 'Safe.'), digest = sha256(convert_to(replace(document, 'Risky.', 'Safe.'), 'UTF8'))";
    transaction.execute(unread).await.unwrap();
    let doubts = doubts_of(&mut transaction).await;
    assert!(doubts.iter().any(|doubt| doubt.contains("Version 1 of the statement")), "{doubts:?}");
}

/// Takes away every check and trigger of the tables that are compared.
const UNGUARDED: &str = "
    set local session_replication_role = replica;
    do $$
    declare found record;
    begin
      for found in select conrelid::regclass as owner, conname from pg_constraint
        where contype = 'c' and conrelid in ('acceptances'::regclass, 'risk_statements'::regclass, 'opt_in_steps'::regclass)
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
    let scene = Scene::set(&portal_role(options, connect).await).await;
    let id = scene.accept(&scene.dana, "namespace").await;
    owner
        .execute(
            "create function refuse_success() returns trigger language plpgsql as $$
               begin if new.entry like '%\"phase\":\"succeeded\"%' then raise exception 'the disk is full'; end if; return new; end $$;
             create trigger no_success before insert on audit_events for each row execute function refuse_success()",
        )
        .await
        .unwrap();
    let body = form(&[("acceptance", &id.to_string()), ("verdict", "approve")]);
    let answer = post_decision(State(scene.portal.clone()), scene.ada.clone(), sent(), body).await;
    assert_eq!(answer.unwrap().status(), StatusCode::UNPROCESSABLE_ENTITY, "no success that was not recorded");
    assert_eq!(scene.standing(id).await, "waiting");
    assert_eq!(scene.doubts().await, Vec::<String>::new());
}

#[sqlx::test(migrations = "../migrations")]
async fn of_two_who_accept_for_one_scope_at_once_one_is_told_and_the_record_names_neither(
    options: PgPoolOptions,
    connect: PgConnectOptions,
) {
    let scene = Scene::set(&portal_role(options, connect).await).await;
    let body = scene.confirmed(&scene.dana, "namespace").await;
    let as_lee = scene.confirmed(&scene.lee, "namespace").await;
    let (one, other) = tokio::join!(scene.opt_in(&scene.dana, &body), scene.opt_in(&scene.lee, &as_lee));
    let answers = [one.map(|answer| answer.status()), other.map(|answer| answer.status())];
    assert!(answers.contains(&Ok(StatusCode::SEE_OTHER)), "{answers:?}");
    assert!(answers.iter().any(|answer| matches!(answer, Err(AppError::Conflict { message }) if message.contains("accepted for this scope already"))), "{answers:?}");
    let accepted: i64 =
        sqlx::query_scalar("select count(*) from acceptances").fetch_one(&scene.portal.database).await.unwrap();
    assert_eq!(accepted, 1);
    let named: i64 =
        sqlx::query_scalar("select count(*) from audit_events where entry like '%DANA%' or entry like '%LEE%'")
            .fetch_one(&scene.portal.database)
            .await
            .unwrap();
    assert_eq!(named, 0, "names stand apart, where they can be blanked");
    assert_eq!(scene.doubts().await, Vec::<String>::new());
}

#[sqlx::test(migrations = "../migrations")]
async fn a_namespace_that_was_made_anew_gets_nothing_of_what_was_accepted_for_the_one_before(
    options: PgPoolOptions,
    connect: PgConnectOptions,
) {
    let mut scene = Scene::set(&portal_role(options, connect).await).await;
    let own = scene.accept(&scene.dana, "namespace").await;
    // As it would be had somebody accepted before the namespace of today was made.
    let accepted = scene.look_at(own).await.accepted;
    let before = Accepted {
        id: Uuid::now_v7(),
        namespace_uids: [(scene.namespace.clone(), Uuid::new_v4().to_string())].into(),
        groups: vec!["team-of-before".into()],
        ..accepted
    };
    let mut transaction = scene.portal.database.begin().await.unwrap();
    insert_acceptance(
        &mut transaction,
        &scene.lee,
        &Accepted { person: scene.commitment(&scene.lee).await, ..before.clone() },
    )
    .await
    .unwrap();
    transaction.commit().await.unwrap();
    scene.approve(before.id).await;
    scene.round().await;
    let problem = scene.look_at(before.id).await.problem;
    assert!(problem.contains("was made anew after the risks were accepted"), "{problem}");
    assert_eq!((scene.standing(before.id).await, scene.groups().await), ("approved", None));
    scene.approve(own).await;
    scene.round().await;
    assert_eq!(scene.groups().await, Some(vec!["team-shop".to_owned()]), "nor does it get in beside others");
    scene.revoke(&scene.ada, before.id).await;
    scene.round().await;
    assert_eq!((scene.standing(before.id).await, scene.groups().await), ("ended", Some(vec!["team-shop".to_owned()])));
}

#[sqlx::test(migrations = "../migrations")]
async fn what_is_revoked_while_it_is_being_made_is_taken_back(options: PgPoolOptions, connect: PgConnectOptions) {
    let owner = options.clone().connect_with(connect.clone()).await.unwrap();
    let mut scene = Scene::set(&portal_role(options, connect).await).await;
    let id = scene.accept(&scene.dana, "namespace").await;
    scene.approve(id).await;
    // The steward makes the binding, and then cannot say so until somebody has revoked.
    let mut held = owner.begin().await.unwrap();
    held.execute("lock table opt_in_steps in exclusive mode").await.unwrap();
    let release = async {
        while scene.groups().await.is_none() {
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
        while scene.groups().await.is_none() {
            tokio::task::yield_now().await;
        }
        scene.act(&scene.dana, id, "revoke").await.is_ok()
    };
    let all = async { tokio::join!(steward(&scene.portal, scene.now), revoke, release) };
    let (round, revoked, ()) = tokio::time::timeout(Duration::from_secs(30), all).await.unwrap();
    round.unwrap();
    // Whichever came first, the other was told; and nothing stays.
    if !revoked {
        assert_eq!(scene.standing(id).await, "effective");
        scene.revoke(&scene.dana, id).await;
    }
    scene.round().await;
    assert_eq!((scene.standing(id).await, scene.groups().await), ("ended", None));
    assert_eq!(scene.doubts().await, Vec::<String>::new());
}

#[sqlx::test(migrations = "../migrations")]
async fn who_may_accept_is_a_setting(options: PgPoolOptions, connect: PgConnectOptions) {
    let mut scene = Scene::set(&portal_role(options, connect).await).await;
    let leads = Policy { risks_accepted_by: AcceptedBy::TeamLead, ..policy(&scene.namespace) };
    scene.portal = AppState { policy: leads.into(), ..scene.portal.clone() };
    let body = form(&[
        ("scope", &format!("namespace/{}", scene.namespace)),
        ("points", "0"),
        ("digest", &scene.digest().await),
    ]);
    let refused = scene.opt_in(&scene.dana, &body).await.unwrap();
    assert_eq!(refused.status(), StatusCode::UNPROCESSABLE_ENTITY, "who administers, and leads nothing");
    for scope in ["namespace", "team/helpers", "environment/trial"] {
        let id = scene.accept(&scene.lee, scope).await;
        assert_eq!(scene.look_at(id).await.accepted.namespaces, std::slice::from_ref(&scene.namespace), "{scope}");
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn an_opt_in_for_an_environment_gives_the_role_in_all_its_namespaces(
    options: PgPoolOptions,
    connect: PgConnectOptions,
) {
    let mut scene = Scene::set(&portal_role(options, connect).await).await;
    let id = scene.accept(&scene.dana, "environment/trial").await;
    scene.approve(id).await;
    scene.round().await;
    assert_eq!((scene.standing(id).await, scene.groups().await), ("effective", Some(vec!["team-shop".to_owned()])));
    scene.revoke(&scene.dana, id).await;
    scene.round().await;
    assert_eq!((scene.standing(id).await, scene.groups().await), ("ended", None));
}

#[sqlx::test(migrations = "../migrations")]
async fn whoever_is_also_bound_by_name_opts_in_for_their_group_all_the_same(
    options: PgPoolOptions,
    connect: PgConnectOptions,
) {
    let scene = Scene::set(&portal_role(options, connect).await).await;
    let by_name = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": { "name": "by-name", "namespace": scene.namespace },
        "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "admin" },
        "subjects": [{ "apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "dana@example.com" }],
    });
    request(http::Method::POST, &bindings_path(&scene.namespace), Some(&by_name)).await;
    let id = scene.accept(&scene.dana, "namespace").await;
    assert_eq!(scene.look_at(id).await.accepted.groups, ["team-shop"]);
}

#[sqlx::test(migrations = "../migrations")]
async fn what_becomes_generally_available_stays_and_has_no_end(options: PgPoolOptions, connect: PgConnectOptions) {
    let mut scene = Scene::set(&portal_role(options, connect).await).await;
    let id = scene.accept(&scene.dana, "namespace").await;
    scene.approve(id).await;
    scene.round().await;
    let effect = json!({ "role_binding": { "cluster_role": "preview-endpoints" } });
    scene.publish_with(json!({ "stage": "general", "effect": effect })).await;
    scene.now += SignedDuration::from_hours(24 * 800);
    scene.round().await;
    scene.round().await;
    assert_eq!((scene.standing(id).await, scene.groups().await), ("effective", Some(vec!["team-shop".to_owned()])));
    let body = form(&[("scope", "team/helpers"), ("points", "0"), ("digest", &scene.digest().await)]);
    let refused = scene.opt_in(&scene.lee, &body).await.unwrap();
    assert_eq!(refused.status(), StatusCode::UNPROCESSABLE_ENTITY, "there is nothing left to accept");
}

#[sqlx::test(migrations = "../migrations")]
async fn a_version_that_is_not_accepted_in_time_ends_what_was_accepted_before(
    options: PgPoolOptions,
    connect: PgConnectOptions,
) {
    let mut scene = Scene::set(&portal_role(options, connect).await).await;
    let id = scene.accept(&scene.dana, "namespace").await;
    scene.approve(id).await;
    scene.round().await;
    let effect = json!({ "role_binding": { "cluster_role": "preview-endpoints" } });
    scene.publish_with(json!({ "effect": effect, "body": "Riskier.", "renewal": { "within_days": 7 } })).await;
    for hours in [1, 24 * 6, 18] {
        scene.now += SignedDuration::from_hours(hours);
        scene.round().await;
        assert_eq!(scene.standing(id).await, "effective", "it was to be accepted within seven days");
    }
    scene.now += SignedDuration::from_hours(24);
    scene.round().await;
    scene.round().await;
    assert_eq!((scene.standing(id).await, scene.groups().await), ("ended", None));
    let last = scene.look_at(id).await.steps.pop().unwrap();
    assert_eq!(last.reason.map(app::preview::opt_in::End::stored), Some("not_renewed"));
}

#[sqlx::test(migrations = "../migrations")]
async fn labels_and_annotations_are_given_and_a_change_by_hand_is_seen_and_mended(
    options: PgPoolOptions,
    connect: PgConnectOptions,
) {
    let mut scene = Scene::set(&portal_role(options, connect).await).await;
    let key = format!("preview.fairway.dev/{}-a", scene.feature);
    scene
        .publish(json!({ "metadata": { "labels": { (&key): "on" }, "annotations": { (&key): "since today" } } }))
        .await;
    let id = scene.accept(&scene.dana, "namespace").await;
    scene.approve(id).await;
    scene.round().await;
    let path = format!("/api/v1/namespaces/{}", scene.namespace);
    let annotation = async || read(&path).await.unwrap()["metadata"]["annotations"][&key].clone();
    assert_eq!((scene.labels().await, annotation().await), (vec!["a".to_owned()], json!("since today")));
    let by_hand = json!({ "metadata": { "labels": { (&key): "off" }, "annotations": { (&key): Value::Null } } });
    request(http::Method::PATCH, &path, Some(&by_hand)).await;
    scene.round().await;
    assert_eq!(scene.look_at(id).await.drift, format!("In {}, {key} is \"off\" instead of \"on\".", scene.namespace));
    led_to(scene.act(&scene.ada, id, "repair").await);
    assert_eq!((scene.look_at(id).await.drift, annotation().await), (String::new(), json!("since today")));
    scene.revoke(&scene.dana, id).await;
    scene.round().await;
    assert_eq!((scene.labels().await, annotation().await), (Vec::new(), Value::Null));
    assert_eq!(scene.doubts().await, Vec::<String>::new());
}

#[sqlx::test(migrations = "../migrations")]
async fn making_again_says_what_still_differs(options: PgPoolOptions, connect: PgConnectOptions) {
    let mut scene = Scene::set(&portal_role(options, connect).await).await;
    let id = scene.accept(&scene.dana, "namespace").await;
    scene.approve(id).await;
    scene.round().await;
    let copy = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": { "name": "copy", "namespace": scene.namespace },
        "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "preview-endpoints" },
        "subjects": [{ "apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "dana@example.com" }],
    });
    request(http::Method::POST, &bindings_path(&scene.namespace), Some(&copy)).await;
    let told = scene.act(&scene.ada, id, "repair").await.unwrap_err().to_string();
    assert!(told.contains("the cluster still differs") && told.contains("copy"), "{told}");
    assert!(scene.look_at(id).await.drift.contains("copy"));
}

#[sqlx::test(migrations = "../migrations")]
async fn what_is_done_by_hand_is_confirmed_by_hand_and_a_renewal_keeps_it(
    options: PgPoolOptions,
    connect: PgConnectOptions,
) {
    let mut scene = Scene::set(&portal_role(options, connect).await).await;
    scene.publish(json!("by_hand")).await;
    let first = scene.accept(&scene.dana, "namespace").await;
    scene.approve(first).await;
    scene.round().await;
    assert_eq!(scene.standing(first).await, "approved", "nobody has done it yet");
    assert!(scene.act(&scene.dana, first, "done").await.is_err(), "nor is it for whoever accepted to say so");
    led_to(scene.act(&scene.ada, first, "done").await);
    assert_eq!(scene.standing(first).await, "effective");
    scene.publish_with(json!({ "body": "Riskier.", "renewal": { "within_days": 7 } })).await;
    let second = scene.accept(&scene.dana, "namespace").await;
    scene.approve(second).await;
    scene.round().await;
    scene.round().await;
    let last = scene.look_at(first).await.steps.pop().unwrap();
    assert_eq!(scene.standing(first).await, "ended");
    assert!(last.comment.contains(&format!("stays, because acceptance {second} needs it as well")), "{}", last.comment);
    led_to(scene.act(&scene.ada, second, "done").await);
    scene.revoke(&scene.dana, second).await;
    scene.round().await;
    assert_eq!(scene.standing(second).await, "ending", "nobody has taken it back yet");
    led_to(scene.act(&scene.ada, second, "undone").await);
    assert_eq!((scene.standing(second).await, scene.doubts().await), ("ended", Vec::new()));
}

#[sqlx::test(migrations = "../migrations")]
async fn what_the_settings_no_longer_allow_is_neither_made_nor_called_as_approved(
    options: PgPoolOptions,
    connect: PgConnectOptions,
) {
    let mut scene = Scene::set(&portal_role(options, connect).await).await;
    let (own, team) = (scene.accept(&scene.dana, "namespace").await, scene.accept(&scene.lee, "team/helpers").await);
    scene.approve(own).await;
    scene.round().await;
    let narrower = Policy { effects: EffectLimits::default(), ..policy(&scene.namespace) };
    scene.portal = AppState { policy: narrower.into(), ..scene.portal.clone() };
    scene.approve(team).await;
    scene.round().await;
    assert_eq!((scene.standing(team).await, scene.groups().await), ("approved", Some(vec!["team-shop".to_owned()])));
    for told in [scene.look_at(team).await.problem, scene.look_at(own).await.drift] {
        assert!(told.contains("The settings do not allow this any more."), "{told}");
    }
    scene.revoke(&scene.ada, own).await;
    scene.round().await;
    assert_eq!(
        (scene.standing(own).await, scene.groups().await),
        ("ended", None),
        "what was given is taken back all the same"
    );
}

#[sqlx::test(migrations = "../migrations")]
async fn whoever_comes_too_late_to_revoke_is_told_so(options: PgPoolOptions, connect: PgConnectOptions) {
    let scene = Scene::set(&portal_role(options, connect).await).await;
    let id = scene.accept(&scene.dana, "namespace").await;
    scene.approve(id).await;
    scene.revoke(&scene.dana, id).await;
    for act in ["revoke", "repair"] {
        let late = scene.act(&scene.ada, id, act).await;
        assert!(matches!(late, Err(AppError::Conflict { .. })), "{act}: {late:?}");
    }
    // Whoever accepted may end it also while the cluster cannot say what is theirs.
    let nowhere = kube::Config::new("http://127.0.0.1:9".parse().unwrap());
    let cluster = std::sync::Arc::new(KubeCluster::start(Client::try_from(nowhere).unwrap()));
    let again = scene.accept(&scene.dana, "namespace").await;
    let early = scene.act(&scene.ada, again, "revoke").await;
    assert!(matches!(early, Err(AppError::Conflict { .. })), "what waits is refused, not revoked: {early:?}");
    scene.approve(again).await;
    let away = Scene { portal: AppState { cluster, ..scene.portal.clone() }, ..scene };
    assert!(
        matches!(away.act(&away.lee, again, "revoke").await, Err(AppError::Away { .. })),
        "nor are others told that it is not there"
    );
    away.revoke(&away.dana, again).await;
    assert_eq!(away.standing(again).await, "ending");
}

#[sqlx::test(migrations = "../migrations")]
async fn lists_have_pages_and_those_who_wait_the_longest_come_first(options: PgPoolOptions, connect: PgConnectOptions) {
    use app::preview::api::{QueueFilter, count_open, load_queue};
    let scene = Scene::set(&portal_role(options, connect).await).await;
    scene.publish(json!("by_hand")).await;
    let id = scene.accept(&scene.dana, "namespace").await;
    let accepted = scene.look_at(id).await.accepted;
    let mut transaction = scene.portal.database.begin().await.unwrap();
    for number in 1..120 {
        let more = Accepted {
            id: Uuid::now_v7(),
            accepted_at: accepted.accepted_at + SignedDuration::from_secs(number / 2),
            ..accepted.clone()
        };
        insert_acceptance(&mut transaction, &scene.dana, &more).await.unwrap();
    }
    transaction.commit().await.unwrap();
    // Some wait for somebody to do by hand what was decided, and those come after the others.
    let ids: Vec<Uuid> = sqlx::query_scalar("select id from acceptances order by id limit 30")
        .fetch_all(&scene.portal.database)
        .await
        .unwrap();
    for id in ids {
        scene.approve(id).await;
    }
    for standing in ["", "all"] {
        let mut filter = QueueFilter { standing: standing.into(), ..QueueFilter::default() };
        let mut pages = Vec::new();
        loop {
            let page = load_queue(&scene.portal, &scene.ada, &filter).await.unwrap().listed;
            pages.push(page.acceptances.into_iter().map(|one| one.accepted).collect::<Vec<_>>());
            let Some(next) = page.next else { break };
            filter.after = Some(next.to_string().parse().unwrap());
        }
        assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [50, 50, 20]);
        let all: Vec<Accepted> = pages.concat();
        let mut ids: Vec<Uuid> = all.iter().map(|accepted| accepted.id).collect();
        let sorted = |list: &[Accepted]| {
            list.is_sorted_by(|one, next| match standing {
                "" => one.accepted_at <= next.accepted_at,
                _ => one.accepted_at >= next.accepted_at,
            })
        };
        assert!(sorted(&all[..90]) && sorted(&all[90..]), "those that wait, and then the others: {standing}");
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), 120, "{standing}");
    }
    assert_eq!(count_open(&scene.portal, &scene.ada).await, Ok(120));
}
