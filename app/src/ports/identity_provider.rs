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
    async fn begin(&self, beginning: Beginning<'_>) -> Result<(Url, PendingSignIn), ProviderError>;

    /// How to begin again where the provider sent the browser back with an error that is about something that need not
    /// be asked for; nothing where it is about the person or the settings.
    fn begins_again(&self, error: &str, pending: &PendingSignIn) -> Option<OfflineAccess>;

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

    /// Whose sessions a logout token says have ended (OpenID Connect Back-Channel Logout 1.0).
    ///
    /// # Errors
    /// When the token is not the provider's, not for the portal, or says something else.
    async fn logged_out(&self, logout_token: &str) -> Result<LoggedOut, ProviderError>;

    /// Asks for the discovery document: is it there?
    ///
    /// # Errors
    /// When it is not.
    async fn check(&self) -> Result<(), ProviderError>;
}

/// Whether the provider may ask the person for anything (OpenID Connect Core 1.0, 3.1.2.1, `prompt`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Prompt {
    #[default]
    AsNeeded,
    /// Only whoever is signed in there comes back signed in.
    Never,
}

/// Whether a sign-in asks for the scope `offline_access` (OpenID Connect Core 1.0, 11).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OfflineAccess {
    /// Where no refresh token comes without it.
    #[default]
    AsNeeded,
    /// Not this time: the provider refused a sign-in that did.
    LeftOut,
}

/// How a sign-in begins.
#[derive(Clone, Copy, Default)]
pub struct Beginning<'a> {
    pub prompt: Prompt,
    /// Who is signed in here already, so that the provider need not ask which account is meant.
    pub who: Option<&'a SignedIn>,
    pub offline_access: OfflineAccess,
}

/// Whose sessions have ended at the provider: all of a person's, or one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedOut {
    pub issuer: String,
    pub subject: Option<String>,
    /// As the provider names it (`sid`).
    pub session: Option<String>,
    /// When, in seconds since the epoch: sessions that began later go on.
    pub at: i64,
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
    /// Whether the scope `offline_access` was asked for.
    pub asks_offline_access: bool,
    pub offline_access: OfflineAccess,
    pub prompt: Prompt,
}

pub enum Finished {
    /// Somebody is signed in.
    SignedIn(Box<SignedIn>),
    /// Begin again: `offline_access` is asked for now, as no refresh token came without it, or no longer, as the provider
    /// does not allow it.
    BeginAgain(OfflineAccess),
}

/// The result of a sign-in. Holds secrets: never logged, kept only in the sealed session.
#[derive(Clone, Serialize, Deserialize)]
pub struct SignedIn {
    pub profile: Profile,
    pub groups_claim: GroupsClaim,
    /// What the provider calls its session (`sid`), where it says so.
    pub provider_session: Option<String>,
    /// For signing out, and, where the settings say so, for the API server.
    pub id_token: String,
    /// When it is over, in seconds since the epoch.
    pub expires_at: i64,
    /// For reading the groups again. Without one, the browser goes to the provider and back for that.
    pub refresh_token: Option<String>,
}

/// Whether the provider said anything of groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GroupsClaim {
    Sent,
    /// There is no such claim.
    Missing,
    /// The person has more groups than the provider puts into a token.
    TooMany,
}

/// What the operator has to set right, here or at the provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misconfiguration {
    /// The setting that most likely does not fit.
    pub setting: &'static str,
    /// In the provider's words, as far as it has any: for the log.
    pub cause: String,
}

/// What the provider may answer instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProviderError {
    /// The provider refuses the person, or what they brought.
    #[error("refused: {0}")]
    Refused(String),
    /// The answer breaks a rule of the standard, which says nothing of the person.
    #[error("not acceptable: {0}")]
    NotAcceptable(String),
    /// The user name is an e-mail address that the provider does not say is verified to be the person's own.
    #[error("the e-mail address is not verified")]
    EmailNotVerified,
    /// The provider and the portal's settings do not fit together, so nobody can sign in.
    #[error("{} does not fit: {}", .0.setting, .0.cause)]
    Misconfigured(Misconfiguration),
    /// Not reachable, or not answering in time.
    #[error("unavailable: {0}")]
    Unavailable(String),
}
