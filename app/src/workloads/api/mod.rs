//! Drafts, their review, what becomes of them, and what runs.

mod apply;
mod drafts;
mod fixing;
mod lists;
mod review;
mod second_person;

pub use apply::{load_submission, post_apply};
pub use drafts::{
    delete_path, get_manifest, load_draft, load_targets, may_deploy, post_delete, post_new, post_step, step_path,
    submission_of, with_step,
};
pub use lists::{Found, Listed, ListedWorkload, Overview, find_picks, list_workloads, load_overview};
pub use review::{Depth, DryRun, DryRunAnswer, Reviewed, dry_run, load_known, may_apply, review_draft};
pub use second_person::{ReviewForm, may_review, post_review};
