//! Whoever keeps heads of the record outside of the database.

use crate::audit::chain::Head;
use crate::error::{AppError, Part};
use async_trait::async_trait;

/// Somewhere outside of the portal and its database that keeps the heads of the record: a webhook.
#[async_trait]
pub trait Witness: Send + Sync {
    /// Where it is, without what is secret about it.
    fn host(&self) -> &str;

    /// Sends the head of a day.
    ///
    /// # Errors
    /// When it was not taken.
    async fn tell(&self, day: &str, head: &Head) -> Result<(), WitnessError>;
}

/// It was not taken, or it is not known whether it was.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct WitnessError(pub String);

impl From<WitnessError> for AppError {
    fn from(error: WitnessError) -> Self {
        tracing::warn!(%error, "the head of the record was not taken");
        Self::Away { part: Part::Witness }
    }
}
