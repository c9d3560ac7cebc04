//! Whoever keeps heads of the record outside of the database.

use crate::error::{AppError, Dependency};
use async_trait::async_trait;
use record::Head;

/// Somewhere outside of the portal and its database that keeps the heads of the record: a webhook.
#[async_trait]
pub trait HeadPublisher: Send + Sync {
    /// Where it is, without what is secret about it.
    fn host(&self) -> &str;

    /// Sends the head of a day.
    ///
    /// # Errors
    /// When it was not taken.
    async fn publish(&self, day: &str, head: &Head) -> Result<(), HeadPublisherError>;
}

/// It was not taken, or it is not known whether it was.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct HeadPublisherError(pub String);

impl From<HeadPublisherError> for AppError {
    fn from(error: HeadPublisherError) -> Self {
        tracing::warn!(%error, "the head of the record was not taken");
        Self::Unavailable { dependency: Dependency::HeadPublisher }
    }
}
