//! What the provider says of itself (OpenID Connect Discovery 1.0): its addresses and keys, kept for a while, read again
//! ahead of time, and never by more than one at once.

use super::openid_types::Client;
use super::refusals::discovery_error;
use crate::config::IdentityProviderSettings;
use app::ports::ProviderError;
use openidconnect::core::{CoreClientAuthMethod, CoreJsonWebKey, CoreJwsSigningAlgorithm};
use openidconnect::{
    AuthType, ClientId, ClientSecret, DiscoveryError, HttpClientError, IssuerUrl, JsonWebKeySet,
    ProviderMetadataWithLogout, RedirectUrl,
};
use secrecy::ExposeSecret;
use std::str::FromStr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{Mutex, RwLock};
use url::Url;

/// After this, what is known is read again, while it still counts.
const FRESH: Duration = Duration::from_secs(300);

/// After this it counts no longer: a key that the provider withdrew is not believed for longer.
const OLDEST: Duration = Duration::from_secs(3_600);

/// Shortest time between two looks, so that nobody can have the portal ask without end.
const PAUSE: Duration = Duration::from_secs(10);

/// The same after a look that failed: a provider that is back is found at once.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(1);

/// Longest look, of both the metadata and the keys.
const PATIENCE: Duration = Duration::from_secs(10);

/// Where the client's secret is sent (OpenID Connect Core 1.0, 9).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientAuthentication {
    /// `client_secret_basic`: in the head.
    Basic,
    /// `client_secret_post`: in the body.
    Post,
}

impl FromStr for ClientAuthentication {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text.trim() {
            "basic" | "client_secret_basic" => Ok(Self::Basic),
            "post" | "client_secret_post" => Ok(Self::Post),
            _ => Err(()),
        }
    }
}

/// What discovery said, and when.
pub(super) struct Discovered {
    pub(super) client: Client,
    /// As the provider spells it.
    pub(super) issuer: String,
    pub(super) keys: JsonWebKeySet<CoreJsonWebKey>,
    /// The scopes that the provider names; it need not name any.
    pub(super) scopes: Option<Vec<String>>,
    /// The claims that it names.
    pub(super) claims: Option<Vec<String>>,
    /// The algorithms that it signs ID tokens with.
    pub(super) algorithms: Vec<CoreJwsSigningAlgorithm>,
    pub(super) end_session: Option<Url>,
    at: Instant,
}

impl Discovered {
    pub(super) fn has_scope(&self, scope: &str) -> bool {
        self.scopes.as_ref().is_none_or(|known| known.iter().any(|one| one == scope))
    }
}

/// How a look ended, and when.
struct Look {
    ended: Instant,
    failure: Option<ProviderError>,
}

impl Look {
    fn pause(&self) -> Duration {
        if self.failure.is_some() { PAUSE_AFTER_FAILURE } else { PAUSE }
    }
}

pub(super) struct Discovery {
    settings: IdentityProviderSettings,
    redirect: RedirectUrl,
    http: reqwest::Client,
    known: RwLock<Option<Arc<Discovered>>>,
    /// Held by whoever looks.
    last_look: Mutex<Option<Look>>,
}

impl Discovery {
    pub(super) fn new(settings: IdentityProviderSettings, redirect: RedirectUrl, http: reqwest::Client) -> Self {
        Self { settings, redirect, http, known: RwLock::new(None), last_look: Mutex::new(None) }
    }

    /// What is known. Only whoever comes first, or after a long time without the provider, waits for it.
    pub(super) async fn current(self: &Arc<Self>) -> Result<Arc<Discovered>, ProviderError> {
        let known = self.known.read().await.clone();
        match known {
            Some(known) if known.at.elapsed() < FRESH => Ok(known),
            Some(known) if known.at.elapsed() < OLDEST => {
                self.look_in_background();
                Ok(known)
            }
            _ => self.look_again().await,
        }
    }

    /// Looks again, unless somebody is looking.
    pub(super) fn look_in_background(self: &Arc<Self>) {
        if self.last_look.try_lock().is_ok() {
            let discovery = self.clone();
            tokio::spawn(async move { discovery.look_again().await.map(drop) });
        }
    }

