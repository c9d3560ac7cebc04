//! Namespaces: their names, who may have one, and what one consists of where the portal makes it.

pub mod handlers;
pub mod pages;
mod reserved;
pub mod service;

pub use reserved::{ReservedError, ReservedNamespaces, check_reserved};
pub use service::{deploy_right, load_namespace, load_namespaces, namespaces_where, visible_names};

use crate::policy::{GroupMapping, PolicyMistake};
use record::NamespaceOrigin;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// A namespace as the cluster shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Namespace {
    pub name: String,
    /// What the cluster knows it by; one that is made anew under the same name has another.
    pub uid: String,
    pub labels: BTreeMap<String, String>,
    /// When it was made, RFC 3339.
    pub created_at: Option<String>,
    /// The namespace whose anchor keeps it, where HNC made it (`hnc.x-k8s.io/subnamespace-of`).
    pub subnamespace_of: Option<String>,
    /// Whether it is being deleted.
    pub terminating: bool,
}

/// What HNC puts behind a namespace's name in the label that says how far above an ancestor is.
const DEPTH: &str = ".tree.hnc.x-k8s.io/depth";

impl Namespace {
    /// The Pod Security level that is enforced here, if the label that says so is set
    /// (kubernetes.io/docs/concepts/security/pod-security-admission).
    #[must_use]
    pub fn pod_security(&self) -> Option<&str> {
        self.labels.get("pod-security.kubernetes.io/enforce").map(String::as_str)
    }

    /// The parent, where HNC keeps this namespace below another.
    #[must_use]
    pub fn parent(&self) -> Option<&str> {
        self.labels.iter().find_map(|(key, depth)| key.strip_suffix(DEPTH).filter(|_| depth == "1"))
    }
}

/// A name that a namespace may have: a DNS label (RFC 1123).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct NamespaceName(String);

/// Why a name cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NamespaceNameError {
    #[error("Enter a name for the namespace, for example shop-staging.")]
    Empty,
    /// Over 63 characters.
    #[error("The name may have at most 63 characters.")]
    TooLong,
    /// Breaks RFC 1123.
    #[error("The name may hold lower-case letters, digits and '-', and must begin and end with a letter or digit.")]
    NotADnsLabel,
}

/// Whether a text is a DNS label (RFC 1123): what namespaces and workloads are named by.
#[must_use]
pub fn is_dns_label(text: &str) -> bool {
    let word = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let edges = [text.bytes().next(), text.bytes().last()];
    text.len() <= 63
        && edges.into_iter().all(|edge| edge.is_some_and(word))
        && text.bytes().all(|b| word(b) || b == b'-')
}

impl FromStr for NamespaceName {
    type Err = NamespaceNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        if text.is_empty() {
            Err(NamespaceNameError::Empty)
        } else if text.len() > 63 {
            Err(NamespaceNameError::TooLong)
        } else if !is_dns_label(text) {
            Err(NamespaceNameError::NotADnsLabel)
        } else {
            Ok(Self(text.to_owned()))
        }
    }
}

impl TryFrom<String> for NamespaceName {
    type Error = NamespaceNameError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<NamespaceName> for String {
    fn from(name: NamespaceName) -> Self {
        name.0
    }
}

impl fmt::Display for NamespaceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl AsRef<str> for NamespaceName {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

/// What a namespace consists of where the portal creates it itself (direct mode).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NamespaceTemplate {
    /// Groups, as the provider names them, whose members may have a namespace made for the group.
    pub owner_groups: Vec<String>,
    /// Labels of the namespace.
    pub labels: BTreeMap<String, String>,
    /// ClusterRole that the owning group gets in it.
    pub cluster_role: String,
    /// Hard limits of its ResourceQuota; empty for none.
    pub quota: BTreeMap<String, String>,
}

impl Default for NamespaceTemplate {
    fn default() -> Self {
        let standards = ["enforce", "audit", "warn"];
        Self {
            owner_groups: Vec::new(),
            labels: standards
                .iter()
                .map(|mode| (format!("pod-security.kubernetes.io/{mode}"), "restricted".to_owned()))
                .collect(),
            cluster_role: "admin".to_owned(),
            quota: BTreeMap::new(),
        }
    }
}

impl NamespaceTemplate {
    /// Owner groups that the portal may not act for.
    #[must_use]
    pub fn mistakes(&self, groups: &GroupMapping) -> Vec<PolicyMistake> {
        let unknown = self.owner_groups.iter().filter(|group| !groups.impersonated.contains(group));
        let mistake = |group| format!("owner group {group:?} is not among groups.impersonated");
        unknown.map(|group| PolicyMistake::new("owner_groups", mistake(group))).collect()
    }
}

/// Where a new namespace may come from, for one person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origins {
    /// HNC is served: below one of these namespaces.
    Parents(Vec<String>),
    /// The portal makes it, owned by one of these groups.
    OwnerGroups(Vec<String>),
}

impl Origins {
    #[must_use]
    pub fn choices(&self) -> &[String] {
        match self {
            Self::Parents(choices) | Self::OwnerGroups(choices) => choices,
        }
    }

    /// A choice, as the record names it.
    #[must_use]
    pub fn recorded(&self, choice: &str) -> NamespaceOrigin {
        match self {
            Self::Parents(_) => NamespaceOrigin::Parent(choice.to_owned()),
            Self::OwnerGroups(_) => NamespaceOrigin::OwnerGroup(choice.to_owned()),
        }
    }

    /// What the choice is called.
    #[must_use]
    pub fn label(&self) -> &'static str {
        match self {
            Self::Parents(_) => "Parent namespace",
            Self::OwnerGroups(_) => "Owning group",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_rfc_1123() {
        for (text, error) in [
            ("", NamespaceNameError::Empty),
            ("   ", NamespaceNameError::Empty),
            ("Shop", NamespaceNameError::NotADnsLabel),
            ("-shop", NamespaceNameError::NotADnsLabel),
            ("shop-", NamespaceNameError::NotADnsLabel),
            ("shop.staging", NamespaceNameError::NotADnsLabel),
        ] {
            assert_eq!(text.parse::<NamespaceName>(), Err(error), "{text:?}");
        }
        assert_eq!("a".repeat(64).parse::<NamespaceName>(), Err(NamespaceNameError::TooLong));
        assert!(" shop-staging ".parse::<NamespaceName>().is_ok_and(|name| name.as_ref() == "shop-staging"));
    }

    #[test]
    fn the_parent_is_the_ancestor_one_level_up() {
        let labels = [("shop-dev", "0"), ("shop", "1"), ("root", "2")]
            .map(|(name, depth)| (format!("{name}{DEPTH}"), depth.to_owned()));
        let namespace = |labels: BTreeMap<String, String>| Namespace {
            name: "shop-dev".into(),
            uid: String::new(),
            labels,
            created_at: None,
            subnamespace_of: None,
            terminating: false,
        };
        assert_eq!(namespace(labels.into()).parent(), Some("shop"));
        assert_eq!(namespace(BTreeMap::new()).parent(), None);
    }

    #[test]
    fn the_default_template_enforces_the_restricted_standard() {
        assert_eq!(NamespaceTemplate::default().labels["pod-security.kubernetes.io/enforce"], "restricted");
    }
}
