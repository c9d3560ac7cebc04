//! What the provider's errors mean for a person.

use crate::identity_provider::needs_person;
use app::error::{AppError, Dependency};
use app::ports::{Misconfiguration, ProviderError};
use app::sessions::errors::SignInError;

/// The answer that is no sign-in (RFC 6749, 4.1.2.1; OpenID Connect Core 1.0, 3.1.2.6). Its own words are not shown: anybody
/// can write them into an address.
pub(super) fn refused_at_redirect(code: &str, description: &str) -> AppError {
    match code {
        "access_denied" => SignInError::Denied.into(),
        code if needs_person(code) => SignInError::Unfinished.into(),
        "server_error" | "temporarily_unavailable" => {
            AppError::Unavailable { dependency: Dependency::IdentityProvider }
        }
        _ => {
            let setting = "OIDC_CLIENT_ID, OIDC_SCOPES or OIDC_EXTRA_PARAMETERS";
            tracing::error!(setting, code, description, "the provider refuses the portal's own request");
            SignInError::Misconfigured.into()
        }
    }
}

/// What the provider's answer to the portal means.
pub(super) fn refused_by_provider(error: ProviderError) -> AppError {
    match error {
        ProviderError::Misconfigured(Misconfiguration { setting, cause }) => {
            tracing::error!(setting, cause, "the identity provider and the settings do not fit together");
            SignInError::Misconfigured.into()
        }
        ProviderError::EmailNotVerified => {
            tracing::warn!("sign-in refused: the e-mail address is not verified (OIDC_EMAIL_IS_VERIFIED)");
            SignInError::EmailNotVerified.into()
        }
        ProviderError::Refused(cause) | ProviderError::NotAcceptable(cause) => {
            tracing::warn!(cause, "sign-in refused");
            SignInError::AnswerNotAccepted.into()
        }
        ProviderError::Unavailable(cause) => {
            tracing::warn!(cause, "identity provider unavailable");
            AppError::Unavailable { dependency: Dependency::IdentityProvider }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_provider_refuses_is_told_as_what_it_is() {
        let says = |code: &str| refused_at_redirect(code, "").to_string();
        assert!(says("access_denied").contains("Ask the people who manage your account"));
        for code in ["invalid_scope", "not_allowed", "unauthorized_client", "<script>"] {
            assert!(says(code).contains("Your account is fine, and trying again does not help"), "{code}");
            assert!(!says(code).contains(code), "{code}");
        }
        assert_eq!(
            refused_at_redirect("temporarily_unavailable", ""),
            AppError::Unavailable { dependency: Dependency::IdentityProvider }
        );
        assert!(says("consent_required").contains("finish every step"));
    }
}
