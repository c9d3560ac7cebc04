//! What a provider may send instead of a good ID token: one case for each name of the OpenID conformance tests for relying
//! parties, and what the library leaves to its caller.

use crate::parts::variant_provider::{Behaviour, Signing, VariantProvider, now};
use crate::parts::{settings_of, sign_in_at, wait_for};
use app::ports::{Beginning, IdentityProvider, Misconfiguration, ProviderError};
use serde_json::json;

type Case = (&'static str, fn(&mut Behaviour), &'static str);

/// Name, what the provider does, and a part of the cause that the log has.
const REFUSED: [Case; 20] = [
    ("nonce-invalid", |provider| provider.claims = json!({ "nonce": "another" }), "nonce"),
    ("nonce-missing", |provider| provider.claims = json!({ "nonce": null }), "nonce"),
    ("invalid-iss", |provider| provider.claims = json!({ "iss": "https://idp.example.net" }), "Issuer"),
    ("invalid-aud", |provider| provider.claims = json!({ "aud": "another" }), "audience"),
    ("missing-aud", |provider| provider.claims = json!({ "aud": null }), ""),
    ("several-aud", |provider| provider.claims = json!({ "aud": ["fairway", "another"] }), "audience"),
    ("invalid-azp", |provider| provider.claims = json!({ "azp": "another" }), "another client"),
    ("missing-sub", |provider| provider.claims = json!({ "sub": null }), ""),
    ("missing-iat", |provider| provider.claims = json!({ "iat": null }), ""),
    ("missing-exp", |provider| provider.claims = json!({ "exp": null }), ""),
    ("old-iat", |provider| provider.claims = json!({ "iat": now() - 700 }), "issued"),
    ("future-iat", |provider| provider.claims = json!({ "iat": now() + 300 }), "issued"),
    ("expired", |provider| provider.claims = json!({ "exp": now() - 90 }), "Expired"),
    ("idtoken-sig-none", |provider| provider.signing = Signing::Nothing, "NoSignature"),
    ("invalid-sig-rs256", |provider| provider.signing = Signing::Rsa, "no key"),
    ("invalid-sig-hs256", |provider| provider.signing = Signing::Secret, "DisallowedAlg"),
    ("invalid-sig-es256", |provider| provider.signing = Signing::OtherKey, "no key"),
    ("invalid-athash", |provider| provider.claims = json!({ "at_hash": "AAAAAAAAAAAAAAAAAAAAAA" }), "at_hash"),
    ("userinfo-invalid-sub", |provider| provider.user_info = Some(json!({ "sub": "somebody else" })), "ubject"),
    (
        "subject-of-4,000-characters",
        |provider| {
            provider.claims = json!({ "sub": "x".repeat(4_000) });
            provider.user_info = Some(json!({ "sub": "x".repeat(4_000) }));
        },
        "subject",
    ),
];

#[tokio::test]
async fn nothing_but_a_good_id_token_signs_anybody_in() {
    for (name, misbehave, cause) in REFUSED {
        let variant = VariantProvider::start().await;
        variant.behave(misbehave);
        match sign_in_at(&variant, settings_of(&variant)).await.1.err() {
            Some(ProviderError::Misconfigured(Misconfiguration { cause: told, setting })) => {
                assert!(setting.contains("AUDIENCES") && told.contains(cause), "{name}: {told}");
            }
            Some(ProviderError::NotAcceptable(told) | ProviderError::Unavailable(told)) => {
                assert!(told.contains(cause), "{name}: {told}");
            }
            other => panic!("{name}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn of_several_keys_the_one_that_signed_is_found_or_nobody_is_signed_in() {
    let variant = VariantProvider::start().await;
    // kid-absent-single-jwks
    variant.behave(|provider| provider.signing = Signing::KeyWithoutName);
    assert!(sign_in_at(&variant, settings_of(&variant)).await.1.is_ok());
    // kid-absent-multiple-jwks
    variant.behave(|provider| provider.key_names = vec!["first".to_owned(), "second".to_owned()]);
    assert!(matches!(sign_in_at(&variant, settings_of(&variant)).await.1, Err(ProviderError::NotAcceptable(_))));
}

#[tokio::test]
async fn a_key_that_changed_under_the_same_name_is_found_without_a_restart() {
    let variant = VariantProvider::start().await;
    let (provider, before) = sign_in_at(&variant, settings_of(&variant)).await;
    let before = before.unwrap();
    // signing-key-rotation: the old one is withdrawn at once. A look ten seconds ago is old enough for the next one.
    variant.behave(|behaviour| behaviour.is_rotated = true);
    wait_for(async || provider.refresh(&before).await.ok()).await;
}

#[tokio::test]
async fn a_discovery_document_of_another_issuer_is_the_operators_mistake() {
    let variant = VariantProvider::start().await;
    variant.behave(|provider| provider.metadata = json!({ "issuer": "https://idp.example.net" }));
    let provider = crate::parts::provider_with(settings_of(&variant));
    let Err(ProviderError::Misconfigured(Misconfiguration { setting, .. })) =
        provider.begin(Beginning::default()).await
    else {
        panic!("discovery-issuer-mismatch")
    };
    assert_eq!(setting, "OIDC_ISSUER_URL");
}

#[tokio::test]
async fn a_provider_that_hangs_is_asked_once_and_everybody_gets_its_answer() {
    let variant = VariantProvider::start().await;
    variant.behave(|provider| provider.hangs = true);
    let provider = crate::parts::provider_with(settings_of(&variant));
    let began = std::time::Instant::now();
    let asked = futures::future::join_all((0..20).map(|_| provider.begin(Beginning::default()))).await;
    assert!(asked.iter().all(|answer| matches!(answer, Err(ProviderError::Unavailable(_)))));
    // One after the other they would take minutes.
    assert!(began.elapsed() < std::time::Duration::from_secs(30));
}
