//! The OpenID provider: authorization code flow with PKCE (OpenID Connect Core 1.0, RFC 7636), with the
//! checks that the library leaves to its caller.

use crate::config::IdentityProviderSettings;
use app::actor::Profile;
use app::ports::{Finished, IdentityProvider, PendingSignIn, ProviderError, SignedIn};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use openidconnect::core::{
    CoreAuthDisplay, CoreAuthPrompt, CoreAuthenticationFlow, CoreErrorResponseType, CoreGenderClaim, CoreJsonWebKey,
    CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm, CoreRevocableToken, CoreRevocationErrorResponse,
    CoreTokenIntrospectionResponse, CoreTokenType,
};
use openidconnect::{
    AccessToken, AccessTokenHash, AdditionalClaims, AuthorizationCode, ClaimsVerificationError, ClientId, ClientSecret,
    CsrfToken, EmptyExtraTokenFields, EndpointMaybeSet, EndpointNotSet, EndpointSet, IdTokenClaims, IdTokenFields,
    IssuerUrl, LogoutRequest, Nonce, OAuth2TokenResponse, PkceCodeChallenge, PkceCodeVerifier, PostLogoutRedirectUrl,
    ProviderMetadataWithLogout, RedirectUrl, RefreshToken, RequestTokenError, Scope, SignatureVerificationError,
    StandardErrorResponse, StandardTokenResponse, SubjectIdentifier, TokenResponse, UserInfoClaims,
};
use reqwest::Certificate;
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::RwLock;
use url::Url;

/// Difference between two clocks that is forgiven.
const LEEWAY: i64 = 60;

/// Oldest ID token that is accepted, in seconds.
const OLDEST: i64 = 600;

/// Shortest time between two looks at the provider's keys.
const KEYS_PAUSE: Duration = Duration::from_secs(10);

const ALGORITHMS: [CoreJwsSigningAlgorithm; 7] = [
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha384,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha512,
    CoreJwsSigningAlgorithm::RsaSsaPssSha256,
    CoreJwsSigningAlgorithm::EcdsaP256Sha256,
    CoreJwsSigningAlgorithm::EcdsaP384Sha384,
    CoreJwsSigningAlgorithm::EdDsa,
];

/// Claims beyond the standard ones; the groups are among them.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct MoreClaims(HashMap<String, Value>);
impl AdditionalClaims for MoreClaims {}

type Fields = IdTokenFields<
    MoreClaims,
    EmptyExtraTokenFields,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJwsSigningAlgorithm,
>;
type Tokens = StandardTokenResponse<Fields, CoreTokenType>;
type Client = openidconnect::Client<
    MoreClaims,
    CoreAuthDisplay,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJsonWebKey,
    CoreAuthPrompt,
    StandardErrorResponse<CoreErrorResponseType>,
    Tokens,
    CoreTokenIntrospectionResponse,
    CoreRevocableToken,
    CoreRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

/// The scope that some providers want before they give a refresh token (OpenID Connect Core 1.0, 11).
const OFFLINE_ACCESS: &str = "offline_access";

/// What discovery said, and when.
struct Discovered {
    client: Client,
    /// The scopes that the provider names; it need not name any.
    scopes: Option<Vec<String>>,
    end_session: Option<Url>,
    at: Instant,
}

/// A provider found by discovery (OpenID Connect Discovery 1.0).
pub struct OpenIdProvider {
    settings: IdentityProviderSettings,
    redirect: RedirectUrl,
    after_sign_out: PostLogoutRedirectUrl,
    http: reqwest::Client,
    discovered: RwLock<Option<Arc<Discovered>>>,
    /// Whether a sign-in without `offline_access` has shown that no refresh token comes without it.
    needs_offline_access: AtomicBool,
    /// Whether the provider has refused a sign-in that asked for it.
    refuses_offline_access: AtomicBool,
}

