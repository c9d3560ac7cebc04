//! Exceptions: findings that the owner of an object has accepted, with a reason, by annotation.

use crate::finding::{Finding, Severity};
use crate::manifest::Manifest;
use crate::settings::Settings;

/// The exceptions that an object's annotations ask for: `PREFIX/group.some-name: the reason`.
pub(crate) struct Exceptions<'a> {
    /// Rule ids as annotations write them, with a dot for the slash, and the reasons.
    asked: Vec<(&'a str, &'a str)>,
}

impl<'a> Exceptions<'a> {
    pub(crate) fn of(manifest: &'a Manifest, settings: &Settings) -> Self {
        let annotations = manifest.value()["metadata"]["annotations"].as_object().into_iter().flatten();
        let prefix = &settings.exception_annotation_prefix;
        let asked = annotations.filter_map(|(key, reason)| {
            let name = key.strip_prefix(prefix.as_str())?.strip_prefix('/')?;
            Some((name, reason.as_str()?.trim()))
        });
        Self { asked: asked.collect() }
    }

    /// What is asked for: the rule's id as the annotation writes it, and the reason.
    pub(crate) fn asked(&self) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.asked.iter().copied()
    }

    /// Marks a finding as accepted. What the platform refuses cannot be accepted by whoever wrote the manifest, and
    /// nothing can without a reason.
    pub(crate) fn applied(&self, mut finding: Finding) -> Finding {
        let reason = self.asked().find(|(name, _)| names(name, &finding.rule)).map(|(_, reason)| reason);
        if let Some(reason) = reason.filter(|reason| finding.severity != Severity::Deny && !reason.is_empty()) {
            finding.severity = Severity::Info;
            finding.exception = Some(reason.to_owned());
        }
        finding
    }
}

/// Whether an annotation's name means this rule. Names of annotations cannot hold a second slash.
pub(crate) fn names(name: &str, rule: &str) -> bool {
    rule.split_once('/')
        .is_some_and(|(group, rest)| name.strip_prefix(group).and_then(|name| name.strip_prefix('.')) == Some(rest))
}
