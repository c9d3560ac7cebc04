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
    /// When the provider refuses, is unavailable, or its answer does not hold what it must.
    async fn finish(&self, code: String, pending: PendingSignIn) -> Result<Finished, ProviderError>;

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
    /// Whether the scope `offline_access` was asked for (OpenID Connect Core 1.0, 11).
    #[serde(default)]
    pub offline_access: bool,
}

pub enum Finished {
    /// Somebody is signed in.
    SignedIn(Box<SignedIn>),
    /// Begin again: `offline_access` is asked for from now on, as no refresh token came without it, or no longer, as
    /// the provider does not allow it.
    BeginAgain,
}

/// The result of a sign-in. Holds secrets: never logged, kept only in the sealed session.
#[derive(Clone, Serialize, Deserialize)]
pub struct SignedIn {
    pub profile: Profile,
    /// For signing out, and, where the settings say so, for the API server.
    pub id_token: String,
    /// When it is over, in seconds since the epoch.
    pub expires_at: i64,
    /// For reading the groups again.
    pub refresh_token: Option<String>,
}

/// What the provider may answer instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProviderError {
    /// Refused, or the answer breaks a rule of the standard.
    #[error("refused: {0}")]
    Refused(String),
    /// The user name is an e-mail address that the provider does not say is verified to be the person's own.
    #[error("the e-mail address is not verified")]
    EmailNotVerified,
    /// The provider does not accept the portal as it is set up there: its client, its secret or a scope. Holds the code
    /// of the error (RFC 6749, 4.1.2.1 and 5.2).
    #[error("not accepted: {0}")]
    NotAccepted(String),
    /// Not reachable, or not answering in time.
    #[error("unavailable: {0}")]
    Unavailable(String),
}
