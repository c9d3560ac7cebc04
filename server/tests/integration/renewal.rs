//! Sessions that are renewed: ahead of time with a refresh token, and by way of the browser where the provider gives none.

use crate::parts::portal::{
    Answer, get, go_to_provider, open, portal_at, portal_with, send, session_events, sign_in_without_asking,
};
use crate::parts::variant_provider::VariantProvider;
use crate::parts::{portal_role, provider_with, settings_of, wait_for};
use app::policy::Policy;
use axum::Router;
use http::StatusCode;
use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use std::sync::Arc;
use std::time::Duration;

/// A portal at a provider that gives no refresh tokens, and somebody's cookie.
async fn without_refresh_tokens(database: &PgPool) -> (VariantProvider, Router, String) {
    let variant = VariantProvider::start().await;
    variant.behave(|provider| provider.sends_refresh_token = false);
    let portal = portal_at(&variant, database.clone()).await;
    let cookie = sign_in_without_asking(&portal).await;
    (variant, portal, cookie)
}

/// Opens a page until the session is due to be renewed, which it is at once but for a pause.
async fn opened_when_due(portal: &Router, cookie: &str, path: &str) -> Answer {
    wait_for(async || Some(open(portal, cookie, path).await).filter(|answer| answer.status != StatusCode::OK)).await
}

#[sqlx::test(migrations = "../migrations")]
async fn without_refresh_tokens_the_browser_fetches_the_groups_and_comes_back_to_its_page(
    options: PgPoolOptions,
    connect: PgConnectOptions,
) {
    let database = portal_role(options, connect).await;
    let (variant, portal, cookie) = without_refresh_tokens(&database).await;
    let left = opened_when_due(&portal, &cookie, "/access?from=here").await;
    assert!(left.location.starts_with(variant.issuer()) && left.location.contains("prompt=none"), "{}", left.location);
    variant.behave(|provider| provider.claims = serde_json::json!({ "groups": ["another"] }));
    let (same, back) = go_to_provider(&portal, cookie.clone(), left.location).await;
    assert_eq!((back.location.as_str(), &same), ("/access?from=here", &cookie));
    // On a slow machine the session may be due again by now.
    let page = wait_for(async || {
        let answer = open(&portal, &cookie, "/access").await;
        if answer.status != StatusCode::OK {
            go_to_provider(&portal, cookie.clone(), answer.location.clone()).await;
        }
        Some(answer).filter(|answer| answer.status == StatusCode::OK)
    })
    .await;
    assert!(page.text.contains("<code>another<"), "{}", page.text);
    assert_eq!(session_events(&database).await, ["session.sign_in"]);
}

#[sqlx::test(migrations = "../migrations")]
async fn whom_the_provider_must_ask_something_is_asked(options: PgPoolOptions, connect: PgConnectOptions) {
    let database = portal_role(options, connect).await;
    let (variant, portal, cookie) = without_refresh_tokens(&database).await;
    variant.behave(|provider| provider.redirect_error = |asked| asked.get("prompt").map(|_| "login_required"));
    let left = opened_when_due(&portal, &cookie, "/namespaces").await;
    let (_, back) = go_to_provider(&portal, cookie, left.location).await;
    assert_eq!(back.location, "/namespaces");
    assert_eq!(session_events(&database).await, ["session.sign_in", "session.sign_in"]);
}

#[sqlx::test(migrations = "../migrations")]
async fn whom_the_provider_no_longer_lets_in_is_signed_out(options: PgPoolOptions, connect: PgConnectOptions) {
    let database = portal_role(options, connect).await;
    let (variant, portal, cookie) = without_refresh_tokens(&database).await;
    variant.behave(|provider| provider.redirect_error = |_| Some("access_denied"));
    let left = opened_when_due(&portal, &cookie, "/namespaces").await;
    let (cookie, refused) = go_to_provider(&portal, cookie, left.location).await;
    assert!(refused.text.contains("The identity provider did not let you in"), "{}", refused.text);
    assert!(open(&portal, &cookie, "/namespaces").await.location.starts_with("/sign-in?"));
    assert_eq!(session_events(&database).await, ["session.sign_in", "session.end refused_by_provider"]);
}

