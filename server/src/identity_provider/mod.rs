//! The OpenID provider: authorization code flow with PKCE (OpenID Connect Core 1.0, RFC 7636).

mod claims;
mod discovery;
mod id_token;
mod live_check;
mod logout_token;
mod openid_types;
mod refusals;

pub use self::claims::ClaimSettings;
pub use self::discovery::ClientAuthentication;
pub use self::live_check::LiveFinding;
pub use self::refusals::needs_person;

use self::discovery::{Discovered, Discovery};
use self::id_token::{IdTokenError, NonceCheck, verify_id_token};
use self::logout_token::{LogoutTokenError, verify_logout_token};
use self::openid_types::{IdClaims, InfoClaims, Tokens};
use self::refusals::{causes, code_error, may_be_about_offline_access, refresh_error};
use crate::config::IdentityProviderSettings;
use app::actor::Profile;
use app::ports::{
    Beginning, Finished, GroupsClaim, IdentityProvider, LoggedOut, Misconfiguration, OfflineAccess, PendingSignIn,
    Prompt, ProviderError, SignedIn,
};
use async_trait::async_trait;
use openidconnect::core::{CoreAuthPrompt, CoreAuthenticationFlow};
use openidconnect::{
    AccessToken, AuthorizationCode, ClientId, CsrfToken, EndSessionUrl, LoginHint, LogoutHint, LogoutRequest, Nonce,
    OAuth2TokenResponse, PkceCodeChallenge, PkceCodeVerifier, PostLogoutRedirectUrl, RedirectUrl, RefreshToken,
    RequestTokenError, Scope, SubjectIdentifier, TokenResponse, UserInfoError,
};
use reqwest::Certificate;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use url::Url;

/// The scope that some providers want before they give a refresh token (OpenID Connect Core 1.0, 11).
const OFFLINE_ACCESS: &str = "offline_access";

/// The longest ID token that is sent along when somebody signs out: it stands in an address, and servers refuse long ones.
const LONGEST_HINT: usize = 2_000;

/// How long a provider that did not allow `offline_access` is not asked for it.
const REFUSAL_COUNTS: Duration = Duration::from_secs(3_600);

