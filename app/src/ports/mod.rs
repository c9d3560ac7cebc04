//! The outside services the areas talk to. Postgres is not among them: stores use it directly.

mod cluster;
mod identity_provider;
mod mailer;
mod witness;

pub use cluster::{
    Applied, Cluster, ClusterError, ClusterEvent, Family, FieldConflict, Given, Grant, Right, Run, Surroundings,
};
pub use identity_provider::{IdentityProvider, PendingSignIn, ProviderError, SignedIn};
pub use mailer::{Mail, MailError, Mailer};
pub use witness::{Witness, WitnessError};