impl OpenIdProvider {
    /// Prepares a client; the provider is asked only when needed, so that the portal starts without it.
    ///
    /// # Errors
    /// When the public address cannot be used for redirects, or the certificates are none.
    pub fn new(settings: IdentityProviderSettings, public_url: &Url) -> anyhow::Result<Self> {
        let authorities = settings.authorities.as_deref().map(|pem| Certificate::from_pem_bundle(pem.as_bytes()));
        let builder = reqwest::Client::builder();
        let builder = authorities
            .transpose()?
            .into_iter()
            .flatten()
            .fold(builder, |builder, authority| builder.add_root_certificate(authority));
        let http = builder
            // The provider's answers never send us elsewhere: a redirect here is somebody's mistake or attack.
            .redirect(reqwest::redirect::Policy::none())
            // A connection that was kept may be closed at the moment it is used again, and a code works only once.
            .pool_max_idle_per_host(0)
            .connect_timeout(Duration::from_secs(3))
            .timeout(Duration::from_secs(10))
            .build()?;
        Ok(Self {
            settings,
            redirect: RedirectUrl::from_url(public_url.join("/sign-in/callback")?),
            after_sign_out: PostLogoutRedirectUrl::from_url(public_url.join("/")?),
            http,
            discovered: RwLock::new(None),
            needs_offline_access: AtomicBool::new(false),
            refuses_offline_access: AtomicBool::new(false),
        })
    }

    async fn discovered(&self) -> Result<Arc<Discovered>, ProviderError> {
        if let Some(found) = self.discovered.read().await.clone() {
            return Ok(found);
        }
        self.discover().await
    }

    /// Looks again, unless that has just been done.
    async fn discover(&self) -> Result<Arc<Discovered>, ProviderError> {
        let mut slot = self.discovered.write().await;
        if let Some(found) = slot.as_ref().filter(|found| found.at.elapsed() < KEYS_PAUSE) {
            return Ok(found.clone());
        }
        let found = Arc::new(self.fetch().await?);
        *slot = Some(found.clone());
        Ok(found)
    }

    async fn fetch(&self) -> Result<Discovered, ProviderError> {
        // Providers name their issuer without a trailing slash; `Url` adds one to a bare origin.
        let issuer = IssuerUrl::new(self.settings.issuer.as_str().trim_end_matches('/').to_owned())
            .map_err(|error| ProviderError::Refused(error.to_string()))?;
        let metadata = ProviderMetadataWithLogout::discover_async(issuer, &self.http)
            .await
            .map_err(|error| ProviderError::Unavailable(format!("{error:?}")))?;
        let end_session = metadata.additional_metadata().end_session_endpoint.as_ref().map(|url| url.url().clone());
        let scopes = metadata.scopes_supported().map(|scopes| scopes.iter().map(|scope| scope.to_string()).collect());
        let secret =
            self.settings.client_secret.as_ref().map(|secret| ClientSecret::new(secret.expose_secret().to_owned()));
        let client = openidconnect::Client::from_provider_metadata(
            metadata,
            ClientId::new(self.settings.client_id.clone()),
            secret,
        )
        .set_redirect_uri(self.redirect.clone());
        Ok(Discovered { client, scopes, end_session, at: Instant::now() })
    }

    /// Verifies the ID token; where its key is not known, looks at the provider's keys again once.
    async fn verify(
        &self,
        tokens: &Tokens,
        nonce: NonceCheck<'_>,
    ) -> Result<IdTokenClaims<MoreClaims, CoreGenderClaim>, ProviderError> {
        let known = self.discovered().await?;
        match verify_with(&known.client, tokens, nonce) {
            Err(VerificationError::UnknownKey) => {
                let fresh = self.discover().await?;
                verify_with(&fresh.client, tokens, nonce).map_err(Into::into)
            }
            other => other.map_err(Into::into),
        }
    }

