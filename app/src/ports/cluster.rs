//! The Kubernetes cluster: one port for each purpose.

use super::access::ClusterAccess;
use super::apply::{ClusterApply, FieldConflict};
use super::grants::ClusterGrants;
use super::inventory::ClusterInventory;
use crate::error::WebhookFailure;

/// All that the portal asks of a cluster.
pub trait Cluster: ClusterAccess + ClusterInventory + ClusterApply + ClusterGrants {}

impl<T: ClusterAccess + ClusterInventory + ClusterApply + ClusterGrants> Cluster for T {}

/// What the cluster may answer instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClusterError {
    /// RBAC, an admission webhook or validation said no.
    #[error("refused: {0}")]
    Refused(String),
    /// Fairway does not send it: the cluster was not asked.
    #[error("not sent: {0}")]
    NotSent(String),
    /// The API server answered that something went wrong in it. Only of what stores nothing: a write may have been stored.
    #[error("failed: {0}")]
    Failed(String),
    /// A webhook that the API server had to ask gave no usable answer; nothing is stored.
    #[error("{failure}: {cause}")]
    WebhookFailed {
        /// Which webhook, and what was wrong.
        failure: WebhookFailure,
        /// In the API server's words; for the log.
        cause: String,
    },
    /// Another field manager owns a field, or the object exists.
    #[error("conflict: {message}")]
    Conflict {
        /// In the cluster's words.
        message: String,
        /// Which fields, where it is about fields.
        fields: Vec<FieldConflict>,
    },
    /// The API server does not accept the person's token: it is over, or of a provider that it does not trust.
    #[error("the person's token is not accepted")]
    NotSignedIn,
    /// Not reachable, or not answering in time; the request was never taken.
    #[error("unavailable: {0}")]
    Unavailable(String),
    /// The connection broke after a write was sent.
    #[error("outcome unknown: {0}")]
    Unknown(String),
}

impl From<ClusterError> for crate::error::AppError {
    fn from(error: ClusterError) -> Self {
        use crate::error::Dependency::Cluster;
        use crate::error::Refusal;
        match error {
            ClusterError::Refused(message) => Self::ClusterRefused { message },
            ClusterError::NotSent(message) => Self::Refused(Refusal {
                code: "not_sent",
                status: 422,
                title: "Fairway does not apply this",
                message,
                faq: None,
            }),
            ClusterError::Failed(message) => Self::Refused(Refusal {
                code: "cluster_failed",
                status: 502,
                title: "The cluster answered with an error",
                message: format!("Nothing was changed. The API server says: {message}"),
                faq: None,
            }),
            ClusterError::WebhookFailed { failure, cause } => {
                tracing::warn!(cause, "a webhook of the cluster failed");
                Self::WebhookFailed(failure)
            }
            ClusterError::Conflict { message, .. } => Self::Refused(Refusal {
                code: "cluster_conflict",
                status: 409,
                title: "The cluster holds something else",
                message,
                faq: None,
            }),
            ClusterError::NotSignedIn => {
                tracing::warn!("the API server does not accept a person's token");
                Self::SignInRequired
            }
            ClusterError::Unavailable(cause) => {
                tracing::warn!(cause, "cluster unavailable");
                Self::Unavailable { dependency: Cluster }
            }
            ClusterError::Unknown(cause) => {
                tracing::warn!(cause, "outcome of a cluster write unknown");
                Self::OutcomeUnknown { dependency: Cluster }
            }
        }
    }
}
