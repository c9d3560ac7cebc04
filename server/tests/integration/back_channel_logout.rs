//! Sessions that end at the provider end here (OpenID Connect Back-Channel Logout 1.0).

use crate::parts::portal::{get, portal_at, send, session_events, sign_in_without_asking};
use crate::parts::portal_role;
use crate::parts::variant_provider::{Signing, VariantProvider, merge, now};
use axum::Router;
use http::StatusCode;
use serde_json::{Value, json};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

/// A logout token with changes; null takes a claim out.
fn logout_token(variant: &VariantProvider, changes: &Value, signing: Signing) -> String {
    let mut claims = json!({
        "iss": variant.issuer(), "aud": "fairway", "iat": now(), "exp": now() + 120, "jti": "1", "sid": "s1", "sub": "robin",
        "events": { EVENT: {} },
    });
    merge(&mut claims, changes);
    variant.sign(&claims, signing)
}

async fn tell(portal: &Router, token: &str) -> StatusCode {
    let answer = send(portal, "", "/back-channel-logout", &format!("logout_token={token}")).await;
    assert_eq!(answer.headers["cache-control"], "no-store");
    answer.status
}

async fn is_signed_in(portal: &Router, cookie: &str) -> bool {
    get(portal, cookie, "/access").await.status == StatusCode::OK
}

#[sqlx::test(migrations = "../migrations")]
async fn only_a_good_logout_token_ends_a_session(options: PgPoolOptions, connect: PgConnectOptions) {
    let database = portal_role(options, connect).await;
    let variant = VariantProvider::start().await;
    let portal = portal_at(&variant, database.clone()).await;
    let cookie = sign_in_without_asking(&portal).await;
    let refused: [(&str, Value, Signing); 14] = [
        ("alg none", json!({}), Signing::Nothing),
        ("wrong alg", json!({}), Signing::Secret),
        ("another key", json!({}), Signing::OtherKey),
        ("wrong aud", json!({ "aud": "another" }), Signing::Key),
        ("wrong iss", json!({ "iss": "https://idp.example.net" }), Signing::Key),
        ("wrong event", json!({ "events": { "another": {} } }), Signing::Key),
        ("no event", json!({ "events": null }), Signing::Key),
        ("an event that is no object", json!({ "events": { EVENT: true } }), Signing::Key),
        ("with nonce", json!({ "nonce": "n" }), Signing::Key),
        ("old", json!({ "iat": now() - 3_600 }), Signing::Key),
        ("of the future", json!({ "iat": now() + 3_600 }), Signing::Key),
        ("over", json!({ "exp": now() - 600 }), Signing::Key),
        ("nobody's", json!({ "sub": null, "sid": null }), Signing::Key),
        ("without an id", json!({ "jti": null }), Signing::Key),
    ];
    for (name, changes, signing) in refused {
        let token = logout_token(&variant, &changes, signing);
        assert_eq!(tell(&portal, &token).await, StatusCode::BAD_REQUEST, "{name}");
        assert!(is_signed_in(&portal, &cookie).await, "{name}");
    }
    for nonsense in ["", "a.b.c", &"x".repeat(20_000)] {
        assert_eq!(tell(&portal, nonsense).await, StatusCode::BAD_REQUEST, "{nonsense}");
    }
    // Somebody else's, and another of the same person.
    for other in [json!({ "sub": "kim", "sid": null }), json!({ "sid": "s2" })] {
        assert_eq!(tell(&portal, &logout_token(&variant, &other, Signing::Key)).await, StatusCode::OK);
        assert!(is_signed_in(&portal, &cookie).await, "{other}");
    }
    assert_eq!(tell(&portal, &logout_token(&variant, &json!({}), Signing::Key)).await, StatusCode::OK);
    assert!(!is_signed_in(&portal, &cookie).await);
    assert_eq!(session_events(&database).await, ["session.sign_in", "session.end ended_at_provider"]);
}

#[sqlx::test(migrations = "../migrations")]
async fn a_token_that_names_only_a_person_ends_all_their_sessions_that_began_before(
    options: PgPoolOptions,
    connect: PgConnectOptions,
) {
    let database = portal_role(options, connect).await;
    let variant = VariantProvider::start().await;
    let portal = portal_at(&variant, database.clone()).await;
    let cookies = [sign_in_without_asking(&portal).await, sign_in_without_asking(&portal).await];
    let earlier = logout_token(&variant, &json!({ "sid": null, "iat": now() - 200 }), Signing::Key);
    assert_eq!(tell(&portal, &earlier).await, StatusCode::OK);
    assert!(is_signed_in(&portal, &cookies[0]).await);
    let token = logout_token(&variant, &json!({ "sid": null }), Signing::Key);
    assert_eq!(tell(&portal, &token).await, StatusCode::OK);
    for cookie in &cookies {
        assert!(!is_signed_in(&portal, cookie).await);
    }
    // A cookie of the person who is gone is none of another's.
    assert_eq!(tell(&portal, &token).await, StatusCode::OK);
}
