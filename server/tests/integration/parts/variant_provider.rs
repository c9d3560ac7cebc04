//! An OpenID provider that sends what a test wants: other claims, other signatures, errors, nothing at all.

use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use serde_json::{Map, Value, json};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::net::TcpListener;

/// What it gives, for tests that look where these must not be.
pub const ACCESS_TOKEN: &str = "canary-access-token";
pub const REFRESH_TOKEN: &str = "canary-refresh-token";

/// How the ID token is signed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Signing {
    /// With the published key, and its name in the head.
    Key,
    /// With the published key, unnamed.
    KeyWithoutName,
    /// With a key that is not published, under the name of the one that is.
    OtherKey,
    /// With none (`alg: none`).
    Nothing,
    /// With the client's secret (`HS256`).
    Secret,
    /// As RSA would be, with bytes that are no signature.
    Rsa,
}

/// What it sends. The defaults are a provider as the standard wants it.
pub struct Behaviour {
    /// Members that discovery has instead; null takes one out.
    pub metadata: Value,
    /// Claims of the ID token instead; null takes one out.
    pub claims: Value,
    /// What userinfo answers; nothing is 401.
    pub user_info: Option<Value>,
    pub signing: Signing,
    /// The status and body of the token endpoint instead.
    pub token_answer: Option<(u16, Value)>,
    /// The `error` that the browser comes back with, by what was asked (`prompt`, `scope`).
    pub redirect_error: fn(asked: &HashMap<String, String>) -> Option<&'static str>,
    pub sends_refresh_token: bool,
    pub sends_id_token_on_refresh: bool,
    pub hangs: bool,
    /// Names of keys that are published, all the same key but under the names.
    pub key_names: Vec<String>,
    /// Makes `OtherKey` the published one.
    pub is_rotated: bool,
    /// The path of the token endpoint.
    pub token_path: &'static str,
    /// What was asked at the token endpoint last: the head and the body.
    pub asked: Option<(HeaderMap, String)>,
    nonce: String,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            metadata: json!({}),
            claims: json!({}),
            user_info: Some(json!({ "sub": "robin" })),
            signing: Signing::Key,
            token_answer: None,
            redirect_error: |_| None,
            sends_refresh_token: true,
            sends_id_token_on_refresh: true,
            hangs: false,
            key_names: vec!["first".to_owned()],
            is_rotated: false,
            token_path: "/token",
            asked: None,
            nonce: String::new(),
        }
    }
}

struct Provider {
    issuer: String,
    keys: [EcdsaKeyPair; 2],
    behaviour: Mutex<Behaviour>,
}

/// A provider on a port of its own, for as long as the test runs.
#[derive(Clone)]
pub struct VariantProvider(Arc<Provider>);

