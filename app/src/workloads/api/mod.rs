//! Drafts, their review, what becomes of them, and what runs.

mod apply;
mod connections;
mod drafts;
mod fixing;
mod import;
mod lists;
mod review;
mod second_person;
mod take_away;
mod verifying;

pub use apply::{load_submission, post_apply};
pub use connections::{NamespaceConnections, draw_submission, load_connections};
pub use drafts::{
    delete_path, load_draft, load_targets, may_deploy, post_delete, post_new, post_step, step_path, submission_of,
    with_step,
};
pub use fixing::finding_key;
pub use import::{ImportForm, post_import, post_undo};
pub use lists::{
    Found, Listed, ListedWorkload, MOST_SEARCHED, Overview, drafts_of, find_picks, list_workloads, load_overview,
};
pub use review::{Depth, DryRun, DryRunAnswer, Reviewed, dry_run, load_known, may_apply, review_draft};
pub use second_person::{ReviewForm, is_reviewable, may_comment, may_review, post_review};
pub use take_away::{file, get_kustomize, get_manifest, load_picture};
pub use verifying::verify_reviews;
