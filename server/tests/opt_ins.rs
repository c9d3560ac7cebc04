//! Opt-ins from the form to the cluster: the portal's own handlers and steward, on a real Postgres and a real API server.

#![allow(clippy::unwrap_used, clippy::panic)]

mod parts;

use app::access::Team;
use app::actor::Actor;
use app::audit::Action;
use app::audit::chain::Link;
use app::audit::store::{erase_person, hold_person, stream_links};
use app::error::AppError;
use app::preview::acceptance::{Acceptance, Accepted};
use app::preview::api::{
    OptInRecord, end_what_waits, post_act, post_catalogue, post_decision, post_opt_in, post_record, steward,
    verify_acceptances,
};
use app::preview::evidence::Evidence;
use app::preview::store::{find_acceptance, insert_acceptance};
use app::preview::terms::EffectLimits;
use app::state::{AppState, Policy};
use axum::extract::{Path, State};
use axum::response::Response;
use futures::TryStreamExt;
use http::StatusCode;
use http::header::LOCATION;
use http::request::Parts;
use http_body_util::BodyExt;
use jiff::{SignedDuration, Timestamp};
use kube::Client;
use leptos_axum::generate_route_list;
use parts::{actor, cluster, identity, portal_role, state, told};
use serde_json::{Value, json};
use server::cluster::KubeCluster;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Executor, PgConnection, PgPool};
use std::collections::BTreeSet;
use std::time::Duration;
use uuid::Uuid;

/// Everything for one feature that gives a role, and the people around it.
struct Scene {
    portal: AppState,
    /// Administered by team-shop and its leads, and used by no other test.
    namespace: String,
    feature: String,
    dana: Actor,
    lee: Actor,
    ada: Actor,
    /// Runs ahead of the clock, so that pauses are over at once.
    now: Timestamp,
}

fn policy(namespace: &str) -> Policy {
    let helpers = Team {
        name: "helpers".into(),
        groups: vec!["team-pay".into()],
        leads: vec!["team-shop-leads".into()],
        namespaces: vec![namespace.into()],
        contact: String::new(),
    };
    let effects = EffectLimits { cluster_roles: vec!["preview-endpoints".into()], ..EffectLimits::default() };
    Policy { teams: vec![helpers], effects, ..Policy::default() }
}

fn sent() -> Parts {
    http::Request::new(()).into_parts().0
}

fn form(fields: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
}

/// Where a form led to.
fn led_to(answer: Result<Response, AppError>) -> String {
    let answer = answer.unwrap();
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    answer.headers()[LOCATION].to_str().unwrap().to_owned()
}

impl Scene {
    async fn set(database: &PgPool) -> Self {
        // Pages are rendered here without the router; what renders them is set up on the way.
        drop(generate_route_list(app::App));
        let namespace = own_namespace().await;
        let cluster = cluster().await;
        filled(&cluster, &namespace).await;
        let portal = state(database.clone(), cluster, policy(&namespace));
        let person = async |subject: &str, groups: &[&str]| actor(database, subject, groups).await;
        let scene = Self {
            feature: format!("try-{}", &Uuid::new_v4().simple().to_string()[..8]),
            dana: person("dana", &["team-shop"]).await,
            lee: person("lee", &["team-shop-leads"]).await,
            ada: person("ada", &["platform-admins"]).await,
            now: Timestamp::now(),
            namespace,
            portal,
        };
        scene.publish(json!({ "role_binding": { "cluster_role": "preview-endpoints" } })).await;
        scene
    }

    async fn publish(&self, effect: Value) {
        let entry = json!([{
            "slug": self.feature, "name": "Trying", "purpose": "Trying", "owner": "platform", "stage": "preview",
            "body": "Risky.", "points": ["We know."], "scopes": ["namespace", "team"], "validity_months": 12,
            "approvals": 1, "effect": effect, "changes": "What it does",
        }]);
        let body = form(&[("catalogue", &entry.to_string())]);
        led_to(post_catalogue(State(self.portal.clone()), self.ada.clone(), sent(), body).await);
    }

    async fn accept(&self, who: &Actor, scope: &str) -> Uuid {
        let feature = app::preview::store::find_feature(&self.portal.database, &self.feature).await.unwrap();
        let digest = feature.current.digest.to_string();
        let own = format!("namespace/{}", self.namespace);
        let scope = if scope == "namespace" { own.as_str() } else { scope };
        let answers = [("scope", scope), ("points", "0"), ("digest", &digest)];
        let send = async |more: &[(&str, &str)]| {
            let body = form(&[&answers[..], more].concat());
            // The answer to the first is a page, which is rendered for its own address and person.
            let mut parts = sent();
            parts.uri = format!("/preview-features/{}", self.feature).parse().unwrap();
            parts.extensions.insert(who.clone());
            post_opt_in(State(self.portal.clone()), who.clone(), Path(self.feature.clone()), parts, body).await
        };
        let page = send(&[]).await.unwrap().into_body().collect().await.unwrap().to_bytes();
        let page = String::from_utf8(page.to_vec()).unwrap();
        let shown = page.split("name=\"shown\" value=\"").nth(1).unwrap().split('"').next().unwrap();
        let path = led_to(send(&[("act", "accept"), ("shown", shown)]).await);
        path.split(['/', '?']).find_map(|part| part.parse().ok()).unwrap()
    }

    async fn approve(&self, acceptance: Uuid) {
        let id = acceptance.to_string();
        let body = form(&[("acceptance", &id), ("verdict", "approve")]);
        led_to(post_decision(State(self.portal.clone()), self.ada.clone(), sent(), body).await);
    }