    async fn user_info(
        &self,
        token: &AccessToken,
        subject: &SubjectIdentifier,
    ) -> Result<Option<UserInfoClaims<MoreClaims, CoreGenderClaim>>, ProviderError> {
        let found = self.discovered().await?;
        // The library refuses an answer about another subject.
        let Ok(request) = found.client.user_info(token.clone(), Some(subject.clone())) else { return Ok(None) };
        request.request_async(&self.http).await.map(Some).map_err(|error| match error {
            openidconnect::UserInfoError::ClaimsVerification(cause) => ProviderError::Refused(cause.to_string()),
            // Anything but a wrong answer is a provider with a bad moment.
            other => ProviderError::Unavailable(other.to_string()),
        })
    }

    async fn signed_in(
        &self,
        tokens: &Tokens,
        claims: &IdTokenClaims<MoreClaims, CoreGenderClaim>,
        refresh_token: Option<String>,
    ) -> Result<SignedIn, ProviderError> {
        let info = self.user_info(tokens.access_token(), claims.subject()).await?;
        let id_token = tokens.id_token().map(ToString::to_string).unwrap_or_default();
        let expires_at = claims.expiration().timestamp();
        Ok(SignedIn { profile: self.profile(claims, info.as_ref())?, id_token, expires_at, refresh_token })
    }

    /// The same person with today's groups, where a refresh brought no ID token.
    async fn refreshed(
        &self,
        tokens: &Tokens,
        before: &SignedIn,
        refresh_token: Option<String>,
    ) -> Result<SignedIn, ProviderError> {
        let subject = SubjectIdentifier::new(before.profile.subject.clone());
        let info = self.user_info(tokens.access_token(), &subject).await?.ok_or_else(|| {
            ProviderError::Refused("a refresh brought no ID token, and there is no userinfo endpoint".to_owned())
        })?;
        // A claim that is gone is a person without groups: kept, the groups of somebody who lost them would stay.
        let groups = info.additional_claims().0.get(&self.settings.groups_claim).map(texts).unwrap_or_default();
        let profile = Profile { groups, ..before.profile.clone() };
        Ok(SignedIn { profile, refresh_token, ..before.clone() })
    }

    fn profile(
        &self,
        claims: &IdTokenClaims<MoreClaims, CoreGenderClaim>,
        info: Option<&UserInfoClaims<MoreClaims, CoreGenderClaim>>,
    ) -> Result<Profile, ProviderError> {
        // What is verified is the address beside it.
        let of_token = claims.email().map(|email| (email.to_string(), claims.email_verified()));
        let of_info = || info.and_then(|info| Some((info.email()?.to_string(), info.email_verified())));
        let (email, verified) = of_token
            .or_else(of_info)
            .ok_or_else(|| ProviderError::Refused("the provider names no e-mail address".to_owned()))?;
        let email = shown(&email);
        let user_name = self.user_name(claims, info, &email)?;
        if self.settings.username_claim == EMAIL && verified != Some(true) && !self.settings.email_is_verified {
            return Err(ProviderError::EmailNotVerified);
        }
        let name = claims
            .name()
            .or_else(|| info.and_then(|info| info.name()))
            .and_then(|name| name.get(None))
            .map(|name| name.to_string());
        let groups = [Some(claims.additional_claims()), info.map(|info| info.additional_claims())]
            .into_iter()
            .flatten()
            .find_map(|more| more.0.get(&self.settings.groups_claim));
        let groups = groups.map(texts).unwrap_or_default();
        Ok(Profile {
            issuer: claims.issuer().to_string(),
            subject: subject(claims.subject())?,
            name: shown(&name.unwrap_or_else(|| email.clone())),
            email,
            user_name,
            groups,
        })
    }

