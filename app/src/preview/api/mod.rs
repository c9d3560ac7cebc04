//! Keeping the catalogue, accepting risks, deciding, and what follows.

mod accepting;
mod blanking;
mod catalogue;
mod deciding;
mod enabled;
mod notifying;
mod scopes;
mod stewarding;
mod verifying;

pub use accepting::{Confirming, Offer, OptInForm, Seen, load_feature, load_features, post_opt_in};
pub use blanking::end_what_waits;
pub use catalogue::{
    CatalogueForm, FeatureForm, load_catalogue, load_versions, post_catalogue, post_catalogue_export, post_feature,
};
pub use deciding::{
    ActForm, DecisionForm, Queue, QueueFilter, Shown, count_open, get_statement, load_acceptance, load_queue, post_act,
    post_decision, post_record,
};
pub use enabled::{EnabledFeature, load_enabled_in};
pub use notifying::notify;
pub use scopes::ScopeChoice;
pub use stewarding::steward;
pub use verifying::{OptInRecord, Verified, verify_acceptances};

pub use super::store::{Listed, Place};

use super::acceptance::Acceptance;
use serde_json::{Value, json};

/// What the record says of a write to an opt-in: which, and the digest of what was accepted.
fn detail_of(acceptance: &Acceptance, comment: &str) -> Value {
    json!({
        "acceptance": acceptance.accepted.id,
        "digest": acceptance.digest,
        "step": (acceptance.steps.len() + 1).to_string(),
        "comment": comment,
    })
}
