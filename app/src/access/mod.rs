//! Access: who a person is to the cluster, and which binding gives them which role where.

pub mod pages;
pub mod service;

pub use pages::{AccessTables, Whose};

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// A name that may be used for impersonation: not empty, not one of the cluster's own (`system:`), and such that a header
/// carries it unchanged. Spaces and letters of any language may be in it: groups of real providers have them, and the API
/// server takes the bytes of a header as they are.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KubeName(String);

/// Why a name from the identity provider is not used for impersonation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KubeNameError {
    #[error("the name is empty")]
    Empty,
    /// Begins with `system:`, which the cluster keeps for itself.
    #[error("names that begin with `system:` belong to the cluster")]
    Reserved,
    /// Servers take spaces at the ends of a header away, and line breaks end it.
    #[error("the name begins or ends with a space, or holds a character that cannot be seen")]
    NotVisible,
    #[error("the name of a person can hold visible ASCII only")]
    NotAscii,
}

impl TryFrom<String> for KubeName {
    type Error = KubeNameError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        if text.is_empty() {
            Err(KubeNameError::Empty)
        } else if text.trim() != text || !text.chars().all(is_visible) {
            Err(KubeNameError::NotVisible)
        } else if text.to_ascii_lowercase().starts_with("system:") {
            Err(KubeNameError::Reserved)
        } else {
            Ok(Self(text))
        }
    }
}

impl KubeName {
    /// The name of a person. People are told apart by it on every page, so only visible ASCII can be in it: letters of other
    /// scripts look the same.
    ///
    /// # Errors
    /// [`KubeNameError`].
    pub fn of_user(text: String) -> Result<Self, KubeNameError> {
        if text.bytes().all(|byte| byte.is_ascii_graphic()) {
            Self::try_from(text)
        } else {
            Err(KubeNameError::NotAscii)
        }
    }
}

fn is_visible(c: char) -> bool {
    c == ' ' || !(c.is_control() || c.is_whitespace() || is_format(c))
}

/// Characters that show nothing, or change how others are shown (Unicode general category Cf, and fillers).
fn is_format(c: char) -> bool {
    matches!(
        c,
        '\u{ad}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{180e}' | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}'
            | '\u{e0000}'..='\u{e007f}'
    )
}

impl From<KubeName> for String {
    fn from(name: KubeName) -> Self {
        name.0
    }
}

impl fmt::Display for KubeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl AsRef<str> for KubeName {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

/// Who a person is to the cluster. There are never groups without a user.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct KubeIdentity {
    pub user: KubeName,
    pub groups: Vec<KubeName>,
    /// What the person's requests carry; without one, the portal's account impersonates them.
    pub token: Option<KubeToken>,
}

impl KubeIdentity {
    #[must_use]
    pub fn new(user: KubeName, groups: Vec<KubeName>) -> Self {
        Self { user, groups, token: None }
    }

    #[must_use]
    pub fn with_token(self, token: KubeToken) -> Self {
        Self { token: Some(token), ..self }
    }
}

/// A person's own ID token, which the API server accepts as theirs. Never logged, never stored but in the sealed session.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct KubeToken(String);

impl KubeToken {
    #[must_use]
    pub fn new(id_token: String) -> Self {
        Self(id_token)
    }

    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for KubeToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KubeToken(…)")
    }
}

/// How the portal acts in a person's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IdentityMode {
    /// With the person's own ID token: the portal's account has no right to act as anybody.
    Token,
    /// The portal's account impersonates them, for clusters that do not accept the provider's tokens.
    #[default]
    Impersonation,
}

/// A team: people by their groups, and what is theirs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Team {
    pub name: String,
    /// Its groups, as the provider names them.
    pub groups: Vec<String>,
    /// Groups whose members lead it.
    pub leads: Vec<String>,
    pub namespaces: Vec<String>,
    pub contact: String,
}

/// An environment: namespaces that belong together, across teams.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Environment {
    pub name: String,
    pub namespaces: Vec<String>,
}

/// Who a binding is for.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// One person, by the cluster's user name.
    User(String),
    /// Everyone in a group.
    Group(String),
}

impl Subject {
    /// The group, if it is one.
    #[must_use]
    pub fn group(&self) -> Option<&String> {
        match self {
            Self::Group(group) => Some(group),
            Self::User(_) => None,
        }
    }
}

/// A RoleBinding or ClusterRoleBinding as seen by one of its subjects.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Binding {
    /// The namespace it acts in; `None` for a ClusterRoleBinding.
    pub namespace: Option<String>,
    pub name: String,
    /// The role it gives, for example `admin`.
    pub role: String,
    /// Whether the role is a ClusterRole.
    pub cluster_role: bool,
    /// Through whom it reaches the person.
    pub subject: Subject,
    /// The preview feature that it was made for, by its slug.
    pub preview_feature: Option<String>,
}

