//! SQL of features, statements, acceptances, and what became of them.

mod acceptances;
mod effects;
mod features;
mod steps;
mod verification;

pub use acceptances::{
    AcceptanceQuery, Viewer, find_acceptance, find_seen_acceptance, insert_acceptance, list_acceptances,
    list_waiting_with, read_acceptances,
};
pub use effects::{EffectNote, note_effect, record_notice};
pub use features::{describe_feature, find_feature, list_features, list_versions, publish};
pub use steps::{NewStep, take_step};
pub use verification::{
    StoredStatement, list_acceptance_ids, list_descriptions, list_identities, list_misattributed, list_notices,
    list_statements,
};
