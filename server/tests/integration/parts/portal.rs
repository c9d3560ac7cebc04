//! The portal as it is served, and a browser's requests to it.

use super::browser::Browser;
use super::variant_provider::VariantProvider;
use super::{cluster, provider, provider_with, settings_of, state};
use app::policy::Policy;
use app::ports::IdentityProvider;
use app::state::{AppState, Dependencies};
use axum::Router;
use axum::body::Body;
use http::header::{COOKIE, LOCATION, SET_COOKIE};
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use server::client_address::PeerAddress;
use server::config::Config;
use server::rate_limits::RateLimits;
use server::router::routers;
use sqlx::PgPool;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

/// The whole site, as it is served.
pub async fn portal(database: PgPool) -> Router {
    portal_with(database, Arc::new(provider()), Duration::from_secs(3_600), Policy::default()).await
}

/// The same with a provider, how long it may be away, and a policy.
pub async fn portal_with(
    database: PgPool,
    provider: Arc<dyn IdentityProvider>,
    provider_away: Duration,
    policy: Policy,
) -> Router {
    let variable = |name: &str| match name {
        "DATABASE_URL" => Some("postgres://none".to_owned()),
        "OIDC_ISSUER_URL" => Some("https://idp.example.com".to_owned()),
        "FAIRWAY_SIGN_INS_PER_MINUTE" => Some("20".to_owned()),
        "FAIRWAY_WRITES_PER_MINUTE" => Some("20".to_owned()),
        _ => None,
    };
    let mut config = Config::read(&variable).unwrap();
    // The next request reads them again.
    config.sessions.groups_max_age = Duration::ZERO;
    config.sessions.provider_away = provider_away;
    let cluster = cluster().await;
    let dependencies = Dependencies::clone(&state(database, cluster, policy));
    let state = AppState::from(Dependencies { identity_provider: provider, ..dependencies });
    routers(&config, state, RateLimits::new(config.rates), TaskTracker::new()).site
}

/// The same at a provider that a test changes, which may be away for an hour.
pub async fn portal_at(variant: &VariantProvider, database: PgPool) -> Router {
    let provider = Arc::new(provider_with(settings_of(variant)));
    portal_with(database, provider, Duration::from_secs(3_600), Policy::default()).await
}

/// What a browser with this session gets.
pub struct Answer {
    pub status: StatusCode,
    pub location: String,
    pub cookie: Option<String>,
    pub headers: HeaderMap,
    pub text: String,
}

pub async fn ask(portal: &Router, address: &str, request: http::request::Builder) -> Answer {
    ask_with(portal, address, request, Body::empty()).await
}

async fn ask_with(portal: &Router, address: &str, request: http::request::Builder, body: Body) -> Answer {
    let mut request = request.body(body).unwrap();
    request.extensions_mut().insert(PeerAddress(address.parse::<IpAddr>().unwrap()));
    let response = portal.clone().oneshot(request).await.unwrap();
    let header = |name| response.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
    let cookie = header(SET_COOKIE).map(|cookie| cookie.split(';').next().unwrap().to_owned());
    let (status, location) = (response.status(), header(LOCATION).unwrap_or_default());
    let headers = response.headers().clone();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    Answer { status, location, cookie, headers, text: String::from_utf8_lossy(&body).into_owned() }
}

pub async fn get(portal: &Router, cookie: &str, path: &str) -> Answer {
    ask(portal, "192.0.2.1", Request::get(path).header(COOKIE, cookie)).await
}

/// Goes to the provider and back as somebody.
pub async fn sign_in(portal: &Router, person: &str) -> Answer {
    let begun = get(portal, "", "/sign-in").await;
    let cookie = begun.cookie.unwrap();
    let mut browser = Browser::default();
    let answer = browser.sign_in(begun.location.parse().unwrap(), person).await;
    let query: String = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(answer).finish();
    get(portal, &cookie, &format!("/sign-in/callback?{query}")).await
}

/// Sends a form with this session.
pub async fn send(portal: &Router, cookie: &str, path: &str, body: &str) -> Answer {
    let request = Request::post(path)
        .header(COOKIE, cookie)
        .header("sec-fetch-site", "same-origin")
        .header("content-type", "application/x-www-form-urlencoded");
    ask_with(portal, "192.0.2.1", request, body.to_owned().into()).await
}

/// Opens a page as a browser does, which can be sent elsewhere.
pub async fn open(portal: &Router, cookie: &str, path: &str) -> Answer {
    let request = Request::get(path).header(COOKIE, cookie).header("sec-fetch-mode", "navigate");
    ask(portal, "192.0.2.1", request).await
}

/// Goes to a provider that asks nobody, as often as the portal says, and gives the last answer with the cookie.
pub async fn go_to_provider(portal: &Router, mut cookie: String, mut location: String) -> (String, Answer) {
    for _ in 0..3 {
        let answer = Browser::default().sign_in(location.parse().unwrap(), "nobody is asked").await;
        let query: String = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(answer).finish();
        let answer = get(portal, &cookie, &format!("/sign-in/callback?{query}")).await;
        cookie = answer.cookie.clone().unwrap_or(cookie);
        if !answer.location.contains("/authorize?") {
            return (cookie, answer);
        }
        location = answer.location;
    }
    panic!("sent to the provider again and again")
}

/// Signs in at such a provider, and gives the cookie.
pub async fn sign_in_without_asking(portal: &Router) -> String {
    let begun = get(portal, "", "/sign-in").await;
    let (cookie, answer) = go_to_provider(portal, begun.cookie.unwrap(), begun.location).await;
    assert_eq!(answer.location, "/", "{}", answer.text);
    cookie
}

/// What the record says of sessions: actions and reasons, in their order.
pub async fn session_events(database: &PgPool) -> Vec<String> {
    sqlx::query_scalar(
        "select concat_ws(' ', entry::jsonb ->> 'action', entry::jsonb -> 'detail' ->> 'reason') from audit_events
         where entry::jsonb ->> 'action' like 'session.%' order by sequence",
    )
    .fetch_all(database)
    .await
    .unwrap()
}
