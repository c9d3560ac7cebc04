//! What the provider's refusals mean: about the person, about the settings, or a bad moment.

use super::openid_types::TokenRefusal;
use app::ports::{Misconfiguration, ProviderError};
use openidconnect::core::CoreErrorResponseType;
use openidconnect::{DiscoveryError, RequestTokenError};
use std::error::Error;

/// Codes that are about the portal and nobody in particular (RFC 6749, 5.2).
const CLIENT_MISTAKES: [&str; 4] = ["invalid_client", "unauthorized_client", "unsupported_grant_type", "invalid_scope"];

/// Codes that say nothing of the portal or the person (RFC 6749, 4.1.2.1).
const BAD_MOMENT: [&str; 2] = ["server_error", "temporarily_unavailable"];

/// The setting that most likely does not fit where the provider answers with a code.
pub(super) fn setting_of(code: &str) -> &'static str {
    match code {
        "invalid_client" => "OIDC_CLIENT_ID, OIDC_CLIENT_SECRET or OIDC_CLIENT_AUTHENTICATION",
        "unauthorized_client" => "OIDC_CLIENT_ID",
        _ => "OIDC_SCOPES",
    }
}

/// Codes that are about the scope `offline_access`, where that was asked for (Okta, Keycloak and others).
const ABOUT_OFFLINE_ACCESS: [&str; 4] = ["invalid_scope", "unauthorized_client", "not_allowed", "access_denied"];

/// Whether a provider that answers with a code may not allow `offline_access`.
pub(super) fn may_be_about_offline_access(code: &str) -> bool {
    ABOUT_OFFLINE_ACCESS.contains(&code)
}

/// Whether the provider would have to ask the person something (OpenID Connect Core 1.0, 3.1.2.6).
pub fn needs_person(code: &str) -> bool {
    matches!(code, "login_required" | "interaction_required" | "account_selection_required" | "consent_required")
}

/// What a refused code means.
pub(super) fn code_error<E: Error + 'static>(error: RequestTokenError<E, TokenRefusal>) -> ProviderError {
    match error {
        // The code is no longer good (RFC 6749, 5.2), or is none at all.
        RequestTokenError::ServerResponse(answer)
            if matches!(
                answer.error(),
                CoreErrorResponseType::InvalidGrant | CoreErrorResponseType::InvalidRequest
            ) =>
        {
            ProviderError::Refused(answer.to_string())
        }
        RequestTokenError::ServerResponse(answer) if is_bad_moment(&answer) => {
            ProviderError::Unavailable(answer.to_string())
        }
        RequestTokenError::ServerResponse(answer) => misconfigured(&answer),
        other => ProviderError::Unavailable(causes(&other)),
    }
}

/// What a refused refresh means: what does not say that the portal is set up wrongly is about the person. Of those who
/// are locked, canaille and Dex say `invalid_request`, others `access_denied` or `interaction_required`.
pub(super) fn refresh_error<E: Error + 'static>(error: RequestTokenError<E, TokenRefusal>) -> ProviderError {
    match error {
        RequestTokenError::ServerResponse(answer) if !is_about_client(&answer) && !is_bad_moment(&answer) => {
            ProviderError::Refused(answer.to_string())
        }
        other => code_error(other),
    }
}

fn is_about_client(answer: &TokenRefusal) -> bool {
    CLIENT_MISTAKES.contains(&answer.error().as_ref())
}

fn is_bad_moment(answer: &TokenRefusal) -> bool {
    BAD_MOMENT.contains(&answer.error().as_ref())
}

fn misconfigured(answer: &TokenRefusal) -> ProviderError {
    let setting = setting_of(answer.error().as_ref());
    ProviderError::Misconfigured(Misconfiguration { setting, cause: answer.to_string() })
}

/// What discovery that failed means.
pub(super) fn discovery_error<E: Error + 'static>(error: DiscoveryError<E>) -> ProviderError {
    match error {
        DiscoveryError::Validation(cause) => wrong_issuer(cause),
        DiscoveryError::Response(status, _, _) if status.is_client_error() && status.as_u16() != 429 => {
            wrong_issuer(format!("there is no discovery document below it (HTTP {})", status.as_u16()))
        }
        other => ProviderError::Unavailable(causes(&other)),
    }
}

fn wrong_issuer(cause: String) -> ProviderError {
    ProviderError::Misconfigured(Misconfiguration { setting: "OIDC_ISSUER_URL", cause })
}

/// An error with all that led to it, in one line.
pub(super) fn causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !text.contains(&next) {
            text = format!("{text}: {next}");
        }
        cause = error.source();
    }
    text
}
