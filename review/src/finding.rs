//! What a review says: findings, their severity, and the verdict they add up to.

use crate::patch::Patch;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// How serious a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Good to know; nothing needs to change.
    Info,
    /// The platform admits it and warns, or it is wider than it needs to be.
    Warn,
    /// The platform refuses it, or it would not start.
    Deny,
}

/// The worst that a review found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Nothing above information.
    Pass,
    /// At least one warning, nothing denied.
    Warn,
    /// At least one finding that the platform would refuse.
    Deny,
}

/// An object's address, written `Kind/namespace/name`, or `Kind/name` where no namespace is given.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectRef {
    /// For example `Deployment`.
    pub kind: String,
    /// Empty for cluster-scoped objects and for manifests that leave it out.
    pub namespace: String,
    /// `metadata.name`.
    pub name: String,
}

impl fmt::Display for ObjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, namespace, name } = self;
        if namespace.is_empty() { write!(f, "{kind}/{name}") } else { write!(f, "{kind}/{namespace}/{name}") }
    }
}

impl Serialize for ObjectRef {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ObjectRef {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let mut parts = text.splitn(3, '/').map(str::to_owned);
        match (parts.next(), parts.next(), parts.next()) {
            (Some(kind), Some(namespace), Some(name)) => Ok(Self { kind, namespace, name }),
            (Some(kind), Some(name), None) => Ok(Self { kind, namespace: String::new(), name }),
            _ => Err(serde::de::Error::custom("expected Kind/namespace/name or Kind/name")),
        }
    }
}

/// One thing a review found, with what it means and how to fix it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Stable identifier, for example `netpol/not-selected`.
    pub rule: String,
    pub severity: Severity,
    /// The object that it is about.
    pub object: ObjectRef,
    /// Path of the field inside the object, for example `spec.containers[0].image`; may be empty.
    pub path: String,
    /// Line of that field in the file, from 1, or of the nearest field around it where it is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    /// The file, or `-`; nothing where the manifest was not read from one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// What it means, in plain words.
    pub message: String,
    /// What to do about it.
    pub fix: String,
    /// The smallest change of the object that fixes it, where that can be known from the object alone.
    #[serde(default, skip_serializing_if = "Patch::is_empty")]
    pub patch: Patch,
    /// Why the owner of the object accepts it, as an annotation says; it is then information only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exception: Option<String>,
    /// Slug of the FAQ article that explains it, where there is one.
    pub faq: Option<String>,
}

/// The result of a review.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// The worst of the findings.
    pub verdict: Verdict,
    /// Findings, the most serious first.
    pub findings: Vec<Finding>,
    /// How many objects of each kind no rule looks at: nothing is said about them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub not_checked: BTreeMap<String, usize>,
    /// Which NetworkPolicies select each workload; empty where policies were not looked at.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub selected_by: Vec<SelectedBy>,
}

fn plural(kind: &str) -> String {
    match kind.strip_suffix('y').filter(|stem| !stem.ends_with(['a', 'e', 'o', 'u'])) {
        Some(stem) => format!("{stem}ies"),
        None if kind.ends_with(['s', 'x']) => format!("{kind}es"),
        None => format!("{kind}s"),
    }
}

/// The NetworkPolicies that select a workload's pods.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SelectedBy {
    pub object: ObjectRef,
    /// Names of the policies, in order; none where everything is open.
    pub policies: Vec<String>,
}

impl Report {
    /// Sorts the findings and derives the verdict from them.
    #[must_use]
    pub fn from_findings(mut findings: Vec<Finding>) -> Self {
        findings.sort_by(|a, b| {
            b.severity
                .cmp(&a.severity)
                .then_with(|| a.object.cmp(&b.object))
                .then_with(|| a.path.cmp(&b.path))
                .then_with(|| a.rule.cmp(&b.rule))
        });
        let verdict = match findings.iter().map(|finding| finding.severity).max() {
            Some(Severity::Deny) => Verdict::Deny,
            Some(Severity::Warn) => Verdict::Warn,
            Some(Severity::Info) | None => Verdict::Pass,
        };
        Self { verdict, findings, not_checked: BTreeMap::new(), selected_by: Vec::new() }
    }

    /// What no rule looks at, in words: `30 ConfigMaps, 1 Ingress`. Nothing where there is nothing.
    #[must_use]
    pub fn not_checked_in_words(&self) -> Option<String> {
        let of_kind = |(kind, count): (&String, &usize)| {
            format!("{count} {}", if *count == 1 { kind.clone() } else { plural(kind) })
        };
        let words = self.not_checked.iter().map(of_kind).collect::<Vec<_>>().join(", ");
        (!words.is_empty()).then_some(words)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_checked_is_one_line() {
        let counts = [("ConfigMap", 30), ("Ingress", 2), ("NetworkAttachmentPolicy", 2), ("Secret", 1)];
        let not_checked = counts.map(|(kind, count)| (kind.to_owned(), count)).into();
        let report = Report { not_checked, ..Report::from_findings(Vec::new()) };
        let words = "30 ConfigMaps, 2 Ingresses, 2 NetworkAttachmentPolicies, 1 Secret";
        assert_eq!(report.not_checked_in_words().as_deref(), Some(words));
        assert_eq!(Report::from_findings(Vec::new()).not_checked_in_words(), None);
    }
}
