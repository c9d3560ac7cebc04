//! Signing in through the portal's own router, at a real provider and on a real Postgres: who is let in, and what nobody
//! can fill.

use crate::parts::portal::{ask, get, portal, portal_with, sign_in};
use crate::parts::{portal_role, told, wait_for};
use app::access::IdentityMode;
use app::actor::RoleGroups;
use app::policy::Policy;
use app::ports::{
    Beginning, Finished, IdentityProvider, LoggedOut, OfflineAccess, PendingSignIn, ProviderError, SignedIn,
};
use async_trait::async_trait;
use axum::body::Body;
use http::header::COOKIE;
use http::{Request, StatusCode};
use serde_json::json;
use server::client_address::PeerAddress;
use server::identity_provider::OpenIdProvider;
use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use std::sync::Arc;
use std::time::Duration;
use tower::ServiceExt;
use url::Url;
use uuid::Uuid;

/// A real provider that stops answering once people are signed in, and may give tokens that are over at once.
struct AwayAfterwards {
    provider: OpenIdProvider,
    tokens_are_over: bool,
}

#[async_trait]
impl IdentityProvider for AwayAfterwards {
    async fn begin(&self, beginning: Beginning<'_>) -> Result<(Url, PendingSignIn), ProviderError> {
        self.provider.begin(beginning).await
    }

    fn begins_again(&self, error: &str, pending: &PendingSignIn) -> Option<OfflineAccess> {
        self.provider.begins_again(error, pending)
    }

    async fn finish(&self, code: String, pending: PendingSignIn) -> Result<Finished, ProviderError> {
        let finished = self.provider.finish(code, pending).await?;
        Ok(match finished {
            Finished::SignedIn(signed_in) if self.tokens_are_over => {
                Finished::SignedIn(Box::new(SignedIn { expires_at: 0, ..*signed_in }))
            }
            other => other,
        })
    }

    async fn refresh(&self, _: &SignedIn) -> Result<SignedIn, ProviderError> {
        Err(ProviderError::Unavailable("no answer".to_owned()))
    }

    async fn sign_out_url(&self, signed_in: &SignedIn) -> Result<Option<Url>, ProviderError> {
        self.provider.sign_out_url(signed_in).await
    }

    async fn logged_out(&self, logout_token: &str) -> Result<LoggedOut, ProviderError> {
        self.provider.logged_out(logout_token).await
    }

    async fn check(&self) -> Result<(), ProviderError> {
        self.provider.check().await
    }
}

/// Somebody whom the provider knows and no other test does; gives their subject.
async fn new_person(email: &str, more: serde_json::Value) -> String {
    let subject = format!("test-{}", Uuid::new_v4().simple());
    let mut person = json!({ "name": "Test Person", "email": email, "groups": [] });
    person.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    change(&subject, person).await;
    subject
}

async fn change(subject: &str, person: serde_json::Value) {
    let address = format!("{}/test/people/{subject}", told("FAIRWAY_TEST_ISSUER"));
    let answer = reqwest::Client::new().put(address).body(person.to_string()).send().await.unwrap();
    assert!(answer.status().is_success());
}

fn new_address() -> String {
    format!("{}@example.com", Uuid::new_v4().simple())
}

async fn count(database: &PgPool, table: &str) -> i64 {
    let statement = format!("select count(*) from {table}");
    sqlx::query_scalar(sqlx::AssertSqlSafe(statement)).fetch_one(database).await.unwrap()
}

#[sqlx::test(migrations = "../migrations")]
async fn a_second_account_with_the_same_address_is_not_let_in_and_that_is_recorded(
    options: PgPoolOptions,
    connect: PgConnectOptions,
) {
    let database = portal_role(options, connect).await;
    let portal = portal(database.clone()).await;
    let email = new_address();
    let (first, second) = (new_person(&email, json!({})).await, new_person(&email, json!({})).await);
    assert_eq!(sign_in(&portal, &first).await.status, StatusCode::SEE_OTHER);
    let refused = sign_in(&portal, &second).await;
    assert_eq!(refused.status, StatusCode::CONFLICT);
    assert!(refused.text.contains("Another account at the identity provider has the same user name"));
    let codes: Vec<Option<String>> =
        sqlx::query_scalar("select entry::jsonb -> 'failure' ->> 'code' from audit_events order by sequence")
            .fetch_all(&database)
            .await
            .unwrap();
    assert_eq!(codes, [None, Some("name_taken".to_owned())]);
    assert_eq!(count(&database, "people").await, 1);
    // Whoever was there first goes on.
    assert_eq!(sign_in(&portal, &first).await.status, StatusCode::SEE_OTHER);
}