#[sqlx::test(migrations = "../migrations")]
async fn what_was_typed_is_offered_again_where_the_session_is_over(options: PgPoolOptions, connect: PgConnectOptions) {
    let database = portal_role(options, connect).await;
    let (_variant, portal, cookie) = without_refresh_tokens(&database).await;
    for cookie in [cookie.as_str(), ""] {
        let answer = send(&portal, cookie, "/namespaces/new", "name=%22%3Cmy%3E&why=two%0D%0Alines").await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
        for part in [
            "You are signed out, so nothing was changed.",
            "<form method=\"post\" action=\"/namespaces/new\">",
            "name=\"name\" value=\"&quot;&lt;my&gt;\"",
            "name=\"why\" value=\"two\r\nlines\"",
            "Send again",
        ] {
            assert!(answer.text.contains(part), "{part}: {}", answer.text);
        }
    }
    // Nothing of it is kept here, and nobody was signed out for it.
    assert_eq!(session_events(&database).await, ["session.sign_in"]);
}

#[sqlx::test(migrations = "../migrations")]
async fn a_provider_that_is_away_sends_no_browser_to_an_error(options: PgPoolOptions, connect: PgConnectOptions) {
    let database = portal_role(options, connect).await;
    let (variant, portal, cookie) = without_refresh_tokens(&database).await;
    variant.behave(|provider| provider.hangs = true);
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(open(&portal, &cookie, "/namespaces").await.status, StatusCode::OK);
}

#[sqlx::test(migrations = "../migrations")]
async fn a_provider_that_hangs_keeps_nobody_from_a_page(options: PgPoolOptions, connect: PgConnectOptions) {
    let database = portal_role(options, connect).await;
    let variant = VariantProvider::start().await;
    let portal = portal_at(&variant, database.clone()).await;
    let cookie = sign_in_without_asking(&portal).await;
    variant.behave(|provider| provider.hangs = true);
    let pages = futures::future::join_all((0..8).map(|_| get(&portal, &cookie, "/namespaces"))).await;
    assert!(pages.iter().all(|page| page.status == StatusCode::OK));
}

#[sqlx::test(migrations = "../migrations")]
async fn somebody_else_in_the_same_browser_gets_a_session_of_their_own(
    options: PgPoolOptions,
    connect: PgConnectOptions,
) {
    let database = portal_role(options, connect).await;
    let (variant, portal, cookie) = without_refresh_tokens(&database).await;
    let left = opened_when_due(&portal, &cookie, "/namespaces").await;
    let somebody_else = serde_json::json!({ "sub": "kim", "email": "kim@example.com" });
    variant.behave(|provider| {
        provider.claims = somebody_else;
        provider.user_info = Some(serde_json::json!({ "sub": "kim" }));
    });
    let (other, _) = go_to_provider(&portal, cookie.clone(), left.location).await;
    assert_ne!(other, cookie);
    assert!(open(&portal, &cookie, "/access").await.location.starts_with("/sign-in?"));
    assert!(open(&portal, &other, "/access").await.text.contains("kim@example.com"));
    let events = session_events(&database).await;
    assert_eq!(events, ["session.sign_in", "session.end ended_at_provider", "session.sign_in"]);
}

