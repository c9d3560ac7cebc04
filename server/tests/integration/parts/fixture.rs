//! One preview feature, the people around it, and a namespace of its own: the portal's own router and reconciler, on a
//! real Postgres and a real API server.

use super::{actor, cluster, identity, state, told, wait_for};
use app::access::{Environment, Team};
use app::actor::Actor;
use app::audit::commitment_to;
use app::audit::store_in_tests::stream_chain;
use app::policy::Policy;
use app::preview::acceptance::Acceptance;
use app::preview::evidence::Evidence;
use app::preview::service::{OptInRows, reconcile, verify_opt_ins};
use app::preview::statement::EffectLimits;
use app::preview::store_in_tests::{find_acceptance, find_feature};
use app::state::AppState;
use axum::body::Body;
use futures::TryStreamExt;
use http::StatusCode;
use http::header::LOCATION;
use http_body_util::BodyExt;
use jiff::{SignedDuration, Timestamp};
use record::{Action, Digest, Row, StatusKind};
use serde_json::{Value, json};
use server::cluster::KubeCluster;
use server::router::site;
use sqlx::{PgConnection, PgPool};
use tower::ServiceExt;
use uuid::Uuid;

/// Everything for one feature that gives a role, and the people around it.
pub struct Fixture {
    pub portal: AppState,
    /// Administered by team-shop and its leads, and used by no other test.
    pub namespace: String,
    pub feature: String,
    pub dana: Actor,
    pub lee: Actor,
    pub ada: Actor,
    /// Runs ahead of the clock, so that pauses are over at once.
    pub now: Timestamp,
}

pub fn policy(namespace: &str) -> Policy {
    let helpers = Team {
        name: "helpers".into(),
        groups: vec!["team-pay".into()],
        leads: vec!["team-shop-leads".into()],
        namespaces: vec![namespace.into()],
        contact: String::new(),
    };
    let effects = EffectLimits { cluster_roles: vec!["preview-endpoints".into()], ..EffectLimits::default() };
    let environment = Environment { name: "trial".into(), namespaces: vec![namespace.into()] };
    Policy { teams: vec![helpers], environments: vec![environment], effects, ..Policy::default() }
}

/// What the portal answered to a form.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    /// Where it led to; empty where it shows a page.
    pub location: String,
    pub body: Vec<u8>,
}

impl Answer {
    /// Where a form led to that did what it should.
    pub fn led_to(self) -> String {
        assert_eq!(self.status, StatusCode::SEE_OTHER, "{}", self.text());
        self.location
    }

    /// The page, as a person reads it: without the marks between its parts.
    pub fn text(&self) -> String {
        let page = String::from_utf8_lossy(&self.body);
        let text = page.replace("<!>", "").replace("&quot;", "\"").replace("&#x27;", "'").replace("&lt;", "<");
        text.replace("&gt;", ">").replace("&amp;", "&")
    }

    /// The value of a hidden field.
    pub fn hidden(&self, name: &str) -> String {
        let page = self.text();
        let rest = page.split_once(&format!("name=\"{name}\" value=\"")).unwrap_or_else(|| panic!("{name}: {page}")).1;
        rest.split('"').next().unwrap().to_owned()
    }

    pub fn says(&self, sentence: &str) -> bool {
        self.text().contains(sentence)
    }
}

/// Sends a form as somebody, through the router that people's forms go through.
pub async fn post(portal: &AppState, who: &Actor, path: &str, fields: &[(&str, &str)]) -> Answer {
    let form: String = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    let request = http::Request::post(path).header("content-type", "application/x-www-form-urlencoded");
    send(portal, who, request.body(Body::from(form)).unwrap()).await
}

async fn send(portal: &AppState, who: &Actor, mut request: http::Request<Body>) -> Answer {
    let mut who = who.clone();
    who.request_id = Uuid::now_v7().to_string();
    request.extensions_mut().insert(who);
    let response = site(portal).with_state(portal.clone()).oneshot(request).await.unwrap();
    let location = response.headers().get(LOCATION).map(|to| to.to_str().unwrap().to_owned()).unwrap_or_default();
    let (status, body) = (response.status(), response.into_body().collect().await.unwrap());
    Answer { status, location, body: body.to_bytes().to_vec() }
}

