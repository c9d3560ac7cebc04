//! Providers as they are: what they send differently from each other, and each time somebody is signed in as who they are.

use crate::parts::variant_provider::{Behaviour, VariantProvider, now};
use crate::parts::{provider_with, settings_of, sign_in_at, wait_for};
use app::ports::{Beginning, GroupsClaim, IdentityProvider, Misconfiguration, Prompt, ProviderError, SignedIn};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use server::config::IdentityProviderSettings;
use server::identity_provider::{ClientAuthentication, LiveFinding};

/// Somebody signed in at a provider that behaves like this, with these settings.
async fn signed_in(
    behave: impl FnOnce(&mut Behaviour),
    set: impl FnOnce(&mut IdentityProviderSettings),
) -> (VariantProvider, Result<SignedIn, ProviderError>) {
    let variant = VariantProvider::start().await;
    variant.behave(behave);
    let mut settings = settings_of(&variant);
    set(&mut settings);
    let (_, signed_in) = sign_in_at(&variant, settings).await;
    (variant, signed_in)
}

async fn groups(
    claims: serde_json::Value,
    set: impl FnOnce(&mut IdentityProviderSettings),
) -> (Vec<String>, GroupsClaim) {
    let signed_in = signed_in(|provider| provider.claims = claims, set).await.1.unwrap();
    (signed_in.profile.groups, signed_in.groups_claim)
}

#[tokio::test]
async fn groups_come_in_every_form_that_providers_send() {
    let same = |_: &mut IdentityProviderSettings| ();
    assert_eq!(groups(json!({ "groups": "one" }), same).await.0, ["one"]);
    assert_eq!(groups(json!({ "groups": ["Team Süd", "a b"] }), same).await.0, ["Team Süd", "a b"]);
    assert_eq!(groups(json!({ "groups": [{ "name": "one" }] }), same).await.0, ["one"]);
    let nested = json!({ "realm_access": { "roles": ["one"] } });
    assert_eq!(groups(nested, |settings| settings.claims.groups = "realm_access.roles".into()).await.0, ["one"]);
    let paths = json!({ "groups": ["/one", "two"] });
    assert_eq!(groups(paths, |settings| settings.claims.group_prefix = "/".into()).await.0, ["one"]);
    assert_eq!(groups(json!({ "groups": null }), same).await.1, GroupsClaim::Missing);
    let overage = json!({ "groups": null, "_claim_names": { "groups": "src1" } });
    assert_eq!(groups(overage, same).await, (Vec::new(), GroupsClaim::TooMany));
}

#[tokio::test]
async fn an_issuer_with_a_slash_at_its_end_is_found_with_and_without_it() {
    for typed in ["", "/"] {
        let variant = VariantProvider::start().await;
        let spelled = format!("{}/", variant.issuer());
        variant.behave(|provider| {
            provider.metadata = json!({ "issuer": spelled });
            provider.claims = json!({ "iss": spelled });
        });
        let issuer = format!("{}{typed}", variant.issuer()).parse().unwrap();
        let settings = IdentityProviderSettings { issuer, ..settings_of(&variant) };
        assert_eq!(sign_in_at(&variant, settings).await.1.unwrap().profile.issuer, spelled);
    }
}

#[tokio::test]
async fn texts_instead_of_booleans_and_several_audiences_are_understood_where_the_settings_say_so() {
    let (_, signed) = signed_in(|provider| provider.claims = json!({ "email_verified": "true" }), |_| ()).await;
    assert!(signed.is_ok(), "{:?}", signed.err());
    let info = json!({ "sub": "robin", "updated_at": "2026-01-31T12:00:00Z" });
    assert!(signed_in(|provider| provider.user_info = Some(info), |_| ()).await.1.is_ok());
    let several = json!({ "aud": ["fairway", "api"], "azp": "fairway" });
    let (_, signed) =
        signed_in(|provider| provider.claims = several, |settings| settings.other_audiences = vec!["api".to_owned()])
            .await;
    assert!(signed.is_ok(), "{:?}", signed.err());
}