#[sqlx::test(migrations = "../migrations")]
async fn who_signs_out_while_groups_are_read_again_stays_signed_out(options: PgPoolOptions, connect: PgConnectOptions) {
    let database = portal_role(options, connect).await;
    let variant = VariantProvider::start().await;
    let portal = portal_at(&variant, database.clone()).await;
    let cookie = sign_in_without_asking(&portal).await;
    variant.behave(|provider| provider.hangs = true);
    let claimed = "select count(*) from sessions where refresh_started_at is not null";
    let signs_out = async {
        let count = async || sqlx::query_scalar::<_, i64>(claimed).fetch_one(&database).await.unwrap();
        wait_for(async || (count().await > 0).then_some(())).await;
        // It does not wait for the provider.
        let answer = send(&portal, &cookie, "/sign-out", "").await;
        variant.behave(|provider| provider.hangs = false);
        answer
    };
    let (_, signed_out) = futures::future::join(get(&portal, &cookie, "/namespaces"), signs_out).await;
    assert_eq!(signed_out.status, StatusCode::OK);
    // Nobody is sent to a provider that does not answer.
    assert!(signed_out.text.contains("you may still be signed in there"), "{}", signed_out.text);
    assert!(!signed_out.headers.contains_key("refresh"));
    // What the provider then answered is written nowhere.
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(open(&portal, &cookie, "/access").await.location.starts_with("/sign-in?"));
    let left: i64 = sqlx::query_scalar("select count(*) from sessions where person_id is not null")
        .fetch_one(&database)
        .await
        .unwrap();
    assert_eq!(left, 0);
}

#[sqlx::test(migrations = "../migrations")]
async fn a_provider_that_does_not_allow_offline_access_signs_people_in_without_it(
    options: PgPoolOptions,
    connect: PgConnectOptions,
) {
    let database = portal_role(options, connect).await;
    let variant = VariantProvider::start().await;
    let portal = portal_at(&variant, database.clone()).await;
    variant.behave(|provider| {
        provider.sends_refresh_token = false;
        provider.redirect_error = |asked| asked["scope"].contains("offline_access").then_some("invalid_scope");
    });
    for _ in 0..2 {
        sign_in_without_asking(&portal).await;
    }
    // At the token endpoint, too; and what anybody makes up in an address changes nothing for others.
    let begun = get(&portal, "", "/sign-in").await;
    let state = url::Url::parse(&begun.location).unwrap();
    let state = state.query_pairs().find(|(name, _)| name == "state").unwrap().1.into_owned();
    let nonsense = get(&portal, &begun.cookie.unwrap(), &format!("/sign-in/callback?state={state}&code=")).await;
    assert!(nonsense.text.contains("You are not signed in"), "{}", nonsense.text);
    variant.behave(|provider| provider.sends_refresh_token = true);
    sign_in_without_asking(&portal).await;
}

#[sqlx::test(migrations = "../migrations")]
async fn where_a_refresh_brings_no_new_token_for_the_cluster_the_browser_fetches_one(
    options: PgPoolOptions,
    connect: PgConnectOptions,
) {
    let database = portal_role(options, connect).await;
    let variant = VariantProvider::start().await;
    variant.behave(|provider| {
        provider.sends_id_token_on_refresh = false;
        provider.claims = serde_json::json!({ "exp": crate::parts::variant_provider::now() + 30 });
    });
    let provider = Arc::new(provider_with(settings_of(&variant)));
    let policy = Policy { identity: app::access::IdentityMode::Token, ..Policy::default() };
    let portal = portal_with(database.clone(), provider, Duration::from_secs(3_600), policy).await;
    let cookie = sign_in_without_asking(&portal).await;
    let left = opened_when_due(&portal, &cookie, "/namespaces").await;
    assert!(left.location.starts_with(variant.issuer()) && left.location.contains("prompt=none"), "{}", left.location);
}

#[sqlx::test(migrations = "../migrations")]
async fn a_provider_that_answers_wrongly_signs_nobody_out(options: PgPoolOptions, connect: PgConnectOptions) {
    let database = portal_role(options, connect).await;
    let variant = VariantProvider::start().await;
    let portal = portal_at(&variant, database.clone()).await;
    let cookie = sign_in_without_asking(&portal).await;
    variant.behave(|provider| provider.signing = crate::parts::variant_provider::Signing::OtherKey);
    assert_eq!(open(&portal, &cookie, "/namespaces").await.status, StatusCode::OK);
    assert_eq!(session_events(&database).await, ["session.sign_in"]);
}