    /// What the claim says that the settings name.
    fn user_name(
        &self,
        claims: &IdTokenClaims<MoreClaims, CoreGenderClaim>,
        info: Option<&UserInfoClaims<MoreClaims, CoreGenderClaim>>,
        email: &str,
    ) -> Result<String, ProviderError> {
        let claim = self.settings.username_claim.as_str();
        let named = match claim {
            EMAIL => Some(email.to_owned()),
            "sub" => Some(claims.subject().to_string()),
            "preferred_username" => claims
                .preferred_username()
                .or_else(|| info.and_then(|info| info.preferred_username()))
                .map(|name| name.to_string()),
            other => [Some(claims.additional_claims()), info.map(|info| info.additional_claims())]
                .into_iter()
                .flatten()
                .find_map(|more| more.0.get(other)?.as_str().map(str::to_owned)),
        };
        named.ok_or_else(|| ProviderError::Refused(format!("the provider sends no claim {claim}, the user name")))
    }
}

/// The claim whose value must be verified to be a person's own.
const EMAIL: &str = "email";

/// At most 255 ASCII characters (OpenID Connect Core 1.0, 2).
fn subject(subject: &SubjectIdentifier) -> Result<String, ProviderError> {
    let is_subject = subject.len() <= 255 && subject.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ');
    if is_subject { Ok(subject.to_string()) } else { Err(ProviderError::Refused("the subject is none".to_owned())) }
}

/// The longest name that is shown.
const LONGEST_NAME: usize = 200;

/// A name as it can be stored and shown: the provider lets people choose it.
fn shown(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).take(LONGEST_NAME).collect()
}

/// The texts of a list; anything else counts as none.
fn texts(list: &Value) -> Vec<String> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// How the nonce is checked: at sign-in it must be ours, at refresh there is none.
#[derive(Clone, Copy)]
enum NonceCheck<'a> {
    Equals(&'a Nonce),
    NotExpected,
}

enum VerificationError {
    UnknownKey,
    Other(String),
}

impl From<VerificationError> for ProviderError {
    fn from(error: VerificationError) -> Self {
        match error {
            VerificationError::UnknownKey => {
                Self::Refused("the ID token is signed with a key that the provider does not publish".to_owned())
            }
            VerificationError::Other(cause) => Self::Refused(cause),
        }
    }
}

fn verify_with(
    client: &Client,
    tokens: &Tokens,
    nonce: NonceCheck<'_>,
) -> Result<IdTokenClaims<MoreClaims, CoreGenderClaim>, VerificationError> {
    let other = |cause: String| VerificationError::Other(cause);
    let id_token = tokens.id_token().ok_or_else(|| other("the provider sent no ID token".to_owned()))?;
    let now = Utc::now().timestamp();
    let verifier = client
        .id_token_verifier()
        .set_allowed_algs(ALGORITHMS)
        // Expiry is checked against a clock that lags by the leeway.
        .set_time_fn(move || DateTime::from_timestamp(now - LEEWAY, 0).unwrap_or_default())
        .set_issue_time_verifier_fn(move |issued| {
            let age = now - issued.timestamp();
            if (-LEEWAY..=OLDEST).contains(&age) {
                Ok(())
            } else {
                Err(format!("the ID token was issued {age} seconds ago"))
            }
        });
    let checked = match nonce {
        NonceCheck::Equals(nonce) => id_token.claims(&verifier, nonce),
        NonceCheck::NotExpected => id_token.claims(&verifier, |_: Option<&Nonce>| Ok(())),
    };
    let claims = checked.map_err(|error| match error {
        ClaimsVerificationError::SignatureVerification(SignatureVerificationError::NoMatchingKey) => {
            VerificationError::UnknownKey
        }
        error => other(format!("{error:?}")),
    })?;
    if let Some(expected) = claims.access_token_hash() {
        let key = id_token.signing_key(&verifier).map_err(|error| other(error.to_string()))?;
        let algorithm = id_token.signing_alg().map_err(|error| other(error.to_string()))?;
        let actual = AccessTokenHash::from_token(tokens.access_token(), algorithm, key)
            .map_err(|error| other(error.to_string()))?;
        if actual != *expected {
            return Err(other("at_hash does not belong to the access token".to_owned()));
        }
    }
    // OpenID Connect Core 1.0, 3.1.3.7, 5.
    if claims.authorized_party().is_some_and(|party| party != client.client_id()) {
        return Err(other("the ID token was issued for another client".to_owned()));
    }
    Ok(claims.clone())
}