#[sqlx::test(migrations = "../migrations")]
async fn an_address_that_is_not_verified_is_nobodys_name(options: PgPoolOptions, connect: PgConnectOptions) {
    let database = portal_role(options, connect).await;
    let portal = portal(database.clone()).await;
    for claim in [json!({ "emailVerified": false }), json!({ "emailVerified": null, "noEmailVerified": true })] {
        let person = new_person(&new_address(), claim).await;
        let refused = sign_in(&portal, &person).await;
        assert_eq!(refused.status, StatusCode::CONFLICT);
        assert!(refused.text.contains("Verify the address there"), "{}", refused.text);
    }
    assert_eq!(count(&database, "people").await, 0);
}

#[sqlx::test(migrations = "../migrations")]
async fn a_name_that_cannot_be_stored_or_shown_keeps_nobody_out(options: PgPoolOptions, connect: PgConnectOptions) {
    let database = portal_role(options, connect).await;
    let portal = portal(database.clone()).await;
    let name = format!("Nul\0 \u{1b}[31m{}", "x".repeat(4_000));
    let person = new_person(&new_address(), json!({ "name": name })).await;
    assert_eq!(sign_in(&portal, &person).await.status, StatusCode::SEE_OTHER);
    let stored: String = sqlx::query_scalar("select name from people").fetch_one(&database).await.unwrap();
    assert!(stored.starts_with("Nul [31mxx") && stored.chars().count() == 200, "{stored}");
}

#[sqlx::test(migrations = "../migrations")]
async fn somebody_who_is_locked_is_signed_out_at_the_next_look(options: PgPoolOptions, connect: PgConnectOptions) {
    let database = portal_role(options, connect).await;
    let portal = portal(database.clone()).await;
    let person = new_person(&new_address(), json!({})).await;
    let cookie = sign_in(&portal, &person).await.cookie.unwrap();
    change(&person, json!({ "disabled": true })).await;
    let answer = get(&portal, &cookie, "/namespaces").await;
    assert!(answer.location.starts_with("/sign-in?"), "{}", answer.location);
}

