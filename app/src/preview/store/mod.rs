//! SQL of features, statements, acceptances, and what became of them.

mod acceptances;
mod effects;
mod features;
mod notifications;
mod steps;
mod verification;

pub use acceptances::{
    AcceptanceQuery, Listed, Place, Viewer, count_open, find_acceptance, find_seen_acceptance, hold_scope,
    insert_acceptance, list_acceptances, list_page, list_waiting_with, read_acceptances,
};
pub use effects::{EffectNote, note_effect, record_notice};
pub use features::{describe_feature, find_feature, list_features, list_versions, publish};
pub use notifications::{note_attempt, note_problem, note_told};
pub use steps::{NewStep, take_step};
pub use verification::{
    StoredStatement, list_acceptance_ids, list_descriptions, list_false_columns, list_misattributed, list_notices,
    list_statements,
};