fn token_error<E: std::error::Error + 'static>(
    error: RequestTokenError<E, StandardErrorResponse<CoreErrorResponseType>>,
) -> ProviderError {
    match error {
        // Only this says that the person or the code is no longer good (RFC 6749, 5.2).
        RequestTokenError::ServerResponse(answer) if *answer.error() == CoreErrorResponseType::InvalidGrant => {
            ProviderError::Refused(answer.to_string())
        }
        // The provider has a bad moment and says so (RFC 6749, 4.1.2.1).
        RequestTokenError::ServerResponse(answer) if BAD_MOMENT.contains(&answer.error().as_ref()) => {
            ProviderError::Unavailable(answer.to_string())
        }
        RequestTokenError::ServerResponse(answer) => ProviderError::NotAccepted(answer.error().as_ref().to_owned()),
        other => ProviderError::Unavailable(other.to_string()),
    }
}

/// As [`token_error`], for a refresh: what the provider refuses then, and what does not say that the portal is set up
/// wrongly, is about the person. Of those who are locked, canaille and Dex say `invalid_request`, and others
/// `access_denied` or `interaction_required`.
fn refresh_error<E: std::error::Error + 'static>(
    error: RequestTokenError<E, StandardErrorResponse<CoreErrorResponseType>>,
) -> ProviderError {
    match token_error(error) {
        ProviderError::NotAccepted(code) if !CLIENT_MISTAKES.contains(&code.as_str()) => ProviderError::Refused(code),
        other => other,
    }
}

/// Codes that are about the portal and nobody in particular (RFC 6749, 5.2).
const CLIENT_MISTAKES: [&str; 4] = ["invalid_client", "unauthorized_client", "unsupported_grant_type", "invalid_scope"];

/// Codes that say nothing of the portal or the person.
const BAD_MOMENT: [&str; 2] = ["server_error", "temporarily_unavailable"];

impl OpenIdProvider {
    /// The scopes to ask for: of those in the settings, the ones that the provider has, as others are refused.
    /// `offline_access` only where no refresh token comes without it: providers may keep it from people who can sign
    /// in.
    fn scopes_of(&self, found: &Discovered) -> Vec<String> {
        let is_known = |scope: &str| found.scopes.as_ref().is_none_or(|known| known.iter().any(|one| one == scope));
        let wants_offline_access =
            self.needs_offline_access.load(Ordering::Relaxed) && !self.refuses_offline_access.load(Ordering::Relaxed);
        let is_needed = |scope: &str| scope != OFFLINE_ACCESS || wants_offline_access;
        self.settings.scopes.iter().filter(|scope| is_known(scope) && is_needed(scope)).cloned().collect()
    }

    /// Whether asking for `offline_access` may still bring a refresh token.
    fn may_ask_for_offline_access(&self, found: &Discovered) -> bool {
        let is_set = self.settings.scopes.iter().any(|scope| scope == OFFLINE_ACCESS);
        let is_refused = self.refuses_offline_access.load(Ordering::Relaxed);
        is_set
            && !is_refused
            && found.scopes.as_ref().is_none_or(|known| known.iter().any(|scope| scope == OFFLINE_ACCESS))
    }
}

#[async_trait]
impl IdentityProvider for OpenIdProvider {
    async fn begin(&self) -> Result<(Url, PendingSignIn), ProviderError> {
        let found = self.discovered().await?;
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let mut request = found
            .client
            .authorize_url(CoreAuthenticationFlow::AuthorizationCode, CsrfToken::new_random, Nonce::new_random)
            .set_pkce_challenge(challenge);
        let scopes = self.scopes_of(&found);
        let offline_access = scopes.iter().any(|scope| scope == OFFLINE_ACCESS);
        // `openid` is always asked for by the library.
        for scope in scopes.into_iter().filter(|scope| scope != "openid") {
            request = request.add_scope(Scope::new(scope));
        }
        let (url, state, nonce) = request.url();
        Ok((
            url,
            PendingSignIn {
                state: state.into_secret(),
                nonce: nonce.secret().clone(),
                pkce_verifier: verifier.into_secret(),
                offline_access,
            },
        ))
    }