#[tokio::test]
async fn the_secret_is_sent_where_the_provider_wants_it_whatever_is_in_it() {
    let secret = "p%ss: w+rd/ü&=";
    let with_secret = |settings: &mut IdentityProviderSettings| settings.client_secret = Some(secret.to_owned().into());
    let (variant, signed) = signed_in(|_| (), with_secret).await;
    assert!(signed.is_ok());
    let (head, body) = variant.asked();
    let basic = head["authorization"].to_str().unwrap().strip_prefix("Basic ").unwrap().to_owned();
    let sent = String::from_utf8(STANDARD.decode(basic).unwrap()).unwrap();
    // RFC 6749, 2.3.1: each part as in a form.
    assert_eq!(sent, "fairway:p%25ss%3A+w%2Brd%2F%C3%BC%26%3D");
    assert!(!body.contains("client_secret"));
    let post_only = json!({ "token_endpoint_auth_methods_supported": ["client_secret_post"] });
    let as_told = signed_in(|provider| provider.metadata = post_only, with_secret).await.0;
    let as_set = signed_in(
        |_| (),
        |settings| {
            with_secret(settings);
            settings.client_authentication = Some(ClientAuthentication::Post);
        },
    )
    .await
    .0;
    for variant in [as_told, as_set] {
        let (head, body) = variant.asked();
        assert!(!head.contains_key("authorization"));
        let sent = url::form_urlencoded::parse(body.as_bytes()).find(|(name, _)| name == "client_secret");
        assert_eq!(sent.unwrap().1, secret);
    }
}

#[tokio::test]
async fn extra_parameters_go_along_and_signing_out_works_without_an_address_of_the_providers() {
    let variant = VariantProvider::start().await;
    variant.behave(|provider| provider.metadata = json!({ "end_session_endpoint": null }));
    let mut settings = settings_of(&variant);
    settings.extra_parameters = vec![("audience".to_owned(), "https://api.example.com".to_owned())];
    settings.logout_url = Some("https://idp.example.com/v2/logout".parse().unwrap());
    let (provider, signed_in) = sign_in_at(&variant, settings).await;
    let (url, _) = provider.begin(Beginning { prompt: Prompt::Never, ..Beginning::default() }).await.unwrap();
    let sent: Vec<(String, String)> = url.query_pairs().into_owned().collect();
    assert!(sent.contains(&("audience".to_owned(), "https://api.example.com".to_owned())));
    assert!(sent.contains(&("prompt".to_owned(), "none".to_owned())));
    let url = provider.sign_out_url(&signed_in.unwrap()).await.unwrap().unwrap();
    assert!(url.as_str().starts_with("https://idp.example.com/v2/logout?"), "{url}");
}

#[tokio::test]
async fn a_long_id_token_does_not_make_a_long_address_to_sign_out_at() {
    let many: Vec<String> = (0..600).map(|number| format!("a-group-with-a-long-name-{number}")).collect();
    let variant = VariantProvider::start().await;
    variant.behave(|provider| provider.claims = json!({ "groups": many }));
    let (provider, signed_in) = sign_in_at(&variant, settings_of(&variant)).await;
    let signed_in = signed_in.unwrap();
    assert!(signed_in.id_token.len() > 13_000);
    let url = provider.sign_out_url(&signed_in).await.unwrap().unwrap();
    let value = |wanted: &str| url.query_pairs().find(|(name, _)| name == wanted).map(|(_, value)| value.into_owned());
    assert!(url.as_str().len() < 1_000 && value("id_token_hint").is_none());
    assert_eq!(value("client_id").as_deref(), Some("fairway"));
    assert_eq!(value("logout_hint").as_deref(), Some("robin@example.com"));
}

#[tokio::test]
async fn groups_that_a_refresh_does_not_bring_are_gone() {
    let variant = VariantProvider::start().await;
    let (provider, before) = sign_in_at(&variant, settings_of(&variant)).await;
    variant.behave(|behaviour| behaviour.sends_id_token_on_refresh = false);
    let after = provider.refresh(&before.unwrap()).await.unwrap();
    assert_eq!((after.profile.groups, after.groups_claim), (Vec::new(), GroupsClaim::Missing));
}