    /// As [`Self::look_again`], for whoever anybody may be: nobody waits for another's look.
    pub(super) async fn look_again_unless_busy(&self) -> Option<Arc<Discovered>> {
        let is_busy = self.last_look.try_lock().is_err();
        if is_busy { None } else { self.look_again().await.ok() }
    }

    /// Looks again, unless that has just been done: for keys that are not known, and addresses that do not answer.
    pub(super) async fn look_again(&self) -> Result<Arc<Discovered>, ProviderError> {
        let began = Instant::now();
        let mut last = self.last_look.lock().await;
        // Whoever waited for another's look is answered with that.
        if let Some(look) = last.as_ref().filter(|look| look.ended > began || look.ended.elapsed() < look.pause()) {
            return match (&look.failure, self.known.read().await.clone()) {
                (None, Some(known)) => Ok(known),
                (Some(failure), _) => Err(failure.clone()),
                (None, None) => Err(ProviderError::Unavailable("it has not been reached yet".to_owned())),
            };
        }
        let looked = match tokio::time::timeout(PATIENCE, self.look()).await {
            Ok(looked) => looked.map(Arc::new),
            Err(_) => Err(ProviderError::Unavailable("the discovery document did not come in time".to_owned())),
        };
        *last = Some(Look { ended: Instant::now(), failure: looked.as_ref().err().cloned() });
        if let Ok(found) = &looked {
            *self.known.write().await = Some(found.clone());
        }
        looked
    }

    /// Tokens name the issuer as the provider spells it, and people cannot know whether that ends with a slash.
    async fn look(&self) -> Result<Discovered, ProviderError> {
        let typed = self.settings.issuer.as_str().trim_end_matches('/');
        match self.metadata(typed.to_owned()).await {
            Err(DiscoveryError::Validation(cause)) => {
                let with_slash = self.metadata(format!("{typed}/")).await;
                with_slash.map_err(|_| discovery_error(DiscoveryError::<std::fmt::Error>::Validation(cause)))
            }
            other => other.map_err(discovery_error),
        }
        .map(|metadata| self.discovered(metadata))
    }

    async fn metadata(
        &self,
        issuer: String,
    ) -> Result<ProviderMetadataWithLogout, DiscoveryError<HttpClientError<reqwest::Error>>> {
        let issuer = IssuerUrl::new(issuer).map_err(DiscoveryError::UrlParse)?;
        ProviderMetadataWithLogout::discover_async(issuer, &self.http).await
    }

    fn discovered(&self, metadata: ProviderMetadataWithLogout) -> Discovered {
        let end_session = metadata.additional_metadata().end_session_endpoint.as_ref().map(|url| url.url().clone());
        let authentication = self.authentication(metadata.token_endpoint_auth_methods_supported());
        let secret = self.settings.client_secret.as_ref();
        let secret = secret.map(|secret| ClientSecret::new(secret.expose_secret().to_owned()));
        Discovered {
            issuer: metadata.issuer().to_string(),
            keys: metadata.jwks().clone(),
            scopes: metadata.scopes_supported().map(|scopes| scopes.iter().map(|scope| scope.to_string()).collect()),
            claims: metadata.claims_supported().map(|claims| claims.iter().map(|claim| claim.to_string()).collect()),
            algorithms: metadata.id_token_signing_alg_values_supported().clone(),
            end_session: end_session.or_else(|| self.settings.logout_url.clone()),
            client: Client::from_provider_metadata(metadata, ClientId::new(self.settings.client_id.clone()), secret)
                .set_redirect_uri(self.redirect.clone())
                .set_auth_type(authentication),
            at: Instant::now(),
        }
    }

    /// As the settings say, else as the provider does; one that says nothing takes the head (OpenID Connect Discovery
    /// 1.0, 3).
    fn authentication(&self, supported: Option<&Vec<CoreClientAuthMethod>>) -> AuthType {
        let takes = |method| supported.is_none_or(|methods| methods.contains(&method));
        let chosen = self.settings.client_authentication.unwrap_or_else(|| {
            match takes(CoreClientAuthMethod::ClientSecretBasic) || !takes(CoreClientAuthMethod::ClientSecretPost) {
                true => ClientAuthentication::Basic,
                false => ClientAuthentication::Post,
            }
        });
        match chosen {
            ClientAuthentication::Basic => AuthType::BasicAuth,
            ClientAuthentication::Post => AuthType::RequestBody,
        }
    }
}
