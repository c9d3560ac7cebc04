//! The person behind a request. Having an [`Actor`] means being signed in; having one of its
//! capabilities means having been checked for it.

use crate::access::KubeIdentity;
use crate::error::AppError;
use crate::ports::GroupsClaim;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Who signed in, as the identity provider said when the groups were last read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profile {
    /// `iss`: with the subject, the only identity there is.
    pub issuer: String,
    /// `sub`.
    pub subject: String,
    /// For showing only.
    pub name: String,
    /// For showing and for mails.
    pub email: String,
    /// What the claim says that the settings name; the cluster's user name follows from it.
    pub user_name: String,
    /// All groups the provider names, also those the portal may not impersonate.
    pub groups: Vec<String>,
}

impl Profile {
    /// Fairway itself, for what it does without being asked.
    #[must_use]
    pub fn fairway() -> Self {
        Self {
            issuer: "fairway".to_owned(),
            subject: "fairway".to_owned(),
            name: "Fairway".to_owned(),
            email: String::new(),
            user_name: String::new(),
            groups: Vec::new(),
        }
    }
}

/// A signed-in person, within one request.
#[derive(Debug, Clone)]
pub struct Actor {
    /// Key in `people`.
    pub person_id: Uuid,
    /// What the identity provider says.
    pub profile: Profile,
    /// Who this is to the cluster.
    pub kube: KubeIdentity,
    /// Member of one of the administrators' groups.
    pub(crate) administrator: bool,
    /// Member of one of the auditors' groups.
    pub(crate) auditor: bool,
    /// Ties log lines, audit rows and what the person sees together.
    pub request_id: String,
    /// What their session is called, where they have one.
    pub session: Option<Uuid>,
    /// Whether the provider said anything of groups.
    pub groups_claim: GroupsClaim,
    /// Where the provider does not answer: when the session ends, unless it answers before.
    pub ends_at: Option<Timestamp>,
}

/// Proof that a person administers the platform.
#[derive(Debug, Clone, Copy)]
pub struct Administrator<'a>(&'a Actor);

/// Proof that a person may read the records: administrators and auditors.
#[derive(Debug, Clone, Copy)]
pub struct RecordReader(());

impl Actor {
    /// Puts together who is asking; the roles follow from the groups.
    #[must_use]
    pub fn new(person_id: Uuid, profile: Profile, kube: KubeIdentity, roles: &RoleGroups, request_id: String) -> Self {
        let member = |groups: &[String]| profile.groups.iter().any(|group| groups.contains(group));
        Self {
            administrator: member(&roles.administrators),
            auditor: member(&roles.auditors),
            person_id,
            profile,
            kube,
            request_id,
            session: None,
            groups_claim: GroupsClaim::Sent,
            ends_at: None,
        }
    }

    /// The same person, in a session, with what the provider said of groups.
    #[must_use]
    pub fn in_session(self, session: Option<Uuid>, groups_claim: GroupsClaim) -> Self {
        Self { session, groups_claim, ..self }
    }

    /// The same person, whose session ends then unless the provider answers before.
    #[must_use]
    pub fn ending_at(self, ends_at: Option<Timestamp>) -> Self {
        Self { ends_at, ..self }
    }

    /// The capability to administer.
    ///
    /// # Errors
    /// [`AppError::NotFound`]: administration does not exist for anyone else.
    pub fn administrator(&self) -> Result<Administrator<'_>, AppError> {
        self.administrator.then_some(Administrator(self)).ok_or(AppError::NotFound)
    }

    /// The capability to read all records.
    ///
    /// # Errors
    /// [`AppError::NotFound`]: the records do not exist for anyone else.
    pub fn record_reader(&self) -> Result<RecordReader, AppError> {
        (self.administrator || self.auditor).then_some(RecordReader(())).ok_or(AppError::NotFound)
    }
}

impl<'a> Administrator<'a> {
    #[must_use]
    pub fn actor(self) -> &'a Actor {
        self.0
    }
}

/// The groups whose members have a role in the portal itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RoleGroups {
    /// Approve, and keep the catalogue.
    pub administrators: Vec<String>,
    /// Read every record, change nothing.
    pub auditors: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn actor(groups: &[&str]) -> Actor {
        let profile = Profile {
            issuer: "https://idp".into(),
            subject: "1".into(),
            name: "Robin".into(),
            email: "robin@example.com".into(),
            user_name: "robin@example.com".into(),
            groups: groups.iter().map(ToString::to_string).collect(),
        };
        let kube = KubeIdentity::new("robin@example.com".to_owned().try_into().unwrap(), Vec::new());
        let roles = RoleGroups { administrators: vec!["admins".into()], auditors: vec!["auditors".into()] };
        Actor::new(Uuid::nil(), profile, kube, &roles, String::new())
    }

    #[test]
    fn auditors_read_records_and_do_not_administer() {
        assert!(actor(&["auditors"]).record_reader().is_ok());
        assert_eq!(actor(&["auditors"]).administrator().err(), Some(AppError::NotFound));
    }

    #[test]
    fn without_a_group_there_is_no_role() {
        assert!(actor(&[]).administrator().is_err());
        assert!(actor(&["Admins", "admins2"]).record_reader().is_err());
    }
}