/// A provider found by discovery (OpenID Connect Discovery 1.0).
pub struct OpenIdProvider {
    settings: IdentityProviderSettings,
    after_sign_out: PostLogoutRedirectUrl,
    http: reqwest::Client,
    discovery: Arc<Discovery>,
    /// Whether a sign-in without `offline_access` has shown that no refresh token comes without it.
    needs_offline_access: AtomicBool,
    /// When the provider has signed somebody in without it whom it had refused with it.
    refused_offline_access: Mutex<Option<Instant>>,
    /// Whether the log has it that the provider sends no groups.
    missing_groups_logged: AtomicBool,
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
        let redirect = RedirectUrl::from_url(public_url.join("/sign-in/callback")?);
        Ok(Self {
            after_sign_out: PostLogoutRedirectUrl::from_url(public_url.join("/")?),
            discovery: Arc::new(Discovery::new(settings.clone(), redirect, http.clone())),
            http,
            needs_offline_access: AtomicBool::new(false),
            refused_offline_access: Mutex::new(None),
            missing_groups_logged: AtomicBool::new(false),
            settings,
        })
    }

    /// Verifies the ID token; where no known key has signed it, looks at the provider's keys again once.
    async fn verify(&self, tokens: &Tokens, nonce: NonceCheck<'_>) -> Result<IdClaims, ProviderError> {
        let known = self.discovery.current().await?;
        let verify = |found: &Discovered| verify_id_token(&found.client, &self.settings.other_audiences, tokens, nonce);
        match verify(&known) {
            Err(IdTokenError::UnknownKey(_)) => verify(&*self.discovery.look_again().await?).map_err(Into::into),
            other => other.map_err(Into::into),
        }
    }

    async fn user_info(
        &self,
        token: &AccessToken,
        subject: &SubjectIdentifier,
    ) -> Result<Option<InfoClaims>, ProviderError> {
        let found = self.discovery.current().await?;
        // The library refuses an answer about another subject.
        let Ok(request) = found.client.user_info(token.clone(), Some(subject.clone())) else { return Ok(None) };
        request.request_async(&self.http).await.map(Some).map_err(|error| match error {
            UserInfoError::ClaimsVerification(cause) => ProviderError::NotAcceptable(cause.to_string()),
            UserInfoError::Response(status, _, _) if matches!(status.as_u16(), 401 | 403) => {
                let cause = format!("the userinfo endpoint refuses the provider's own access token (HTTP {status})");
                ProviderError::Misconfigured(Misconfiguration { setting: "OIDC_SCOPES", cause })
            }
            // Anything but a wrong answer is a provider with a bad moment.
            other => ProviderError::Unavailable(causes(&other)),
        })
    }

    async fn signed_in(
        &self,
        tokens: &Tokens,
        claims: &IdClaims,
        refresh_token: Option<String>,
    ) -> Result<SignedIn, ProviderError> {
        let info = self.user_info(tokens.access_token(), claims.subject()).await?;
        let (profile, groups_claim) = self.settings.claims.profile(claims, info.as_ref())?;
        self.log_missing_groups(groups_claim);
        Ok(SignedIn {
            profile,
            groups_claim,
            provider_session: claims.additional_claims().0.get("sid").and_then(|sid| sid.as_str()).map(str::to_owned),
            id_token: tokens.id_token().map(ToString::to_string).unwrap_or_default(),
            expires_at: claims.expiration().timestamp(),
            refresh_token,
        })
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
            ProviderError::NotAcceptable("a refresh brought no ID token, and there is no userinfo endpoint".to_owned())
        })?;
        // A claim that is gone is a person without groups: kept, the groups of somebody who lost them would stay.
        let (groups, groups_claim) = self.settings.claims.groups([Some(info.additional_claims())]);
        let profile = Profile { groups, ..before.profile.clone() };
        Ok(SignedIn { profile, groups_claim, refresh_token, ..before.clone() })
    }

    /// Once, and no more where the provider has sent the claim for somebody.
    fn log_missing_groups(&self, claim: GroupsClaim) {
        let cause = match claim {
            GroupsClaim::Sent => return self.missing_groups_logged.store(true, Ordering::Relaxed),
            GroupsClaim::Missing => {
                "the provider sent no such claim for somebody: they have no groups, or it is not set up to send them"
            }
            GroupsClaim::TooMany => {
                "the provider leaves the claim out for people with many groups: have it send only those that are \
                 assigned to the application"
            }
        };
        if !self.missing_groups_logged.swap(true, Ordering::Relaxed) {
            tracing::warn!(setting = "OIDC_GROUPS_CLAIM", claim = self.settings.claims.groups, cause, "no groups");
        }
    }

    /// The scopes to ask for: of those in the settings, the ones that the provider has, as others are refused.
    /// `offline_access` only where no refresh token comes without it: providers may keep it from people who can sign
    /// in.
    fn scopes_of(&self, found: &Discovered, offline_access: OfflineAccess) -> Vec<String> {
        let wants_offline_access = offline_access == OfflineAccess::AsNeeded
            && self.needs_offline_access.load(Ordering::Relaxed)
            && !self.refuses_offline_access();
        let is_needed = |scope: &str| scope != OFFLINE_ACCESS || wants_offline_access;
        self.settings.scopes.iter().filter(|scope| found.has_scope(scope) && is_needed(scope)).cloned().collect()
    }

    /// Whether asking for `offline_access` may still bring a refresh token.
    fn may_ask_for_offline_access(&self, found: &Discovered) -> bool {
        let is_set = self.settings.scopes.iter().any(|scope| scope == OFFLINE_ACCESS);
        is_set && !self.refuses_offline_access() && found.has_scope(OFFLINE_ACCESS)
    }

    /// Whether the provider is known not to allow it. It may have been set up otherwise since.
    fn refuses_offline_access(&self) -> bool {
        let refused = *self.refused_offline_access.lock().unwrap_or_else(PoisonError::into_inner);
        refused.is_some_and(|at| at.elapsed() < REFUSAL_COUNTS)
    }

    /// Addresses that do not answer may have moved: the next request finds out.
    fn look_for_moved_addresses(&self, error: &ProviderError) {
        if matches!(error, ProviderError::Unavailable(_)) {
            self.discovery.look_in_background();
        }
    }
}

