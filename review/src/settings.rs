//! What differs between platforms and is therefore a setting.

use crate::finding::{Finding, Severity};
use crate::rules::rules;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What a finding of a rule counts as on this platform.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// The rule does not apply here.
    Off,
    /// Good to know.
    Info,
    /// Admitted with a warning.
    Warn,
    /// Refused.
    Deny,
}

/// The platform's policy, as far as a review needs it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Registries, or registry paths such as `harbor.example.com/shop`, that images may come from.
    /// Compared by whole path segments. Empty: any registry.
    pub trusted_registries: Vec<String>,
    /// Tags that may not be used.
    pub forbidden_tags: Vec<String>,
    /// Fewest replicas a Deployment or StatefulSet should have.
    pub minimum_replicas: u32,
    /// Annotation that exempts a workload from `minimum_replicas`.
    pub ignore_minimum_replicas_annotation: String,
    /// Levels of rules that differ from what the rule itself says, by the rule's id.
    pub levels: BTreeMap<String, Level>,
    /// The part before the slash of annotations that accept a finding with a reason.
    pub exception_annotation_prefix: String,
}

impl Settings {
    /// Levels that are given for rules that do not exist. The cluster's own policies are not known here.
    pub fn unknown_rules(&self) -> impl Iterator<Item = &str> {
        let is_known = |id: &str| id.starts_with("policy/") || rules().iter().any(|rule| rule.id == id);
        self.levels.keys().map(String::as_str).filter(move |id| !is_known(id))
    }

    /// The finding as it counts on this platform; nothing where its rule is switched off.
    pub(crate) fn adjusted(&self, mut finding: Finding) -> Option<Finding> {
        finding.severity = match self.levels.get(&finding.rule) {
            None => finding.severity,
            Some(Level::Off) => return None,
            Some(Level::Info) => Severity::Info,
            Some(Level::Warn) => Severity::Warn,
            Some(Level::Deny) => Severity::Deny,
        };
        Some(finding)
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            trusted_registries: Vec::new(),
            forbidden_tags: vec!["latest".to_owned()],
            minimum_replicas: 2,
            ignore_minimum_replicas_annotation: "elastisys.io/ignore-minimum-replicas".to_owned(),
            levels: BTreeMap::new(),
            exception_annotation_prefix: "exception.fairway.dev".to_owned(),
        }
    }
}
