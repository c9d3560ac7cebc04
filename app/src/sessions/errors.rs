//! What this area refuses.

use crate::error::AreaError;

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SessionError {
    #[error("That session has ended already, so there was nothing to end.")]
    AlreadyEnded,
}

impl AreaError for SessionError {
    fn code(&self) -> &'static str {
        match self {
            Self::AlreadyEnded => "session_already_ended",
        }
    }

    fn title(&self) -> &'static str {
        "Nothing was ended"
    }
}

/// Why nobody is signed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignInError {
    #[error(
        "Your user name cannot be used in the cluster, so you are not signed in. It must be plain ASCII without spaces, and \
         must not begin with system:. Ask whoever manages your account at the identity provider."
    )]
    NameNotUsable,
    #[error(
        "Another account at the identity provider has the same user name, so you are not signed in: in the cluster you \
         would be one person. If that account was yours and is gone, ask an administrator to free the name."
    )]
    NameTaken,
    #[error(
        "The identity provider does not say that your e-mail address is verified, so you are not signed in: anybody \
         could have entered it. Verify the address there, and sign in again."
    )]
    EmailNotVerified,
    #[error(
        "This sign-in is no longer valid: it was used already, took too long, or began in another browser. \
         Begin again with Sign in."
    )]
    Stale,
    #[error(
        "The identity provider did not let you in, so you are not signed in. Ask the people who manage your account \
         there."
    )]
    Denied,
    #[error(
        "The identity provider needs you to answer something first, so you are not signed in. Sign in again, and \
         finish every step there."
    )]
    Unfinished,
    /// A mistake of the operator's, here or at the provider.
    #[error(
        "Sign-in is set up wrongly, so nobody can sign in at the moment. Your account is fine, and trying again does \
         not help. Tell an administrator: Fairway's log names the setting and the cause."
    )]
    Misconfigured,
    #[error(
        "The identity provider's answer could not be accepted, so you are not signed in. Try once more; if it keeps \
         happening, tell an administrator."
    )]
    AnswerNotAccepted,
}

impl AreaError for SignInError {
    fn code(&self) -> &'static str {
        match self {
            Self::NameNotUsable => "name_not_usable",
            Self::NameTaken => "name_taken",
            Self::EmailNotVerified => "email_not_verified",
            Self::Stale => "sign_in_stale",
            Self::Denied => "sign_in_denied",
            Self::Unfinished => "sign_in_unfinished",
            Self::Misconfigured => "sign_in_misconfigured",
            Self::AnswerNotAccepted => "answer_not_accepted",
        }
    }

    fn title(&self) -> &'static str {
        "You are not signed in"
    }
}

/// Why sign-ins failed, for administrators; the code of a [`SignInError`] or of an
/// [`AppError`](crate::error::AppError).
#[must_use]
pub fn failure_in_words(code: &str) -> &str {
    match code {
        "name_not_usable" => "the name cannot be used in the cluster",
        "name_taken" => "the name belongs to another account",
        "email_not_verified" => "the e-mail address is not verified",
        "sign_in_stale" => "used already, too old, or begun in another browser",
        "sign_in_denied" => "the identity provider let nobody in",
        "sign_in_unfinished" => "steps at the identity provider were not finished",
        "sign_in_misconfigured" => "the settings do not fit the identity provider",
        "answer_not_accepted" => "the identity provider's answer was not acceptable",
        "identity_provider_unavailable" => "the identity provider did not answer",
        other => other,
    }
}
