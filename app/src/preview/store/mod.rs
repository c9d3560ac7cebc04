//! SQL of features, statements, acceptances, and what became of them.

mod acceptances;
mod effects;
mod features;
mod notifications;
mod steps;
mod summaries;
mod verification;

pub use acceptances::{
    find_acceptance, hold_scope, insert_acceptance, list_ids, list_open_ids, list_open_ids_in, list_recent_ids,
    list_waiting_ids_with, load_acceptances, load_readable,
};
pub use effects::{EffectNote, note_effect, record_notice};
pub use features::{
    describe_feature, find_feature, list_feature_names, list_feature_summaries, list_features, list_versions,
    list_versions_before, publish,
};
pub use notifications::{note_attempt, note_problem, note_told};
pub use steps::{NewStep, take_step};
pub use summaries::{
    GrantedIn, count_current, count_needing_action, is_visible, list_by_status, list_current_for, list_ending,
    list_granted_in, list_needing_action, list_visible, list_waiting,
};
pub use verification::{
    StoredNotice, StoredStatement, list_descriptions, list_false_columns, list_false_statement_columns,
    list_false_statuses, list_misattributed, list_notices, list_statements,
};
