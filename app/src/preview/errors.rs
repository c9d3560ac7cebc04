use super::opt_in::StepError;
use crate::error::AreaError;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PreviewError {
    #[error(
        "The risk statement was changed while you read it. Nothing was recorded; read the new text and accept that."
    )]
    StatementChanged,
    /// Names nobody: the record keeps this sentence for good.
    #[error("The current statement has been accepted for this scope already, just now. Nothing more was recorded.")]
    AcceptedAlready,
    #[error(transparent)]
    Step(#[from] StepError),
    #[error(
        "This waits for a decision, so there is nothing to revoke yet. Whoever accepted it may withdraw it, and \
         an administrator refuse it."
    )]
    NotGranted,
    #[error("Everything was made again, and the cluster still differs from what was approved. {drift}")]
    StillDrifting { drift: String },
    #[error("The settings do not allow this any more. {objection}")]
    NotAllowed { objection: String },
    #[error("The namespace {namespace} is not there.")]
    NamespaceMissing { namespace: String },
    #[error(
        "The namespace {namespace} was created again after the risks were accepted, and may be somebody else's, so \
         nothing is granted there. Whoever needs it accepts the risks for it again."
    )]
    NamespaceRecreated { namespace: String },
    #[error("Somebody else has changed this feature in the meantime. Nothing was changed; look at theirs first.")]
    FeatureChanged,
    #[error(
        "Somebody else has published a version of this statement in the meantime. Nothing was published; look at \
         theirs first."
    )]
    VersionPublished,
}

impl AreaError for PreviewError {
    fn code(&self) -> &'static str {
        match self {
            Self::StatementChanged => "statement_changed",
            Self::AcceptedAlready => "accepted_already",
            Self::Step(StepError::TooLate) => "opt_in_changed",
            Self::Step(StepError::SamePerson) => "own_acceptance",
            Self::Step(StepError::ApprovedAlready) => "approved_already",
            Self::Step(StepError::NotTheirs) => "not_your_acceptance",
            Self::Step(StepError::Outdated) => "statement_outdated",
            Self::NotGranted => "not_granted",
            Self::StillDrifting { .. } => "still_drifting",
            Self::NotAllowed { .. } => "effect_not_allowed",
            Self::NamespaceMissing { .. } => "namespace_missing",
            Self::NamespaceRecreated { .. } => "namespace_recreated",
            Self::FeatureChanged => "feature_changed",
            Self::VersionPublished => "version_published",
        }
    }

    fn title(&self) -> &'static str {
        match self {
            Self::StatementChanged | Self::Step(StepError::Outdated) => "The risk statement has changed",
            Self::AcceptedAlready => "Accepted already",
            Self::Step(StepError::TooLate) | Self::FeatureChanged | Self::VersionPublished => "Changed in the meantime",
            Self::Step(StepError::SamePerson) => "Somebody else decides this",
            Self::Step(StepError::ApprovedAlready) => "You have approved this",
            Self::Step(StepError::NotTheirs) => "Not yours to withdraw",
            Self::NotGranted => "Nothing to revoke yet",
            Self::StillDrifting { .. } => "The cluster still differs",
            Self::NotAllowed { .. } => "Not allowed by the settings",
            Self::NamespaceMissing { .. } => "The namespace is not there",
            Self::NamespaceRecreated { .. } => "Another namespace of that name",
        }
    }
}
