//! The Pod Security Standards: profiles and versions
//! (kubernetes.io/docs/concepts/security/pod-security-standards).

use crate::manifest::Manifest;
use crate::selector::labels;
use std::fmt;
use std::str::FromStr;

/// Which Pod Security Standard applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Profile {
    /// Prevents known privilege escalations.
    Baseline,
    /// Baseline plus hardening; what user namespaces enforce.
    #[default]
    Restricted,
}

/// A version of the standards, that of the Kubernetes release; the label
/// `pod-security.kubernetes.io/enforce-version` of a namespace names it. Written `v1.35`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct PodSecurityVersion(u8);

/// A text that is no version of the standards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("The version of the Pod Security Standards is latest, or one from v1.25 to v1.36.")]
pub struct PodSecurityVersionError;

impl PodSecurityVersion {
    /// The oldest version that is known: the first after admission became stable.
    pub const OLDEST: Self = Self(25);
    /// The newest version that is known.
    pub const LATEST: Self = Self(36);

    /// The version that a namespace is held to: its label `pod-security.kubernetes.io/enforce-version`, or the latest
    /// where it names none, or one that is not known here.
    #[must_use]
    pub fn enforced_in(namespace: &str, objects: &[Manifest]) -> Self {
        let is_it = |object: &&Manifest| object.object().kind == "Namespace" && object.object().name == namespace;
        let labels = objects.iter().find(is_it).map(|object| labels(&object.value()["metadata"]["labels"]));
        let version = labels.and_then(|labels| labels.get("pod-security.kubernetes.io/enforce-version")?.parse().ok());
        version.unwrap_or_default()
    }

    /// Whether this version is at least `1.minor`.
    pub(crate) fn is_at_least(self, minor: u8) -> bool {
        self.0 >= minor
    }
}

impl Default for PodSecurityVersion {
    fn default() -> Self {
        Self::LATEST
    }
}

impl FromStr for PodSecurityVersion {
    type Err = PodSecurityVersionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "latest" {
            return Ok(Self::LATEST);
        }
        let version = text.strip_prefix('v').unwrap_or(text).strip_prefix("1.").ok_or(PodSecurityVersionError)?;
        let version = Self(version.parse().map_err(|_| PodSecurityVersionError)?);
        if (Self::OLDEST..=Self::LATEST).contains(&version) { Ok(version) } else { Err(PodSecurityVersionError) }
    }
}

impl fmt::Display for PodSecurityVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "v1.{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_namespace_is_held_to_the_version_of_its_label() {
        let namespace = |label: &str| {
            let text = format!("{{apiVersion: v1, kind: Namespace, metadata: {{name: shop, labels: {{{label}}}}}}}");
            PodSecurityVersion::enforced_in("shop", &crate::decode("test", &text).unwrap())
        };
        assert_eq!(namespace("pod-security.kubernetes.io/enforce-version: v1.30"), PodSecurityVersion(30));
        assert_eq!(namespace("pod-security.kubernetes.io/enforce-version: v9"), PodSecurityVersion::LATEST);
        assert_eq!(namespace(""), PodSecurityVersion::LATEST);
    }

    #[test]
    fn versions_are_read_as_the_label_of_a_namespace_writes_them() {
        for (text, written) in [("latest", "v1.36"), ("v1.25", "v1.25"), ("1.35", "v1.35")] {
            assert_eq!(text.parse::<PodSecurityVersion>().map(|version| version.to_string()), Ok(written.to_owned()));
        }
        for text in ["", "v1.24", "v1.37", "2.0", "v1.x", "1.35.1"] {
            assert_eq!(text.parse::<PodSecurityVersion>(), Err(PodSecurityVersionError), "{text}");
        }
    }
}