impl Fixture {
    pub async fn set(database: &PgPool) -> Self {
        let namespace = own_namespace().await;
        let cluster = cluster().await;
        filled(&cluster, &namespace).await;
        let portal = state(database.clone(), cluster, policy(&namespace));
        let person = async |subject: &str, groups: &[&str]| actor(database, subject, groups).await;
        let fixture = Self {
            feature: format!("try-{}", &Uuid::new_v4().simple().to_string()[..8]),
            dana: person("dana", &["team-shop"]).await,
            lee: person("lee", &["team-shop-leads"]).await,
            ada: person("ada", &["platform-admins"]).await,
            now: Timestamp::now(),
            namespace,
            portal,
        };
        fixture.publish(json!({ "role_binding": { "cluster_role": "preview-endpoints" } })).await;
        fixture
    }

    pub async fn publish(&self, effect: Value) {
        self.publish_with(json!({ "effect": effect })).await;
    }

    /// Publishes the feature with some things otherwise than usual.
    pub async fn publish_with(&self, otherwise: Value) {
        let mut entry = json!([{
            "slug": self.feature, "name": "Trying", "purpose": "Trying", "owner": "platform", "stage": "preview",
            "body": "Risky.", "points": ["We know."], "scopes": ["namespace", "team", "environment"],
            "validity_months": 12, "approvals": 1, "effect": "manual", "changes": "What it does",
        }]);
        otherwise.as_object().unwrap().iter().for_each(|(field, value)| entry[0][field] = value.clone());
        let catalogue = [("catalogue", &*entry.to_string())];
        self.post(&self.ada, "/admin/features", &catalogue).await.led_to();
    }

    pub async fn post(&self, who: &Actor, path: &str, fields: &[(&str, &str)]) -> Answer {
        post(&self.portal, who, path, fields).await
    }

    pub async fn get(&self, who: &Actor, path: &str) -> Answer {
        send(&self.portal, who, http::Request::get(path).body(Body::empty()).unwrap()).await
    }

    /// Reads, confirms and accepts; gives the acceptance.
    pub async fn accept(&self, who: &Actor, scope: &str) -> Uuid {
        let shown = self.confirmation(who, scope).await;
        let path = self.confirm(who, scope, &shown).await.led_to();
        path.split(['/', '?']).find_map(|part| part.parse().ok()).unwrap()
    }

    /// Fills in the form of the feature; gives what the page says will be recorded, by its digest.
    pub async fn confirmation(&self, who: &Actor, scope: &str) -> String {
        let answer = self.opt_in(who, scope).await;
        assert_eq!(answer.status, StatusCode::OK, "{scope}: {}", answer.text());
        answer.hidden("shown")
    }

    /// Sends the form of the feature.
    pub async fn opt_in(&self, who: &Actor, scope: &str) -> Answer {
        let (digest, scope) = (self.digest().await, self.scope(scope));
        let answers = [("scope", &*scope), ("points", "0"), ("digest", &digest)];
        self.post(who, &format!("/preview-features/{}", self.feature), &answers).await
    }

    /// Confirms what was shown.
    pub async fn confirm(&self, who: &Actor, scope: &str, shown: &str) -> Answer {
        let (digest, scope) = (self.digest().await, self.scope(scope));
        let answers = [("scope", &*scope), ("points", "0"), ("digest", &digest), ("shown", shown)];
        self.post(who, &format!("/preview-features/{}/accept", self.feature), &answers).await
    }

    /// `namespace` is that of the fixture.
    fn scope(&self, scope: &str) -> String {
        if scope == "namespace" { format!("namespace/{}", self.namespace) } else { scope.to_owned() }
    }

    pub async fn approve(&self, acceptance: Uuid) {
        self.decide(acceptance).await.led_to();
    }

    /// Approves, which may be refused.
    pub async fn decide(&self, acceptance: Uuid) -> Answer {
        self.post(&self.ada, "/admin/approvals/approve", &[("acceptance", &acceptance.to_string())]).await
    }

    pub async fn revoke(&self, who: &Actor, acceptance: Uuid) {
        self.act(who, acceptance, "revoke").await.led_to();
    }

    /// The digest of the statement as it is now.
    pub async fn digest(&self) -> String {
        find_feature(&self.portal.database, &self.feature).await.unwrap().current.digest.to_string()
    }

    /// What the record names somebody by.
    pub async fn commitment(&self, who: &Actor) -> Digest {
        commitment_to(&self.portal, &who.profile).await.unwrap()
    }

    /// Presses a button on the page of an acceptance.
    pub async fn act(&self, who: &Actor, acceptance: Uuid, verb: &str) -> Answer {
        let path = format!("/preview-features/acceptances/{acceptance}/{verb}");
        self.post(who, &path, &[("comment", "Not needed")]).await
    }

    /// A round of the reconciler, an hour after the one before.
    pub async fn round(&mut self) {
        self.now += SignedDuration::from_hours(1);
        reconcile(&self.portal, self.now).await.unwrap();
    }

