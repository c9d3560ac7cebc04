//! The OpenID provider.

use crate::actor::Profile;
use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use url::Url;

/// The OpenID provider (OpenID Connect Core 1.0, authorization code flow with PKCE).
#[async_trait]
pub trait IdentityProvider: Send + Sync {
    /// Where to send the browser, and what to remember until it comes back.
    ///
    /// # Errors
    /// When the provider cannot be reached.
    async fn begin(&self) -> Result<(Url, PendingSignIn), ProviderError>;

    /// Takes the code that the browser brought back.
    ///
    /// # Errors
    /// When the provider refuses, is away, or its answer does not hold what it must.
    async fn finish(&self, code: String, pending: PendingSignIn) -> Result<SignedIn, ProviderError>;

    /// Reads the profile again with a refresh token.
    ///
    /// # Errors
    /// [`ProviderError::Refused`] when the person may no longer sign in.
    async fn refresh(&self, signed_in: &SignedIn) -> Result<SignedIn, ProviderError>;

    /// Where to send the browser so that the provider ends its session as well
    /// (OpenID Connect RP-Initiated Logout 1.0); `None` where it offers none.
    ///
    /// # Errors
    /// When the provider cannot be reached.
    async fn sign_out_url(&self, signed_in: &SignedIn) -> Result<Option<Url>, ProviderError>;

    /// Asks for the discovery document: is it there?
    ///
    /// # Errors
    /// When it is not.
    async fn check(&self) -> Result<(), ProviderError>;
}

/// What is kept, server-side, between leaving for the provider and coming back.
#[derive(Clone, Serialize, Deserialize)]
pub struct PendingSignIn {
    /// Bound to the browser by the session it is kept in.
    pub state: String,
    /// Expected in the ID token.
    pub nonce: String,
    /// PKCE verifier (RFC 7636).
    pub pkce_verifier: String,
}

/// The result of a sign-in. Holds secrets: never logged, kept only in the sealed session.
#[derive(Clone, Serialize, Deserialize)]
pub struct SignedIn {
    /// Who.
    pub profile: Profile,
    /// For signing out.
    pub id_token: String,
    /// For reading the groups again.
    pub refresh_token: Option<String>,
}

/// What the provider may answer instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProviderError {
    /// Refused, or the answer breaks a rule of the standard.
    #[error("refused: {0}")]
    Refused(String),
    /// Not reachable, or not answering in time.
    #[error("away: {0}")]
    Away(String),
}
