use crate::object::{ObjectKind, ObjectRef, ObjectScope};
use crate::values::{
    EndReason, Occasion, Recipient, Renewal, ReviewVerdict, Scope, ScopeKind, SessionEndReason, Stage,
};
use crate::{Digest, Head};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use uuid::Uuid;

/// One list for what is recorded: the variant with its fields, the name that is stored for good, and the words for
/// people.
macro_rules! events {
    ($($(#[$doc:meta])* $name:ident $fields:tt = $stored:literal, $words:literal;)*) => {
        /// What is recorded, one variant for each thing. Nothing in it may hold a person's details: what is hashed
        /// cannot be erased. A change of a variant's fields is a new name, or a new
        /// [`Entry::FORMAT`](crate::Entry::FORMAT).
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(tag = "action", content = "detail", deny_unknown_fields)]
        pub enum Event {
            $($(#[$doc])* #[serde(rename = $stored)] $name $fields,)*
        }

        /// The kind of an [`Event`], by which people filter, and which settings name.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum Action {
            $(#[serde(rename = $stored)] $name,)*
        }

        impl Action {
            /// In the order in which people meet them.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $stored,)* }
            }

            #[must_use]
            pub fn in_words(self) -> &'static str {
                match self { $(Self::$name => $words,)* }
            }
        }

        impl Event {
            #[must_use]
            pub fn action(&self) -> Action {
                match self { $(Self::$name { .. } => Action::$name,)* }
            }
        }
    };
}

events! {
    SignIn {} = "session.sign_in", "signed in";
    SignOut {} = "session.sign_out", "signed out";
    /// One's own session ended, but not by signing out in it.
    SessionEnd { reason: SessionEndReason } = "session.end", "was signed out";
    /// An administrator ended all sessions of somebody; `whose` are the commitments of whoever has their address.
    SessionsRevoke { whose: Vec<Digest>, count: u64 } = "session.revoke", "ended somebody's sessions";
    /// Refused by the portal itself, without an event of its own: one of its routes, the ids in the address, and how often
    /// the person was refused this within an hour. The first ten are recorded, then the hundredth, the thousandth and so
    /// on.
    RequestRefuse { route: String, ids: Vec<Uuid>, times: u64 } = "request.refuse", "asked for what Fairway refuses";
    NamespaceCreate { name: String, origin: NamespaceOrigin } = "namespace.create", "created a namespace";
    DraftDelete { draft: Uuid, namespace: Option<String>, version: i32 } = "workload.delete_draft", "deleted a draft";
    WorkloadSubmit { submission: SubmissionRef, digest: Digest, second_person: bool }
        = "workload.submit", "submitted a workload";
    WorkloadReview { submission: SubmissionRef, digest: Digest, verdict: ReviewVerdict }
        = "workload.review", "reviewed a workload";
    WorkloadComment { submission: SubmissionRef } = "workload.comment", "commented on a workload";
    /// `approval` is the review that allowed it, where one was needed.
    WorkloadApply { submission: SubmissionRef, digest: Digest, approval: Option<i64> }
        = "workload.apply", "applied a workload";
    /// `digest` is of all that is said about the feature: its owner may be a person, whose name stays out.
    FeatureDescribe { feature: String, name: String, stage: Stage, retires_at: Option<Timestamp>, digest: Digest }
        = "preview_feature.describe", "described a preview feature";
    StatementPublish { feature: String, version: i32, digest: Digest, renewal: Renewal }
        = "preview_feature.publish_statement", "published a risk statement";
    RiskAccept { opt_in: OptInRef, digest: Digest, version: i32, statement: Digest }
        = "preview_feature.accept_risk", "accepted risks";
    RiskApprove(OptInStep) = "preview_feature.approve", "approved an acceptance";
    RiskRefuse(OptInStep) = "preview_feature.refuse", "refused an acceptance";
    RiskWithdraw(OptInStep) = "preview_feature.withdraw", "withdrew an acceptance";
    /// Ended by a person.
    RiskRevoke(OptInStep) = "preview_feature.revoke", "revoked an opt-in";
    /// Ended by itself.
    RiskEnd(OptInStep) = "preview_feature.end", "ended an opt-in";
    RiskNotice { opt_in: OptInRef, days: u16, ends_at: Timestamp, reason: EndReason }
        = "preview_feature.notice", "gave notice that an opt-in ends";
    RiskNotify { opt_in: OptInRef, occasion: Occasion, recipient: Recipient }
        = "preview_feature.notify", "told people of an opt-in by e-mail";
    /// What an opt-in gives was made in the cluster, or an administrator said so.
    EffectTake(OptInStep) = "preview_feature.take_effect", "made an opt-in effective";
    /// What an effective opt-in gives was made once more, because the cluster differed.
    EffectRepair { opt_in: OptInRef, digest: Digest } = "preview_feature.repair", "repaired an opt-in";
    /// What an opt-in gave was taken back, or an administrator said so.
    EffectRemove(OptInStep) = "preview_feature.remove_effect", "ended the effect of an opt-in";
    /// `viewed` are the commitments of whoever has the address that was looked at.
    ViewAs { viewed: Vec<Digest>, groups: Vec<String> } = "access.view_as", "viewed somebody's access";
    /// `rows` stands in the outcome only; `database_user` only where it was done on the command line.
    RecordExport { of: ExportOf, filter: BTreeMap<String, String>, rows: Option<u64>, database_user: Option<String> }
        = "record.export", "exported records";
    HeadPublish { place: HeadPlace, head: Head, day: String } = "record.publish_head", "published the head of the \
        record";
    /// `erased` are the commitments that nobody can open any more.
    RecordErase { erased: Vec<Digest>, reason: String, database_user: String }
        = "record.erase", "erased a person's details";
}

impl std::str::FromStr for Action {
    type Err = crate::UnknownValue;

    fn from_str(text: &str) -> Result<Self, crate::UnknownValue> {
        let found = Self::ALL.iter().copied().find(|action| action.as_str() == text);
        found.ok_or_else(|| crate::UnknownValue(text.to_owned()))
    }
}

/// What a namespace was made from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NamespaceOrigin {
    Parent(String),
    OwnerGroup(String),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SubmissionRef {
    pub id: Uuid,
    pub namespace: String,
    pub name: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OptInRef {
    pub acceptance: Uuid,
    pub feature: String,
    pub scope: Scope,
}

/// A step of an opt-in, by its number from 1; `digest` is that of the acceptance document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OptInStep {
    pub opt_in: OptInRef,
    pub digest: Digest,
    pub number: usize,
    pub comment: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExportOf {
    Record { format: String },
    Acceptance(OptInRef),
    Catalogue,
}

/// Where the head of the chain is kept outside of the database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HeadPlace {
    ConfigMap { namespace: String, name: String },
    Webhook { host: String },
}

impl SubmissionRef {
    fn object(&self) -> ObjectRef {
        let namespace = ObjectScope::Namespace(self.namespace.clone());
        ObjectRef::of(ObjectKind::Submission).with_id(self.id).within(namespace).named(&self.name)
    }
}

impl OptInRef {
    fn object(&self) -> ObjectRef {
        let name = self.scope.name.clone();
        let scope = match self.scope.kind {
            ScopeKind::Namespace => ObjectScope::Namespace(name),
            ScopeKind::Team => ObjectScope::Team(name),
            ScopeKind::Environment => ObjectScope::Environment(name),
        };
        ObjectRef::of(ObjectKind::OptIn).with_id(self.acceptance).within(scope).named(&self.feature)
    }
}

impl HeadPlace {
    #[must_use]
    pub fn object(&self) -> ObjectRef {
        match self {
            Self::ConfigMap { namespace, name } => {
                ObjectRef::of(ObjectKind::ConfigMap).within(ObjectScope::Namespace(namespace.clone())).named(name)
            }
            Self::Webhook { host } => ObjectRef::of(ObjectKind::Webhook).named(host),
        }
    }
}

/// A row whose action is not known, or does not have these fields.
#[derive(Debug, thiserror::Error)]
#[error("no event that is known: {0}")]
pub struct EventError(#[from] serde_json::Error);

impl Event {
    #[must_use]
    pub fn object(&self) -> ObjectRef {
        match self {
            Self::SignIn {} | Self::SignOut {} | Self::SessionEnd { .. } | Self::SessionsRevoke { .. } => {
                ObjectRef::of(ObjectKind::Session)
            }
            Self::RequestRefuse { .. } => ObjectRef::of(ObjectKind::Request),
            Self::NamespaceCreate { name, .. } => ObjectRef::of(ObjectKind::Namespace).named(name),
            Self::DraftDelete { draft, namespace, .. } => {
                let object = ObjectRef::of(ObjectKind::Draft).with_id(*draft);
                match namespace {
                    Some(namespace) => object.within(ObjectScope::Namespace(namespace.clone())),
                    None => object,
                }
            }
            Self::WorkloadSubmit { submission, .. }
            | Self::WorkloadReview { submission, .. }
            | Self::WorkloadComment { submission }
            | Self::WorkloadApply { submission, .. } => submission.object(),
            Self::FeatureDescribe { feature, .. } | Self::StatementPublish { feature, .. } => {
                ObjectRef::of(ObjectKind::Feature).named(feature)
            }
            Self::RiskAccept { opt_in, .. }
            | Self::RiskNotice { opt_in, .. }
            | Self::RiskNotify { opt_in, .. }
            | Self::EffectRepair { opt_in, .. } => opt_in.object(),
            Self::RiskApprove(step)
            | Self::RiskRefuse(step)
            | Self::RiskWithdraw(step)
            | Self::RiskRevoke(step)
            | Self::RiskEnd(step)
            | Self::EffectTake(step)
            | Self::EffectRemove(step) => step.opt_in.object(),
            Self::ViewAs { .. } | Self::RecordErase { .. } => ObjectRef::of(ObjectKind::Person),
            Self::RecordExport { of, .. } => match of {
                ExportOf::Record { .. } => ObjectRef::of(ObjectKind::Record),
                ExportOf::Acceptance(opt_in) => opt_in.object(),
                ExportOf::Catalogue => ObjectRef::of(ObjectKind::Catalogue),
            },
            Self::HeadPublish { place, .. } => place.object(),
        }
    }

    /// The step of an opt-in that it says was taken.
    #[must_use]
    pub fn step(&self) -> Option<&OptInStep> {
        match self {
            Self::RiskApprove(step)
            | Self::RiskRefuse(step)
            | Self::RiskWithdraw(step)
            | Self::RiskRevoke(step)
            | Self::RiskEnd(step)
            | Self::EffectTake(step)
            | Self::EffectRemove(step) => Some(step),
            _ => None,
        }
    }

    /// The acceptance that it changes, or says something of; an export changes none.
    #[must_use]
    pub fn acceptance(&self) -> Option<Uuid> {
        match self {
            Self::RiskAccept { opt_in, .. }
            | Self::RiskNotice { opt_in, .. }
            | Self::RiskNotify { opt_in, .. }
            | Self::EffectRepair { opt_in, .. } => Some(opt_in.acceptance),
            other => other.step().map(|step| step.opt_in.acceptance),
        }
    }

    /// As an entry holds it.
    #[must_use]
    pub fn detail(&self) -> Value {
        // Structs of texts and numbers always have a text.
        let mut tagged = serde_json::to_value(self).unwrap_or_default();
        tagged["detail"].take()
    }

    pub(crate) fn from_parts(action: &str, detail: &Value) -> Result<Self, EventError> {
        Ok(serde_json::from_value(json!({ "action": action, "detail": detail }))?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_as_the_database_wants_them_and_no_two_are_the_same() {
        for action in Action::ALL {
            assert_eq!(action.as_str().parse(), Ok(*action));
            let (area, verb) = action.as_str().split_once('.').unwrap();
            assert!([area, verb].iter().all(|part| part.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')));
        }
    }

    fn opt_in() -> OptInRef {
        let scope = Scope { kind: ScopeKind::Team, name: "shop".into() };
        OptInRef { acceptance: Uuid::nil(), feature: "snippets".into(), scope }
    }

    #[test]
    fn an_event_reads_back_from_its_action_and_detail() {
        let step = OptInStep { opt_in: opt_in(), digest: Digest::ZERO, number: 1, comment: "fine".into() };
        let origin = NamespaceOrigin::Parent("shop".into());
        for event in [
            Event::SignIn {},
            Event::NamespaceCreate { name: "shop-a".into(), origin },
            Event::RiskApprove(step),
            Event::RecordExport {
                of: ExportOf::Record { format: "csv".into() },
                filter: BTreeMap::new(),
                rows: Some(3),
                database_user: None,
            },
        ] {
            assert_eq!(Event::from_parts(event.action().as_str(), &event.detail()).unwrap(), event);
        }
        assert!(Event::from_parts("session.sign_in", &json!({ "more": 1 })).is_err());
        assert!(Event::from_parts("no.such", &json!({})).is_err());
    }

    #[test]
    fn a_team_is_not_a_namespace() {
        let event = Event::EffectRepair { opt_in: opt_in(), digest: Digest::ZERO };
        let object = serde_json::to_value(event.object()).unwrap();
        assert_eq!(object, json!({ "kind": "opt_in", "id": Uuid::nil(), "team": "shop", "name": "snippets" }));
        assert_eq!(event.object().to_string(), "opt-in snippets in team shop");
        assert_eq!(serde_json::from_value::<ObjectRef>(object).unwrap(), event.object());
    }
}