    async fn finish(&self, code: String, pending: PendingSignIn) -> Result<Finished, ProviderError> {
        let found = self.discovered().await?;
        let request = found
            .client
            .exchange_code(AuthorizationCode::new(code))
            .map_err(|error| ProviderError::Refused(error.to_string()))?;
        let tokens = request
            .set_pkce_verifier(PkceCodeVerifier::new(pending.pkce_verifier))
            .request_async(&self.http)
            .await
            .map_err(token_error);
        if pending.offline_access && matches!(tokens, Err(ProviderError::NotAccepted(_))) {
            self.refuses_offline_access.store(true, Ordering::Relaxed);
            return Ok(Finished::BeginAgain);
        }
        let tokens = tokens?;
        let nonce = Nonce::new(pending.nonce);
        let claims = self.verify(&tokens, NonceCheck::Equals(&nonce)).await?;
        let refresh_token = tokens.refresh_token().map(|token| token.secret().clone());
        if refresh_token.is_none() && !pending.offline_access && self.may_ask_for_offline_access(&found) {
            self.needs_offline_access.store(true, Ordering::Relaxed);
            return Ok(Finished::BeginAgain);
        }
        self.signed_in(&tokens, &claims, refresh_token).await.map(Box::new).map(Finished::SignedIn)
    }

    async fn refresh(&self, signed_in: &SignedIn) -> Result<SignedIn, ProviderError> {
        let Some(refresh_token) = &signed_in.refresh_token else {
            return Err(ProviderError::Refused("there is no refresh token".to_owned()));
        };
        let found = self.discovered().await?;
        let sent = RefreshToken::new(refresh_token.clone());
        let request =
            found.client.exchange_refresh_token(&sent).map_err(|error| ProviderError::Refused(error.to_string()))?;
        let tokens = request.request_async(&self.http).await.map_err(refresh_error)?;
        let next = tokens.refresh_token().map(|token| token.secret().clone()).or_else(|| Some(refresh_token.clone()));
        if tokens.id_token().is_none() {
            // A refresh need not bring one (OpenID Connect Core 1.0, 12.2): what changes is at the userinfo endpoint.
            return self.refreshed(&tokens, signed_in, next).await;
        }
        let claims = self.verify(&tokens, NonceCheck::NotExpected).await?;
        if claims.subject().as_str() != signed_in.profile.subject {
            return Err(ProviderError::Refused("the refreshed token is about another subject".to_owned()));
        }
        self.signed_in(&tokens, &claims, next).await
    }

    async fn sign_out_url(&self, signed_in: &SignedIn) -> Result<Option<Url>, ProviderError> {
        let found = self.discovered().await?;
        let Some(end_session) = found.end_session.clone() else { return Ok(None) };
        let mut url = LogoutRequest::from(openidconnect::EndSessionUrl::from_url(end_session))
            .set_post_logout_redirect_uri(self.after_sign_out.clone())
            .set_client_id(ClientId::new(self.settings.client_id.clone()))
            .http_get_url();
        url.query_pairs_mut().append_pair("id_token_hint", &signed_in.id_token);
        Ok(Some(url))
    }

    async fn check(&self) -> Result<(), ProviderError> {
        let url = format!("{}/.well-known/openid-configuration", self.settings.issuer.as_str().trim_end_matches('/'));
        let answer = self.http.get(url).send().await.map_err(|error| ProviderError::Unavailable(error.to_string()))?;
        answer.error_for_status().map(drop).map_err(|error| ProviderError::Unavailable(error.to_string()))
    }
}