    async fn revoke(&self, who: &Actor, acceptance: Uuid) {
        let body = form(&[("act", "revoke"), ("comment", "Not needed")]);
        let id = Path(acceptance.to_string());
        led_to(post_act(State(self.portal.clone()), who.clone(), id, sent(), body).await);
    }

    /// A round of the steward, an hour after the one before.
    async fn round(&mut self) {
        self.now += SignedDuration::from_hours(1);
        steward(&self.portal, self.now).await.unwrap();
    }

    async fn look_at(&self, acceptance: Uuid) -> Acceptance {
        find_acceptance(&self.portal.database, acceptance).await.unwrap()
    }

    async fn standing(&self, acceptance: Uuid) -> &'static str {
        self.look_at(acceptance).await.standing().stored()
    }

    fn binding_path(&self) -> String {
        format!("{}/fairway-preview-{}", bindings_path(&self.namespace), self.feature)
    }

    /// The groups that the role is given to; nothing where there is no binding.
    async fn groups(&self) -> Option<Vec<String>> {
        let found = read(&self.binding_path()).await?;
        let subjects = found["subjects"].as_array().unwrap();
        Some(subjects.iter().map(|subject| subject["name"].as_str().unwrap().to_owned()).collect())
    }

    /// Which labels of the feature the namespace has.
    async fn labels(&self) -> Vec<String> {
        let found = read(&format!("/api/v1/namespaces/{}", self.namespace)).await.unwrap();
        let prefix = format!("preview.fairway.dev/{}-", self.feature);
        let labels = found["metadata"]["labels"].as_object().into_iter().flat_map(|labels| labels.keys());
        labels.filter_map(|label| label.strip_prefix(&prefix).map(str::to_owned)).collect()
    }

    /// The file that somebody gets of an acceptance.
    async fn export(&self, who: &Actor, acceptance: Uuid) -> Evidence {
        let id = Path(acceptance.to_string());
        let answer = post_record(State(self.portal.clone()), who.clone(), id).await.unwrap();
        let bytes = answer.into_body().collect().await.unwrap().to_bytes();
        serde_json::from_slice(&bytes).unwrap()
    }

    async fn doubts(&self) -> Vec<String> {
        doubts_of(&mut self.portal.database.acquire().await.unwrap()).await
    }
}

/// What does not fit, as `fairway audit verify` says it.
async fn doubts_of(connection: &mut PgConnection) -> Vec<String> {
    let links: Vec<Link> = stream_links(&mut *connection, 1, i64::MAX).try_collect().await.unwrap();
    let mut record = OptInRecord::default();
    links.iter().for_each(|link| record.take(link));
    verify_acceptances(connection, record).await.unwrap().doubts
}

/// An object as it is, read with all rights.
async fn read(path: &str) -> Option<Value> {
    let client = parts::client(&told("FAIRWAY_TEST_ADMIN_KUBECONFIG")).await;
    match client.request(http::Request::get(path).body(Vec::new()).unwrap()).await {
        Ok(found) => Some(found),
        Err(kube::Error::Api(answer)) if answer.code == 404 => None,
        Err(error) => panic!("{error}"),
    }
}

/// Changes an object, with all rights.
async fn request(method: http::Method, path: &str, body: Option<&Value>) {
    let client = parts::client(&told("FAIRWAY_TEST_ADMIN_KUBECONFIG")).await;
    let kind = if method == http::Method::PATCH { "application/merge-patch+json" } else { "application/json" };
    let bytes = body.map(|body| body.to_string().into_bytes()).unwrap_or_default();
    let request = http::Request::builder().method(method).uri(path).header("content-type", kind).body(bytes).unwrap();
    client.request::<Value>(request).await.unwrap();
}

fn bindings_path(namespace: &str) -> String {
    format!("/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}/rolebindings")
}

async fn own_namespace() -> String {
    let name = format!("opt-{}", &Uuid::new_v4().simple().to_string()[..12]);
    let namespace = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": name } });
    request(http::Method::POST, "/api/v1/namespaces", Some(&namespace)).await;
    let group = |name: &str| json!({ "apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": name });
    let admins = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
        "metadata": { "name": "admins", "namespace": name },
        "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "admin" },
        "subjects": [group("team-shop"), group("team-shop-leads")],
    });
    request(http::Method::POST, &bindings_path(&name), Some(&admins)).await;
    name
}

/// Waits until the watch caches show a namespace and who administers it.
async fn filled(cluster: &KubeCluster, namespace: &str) {
    use app::ports::Cluster;
    let is_bound = || {
        let bindings = cluster.bindings_of(&identity("dana", &["team-shop"])).unwrap_or_default();
        bindings.iter().any(|binding| binding.namespace.as_deref() == Some(namespace))
    };
    let seen = async {
        while !matches!(cluster.namespace(namespace), Ok(Some(_))) || !is_bound() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), seen).await.unwrap();
}

/// How often the record shows that something was done.
async fn succeeded(database: &PgPool, action: Action) -> i64 {
    sqlx::query_scalar("select count(*) from audit_events where action = $1 and phase = 'succeeded'")
        .bind(action.code())
        .fetch_one(database)
        .await
        .unwrap()
}

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
    let other = state(portal_role(options, connect).await, cluster().await, policy(&scene.namespace));
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
    scene.round().await;
    // Whoever has the role binds it once more, under another name, and keeps the first one by a finalizer.
    let copy = format!("copy-of-{}", scene.feature);
    let binding = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": { "name": copy, "namespace": scene.namespace },
        "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "preview-endpoints" },
        "subjects": [{ "apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "dana@example.com" }],
    });
    let bindings = bindings_path(&scene.namespace);
    request(http::Method::POST, &bindings, Some(&binding)).await;
    // Nor does a copy get away with looking like that of another feature.
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