    pub async fn look_at(&self, acceptance: Uuid) -> Acceptance {
        find_acceptance(&mut self.portal.database.acquire().await.unwrap(), acceptance).await.unwrap()
    }

    pub async fn status(&self, acceptance: Uuid) -> &'static str {
        let kept: StatusKind = sqlx::query_scalar("select status from opt_ins where acceptance_id = $1")
            .bind(acceptance)
            .fetch_one(&self.portal.database)
            .await
            .unwrap();
        assert_eq!(
            kept,
            self.look_at(acceptance).await.status().kind(),
            "what the database keeps is what the steps say"
        );
        kept.as_str()
    }

    pub fn binding_path(&self) -> String {
        format!("{}/fairway-preview-{}", bindings_path(&self.namespace), self.feature)
    }

    /// The groups that the role is given to; nothing where there is no binding.
    pub async fn groups(&self) -> Option<Vec<String>> {
        let found = read(&self.binding_path()).await?;
        let subjects = found["subjects"].as_array().unwrap();
        Some(subjects.iter().map(|subject| subject["name"].as_str().unwrap().to_owned()).collect())
    }

    /// Which labels of the feature the namespace has.
    pub async fn labels(&self) -> Vec<String> {
        let found = read(&format!("/api/v1/namespaces/{}", self.namespace)).await.unwrap();
        let prefix = format!("preview.fairway.dev/{}-", self.feature);
        let labels = found["metadata"]["labels"].as_object().into_iter().flat_map(|labels| labels.keys());
        labels.filter_map(|label| label.strip_prefix(&prefix).map(str::to_owned)).collect()
    }

    /// The file that somebody gets of an acceptance.
    pub async fn export(&self, who: &Actor, acceptance: Uuid) -> Evidence {
        let answer = self.act(who, acceptance, "export").await;
        assert_eq!(answer.status, StatusCode::OK);
        serde_json::from_slice(&answer.body).unwrap()
    }

    pub async fn mismatches(&self) -> Vec<String> {
        mismatches_of(&mut self.portal.database.acquire().await.unwrap()).await
    }
}

/// What does not fit, as `fairway audit verify` says it.
pub async fn mismatches_of(connection: &mut PgConnection) -> Vec<String> {
    let chain: Vec<Row> = stream_chain(&mut *connection, 1, i64::MAX).try_collect().await.unwrap();
    let mut rows = OptInRows::default();
    chain.iter().for_each(|row| rows.accept(row));
    verify_opt_ins(connection, rows).await.unwrap().mismatches
}

/// An object as it is, read with all rights.
pub async fn read(path: &str) -> Option<Value> {
    let client = super::client(&told("FAIRWAY_TEST_ADMIN_KUBECONFIG")).await;
    match client.request(http::Request::get(path).body(Vec::new()).unwrap()).await {
        Ok(found) => Some(found),
        Err(kube::Error::Api(answer)) if answer.code == 404 => None,
        Err(error) => panic!("{error}"),
    }
}

/// Changes an object, with all rights.
pub async fn request(method: http::Method, path: &str, body: Option<&Value>) {
    let client = super::client(&told("FAIRWAY_TEST_ADMIN_KUBECONFIG")).await;
    let kind = if method == http::Method::PATCH { "application/merge-patch+json" } else { "application/json" };
    let bytes = body.map(|body| body.to_string().into_bytes()).unwrap_or_default();
    let request = http::Request::builder().method(method).uri(path).header("content-type", kind).body(bytes).unwrap();
    client.request::<Value>(request).await.unwrap();
}

pub fn bindings_path(namespace: &str) -> String {
    format!("/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}/rolebindings")
}

pub async fn own_namespace() -> String {
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
pub async fn filled(cluster: &KubeCluster, namespace: &str) {
    use app::ports::{ClusterAccess, ClusterInventory};
    let is_bound = || {
        let bindings = cluster.bindings_of(&identity("dana", &["team-shop"])).unwrap_or_default();
        bindings.iter().any(|binding| binding.namespace.as_deref() == Some(namespace))
    };
    wait_for(async || cluster.namespace(namespace).ok()?.filter(|_| is_bound()).map(drop)).await;
}

/// How often the record shows that something was done.
pub async fn succeeded(database: &PgPool, action: Action) -> i64 {
    sqlx::query_scalar("select count(*) from audit_events where action = $1 and phase = 'succeeded'")
        .bind(action.as_str())
        .fetch_one(database)
        .await
        .unwrap()
}