#[async_trait]
impl IdentityProvider for OpenIdProvider {
    async fn begin(&self, beginning: Beginning<'_>) -> Result<(Url, PendingSignIn), ProviderError> {
        let Beginning { prompt, who, offline_access } = beginning;
        let found = self.discovery.current().await?;
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let mut request = found
            .client
            .authorize_url(CoreAuthenticationFlow::AuthorizationCode, CsrfToken::new_random, Nonce::new_random)
            .set_pkce_challenge(challenge);
        let scopes = self.scopes_of(&found, offline_access);
        let asks_offline_access = scopes.iter().any(|scope| scope == OFFLINE_ACCESS);
        // `openid` is always asked for by the library.
        for scope in scopes.into_iter().filter(|scope| scope != "openid") {
            request = request.add_scope(Scope::new(scope));
        }
        for (name, value) in &self.settings.extra_parameters {
            request = request.add_extra_param(name.clone(), value.clone());
        }
        if prompt == Prompt::Never {
            request = request.add_prompt(CoreAuthPrompt::None);
        }
        // Providers at which somebody has several accounts would have to ask which one is meant.
        if let Some(who) = who {
            request = request.set_login_hint(LoginHint::new(who.profile.email.clone()));
            if who.id_token.len() <= LONGEST_HINT {
                request = request.add_extra_param("id_token_hint", who.id_token.clone());
            }
        }
        let (url, state, nonce) = request.url();
        Ok((
            url,
            PendingSignIn {
                state: state.into_secret(),
                nonce: nonce.secret().clone(),
                pkce_verifier: verifier.into_secret(),
                asks_offline_access,
                offline_access,
                prompt,
            },
        ))
    }

    fn begins_again(&self, error: &str, pending: &PendingSignIn) -> Option<OfflineAccess> {
        (pending.asks_offline_access && may_be_about_offline_access(error)).then_some(OfflineAccess::LeftOut)
    }

    async fn finish(&self, code: String, pending: PendingSignIn) -> Result<Finished, ProviderError> {
        let found = self.discovery.current().await?;
        let request = found
            .client
            .exchange_code(AuthorizationCode::new(code))
            .map_err(|error| ProviderError::Refused(error.to_string()))?;
        let tokens =
            request.set_pkce_verifier(PkceCodeVerifier::new(pending.pkce_verifier)).request_async(&self.http).await;
        if let (true, Err(RequestTokenError::ServerResponse(answer))) = (pending.asks_offline_access, &tokens)
            && may_be_about_offline_access(answer.error().as_ref())
        {
            return Ok(Finished::BeginAgain(OfflineAccess::LeftOut));
        }
        let tokens = tokens.map_err(code_error).inspect_err(|error| self.look_for_moved_addresses(error))?;
        let nonce = Nonce::new(pending.nonce);
        let claims = self.verify(&tokens, NonceCheck::Equals(&nonce)).await?;
        let refresh_token = tokens.refresh_token().map(|token| token.secret().clone());
        if pending.offline_access == OfflineAccess::LeftOut {
            *self.refused_offline_access.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        } else if refresh_token.is_none() && !pending.asks_offline_access && self.may_ask_for_offline_access(&found) {
            self.needs_offline_access.store(true, Ordering::Relaxed);
            return Ok(Finished::BeginAgain(OfflineAccess::AsNeeded));
        }
        self.signed_in(&tokens, &claims, refresh_token).await.map(Box::new).map(Finished::SignedIn)
    }

