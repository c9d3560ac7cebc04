//! The record of every write: intent before, outcome after, each row chained to the one before it.

pub mod api;
pub mod chain;
pub mod controls;
pub mod export;
pub mod identity;
pub mod page;
pub mod store;

pub use api::{
    Acting, audited, audited_in, commitment_to, commitment_within, commitments_of, nameless, recorded, recorded_within,
    rows_of_acceptance,
};

pub use store::{StoredIdentity, is_recorded, list_identities};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

macro_rules! actions {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $words:literal;)*) => {
        /// What was done. Closed: a new kind of write is a new entry here.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum Action {
            $($(#[$doc])* #[serde(rename = $code)] $name,)*
        }

        impl Action {
            /// All there are, in the order in which people meet them.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// As stored, and in settings.
            #[must_use]
            pub fn code(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }

            /// For people.
            #[must_use]
            pub fn in_words(self) -> &'static str {
                match self { $(Self::$name => $words,)* }
            }
        }
    };
}

actions! {
    /// Someone signed in.
    SignIn = "session.sign_in", "signed in";
    /// Someone signed out.
    SignOut = "session.sign_out", "signed out";
    /// A session ended because the provider no longer vouches for the person.
    SessionEnd = "session.end", "was signed out by the provider";
    /// A request was refused by the portal itself.
    RequestRefuse = "request.refuse", "asked for what Fairway refuses";
    /// A namespace was asked for.
    NamespaceCreate = "namespace.create", "created a namespace";
    /// A draft of a workload was deleted, for everybody who shared it.
    DraftDelete = "workload.delete_draft", "deleted a draft";
    /// A reviewed workload was submitted, to be applied or to be looked at.
    WorkloadSubmit = "workload.submit", "submitted a workload";
    /// A second person approved, refused, or asked for changes.
    WorkloadReview = "workload.review", "reviewed a workload";
    /// Somebody commented on a submission.
    WorkloadComment = "workload.comment", "commented on a workload";
    /// A reviewed workload was applied.
    WorkloadApply = "workload.apply", "applied a workload";
    /// A preview feature was added to the catalogue, or what is said about it was changed.
    FeatureDescribe = "preview_feature.describe", "described a preview feature";
    /// A version of a risk statement was published.
    StatementPublish = "preview_feature.publish_statement", "published a risk statement";
    /// The risks of a preview feature were accepted.
    RiskAccept = "preview_feature.accept_risk", "accepted risks";
    /// An acceptance was approved.
    RiskApprove = "preview_feature.approve", "approved an acceptance";
    /// An acceptance was refused.
    RiskRefuse = "preview_feature.refuse", "refused an acceptance";
    /// Whoever accepted took it back before it was decided.
    RiskWithdraw = "preview_feature.withdraw", "withdrew an acceptance";
    /// An opt-in was ended by a person.
    RiskRevoke = "preview_feature.revoke", "revoked an opt-in";
    /// An opt-in ended by itself.
    RiskEnd = "preview_feature.end", "ended an opt-in";
    /// People were told that an opt-in ends soon.
    RiskNotice = "preview_feature.notice", "gave notice that an opt-in ends";
    /// People were told of an opt-in by e-mail.
    RiskTell = "preview_feature.tell", "told people of an opt-in by e-mail";
    /// What an opt-in gives was made in the cluster, or an administrator said so.
    EffectTake = "preview_feature.take_effect", "made an opt-in effective";
    /// What an opt-in gave was taken back, or an administrator said so.
    EffectRemove = "preview_feature.remove_effect", "ended the effect of an opt-in";
    /// An administrator looked at what somebody else may do.
    ViewAs = "access.view_as", "viewed somebody's access";
    /// Records were exported.
    RecordExport = "record.export", "exported records";
    /// The head of the chain was published.
    HeadPublish = "record.publish_head", "published the head of the record";
    /// A person's details were blanked.
    RecordErase = "record.erase", "blanked a person's details";
}

impl Action {
    /// The action with that code.
    #[must_use]
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|action| action.code() == code)
    }
}

/// How far a write has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// About to be made.
    Intent,
    /// Made.
    Succeeded,
    /// Not made: somebody or something said no.
    Refused,
    /// Not made: something was away, or is broken.
    Failed,
    /// Perhaps made: the connection broke before there was an answer.
    Unknown,
}

/// How a write ended, as far as the record knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Made.
    Succeeded,
    /// Not made: somebody or something said no.
    Refused,
    /// Not made: something was away, or is broken.
    Failed,
    /// Said to be unknown, or never said at all.
    Unknown,
}

impl Outcome {
    /// From the phase of the row that ends a write, if there is one.
    #[must_use]
    pub fn from_phase(phase: Option<&str>) -> Self {
        match phase {
            Some("succeeded") => Self::Succeeded,
            Some("refused") => Self::Refused,
            Some("failed") => Self::Failed,
            _ => Self::Unknown,
        }
    }

    /// For people.
    #[must_use]
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Succeeded => "Succeeded",
            Self::Refused => "Refused",
            Self::Failed => "Failed",
            Self::Unknown => "Unknown",
        }
    }
}

/// A write as pages show it: the intent, and its outcome where there is one.
#[derive(Debug, Clone)]
pub struct Write {
    /// Place of the intent in the chain; the key for paging.
    pub sequence: i64,
    /// Who; nothing where their details were blanked.
    pub actor: Option<Person>,
    /// An [`Action`] by its code; one that is no longer known stays readable.
    pub action: String,
    /// To what.
    pub object: String,
    /// How it ended.
    pub outcome: Outcome,
    /// The intent's detail.
    pub detail: Value,
    /// That of its outcome, such as why it was refused.
    pub result: Value,
    /// Ties it to the log.
    pub request_id: String,
    /// When it began.
    pub occurred_at: Timestamp,
}

/// Somebody in the record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// Their name then.
    pub name: String,
    /// Their address then.
    pub email: String,
}

/// Where the record is kept beside the database.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RecordSettings {
    /// Where the head of the chain is written once a day; nowhere if not set.
    pub heads_in: Option<HeadPlace>,
}

/// A ConfigMap that only the portal's account may write to, and whose history the cluster's own audit log keeps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeadPlace {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub config_map: String,
}

/// Which writes are evidence for something: those of any of these kinds, and those to any of these objects.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Evidence {
    /// Kinds.
    pub actions: Vec<Action>,
    /// Names of objects.
    pub names: Vec<String>,
}

/// Which writes are asked for; what is empty asks for all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Part of a name or an address, or a whole subject.
    pub person: String,
    /// Of this kind.
    pub action: Option<Action>,
    /// A whole object, its namespace or its name.
    pub object: String,
    /// That are evidence for a control.
    pub evidence: Option<Evidence>,
    /// The reference that people were shown.
    pub reference: String,
    /// Not before.
    pub from: Option<Timestamp>,
    /// Before.
    pub until: Option<Timestamp>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_as_the_database_wants_them_and_no_two_are_the_same() {
        for action in Action::ALL {
            assert_eq!(Action::from_code(action.code()), Some(*action));
            let (area, verb) = action.code().split_once('.').unwrap();
            assert!([area, verb].iter().all(|part| part.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')));
        }
    }

    #[test]
    fn a_write_whose_outcome_was_never_recorded_is_no_success() {
        assert_eq!(Outcome::from_phase(None), Outcome::Unknown);
        assert_eq!(Outcome::from_phase(Some("unknown")), Outcome::Unknown);
    }
}
