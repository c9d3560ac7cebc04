//! One preview feature, the people around it, and a namespace of its own: the portal's own handlers and steward, on a
//! real Postgres and a real API server.

use super::{actor, cluster, identity, state, told};
use app::access::{Environment, Team};
use app::actor::Actor;
use app::audit::chain::Link;
use app::audit::store::stream_links;
use app::audit::{Action, commitment_to};
use app::digest::Digest;
use app::error::AppError;
use app::preview::acceptance::Acceptance;
use app::preview::api::{
    OptInRecord, post_act, post_catalogue, post_decision, post_opt_in, post_record, steward, verify_acceptances,
};
use app::preview::evidence::Evidence;
use app::preview::store::{find_acceptance, find_feature};
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
use leptos_axum::generate_route_list;
use serde_json::{Value, json};
use server::cluster::KubeCluster;
use sqlx::{PgConnection, PgPool};
use std::time::Duration;
use uuid::Uuid;

/// Everything for one feature that gives a role, and the people around it.
pub struct Scene {
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

pub fn sent() -> Parts {
    http::Request::new(()).into_parts().0
}

pub fn form(fields: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
}

/// Where a form led to.
pub fn led_to(answer: Result<Response, AppError>) -> String {
    let answer = answer.unwrap();
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    answer.headers()[LOCATION].to_str().unwrap().to_owned()
}

impl Scene {
    pub async fn set(database: &PgPool) -> Self {
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

    pub async fn publish(&self, effect: Value) {
        self.publish_with(json!({ "effect": effect })).await;
    }

    /// Publishes the feature with some things otherwise than usual.
    pub async fn publish_with(&self, otherwise: Value) {
        let mut entry = json!([{
            "slug": self.feature, "name": "Trying", "purpose": "Trying", "owner": "platform", "stage": "preview",
            "body": "Risky.", "points": ["We know."], "scopes": ["namespace", "team", "environment"],
            "validity_months": 12, "approvals": 1, "effect": "by_hand", "changes": "What it does",
        }]);
        otherwise.as_object().unwrap().iter().for_each(|(field, value)| entry[0][field] = value.clone());
        let body = form(&[("catalogue", &entry.to_string())]);
        led_to(post_catalogue(State(self.portal.clone()), self.ada.clone(), sent(), body).await);
    }

    /// Reads, confirms and accepts; gives the acceptance.
    pub async fn accept(&self, who: &Actor, scope: &str) -> Uuid {
        let body = self.confirmed(who, scope).await;
        let path = led_to(self.opt_in(who, &body).await);
        path.split(['/', '?']).find_map(|part| part.parse().ok()).unwrap()
    }

    /// What the form sends once somebody has seen what will be recorded.
    pub async fn confirmed(&self, who: &Actor, scope: &str) -> String {
        let feature = find_feature(&self.portal.database, &self.feature).await.unwrap();
        let digest = feature.current.digest.to_string();
        let own = format!("namespace/{}", self.namespace);
        let scope = if scope == "namespace" { own.as_str() } else { scope };
        let answers = [("scope", scope), ("points", "0"), ("digest", &digest)];
        let answer = self.opt_in(who, &form(&answers)).await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "{scope}");
        let page = answer.into_body().collect().await.unwrap().to_bytes();
        let page = String::from_utf8(page.to_vec()).unwrap();
        let shown = page.split("name=\"shown\" value=\"").nth(1).unwrap().split('"').next().unwrap();
        form(&[&answers[..], &[("act", "accept"), ("shown", shown)]].concat())
    }

    /// Sends the form of the feature.
    pub async fn opt_in(&self, who: &Actor, body: &str) -> Result<Response, AppError> {
        // The answer may be a page, which is rendered for its own address and person.
        let mut parts = sent();
        parts.uri = format!("/preview-features/{}", self.feature).parse().unwrap();
        parts.extensions.insert(who.clone());
        post_opt_in(State(self.portal.clone()), who.clone(), Path(self.feature.clone()), parts, body.to_owned()).await
    }

    pub async fn approve(&self, acceptance: Uuid) {
        let id = acceptance.to_string();
        let body = form(&[("acceptance", &id), ("verdict", "approve")]);
        led_to(post_decision(State(self.portal.clone()), self.ada.clone(), sent(), body).await);
    }

    pub async fn revoke(&self, who: &Actor, acceptance: Uuid) {
        led_to(self.act(who, acceptance, "revoke").await);
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
    pub async fn act(&self, who: &Actor, acceptance: Uuid, act: &str) -> Result<Response, AppError> {
        let body = form(&[("act", act), ("comment", "Not needed")]);
        post_act(State(self.portal.clone()), who.clone(), Path(acceptance.to_string()), sent(), body).await
    }

    /// A round of the steward, an hour after the one before.
    pub async fn round(&mut self) {
        self.now += SignedDuration::from_hours(1);
        steward(&self.portal, self.now).await.unwrap();
    }

    pub async fn look_at(&self, acceptance: Uuid) -> Acceptance {
        find_acceptance(&self.portal.database, acceptance).await.unwrap()
    }

    pub async fn standing(&self, acceptance: Uuid) -> &'static str {
        self.look_at(acceptance).await.standing().stored()
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
        let id = Path(acceptance.to_string());
        let answer = post_record(State(self.portal.clone()), who.clone(), id).await.unwrap();
        let bytes = answer.into_body().collect().await.unwrap().to_bytes();
        serde_json::from_slice(&bytes).unwrap()
    }

    pub async fn doubts(&self) -> Vec<String> {
        doubts_of(&mut self.portal.database.acquire().await.unwrap()).await
    }
}

/// What does not fit, as `fairway audit verify` says it.
pub async fn doubts_of(connection: &mut PgConnection) -> Vec<String> {
    let links: Vec<Link> = stream_links(&mut *connection, 1, i64::MAX).try_collect().await.unwrap();
    let mut record = OptInRecord::default();
    links.iter().for_each(|link| record.take(link));
    verify_acceptances(connection, record).await.unwrap().doubts
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
pub async fn succeeded(database: &PgPool, action: Action) -> i64 {
    sqlx::query_scalar("select count(*) from audit_events where action = $1 and phase = 'succeeded'")
        .bind(action.code())
        .fetch_one(database)
        .await
        .unwrap()
}