    async fn refresh(&self, signed_in: &SignedIn) -> Result<SignedIn, ProviderError> {
        let Some(refresh_token) = &signed_in.refresh_token else {
            return Err(ProviderError::Refused("there is no refresh token".to_owned()));
        };
        let found = self.discovery.current().await?;
        let sent = RefreshToken::new(refresh_token.clone());
        let request =
            found.client.exchange_refresh_token(&sent).map_err(|error| ProviderError::Refused(error.to_string()))?;
        let tokens = request
            .request_async(&self.http)
            .await
            .map_err(refresh_error)
            .inspect_err(|error| self.look_for_moved_addresses(error))?;
        let next = tokens.refresh_token().map(|token| token.secret().clone()).or_else(|| Some(refresh_token.clone()));
        if tokens.id_token().is_none() {
            // A refresh need not bring one (OpenID Connect Core 1.0, 12.2): what changes is at the userinfo endpoint.
            return self.refreshed(&tokens, signed_in, next).await;
        }
        let claims = self.verify(&tokens, NonceCheck::NotExpected).await?;
        if claims.subject().as_str() != signed_in.profile.subject {
            return Err(ProviderError::Refused("the refreshed token is about another subject".to_owned()));
        }
        let renewed = self.signed_in(&tokens, &claims, next).await?;
        // A refreshed token need not name the session again.
        let provider_session = renewed.provider_session.clone().or_else(|| signed_in.provider_session.clone());
        Ok(SignedIn { provider_session, ..renewed })
    }

    async fn sign_out_url(&self, signed_in: &SignedIn) -> Result<Option<Url>, ProviderError> {
        let found = self.discovery.current().await?;
        let Some(end_session) = found.end_session.clone() else { return Ok(None) };
        let request = LogoutRequest::from(EndSessionUrl::from_url(end_session))
            .set_post_logout_redirect_uri(self.after_sign_out.clone())
            .set_client_id(ClientId::new(self.settings.client_id.clone()));
        if signed_in.id_token.len() > LONGEST_HINT {
            let hint = LogoutHint::new(signed_in.profile.user_name.clone());
            return Ok(Some(request.set_logout_hint(hint).http_get_url()));
        }
        let mut url = request.http_get_url();
        url.query_pairs_mut().append_pair("id_token_hint", &signed_in.id_token);
        Ok(Some(url))
    }

    async fn logged_out(&self, logout_token: &str) -> Result<LoggedOut, ProviderError> {
        let verify = |found: &Discovered| {
            let expected = (found.issuer.as_str(), self.settings.client_id.as_str());
            verify_logout_token(logout_token, expected, &found.keys, chrono::Utc::now().timestamp())
        };
        let known = self.discovery.current().await?;
        let verified = match verify(&known) {
            Err(LogoutTokenError::UnknownKey) => match self.discovery.look_again_unless_busy().await {
                Some(fresh) => verify(&fresh),
                None => Err(LogoutTokenError::UnknownKey),
            },
            other => other,
        };
        verified.map_err(|error| {
            ProviderError::Refused(match error {
                LogoutTokenError::UnknownKey => "no key that the provider publishes has signed it".to_owned(),
                LogoutTokenError::Invalid(cause) => cause.to_owned(),
            })
        })
    }

    async fn check(&self) -> Result<(), ProviderError> {
        let url = format!("{}/.well-known/openid-configuration", self.settings.issuer.as_str().trim_end_matches('/'));
        let answer = self.http.get(url).send().await.map_err(|error| ProviderError::Unavailable(causes(&error)))?;
        answer.error_for_status().map(drop).map_err(|error| ProviderError::Unavailable(causes(&error)))
    }
}