impl VariantProvider {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let key = || {
            let random = SystemRandom::new();
            let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
            EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref(), &random).unwrap()
        };
        let issuer = format!("http://{}", listener.local_addr().unwrap());
        let provider = Self(Arc::new(Provider { issuer, keys: [key(), key()], behaviour: Mutex::default() }));
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(metadata))
            .route("/keys", get(keys))
            .route("/authorize", get(authorize))
            .route("/token", post(token))
            .route("/moved-token", post(token))
            .route("/userinfo", get(user_info))
            .with_state(provider.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        provider
    }

    pub fn issuer(&self) -> &str {
        &self.0.issuer
    }

    /// Has it behave differently from now on.
    pub fn behave(&self, change: impl FnOnce(&mut Behaviour)) {
        change(&mut self.0.behaviour.lock().unwrap());
    }

    fn read<T>(&self, what: impl FnOnce(&Behaviour) -> T) -> T {
        what(&self.0.behaviour.lock().unwrap())
    }

    /// What came to the token endpoint last.
    pub fn asked(&self) -> (HeaderMap, String) {
        self.read(|behaviour| behaviour.asked.clone()).unwrap()
    }

    async fn wait_if_hanging(&self) {
        while self.read(|behaviour| behaviour.hangs) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// A signed token with these claims.
    pub fn sign(&self, claims: &Value, signing: Signing) -> String {
        let (algorithm, kid) = match signing {
            Signing::Key | Signing::OtherKey => ("ES256", Some("first")),
            Signing::KeyWithoutName => ("ES256", None),
            Signing::Nothing => ("none", None),
            Signing::Secret => ("HS256", None),
            Signing::Rsa => ("RS256", Some("first")),
        };
        let head = json!({ "alg": algorithm, "kid": kid, "typ": "JWT" });
        let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", encode(&head), encode(claims));
        let with_key = |number: usize| {
            let random = SystemRandom::new();
            self.0.keys[number].sign(&random, signed.as_bytes()).unwrap().as_ref().to_vec()
        };
        let published = usize::from(self.read(|behaviour| behaviour.is_rotated));
        let signature = match signing {
            Signing::Key | Signing::KeyWithoutName => with_key(published),
            Signing::OtherKey => with_key(1 - published),
            Signing::Nothing => Vec::new(),
            Signing::Secret => {
                let key = hmac::Key::new(hmac::HMAC_SHA256, b"demo-secret-of-the-local-stack");
                hmac::sign(&key, signed.as_bytes()).as_ref().to_vec()
            }
            Signing::Rsa => vec![7; 256],
        };
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    fn id_token(&self, nonce: Option<String>) -> String {
        let now = now();
        let mut claims = json!({
            "iss": self.0.issuer, "sub": "robin", "aud": "fairway", "exp": now + 300, "iat": now, "nonce": nonce,
            "email": "robin@example.com", "email_verified": true, "name": "Robin", "groups": ["team-shop"], "sid": "s1",
        });
        let (changes, signing) = self.read(|behaviour| (behaviour.claims.clone(), behaviour.signing));
        merge(&mut claims, &changes);
        if claims["nonce"].is_null() {
            merge(&mut claims, &json!({ "nonce": null }));
        }
        self.sign(&claims, signing)
    }
}

pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// A JSON merge patch (RFC 7396), of one level.
pub fn merge(target: &mut Value, changes: &Value) {
    let target: &mut Map<String, Value> = target.as_object_mut().unwrap();
    for (name, value) in changes.as_object().unwrap() {
        if value.is_null() { drop(target.remove(name)) } else { drop(target.insert(name.clone(), value.clone())) }
    }
}

async fn metadata(State(provider): State<VariantProvider>) -> Json<Value> {
    provider.wait_if_hanging().await;
    let issuer = provider.issuer();
    let token = provider.read(|behaviour| behaviour.token_path);
    let mut metadata = json!({
        "issuer": issuer, "authorization_endpoint": format!("{issuer}/authorize"),
        "token_endpoint": format!("{issuer}{token}"), "jwks_uri": format!("{issuer}/keys"),
        "userinfo_endpoint": format!("{issuer}/userinfo"), "response_types_supported": ["code"],
        "subject_types_supported": ["public"], "id_token_signing_alg_values_supported": ["ES256"],
        "end_session_endpoint": format!("{issuer}/end"),
    });
    provider.read(|behaviour| merge(&mut metadata, &behaviour.metadata));
    Json(metadata)
}

async fn keys(State(provider): State<VariantProvider>) -> Json<Value> {
    let (names, is_rotated) = provider.read(|behaviour| (behaviour.key_names.clone(), behaviour.is_rotated));
    let key: &EcdsaKeyPair = &provider.0.keys[usize::from(is_rotated)];
    let point = key.public_key().as_ref();
    let [x, y] = [&point[1..33], &point[33..]].map(|part| URL_SAFE_NO_PAD.encode(part));
    let key = |name: &String| {
        let mut key = json!({ "kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "x": x, "y": y });
        if !name.is_empty() {
            key["kid"] = json!(name);
        }
        key
    };
    Json(json!({ "keys": names.iter().map(key).collect::<Vec<_>>() }))
}

async fn authorize(State(provider): State<VariantProvider>, Query(query): Query<HashMap<String, String>>) -> Response {
    let error = provider.read(|behaviour| (behaviour.redirect_error)(&query));
    provider.behave(|behaviour| behaviour.nonce = query["nonce"].clone());
    let answer = error.map_or("code=c".to_owned(), |error| format!("error={error}"));
    Redirect::to(&format!("{}?{answer}&state={}", query["redirect_uri"], query["state"])).into_response()
}

async fn token(
    State(provider): State<VariantProvider>,
    headers: HeaderMap,
    uri: axum::http::Uri,
    body: String,
) -> Response {
    provider.wait_if_hanging().await;
    if uri.path() != provider.read(|behaviour| behaviour.token_path) {
        return StatusCode::NOT_FOUND.into_response();
    }
    let is_refresh = body.contains("grant_type=refresh_token");
    provider.behave(|behaviour| behaviour.asked = Some((headers, body)));
    if let Some((status, answer)) = provider.read(|behaviour| behaviour.token_answer.clone()) {
        return (StatusCode::from_u16(status).unwrap(), Json(answer)).into_response();
    }
    let (nonce, refresh, id_on_refresh) = provider.read(|behaviour| {
        (behaviour.nonce.clone(), behaviour.sends_refresh_token, behaviour.sends_id_token_on_refresh)
    });
    let mut answer = json!({ "access_token": ACCESS_TOKEN, "token_type": "Bearer", "expires_in": 300 });
    if !is_refresh || id_on_refresh {
        answer["id_token"] = json!(provider.id_token((!is_refresh).then_some(nonce)));
    }
    if refresh {
        answer["refresh_token"] = json!(REFRESH_TOKEN);
    }
    Json(answer).into_response()
}

async fn user_info(State(provider): State<VariantProvider>) -> Response {
    match provider.read(|behaviour| behaviour.user_info.clone()) {
        Some(claims) => Json(claims).into_response(),
        None => StatusCode::UNAUTHORIZED.into_response(),
    }
}
