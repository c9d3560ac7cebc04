//! What handlers and pages share: drafts, their review, what becomes of them, and what runs.

mod applying;
mod connections;
mod downloads;
mod drafts;
mod fixing;
pub mod importing;
mod listing;
mod proposing;
mod reviewing;
pub mod second_person;
mod steps;
mod submitting;
mod verification;

pub use applying::{apply_stored, is_overtaken, load_submission};
pub use connections::{NamespaceConnections, draw_submission, load_connections};
pub use downloads::{download_kustomize, download_manifest, load_picture};
pub use drafts::{begin_draft, delete_draft, load_draft, load_drafts, load_targets, may_deploy, submission_of};
pub use fixing::{can_fix, can_fix_with_others, finding_key, fix_draft, fix_whole_draft};
pub use importing::undo;
pub use listing::{
    Found, Listed, ListedWorkload, Listings, MOST_SEARCHED, Overview, OverviewLimits, find_picks, list_workloads,
    load_overview,
};
pub use proposing::add_policies;
pub use reviewing::{Depth, DryRun, DryRunAnswer, Reviewed, dry_run, load_known, may_apply, review_draft};
pub use steps::{SentStep, with_step};
pub use submitting::submit_draft;
pub use verification::verify_submissions;
