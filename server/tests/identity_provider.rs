//! Signing in at a real OpenID provider, the browser's part played by hand.

#![allow(clippy::unwrap_used)]

mod parts;

use app::ports::{IdentityProvider, PendingSignIn, ProviderError};
use parts::{provider, told};
use reqwest::header::{COOKIE, LOCATION, SET_COOKIE};
use reqwest::{Client, Response, redirect};
use server::config::Oidc;
use server::identity_provider::OpenIdProvider;
use std::collections::BTreeMap;
use url::Url;

/// A browser that keeps cookies and stops when it is sent back to the portal.
#[derive(Default)]
struct Browser {
    cookies: BTreeMap<String, String>,
}

impl Browser {
    fn client() -> Client {
        Client::builder().redirect(redirect::Policy::none()).build().unwrap()
    }

    async fn send(&mut self, request: reqwest::RequestBuilder) -> Response {
        let cookies: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let response = request.header(COOKIE, cookies.join("; ")).send().await.unwrap();
        for cookie in response.headers().get_all(SET_COOKIE) {
            let pair = cookie.to_str().unwrap().split(';').next().unwrap().to_owned();
            let (name, value) = pair.split_once('=').unwrap();
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
        response
    }

    /// Follows redirects until somebody has to choose, chooses, and gives what comes back to the portal.
    async fn sign_in(&mut self, start: Url, person: &str) -> BTreeMap<String, String> {
        let portal = told("FAIRWAY_TEST_PORTAL");
        let mut here = start;
        loop {
            if here.as_str().starts_with(&portal) {
                return here.query_pairs().into_owned().collect();
            }
            let request = if here.path().starts_with("/choose/") {
                let form = format!("person={person}");
                let form_type = "application/x-www-form-urlencoded";
                Self::client().post(here.clone()).header("content-type", form_type).body(form)
            } else {
                Self::client().get(here.clone())
            };
            let response = self.send(request).await;
            here = here.join(response.headers()[LOCATION].to_str().unwrap()).unwrap();
        }
    }
}

/// Signs in up to the point where the portal gets the code.
async fn code_for(provider: &OpenIdProvider, person: &str) -> (String, PendingSignIn) {
    let (url, pending) = provider.begin().await.unwrap();
    let answer = Browser::default().sign_in(url, person).await;
    assert_eq!(answer["state"], pending.state);
    (answer["code"].clone(), pending)
}

#[tokio::test]
async fn a_code_becomes_a_profile_with_groups_and_works_once() {
    let provider = provider();
    let (code, pending) = code_for(&provider, "lee").await;
    let signed_in = provider.finish(code.clone(), pending.clone()).await.unwrap();
    assert_eq!(signed_in.profile.email, "lee@example.com");
    assert_eq!(signed_in.profile.groups, ["team-shop", "team-shop-leads"]);
    assert!(matches!(provider.finish(code, pending).await, Err(ProviderError::Refused(_))));
}

#[tokio::test]
async fn a_code_without_its_verifier_or_with_another_nonce_is_refused() {
    let provider = provider();
    let (code, pending) = code_for(&provider, "dana").await;
    let stolen = PendingSignIn { pkce_verifier: "x".repeat(43), ..pending };
    assert!(matches!(provider.finish(code, stolen).await, Err(ProviderError::Refused(_))));
    let (code, pending) = code_for(&provider, "dana").await;
    let replayed = PendingSignIn { nonce: "another".into(), ..pending };
    assert!(matches!(provider.finish(code, replayed).await, Err(ProviderError::Refused(_))));
}

#[tokio::test]
async fn groups_are_read_again_with_the_refresh_token() {
    let provider = provider();
    let (code, pending) = code_for(&provider, "pia").await;
    let first = provider.finish(code, pending).await.unwrap();
    let second = provider.refresh(&first).await.unwrap();
    assert_eq!(second.profile.groups, ["team-pay"]);
    assert!(provider.sign_out_url(&second).await.unwrap().is_some());
}

#[tokio::test]
async fn a_provider_that_is_not_there_is_away() {
    let settings = Oidc {
        issuer: "http://127.0.0.1:1".parse().unwrap(),
        client_id: "fairway".into(),
        client_secret: None,
        scopes: Vec::new(),
        groups_claim: "groups".into(),
    };
    let provider = OpenIdProvider::new(settings, &"http://localhost:3000".parse().unwrap()).unwrap();
    assert!(matches!(provider.begin().await, Err(ProviderError::Away(_))));
}
