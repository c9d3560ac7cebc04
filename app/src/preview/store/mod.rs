//! SQL of features, statements, acceptances, and what became of them.

mod acceptances;
mod effects;
mod features;
mod steps;

pub use acceptances::{AcceptanceQuery, find_acceptance, insert_acceptance, list_acceptances};
pub use effects::{EffectNote, is_due, note_effect, record_notice, takes_turn, waits_for_turn};
pub use features::{describe_feature, find_feature, list_features, list_versions, publish};
pub use steps::{NewStep, take_step};
