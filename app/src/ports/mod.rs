//! The outside services that the areas talk to. Postgres is not among them: stores use it directly.

mod access;
mod apply;
mod cluster;
mod grants;
mod head_publisher;
mod identity_provider;
mod inventory;
mod mailer;

pub use access::{ClusterAccess, Right};
pub use apply::{Applied, ClusterApply, FieldConflict, Run};
pub use cluster::{Cluster, ClusterError};
pub use grants::{ClusterGrants, Drift, Grant, GrantContent, Leftover};
pub use head_publisher::{HeadPublisher, HeadPublisherError};
pub use identity_provider::{
    Beginning, Finished, GroupsClaim, IdentityProvider, LoggedOut, Misconfiguration, OfflineAccess, PendingSignIn,
    Prompt, ProviderError, SignedIn,
};
pub use inventory::{ClusterEvent, ClusterInventory, Family, NamespaceSnapshot, SnapshotVersion};
pub use mailer::{Mail, MailError, Mailer};