#[sqlx::test(migrations = "../migrations")]
async fn a_provider_that_stays_away_keeps_people_signed_in_only_as_long_as_the_settings_say(
    options: PgPoolOptions,
    connect: PgConnectOptions,
) {
    let database = portal_role(options, connect).await;
    for (away, stays) in [(Duration::from_secs(3_600), true), (Duration::ZERO, false)] {
        let provider = AwayAfterwards { provider: crate::parts::provider(), tokens_are_over: false };
        let portal = portal_with(database.clone(), Arc::new(provider), away, Policy::default()).await;
        let person = new_person(&new_address(), json!({})).await;
        let cookie = sign_in(&portal, &person).await.cookie.unwrap();
        let status = get(&portal, &cookie, "/namespaces").await.status;
        assert_eq!(status == StatusCode::OK, stays, "{away:?}");
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn with_their_own_tokens_people_see_their_namespaces_and_begin_what_they_may(
    options: PgPoolOptions,
    connect: PgConnectOptions,
) {
    let database = portal_role(options, connect).await;
    let policy = Policy { identity: IdentityMode::Token, ..Policy::default() };
    let portal = portal_with(database.clone(), Arc::new(crate::parts::dex()), Duration::from_secs(3_600), policy).await;
    let mut answer = sign_in(&portal, "dana").await;
    if answer.location.contains("/dex/") {
        // Dex gives a refresh token only to those who ask for it.
        answer = sign_in(&portal, "dana").await;
    }
    let cookie = answer.cookie.unwrap();
    // The watch caches fill in the background.
    wait_for(async || get(&portal, &cookie, "/namespaces").await.text.contains("/namespaces/shop\"").then_some(()))
        .await;
    let begin = |namespace: &str| {
        let request = Request::post(format!("/workloads/new?namespace={namespace}"));
        ask(&portal, "192.0.2.1", request.header(COOKIE, &cookie).header("sec-fetch-site", "same-origin"))
    };
    assert!(begin("shop").await.location.starts_with("/workloads/drafts/"));
}

#[sqlx::test(migrations = "../migrations")]
async fn whoever_has_a_token_that_is_over_can_sign_in_again(options: PgPoolOptions, connect: PgConnectOptions) {
    let database = portal_role(options, connect).await;
    let policy = Policy { identity: IdentityMode::Token, ..Policy::default() };
    let provider = AwayAfterwards { provider: crate::parts::provider(), tokens_are_over: true };
    let portal = portal_with(database, Arc::new(provider), Duration::from_secs(3_600), policy).await;
    let person = new_person(&new_address(), json!({})).await;
    let cookie = sign_in(&portal, &person).await.cookie.unwrap();
    // Nobody knows whether they may still sign in, so they are not signed out, and can sign in again.
    assert_eq!(get(&portal, &cookie, "/namespaces").await.status, StatusCode::SERVICE_UNAVAILABLE);
    let begun = get(&portal, &cookie, "/sign-in").await;
    assert!(begun.location.starts_with(&told("FAIRWAY_TEST_ISSUER")), "{}", begun.location);
}

#[sqlx::test(migrations = "../migrations")]
async fn nobody_fills_the_sessions(options: PgPoolOptions, connect: PgConnectOptions) {
    let database = portal_role(options, connect).await;
    let portal = portal(database.clone()).await;
    let mut refused = 0;
    for number in 0..200 {
        // What the client says of itself does not count.
        let request = Request::get("/sign-in").header("x-forwarded-for", format!("198.51.100.{number}"));
        let answer = ask(&portal, "192.0.2.7", request).await;
        refused += usize::from(answer.status == StatusCode::TOO_MANY_REQUESTS);
    }
    assert!(refused >= 170, "{refused}");
    assert!(count(&database, "sessions").await <= 30);
    // Others still get in.
    assert_eq!(ask(&portal, "192.0.2.8", Request::get("/sign-in")).await.status, StatusCode::SEE_OTHER);
}

#[sqlx::test(migrations = "../migrations")]
async fn nobody_fills_the_record(options: PgPoolOptions, connect: PgConnectOptions) {
    let database = portal_role(options, connect).await;
    let portal = portal(database.clone()).await;
    let person = new_person(&new_address(), json!({})).await;
    let cookie = sign_in(&portal, &person).await.cookie.unwrap();
    let before = count(&database, "audit_events").await;
    let own_words = "x".repeat(150);
    let mut statuses = Vec::new();
    for number in 0..200 {
        let path = format!("/preview-features/{own_words}{number}/accept");
        let request = Request::post(path).header(COOKIE, &cookie).header("sec-fetch-site", "same-origin");
        statuses.push(ask(&portal, "192.0.2.1", request).await.status);
        get(&portal, &cookie, "/admin/audit").await;
    }
    assert!(statuses.contains(&StatusCode::NOT_FOUND) && statuses.contains(&StatusCode::TOO_MANY_REQUESTS));
    let rows = count(&database, "audit_events").await - before;
    // The first ten of each of the two, and a hundredth.
    assert!((2..=23).contains(&rows), "{rows}");
    let texts: Vec<String> = sqlx::query_scalar("select entry from audit_events").fetch_all(&database).await.unwrap();
    assert!(texts.iter().all(|text| !text.contains(&own_words)));
}

#[sqlx::test(migrations = "../migrations")]
async fn a_nul_is_no_part_of_an_address_or_a_form(options: PgPoolOptions, connect: PgConnectOptions) {
    let database = portal_role(options, connect).await;
    let portal = portal(database.clone()).await;
    let person = new_person(&new_address(), json!({})).await;
    let cookie = sign_in(&portal, &person).await.cookie.unwrap();
    for path in ["/namespaces/a%00b", "/faq?search=%00", "/faq/%00"] {
        assert_eq!(get(&portal, &cookie, path).await.status, StatusCode::NOT_FOUND, "{path}");
    }
    let request = Request::post("/workloads/new").header(COOKIE, &cookie).header("sec-fetch-site", "same-origin");
    let mut request = request.body(Body::from("namespace=%00")).unwrap();
    request.extensions_mut().insert(PeerAddress("192.0.2.1".parse().unwrap()));
    let response = portal.clone().oneshot(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
}

#[sqlx::test(migrations = "../migrations")]
async fn sign_ins_that_fail_are_counted_by_day_and_reason_and_administrators_see_them(
    options: PgPoolOptions,
    connect: PgConnectOptions,
) {
    let database = portal_role(options, connect).await;
    let roles = RoleGroups { administrators: vec!["platform-admins".into()], auditors: Vec::new() };
    let policy = Policy { roles, ..Policy::default() };
    let provider = Arc::new(crate::parts::provider());
    let portal = portal_with(database.clone(), provider, Duration::from_secs(3_600), policy).await;
    for number in 0..300 {
        get(&portal, "", &format!("/sign-in/callback?state=guess-{number}&code=x")).await;
    }
    let unverified = new_person(&new_address(), json!({ "emailVerified": false })).await;
    sign_in(&portal, &unverified).await;
    let ada = sign_in(&portal, "ada").await.cookie.unwrap();
    let page = get(&portal, &ada, "/admin/sessions").await.text;
    assert!(page.contains("used already, too old, or begun in another browser"), "{page}");
    assert!(page.contains("the e-mail address is not verified"), "{page}");
    let counted: Vec<(String, i64)> =
        sqlx::query_as("select code, count from sign_in_failures order by code").fetch_all(&database).await.unwrap();
    assert_eq!(counted, [("email_not_verified".to_owned(), 1), ("sign_in_stale".to_owned(), 300)]);
}
