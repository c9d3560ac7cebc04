//! SQL of drafts, submissions, what reviewers said, and what the cluster made of it.

mod drafts;
mod reviews;
mod submissions;
mod verification;

pub use drafts::{delete_draft, delete_untouched_drafts, find_draft, insert_draft, list_drafts, update_draft};
pub use reviews::{NewReview, insert_comment, insert_review, list_earlier_reviews};
pub use submissions::{
    NewSubmission, applied_before, begin_apply, end_apply, find_submission, find_submission_of, insert_apply_result,
    insert_submission, is_overtaken, list_submissions, list_waiting_submissions,
};
pub use verification::{list_missing_applies, list_missing_reviews, list_unrecorded_applies, list_unrecorded_reviews};
