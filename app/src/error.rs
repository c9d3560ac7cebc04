//! The errors a person may meet: a closed list, each with a stable code, a sentence, and the way out.

use serde::{Deserialize, Serialize};

/// What the portal depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Dependency {
    /// Postgres.
    Database,
    Cluster,
    IdentityProvider,
    /// Where heads of the record are sent.
    HeadPublisher,
    MailServer,
}

impl Dependency {
    /// Its name in a sentence.
    #[must_use]
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Database => "the database",
            Self::Cluster => "the cluster",
            Self::IdentityProvider => "the identity provider",
            Self::HeadPublisher => "the webhook of the record",
            Self::MailServer => "the mail server",
        }
    }
}

/// A webhook of the cluster that the API server had to ask and got no usable answer from, so that it refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("the cluster's webhook {webhook} {}", .fault.in_words())]
pub struct WebhookFailure {
    /// Its name, for example `validation.gatekeeper.sh`.
    pub webhook: String,
    /// What was wrong with its answer.
    pub fault: WebhookFault,
}

impl WebhookFailure {
    /// What happened, what it means and what to do.
    #[must_use]
    pub fn explained(&self) -> String {
        format!(
            "The cluster refused because its webhook {} {}. The object was not stored. Tell an administrator the name \
             of the webhook, and try again later.",
            self.webhook,
            self.fault.in_words()
        )
    }
}

/// What can be wrong with a webhook's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WebhookFault {
    /// Nothing listens, or the connection broke.
    Unreachable,
    /// It took longer than the cluster waits.
    TooSlow,
    /// The answer is none that the cluster understands.
    Invalid,
}

impl WebhookFault {
    /// Ends a sentence that begins with the webhook.
    #[must_use]
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Unreachable => "cannot be reached",
            Self::TooSlow => "did not answer in time",
            Self::Invalid => "gave an answer that the cluster does not understand",
        }
    }
}

/// What an area refuses: a closed list of its own, each with everything that people and logs are told of it, written
/// once.
pub trait AreaError: std::error::Error {
    /// Stable, for logs, records and tests.
    fn code(&self) -> &'static str;

    /// Of the page that shows it. Its sentence is what [`Display`](std::fmt::Display) writes, with the way out.
    fn title(&self) -> &'static str;

    /// HTTP status (RFC 9110); most often something else came first.
    fn status(&self) -> u16 {
        409
    }

    /// The FAQ article that explains it.
    fn faq(&self) -> Option<&'static str> {
        None
    }
}

/// An [`AreaError`] on its way to the person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub code: &'static str,
    pub status: u16,
    pub title: &'static str,
    pub message: String,
    pub faq: Option<&'static str>,
}

impl<E: AreaError> From<E> for AppError {
    fn from(error: E) -> Self {
        let (code, status, title, faq) = (error.code(), error.status(), error.title(), error.faq());
        Self::Refused(Refusal { code, status, title, faq, message: error.to_string() })
    }
}

/// Something went wrong. Never holds internal text: the cause goes to the log where it happens.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AppError {
    #[error("Sign in to see this page.")]
    SignInRequired,
    /// It does not exist, or not for this person.
    #[error("There is no such page, or it is not yours to see.")]
    NotFound,
    /// An area refused.
    #[error("{}", .0.message)]
    Refused(Refusal),
    /// The cluster's own rules say no; its words are for the person.
    #[error("The cluster refused: {message}")]
    ClusterRefused { message: String },
    /// A webhook of the cluster failed, so the cluster refused.
    #[error("{}", .0.explained())]
    WebhookFailed(WebhookFailure),
    #[error(
        "That is more than Fairway takes at once, which is 256 kB. Nothing was changed. Go back, where what you typed \
         still is, and send less."
    )]
    TooLarge,
    #[error(
        "What you sent did not arrive in time, so nothing was changed. Go back, where what you typed still is, and send \
         it again."
    )]
    TooSlow,
    #[error(
        "Fairway cannot reach {} at the moment. Nothing was changed; try again in a minute.", .dependency.in_words()
    )]
    Unavailable { dependency: Dependency },
    /// The dependency became unavailable while it was being changed, so nobody knows.
    #[error("The connection to {} broke before it answered, so it is not known whether the change was made. Look \
        before you try again; trying again is safe.", .dependency.in_words())]
    OutcomeUnknown { dependency: Dependency },
    #[error(
        "There were too many requests in the last minute, so this one was not carried out. Wait a minute and try again."
    )]
    TooManyRequests,
    #[error("Fairway is too busy right now. Nothing was changed; try again in a minute.")]
    Busy,
    #[error("Something is wrong in Fairway itself. The reference below helps an administrator find it.")]
    Internal,
}