#[tokio::test]
async fn what_a_refused_refresh_says_is_about_the_person_or_about_the_settings() {
    let variant = VariantProvider::start().await;
    let (provider, before) = sign_in_at(&variant, settings_of(&variant)).await;
    let before = before.unwrap();
    let answer = async |status: u16, code: &str| {
        let body = json!({ "error": code, "error_description": "in its own words" });
        variant.behave(|behaviour| behaviour.token_answer = Some((status, body)));
        provider.refresh(&before).await.err().unwrap()
    };
    // Keycloak and most; canaille and Dex; others.
    for code in ["invalid_grant", "invalid_request", "access_denied", "unauthorized", "interaction_required"] {
        assert!(matches!(answer(400, code).await, ProviderError::Refused(_)), "{code}");
    }
    for code in ["invalid_client", "unauthorized_client", "invalid_scope"] {
        let ProviderError::Misconfigured(Misconfiguration { cause, .. }) = answer(401, code).await else {
            panic!("{code}")
        };
        assert!(cause.contains(code) && cause.contains("in its own words"), "{cause}");
    }
    assert!(matches!(answer(503, "temporarily_unavailable").await, ProviderError::Unavailable(_)));
}

#[tokio::test]
async fn addresses_that_moved_are_found_without_a_restart() {
    let variant = VariantProvider::start().await;
    let (provider, before) = sign_in_at(&variant, settings_of(&variant)).await;
    let before = before.unwrap();
    variant.behave(|behaviour| behaviour.token_path = "/moved-token");
    wait_for(async || provider.refresh(&before).await.ok()).await;
}

#[tokio::test]
async fn what_the_provider_does_not_send_is_named_with_its_setting() {
    let cases: [(serde_json::Value, &str); 2] =
        [(json!({ "email": null }), "OIDC_SCOPES"), (json!({ "preferred_username": null }), "OIDC_USERNAME_CLAIM")];
    for (claims, named) in cases {
        let by_name = |settings: &mut IdentityProviderSettings| settings.claims.user_name = "preferred_username".into();
        let refused = signed_in(|provider| provider.claims = claims, by_name).await.1.err().unwrap();
        let ProviderError::Misconfigured(Misconfiguration { setting, .. }) = refused else { panic!("{refused}") };
        assert_eq!(setting, named);
    }
    let refused = signed_in(|provider| provider.user_info = None, |_| ()).await.1.err().unwrap();
    let ProviderError::Misconfigured(Misconfiguration { setting, cause }) = refused else { panic!("{refused}") };
    assert!(setting == "OIDC_SCOPES" && cause.contains("userinfo"), "{cause}");
}

#[tokio::test]
async fn before_anybody_signs_in_what_does_not_fit_is_named() {
    let variant = VariantProvider::start().await;
    variant.behave(|provider| {
        provider.redirect_error = |asked| asked.get("prompt").map(|_| "login_required");
        provider.token_answer = Some((400, json!({ "error": "invalid_grant" })));
    });
    assert_eq!(provider_with(settings_of(&variant)).live_findings().await, []);
    variant.behave(|provider| {
        provider.redirect_error = |_| Some("invalid_scope");
        provider.token_answer = Some((401, json!({ "error": "invalid_client" })));
        provider.metadata = json!({
            "id_token_signing_alg_values_supported": ["HS256"], "scopes_supported": ["openid", "email"],
            "claims_supported": ["sub", "email"],
        });
    });
    let texts: Vec<String> = provider_with(settings_of(&variant))
        .live_findings()
        .await
        .into_iter()
        .map(|finding| match finding {
            LiveFinding::Mistake(text) => text,
            LiveFinding::Note(text) => format!("note: {text}"),
        })
        .collect();
    for part in [
        "signs ID tokens with",
        "note: OIDC_SCOPES: the provider does not list groups",
        "note: OIDC_GROUPS_CLAIM: the provider does not list the claim groups",
        "OIDC_SCOPES: the provider answers a sign-in with invalid_scope",
        "OIDC_CLIENT_SECRET",
    ] {
        assert!(texts.iter().any(|text| text.contains(part)), "{part}: {texts:?}");
    }
}

#[tokio::test]
async fn clocks_that_differ_by_less_than_a_minute_keep_nobody_out() {
    let early = json!({ "iat": now() + 50, "exp": now() + 350 });
    assert!(signed_in(|provider| provider.claims = early, |_| ()).await.1.is_ok());
    let late = json!({ "iat": now() - 350, "exp": now() - 50 });
    assert!(signed_in(|provider| provider.claims = late, |_| ()).await.1.is_ok());
}
