//! What handlers and pages share: accepting, deciding, the catalogue; and what Fairway does by itself.

pub mod accepting;
pub mod catalogue;
pub mod deciding;
mod erasure;
mod exporting;
mod granted;
mod notifier;
pub mod queue;
mod reconciler;
mod scopes;
mod verification;

pub use erasure::end_waiting_of;
pub use exporting::export_acceptance;
pub use granted::{GrantedFeature, load_granted_in};
pub use notifier::notify;
pub use reconciler::{reconcile, repair};
pub use scopes::ScopeChoice;
pub use verification::{OptInRows, Verified, verify_opt_ins};