impl AppError {
    /// Stable, for logs, records and tests.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::SignInRequired => "sign_in_required",
            Self::NotFound => "not_found",
            Self::Refused(refusal) => refusal.code,
            Self::ClusterRefused { .. } => "cluster_refused",
            Self::WebhookFailed(_) => "webhook_failed",
            Self::TooLarge => "too_large",
            Self::TooSlow => "too_slow",
            Self::Unavailable { dependency } => match dependency {
                Dependency::Database => "database_unavailable",
                Dependency::Cluster => "cluster_unavailable",
                Dependency::IdentityProvider => "identity_provider_unavailable",
                Dependency::HeadPublisher => "head_publisher_unavailable",
                Dependency::MailServer => "mail_server_unavailable",
            },
            Self::OutcomeUnknown { .. } => "outcome_unknown",
            Self::TooManyRequests => "too_many_requests",
            Self::Busy => "busy",
            Self::Internal => "internal",
        }
    }

    /// HTTP status (RFC 9110).
    #[must_use]
    pub fn status(&self) -> u16 {
        match self {
            Self::SignInRequired => 401,
            Self::NotFound => 404,
            Self::Refused(refusal) => refusal.status,
            Self::ClusterRefused { .. } => 403,
            Self::TooLarge => 413,
            Self::TooSlow => 408,
            Self::TooManyRequests => 429,
            Self::Unavailable { .. } | Self::OutcomeUnknown { .. } | Self::WebhookFailed(_) | Self::Busy => 503,
            Self::Internal => 500,
        }
    }

    /// Of the page that shows it.
    #[must_use]
    pub fn title(&self) -> &'static str {
        match self {
            Self::SignInRequired => "Sign in first",
            Self::NotFound => "Page not found",
            Self::Refused(refusal) => refusal.title,
            Self::ClusterRefused { .. } => "The cluster refused",
            Self::WebhookFailed(_) => "A webhook of the cluster failed",
            Self::TooLarge => "Too much at once",
            Self::TooSlow => "Not received in time",
            Self::TooManyRequests => "Too many requests",
            Self::Unavailable { .. } | Self::Busy => "Not available at the moment",
            Self::OutcomeUnknown { .. } => "Outcome unknown",
            Self::Internal => "Something went wrong",
        }
    }

    /// Whether the same form may be taken later: nothing was changed, and nothing in it is wrong.
    #[must_use]
    pub fn may_be_sent_again(&self) -> bool {
        match self {
            Self::SignInRequired
            | Self::TooManyRequests
            | Self::Unavailable { .. }
            | Self::Busy
            | Self::WebhookFailed(_) => true,
            Self::NotFound
            | Self::Refused(_)
            | Self::ClusterRefused { .. }
            | Self::TooLarge
            | Self::TooSlow
            | Self::OutcomeUnknown { .. }
            | Self::Internal => false,
        }
    }

    /// The FAQ article that explains it.
    #[must_use]
    pub fn faq(&self) -> Option<&'static str> {
        match self {
            Self::Refused(refusal) => refusal.faq,
            Self::ClusterRefused { .. } => Some("forbidden"),
            Self::WebhookFailed(_) => Some("webhook-failed"),
            _ => None,
        }
    }
}

impl From<sqlx::Error> for AppError {
    fn from(error: sqlx::Error) -> Self {
        use sqlx::Error as Sql;
        match error {
            Sql::RowNotFound => Self::NotFound,
            Sql::Io(_) | Sql::PoolTimedOut | Sql::PoolClosed | Sql::Tls(_) | Sql::WorkerCrashed => {
                tracing::warn!(error = %error, "the database is unavailable");
                Self::Unavailable { dependency: Dependency::Database }
            }
            // Class 57: the server is shutting down, starting up or cutting connections.
            Sql::Database(ref answer)
                if answer.code().is_some_and(|code| code.starts_with("57") || code.starts_with("08")) =>
            {
                tracing::warn!(error = %error, "the database is unavailable");
                Self::Unavailable { dependency: Dependency::Database }
            }
            other => {
                tracing::error!(error = %other, "database error");
                Self::Internal
            }
        }
    }
}

impl axum::response::IntoResponse for AppError {
    /// Carries the error to [`crate::show_failures`], which knows how to show it.
    fn into_response(self) -> axum::response::Response {
        let status =
            axum::http::StatusCode::from_u16(self.status()).unwrap_or(axum::http::StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}
