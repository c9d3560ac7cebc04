//! What an ID token must be (OpenID Connect Core 1.0, 3.1.3.7), with the checks that the library leaves to its caller.

use super::openid_types::{Client, IdClaims, Tokens};
use app::ports::{Misconfiguration, ProviderError};
use chrono::{DateTime, Utc};
use openidconnect::core::CoreJwsSigningAlgorithm;
use openidconnect::{
    AccessTokenHash, ClaimsVerificationError, Nonce, OAuth2TokenResponse, SignatureVerificationError, TokenResponse,
};

/// Difference between two clocks that is forgiven, in seconds.
pub(super) const LEEWAY: i64 = 60;

/// Oldest ID token that is accepted, in seconds.
const OLDEST: i64 = 600;

/// Those that need no secret to check.
pub(super) const ALGORITHMS: [CoreJwsSigningAlgorithm; 7] = [
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha384,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha512,
    CoreJwsSigningAlgorithm::RsaSsaPssSha256,
    CoreJwsSigningAlgorithm::EcdsaP256Sha256,
    CoreJwsSigningAlgorithm::EcdsaP384Sha384,
    CoreJwsSigningAlgorithm::EdDsa,
];

/// How the nonce is checked: at sign-in it must be ours, at refresh there is none.
#[derive(Clone, Copy)]
pub(super) enum NonceCheck<'a> {
    Equals(&'a Nonce),
    NotExpected,
}

pub(super) enum IdTokenError {
    /// No key that is known has signed it: the provider may have new ones, under new names or the same.
    UnknownKey(String),
    /// It is not for this client, or for others beside.
    Audience(String),
    Invalid(String),
}

impl From<IdTokenError> for ProviderError {
    fn from(error: IdTokenError) -> Self {
        match error {
            IdTokenError::UnknownKey(cause) => {
                Self::NotAcceptable(format!("no key that the provider publishes has signed the ID token ({cause})"))
            }
            IdTokenError::Audience(cause) => {
                Self::Misconfigured(Misconfiguration { setting: "OIDC_CLIENT_ID or OIDC_OTHER_AUDIENCES", cause })
            }
            IdTokenError::Invalid(cause) => Self::NotAcceptable(cause),
        }
    }
}

fn invalid(cause: impl ToString) -> IdTokenError {
    IdTokenError::Invalid(cause.to_string())
}

pub(super) fn verify_id_token(
    client: &Client,
    other_audiences: &[String],
    tokens: &Tokens,
    nonce: NonceCheck<'_>,
) -> Result<IdClaims, IdTokenError> {
    let id_token = tokens.id_token().ok_or_else(|| invalid("the provider sent no ID token"))?;
    let now = Utc::now().timestamp();
    let verifier = client
        .id_token_verifier()
        .set_allowed_algs(ALGORITHMS)
        .set_other_audience_verifier_fn(|audience| other_audiences.contains(audience))
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
    let claims = checked.map_err(|error| match &error {
        ClaimsVerificationError::SignatureVerification(
            SignatureVerificationError::NoMatchingKey
            | SignatureVerificationError::AmbiguousKeyId(_)
            | SignatureVerificationError::CryptoError(_),
        ) => IdTokenError::UnknownKey(error.to_string()),
        ClaimsVerificationError::InvalidAudience(cause) => IdTokenError::Audience(cause.clone()),
        error => invalid(format!("{error:?}")),
    })?;
    if let Some(expected) = claims.access_token_hash() {
        let key = id_token.signing_key(&verifier).map_err(invalid)?;
        let algorithm = id_token.signing_alg().map_err(invalid)?;
        let actual = AccessTokenHash::from_token(tokens.access_token(), algorithm, key).map_err(invalid)?;
        if actual != *expected {
            return Err(invalid("at_hash does not belong to the access token"));
        }
    }
    // OpenID Connect Core 1.0, 3.1.3.7, 5.
    if claims.authorized_party().is_some_and(|party| party != client.client_id()) {
        return Err(invalid("the ID token was issued for another client"));
    }
    Ok(claims.clone())
}
