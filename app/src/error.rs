//! The errors a person may meet: a closed list, each with a stable code, a sentence, and the way out.

use serde::{Deserialize, Serialize};

/// What the portal depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// Postgres.
    Database,
    /// The Kubernetes API server.
    Cluster,
    /// The OpenID provider.
    IdentityProvider,
    /// Where heads of the record are sent.
    Witness,
    /// Where mails are sent.
    MailServer,
}

impl Part {
    /// Its name in a sentence.
    #[must_use]
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Database => "the database",
            Self::Cluster => "the cluster",
            Self::IdentityProvider => "the identity provider",
            Self::Witness => "the webhook of the record",
            Self::MailServer => "the mail server",
        }
    }
}

/// Something went wrong. Never holds internal text: the cause goes to the log where it happens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum AppError {
    /// Nobody is signed in.
    #[error("Sign in to see this page.")]
    SignInRequired,
    /// It does not exist, or not for this person.
    #[error("There is no such page, or it is not yours to see.")]
    NotFound,
    /// The cluster's own rules say no; its words are for the person.
    #[error("The cluster refused: {message}")]
    ClusterRefused {
        /// What the API server answered.
        message: String,
    },
    /// More than is taken at once.
    #[error(
        "That is more than Fairway takes at once, which is 256 kB. Nothing was changed. Go back, where what you typed still is, and send less."
    )]
    TooLarge,
    /// Someone else decided or changed it first.
    #[error("{message}")]
    Conflict {
        /// What happened, and what to do now.
        message: String,
    },
    /// A part is away.
    #[error("Fairway cannot reach {} at the moment. Nothing was changed; try again in a minute.", .part.in_words())]
    Away {
        /// Which.
        part: Part,
    },
    /// The part was away while it was being changed, so nobody knows.
    #[error("The connection to {} broke before it answered, so it is not known whether the change was made. Look before you try again; trying again is safe.", .part.in_words())]
    OutcomeUnknown {
        /// Which.
        part: Part,
    },
    /// A defect.
    #[error("Something is wrong in Fairway itself. The reference below helps an administrator find it.")]
    Internal,
}

impl AppError {
    /// Stable code for logs, records and tests.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::SignInRequired => "sign_in_required",
            Self::NotFound => "not_found",
            Self::ClusterRefused { .. } => "cluster_refused",
            Self::TooLarge => "too_large",
            Self::Conflict { .. } => "conflict",
            Self::Away { part: Part::Database } => "database_away",
            Self::Away { part: Part::Cluster } => "cluster_away",
            Self::Away { part: Part::IdentityProvider } => "identity_provider_away",
            Self::Away { part: Part::Witness } => "witness_away",
            Self::Away { part: Part::MailServer } => "mail_server_away",
            Self::OutcomeUnknown { .. } => "outcome_unknown",
            Self::Internal => "internal",
        }
    }

    /// HTTP status (RFC 9110).
    #[must_use]
    pub fn status(&self) -> u16 {
        match self {
            Self::SignInRequired => 401,
            Self::NotFound => 404,
            Self::ClusterRefused { .. } => 403,
            Self::Conflict { .. } => 409,
            Self::TooLarge => 413,
            Self::Away { .. } | Self::OutcomeUnknown { .. } => 503,
            Self::Internal => 500,
        }
    }

    /// Title of the page that shows it.
    #[must_use]
    pub fn title(&self) -> &'static str {
        match self {
            Self::SignInRequired => "Sign in first",
            Self::NotFound => "Page not found",
            Self::ClusterRefused { .. } => "The cluster refused",
            Self::Conflict { .. } => "Changed in the meantime",
            Self::TooLarge => "Too much at once",
            Self::Away { .. } => "Not available at the moment",
            Self::OutcomeUnknown { .. } => "Outcome unknown",
            Self::Internal => "Something went wrong",
        }
    }

    /// The FAQ article that explains it.
    #[must_use]
    pub fn faq(&self) -> Option<&'static str> {
        match self {
            Self::ClusterRefused { .. } => Some("forbidden"),
            _ => None,
        }
    }
}

#[cfg(feature = "ssr")]
impl From<sqlx::Error> for AppError {
    fn from(error: sqlx::Error) -> Self {
        use sqlx::Error as Sql;
        match error {
            Sql::RowNotFound => Self::NotFound,
            Sql::Io(_) | Sql::PoolTimedOut | Sql::PoolClosed | Sql::Tls(_) | Sql::WorkerCrashed => {
                tracing::warn!(error = %error, "database away");
                Self::Away { part: Part::Database }
            }
            // Class 57: the server is shutting down, starting up or cutting connections.
            Sql::Database(ref answer)
                if answer.code().is_some_and(|code| code.starts_with("57") || code.starts_with("08")) =>
            {
                tracing::warn!(error = %error, "database away");
                Self::Away { part: Part::Database }
            }
            other => {
                tracing::error!(error = %other, "database error");
                Self::Internal
            }
        }
    }
}

#[cfg(feature = "ssr")]
impl axum::response::IntoResponse for AppError {
    /// Carries the error to [`crate::show_failures`], which knows how to show it.
    fn into_response(self) -> axum::response::Response {
        let status = axum::http::StatusCode::from_u16(self.status()).unwrap_or_default();
        let mut response = status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}