impl Binding {
    /// The kind of object that it is.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        if self.namespace.is_some() { "RoleBinding" } else { "ClusterRoleBinding" }
    }
}

/// What a person may do in one namespace, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamespaceAccess {
    pub namespace: String,
    /// The bindings that give it, RoleBindings first.
    pub bindings: Vec<Binding>,
}

/// Everything that bindings give somebody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    /// Namespaces that they reach through RoleBindings.
    pub namespaces: Vec<NamespaceAccess>,
    /// Bindings that hold everywhere.
    pub everywhere: Vec<Binding>,
}

impl Access {
    /// Of the bindings that name somebody or one of their groups.
    #[must_use]
    pub fn of(bindings: &[Binding]) -> Self {
        Self { namespaces: by_namespace(bindings), everywhere: cluster_wide(bindings) }
    }
}

/// Groups bindings by namespace, in order of name. Only RoleBindings name a namespace; what
/// ClusterRoleBindings give holds everywhere and is [`cluster_wide`].
#[must_use]
pub fn by_namespace(bindings: &[Binding]) -> Vec<NamespaceAccess> {
    let mut namespaces: BTreeMap<String, Vec<Binding>> = BTreeMap::new();
    for binding in bindings {
        if let Some(namespace) = &binding.namespace {
            namespaces.entry(namespace.clone()).or_default().push(binding.clone());
        }
    }
    namespaces
        .into_iter()
        .map(|(namespace, mut bindings)| {
            bindings.sort();
            NamespaceAccess { namespace, bindings }
        })
        .collect()
}

/// The bindings that hold in the whole cluster.
#[must_use]
pub fn cluster_wide(bindings: &[Binding]) -> Vec<Binding> {
    let mut found: Vec<Binding> = bindings.iter().filter(|binding| binding.namespace.is_none()).cloned().collect();
    found.sort();
    found
}

/// What a role lets a person do, in words, for the roles every cluster has.
#[must_use]
pub fn role_in_words(role: &str) -> Option<&'static str> {
    match role {
        "cluster-admin" => Some("everything, everywhere"),
        "admin" => Some("run and change everything in the namespace, and give others access"),
        "edit" => Some("run and change everything in the namespace"),
        "view" => Some("look at everything but secrets"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_the_cluster_keeps_for_itself_are_refused() {
        for (text, error) in [
            ("", KubeNameError::Empty),
            ("system:masters", KubeNameError::Reserved),
            ("SYSTEM:masters", KubeNameError::Reserved),
            ("system:serviceaccount:kube-system:default", KubeNameError::Reserved),
            (" system:masters", KubeNameError::NotVisible),
            ("space at the end ", KubeNameError::NotVisible),
            ("line\nbreak", KubeNameError::NotVisible),
            ("tab\tinside", KubeNameError::NotVisible),
            ("nul\0", KubeNameError::NotVisible),
            ("right\u{202e}to left", KubeNameError::NotVisible),
            ("wide\u{3000}space", KubeNameError::NotVisible),
        ] {
            assert_eq!(KubeName::try_from(text.to_owned()), Err(error), "{text:?}");
        }
        assert!(KubeName::try_from("Büro Süd 東京".to_owned()).is_ok());
        assert!(KubeName::of_user("dev@example.com".to_owned()).is_ok());
        assert_eq!(KubeName::of_user("\u{430}da@example.com".to_owned()), Err(KubeNameError::NotAscii));
    }

    fn binding(namespace: Option<&str>, name: &str) -> Binding {
        Binding {
            namespace: namespace.map(str::to_owned),
            name: name.to_owned(),
            role: "admin".to_owned(),
            cluster_role: true,
            subject: Subject::Group("team".to_owned()),
            preview_feature: None,
        }
    }

    #[test]
    fn a_namespace_is_listed_once_with_every_binding_that_gives_it() {
        let access = by_namespace(&[
            binding(Some("b"), "two"),
            binding(Some("a"), "one"),
            binding(Some("b"), "one"),
            binding(None, "all"),
        ]);
        let shown: Vec<_> = access.iter().map(|entry| (entry.namespace.as_str(), entry.bindings.len())).collect();
        assert_eq!(shown, [("a", 1), ("b", 2)]);
        assert_eq!(cluster_wide(&[binding(None, "all"), binding(Some("a"), "one")]).len(), 1);
    }
}
