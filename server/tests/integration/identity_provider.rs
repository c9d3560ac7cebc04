//! Signing in at two real OpenID providers, Dex and the demo provider behind it, the browser's part played by hand.

use crate::parts::browser::Browser;
use crate::parts::{dex, provider, settings, told};
use app::ports::{Beginning, Finished, IdentityProvider, Misconfiguration, PendingSignIn, ProviderError, SignedIn};
use reqwest::Client;
use server::config::IdentityProviderSettings;
use server::identity_provider::OpenIdProvider;
use url::Url;

/// Signs in up to the point where the portal gets the code.
async fn code_for(provider: &OpenIdProvider, person: &str) -> (String, PendingSignIn) {
    let (url, pending) = provider.begin(Beginning::default()).await.unwrap();
    let answer = Browser::default().sign_in(url, person).await;
    assert_eq!(answer["state"], pending.state);
    (answer["code"].clone(), pending)
}

/// Signs in; again where the provider gives a refresh token only to those who ask for it.
async fn signed_in(provider: &OpenIdProvider, person: &str) -> SignedIn {
    for _ in 0..2 {
        let (code, pending) = code_for(provider, person).await;
        if let Finished::SignedIn(signed_in) = provider.finish(code, pending).await.unwrap() {
            return *signed_in;
        }
    }
    panic!("{person} was sent to the provider twice and is not signed in")
}

async fn refusal(provider: &OpenIdProvider, code: String, pending: PendingSignIn) -> ProviderError {
    provider.finish(code, pending).await.err().unwrap()
}

/// Both providers, as the portal is registered there.
fn providers() -> [OpenIdProvider; 2] {
    [provider(), dex()]
}

#[tokio::test]
async fn a_code_becomes_a_profile_with_groups_and_works_once() {
    for provider in providers() {
        let signed_in = signed_in(&provider, "lee").await;
        assert_eq!(signed_in.profile.email, "lee@example.com");
        assert_eq!(signed_in.profile.name, "Lee Lead");
        assert_eq!(signed_in.profile.groups, ["team-shop", "team-shop-leads"]);
        let (code, pending) = code_for(&provider, "lee").await;
        provider.finish(code.clone(), pending.clone()).await.unwrap();
        assert!(matches!(refusal(&provider, code, pending).await, ProviderError::Refused(_)));
    }
}

#[tokio::test]
async fn a_code_without_its_verifier_or_with_another_nonce_is_refused() {
    for provider in providers() {
        let (code, pending) = code_for(&provider, "dana").await;
        let stolen = PendingSignIn { pkce_verifier: "x".repeat(43), ..pending };
        assert!(matches!(refusal(&provider, code, stolen).await, ProviderError::Refused(_)));
        let (code, pending) = code_for(&provider, "dana").await;
        let replayed = PendingSignIn { nonce: "another".into(), ..pending };
        assert!(matches!(refusal(&provider, code, replayed).await, ProviderError::NotAcceptable(_)));
    }
}

#[tokio::test]
async fn groups_are_read_again_with_the_refresh_token() {
    for provider in providers() {
        let first = signed_in(&provider, "pia").await;
        assert!(first.refresh_token.is_some());
        let second = provider.refresh(&first).await.unwrap();
        assert_eq!(second.profile.groups, ["team-pay"]);
        assert_eq!(second.profile.subject, first.profile.subject);
    }
}

#[tokio::test]
async fn somebody_whom_the_provider_behind_dex_no_longer_lets_in_is_not_renewed() {
    let dex = dex();
    let before = signed_in(&dex, "alex").await;
    let change = async |disabled: bool| {
        let person = format!("{}/test/people/alex", told("FAIRWAY_TEST_ISSUER"));
        Client::new().put(person).body(format!("{{\"disabled\":{disabled}}}")).send().await.unwrap();
    };
    change(true).await;
    let refused = dex.refresh(&before).await.err().unwrap();
    change(false).await;
    assert!(matches!(refused, ProviderError::Refused(_)), "{refused}");
}

#[tokio::test]
async fn signing_out_leads_to_the_provider_where_it_ends_sessions_too() {
    let provider = provider();
    let signed_in_here = signed_in(&provider, "pia").await;
    assert!(provider.sign_out_url(&signed_in_here).await.unwrap().is_some());
    // Dex keeps no session, and offers no address to end one.
    let dex = dex();
    let signed_in_there = signed_in(&dex, "pia").await;
    assert!(dex.sign_out_url(&signed_in_there).await.unwrap().is_none());
}

#[tokio::test]
async fn offline_access_is_asked_for_only_where_no_refresh_token_comes_without_it() {
    let asks = |url: &Url| url.query_pairs().any(|(name, value)| name == "scope" && value.contains("offline_access"));
    let (provider, dex) = (provider(), dex());
    signed_in(&provider, "dana").await;
    assert!(!asks(&provider.begin(Beginning::default()).await.unwrap().0));
    assert!(!asks(&dex.begin(Beginning::default()).await.unwrap().0));
    signed_in(&dex, "dana").await;
    assert!(asks(&dex.begin(Beginning::default()).await.unwrap().0));
}

#[tokio::test]
async fn scopes_that_the_provider_does_not_have_are_not_asked_for() {
    let settings = IdentityProviderSettings {
        scopes: ["openid", "email", "team-membership"].map(str::to_owned).to_vec(),
        ..settings("FAIRWAY_TEST_ISSUER")
    };
    let (url, _) = OpenIdProvider::new(settings, &told("FAIRWAY_TEST_PORTAL").parse().unwrap())
        .unwrap()
        .begin(Beginning::default())
        .await
        .unwrap();
    let scope = url.query_pairs().find(|(name, _)| name == "scope").unwrap().1.into_owned();
    assert_eq!(scope, "openid email");
}

#[tokio::test]
async fn a_client_that_the_provider_does_not_accept_is_told_from_a_provider_that_is_away() {
    for issuer in ["FAIRWAY_TEST_ISSUER", "FAIRWAY_TEST_DEX"] {
        let settings = IdentityProviderSettings { client_secret: Some("wrong".to_owned().into()), ..settings(issuer) };
        let provider = OpenIdProvider::new(settings, &told("FAIRWAY_TEST_PORTAL").parse().unwrap()).unwrap();
        let (code, pending) = code_for(&provider, "dana").await;
        let refused = refusal(&provider, code, pending).await;
        let ProviderError::Misconfigured(Misconfiguration { setting, cause }) = refused else { panic!("{refused}") };
        assert!(setting.contains("OIDC_CLIENT_SECRET") && cause.contains("invalid_client"), "{setting}: {cause}");
    }
}

#[tokio::test]
async fn a_provider_that_is_not_there_is_away() {
    let settings = IdentityProviderSettings {
        issuer: "http://127.0.0.1:1".parse().unwrap(),
        authorities: None,
        ..settings("FAIRWAY_TEST_ISSUER")
    };
    let provider = OpenIdProvider::new(settings, &"http://localhost:3000".parse().unwrap()).unwrap();
    assert!(matches!(provider.begin(Beginning::default()).await, Err(ProviderError::Unavailable(_))));
}
