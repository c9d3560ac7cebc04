use crate::error::AreaError;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WorkloadError {
    #[error(
        "The draft was changed after you looked at its review, so nothing was applied. Go back, review it again and \
         apply then."
    )]
    DraftChanged,
    #[error(
        "The draft was changed after you looked at its review, so nothing was fixed. Go back and look at the review \
         again."
    )]
    FindingGone,
    #[error("Somebody saved the draft at this moment, so it was not deleted. Open it, and look at what they changed.")]
    DraftSavedMeanwhile,
    #[error(
        "This submission cannot be applied: it waits for a second person, was refused, was replaced by a later one, \
         or is applied already."
    )]
    NotApplicable,
    #[error("It was refused or replaced just now, so nothing was applied.")]
    RefusedMeanwhile,
    #[error(
        "Something else was applied for this workload after this was submitted. Submit it again, so that its effect \
         on what runs now is reviewed."
    )]
    Overtaken,
    #[error(
        "The rules refuse this today, though they did not when it was submitted. Open the draft and review it again."
    )]
    RefusedToday,
    #[error(
        "A second person has to look at this today, for a reason that was none when it was submitted. Submit it again."
    )]
    NeedsSecondPersonToday,
    #[error(
        "Fairway applied nothing named {name} to {namespace} before this, so there is no earlier state to bring back. \
         To take the workload away, delete it with kubectl; its policy should go last."
    )]
    NothingBefore { name: String, namespace: String },
    #[error("You wrote or submitted this yourself, so somebody else must review it.")]
    OwnSubmission,
    #[error("This submission does not wait for a review any more.")]
    NotReviewable,
    #[error("These are not the bytes that you looked at. Open the submission again and review it anew.")]
    OtherBytes,
    #[error(
        "Somebody else reviewed this after you opened it, so yours was not taken. Look at what they said, and review \
         it then."
    )]
    ReviewedMeanwhile,
    #[error(
        "The details of somebody who wrote this were erased, so nobody can tell any more who its second person is. \
         Import its manifest into a new draft, and submit that."
    )]
    AuthorErased,
    #[error(
        "This review does not fit the submission, so it was not taken: nobody reviews what they wrote themselves, and \
         a review counts for exactly the bytes that were looked at."
    )]
    ReviewDoesNotFit,
    #[error(
        "This step was sent with {rows} rows, and at most {most} are taken. Nothing was changed. Go back and remove \
         rows, or name a namespace, or labels that several workloads share."
    )]
    TooManyRows { rows: usize, most: usize },
    #[error(
        "This was not saved. Everyone who may edit in this namespace can read drafts, so Fairway stores no Secret that has \
         values, and no text that mentions a Secret and cannot be read. Remove the Secret and create it with kubectl \
         create secret."
    )]
    HoldsSecret,
}

impl AreaError for WorkloadError {
    fn code(&self) -> &'static str {
        match self {
            Self::DraftChanged => "draft_changed",
            Self::FindingGone => "finding_gone",
            Self::DraftSavedMeanwhile => "draft_saved_meanwhile",
            Self::NotApplicable => "not_applicable",
            Self::RefusedMeanwhile => "refused_meanwhile",
            Self::Overtaken => "overtaken",
            Self::RefusedToday => "refused_today",
            Self::NeedsSecondPersonToday => "needs_second_person_today",
            Self::NothingBefore { .. } => "nothing_before",
            Self::OwnSubmission => "own_submission",
            Self::NotReviewable => "not_reviewable",
            Self::OtherBytes => "other_bytes",
            Self::ReviewedMeanwhile => "reviewed_meanwhile",
            Self::AuthorErased => "author_erased",
            Self::ReviewDoesNotFit => "review_does_not_fit",
            Self::TooManyRows { .. } => "too_many_rows",
            Self::HoldsSecret => "holds_secret",
        }
    }

    fn title(&self) -> &'static str {
        match self {
            Self::DraftChanged
            | Self::FindingGone
            | Self::DraftSavedMeanwhile
            | Self::RefusedMeanwhile
            | Self::ReviewedMeanwhile => "Changed in the meantime",
            Self::NotApplicable => "It cannot be applied",
            Self::Overtaken => "Something else was applied since",
            Self::RefusedToday => "The rules refuse it today",
            Self::NeedsSecondPersonToday => "A second person has to look",
            Self::NothingBefore { .. } => "Nothing to bring back",
            Self::OwnSubmission => "Somebody else reviews this",
            Self::NotReviewable => "No review is needed",
            Self::OtherBytes => "Other bytes than you looked at",
            Self::AuthorErased => "Its author was erased",
            Self::ReviewDoesNotFit => "The review does not fit",
            Self::TooManyRows { .. } => "Too many rows",
            Self::HoldsSecret => "Secrets cannot be saved here",
        }
    }

    fn status(&self) -> u16 {
        match self {
            Self::TooManyRows { .. } => 413,
            Self::HoldsSecret => 422,
            _ => 409,
        }
    }

    fn faq(&self) -> Option<&'static str> {
        match self {
            Self::HoldsSecret => Some("secrets"),
            _ => None,
        }
    }
}
