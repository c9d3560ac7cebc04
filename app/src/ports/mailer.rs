//! The mail server.

use crate::error::{AppError, Dependency};
use async_trait::async_trait;

#[async_trait]
pub trait Mailer: Send + Sync {
    /// Sends a mail; it went well once the server has taken it.
    ///
    /// # Errors
    /// When the server did not take it, or is unavailable.
    async fn send(&self, mail: &Mail) -> Result<(), MailError>;
}

/// A mail in plain text, to one address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// Of no other mail: letters, digits, dots and hyphens.
    pub id: String,
    /// An address.
    pub to: String,
    pub subject: String,
    /// Lines.
    pub body: String,
}

/// Why a mail was not sent, without any address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MailError {
    /// The server does not take this one, now or ever.
    #[error("the mail server did not take it: {0}")]
    Refused(String),
    /// No mail can be sent now.
    #[error("the mail server is unavailable: {0}")]
    Unavailable(String),
}

impl From<MailError> for AppError {
    fn from(error: MailError) -> Self {
        tracing::warn!(%error, "a mail was not sent");
        Self::Unavailable { dependency: Dependency::MailServer }
    }
}
