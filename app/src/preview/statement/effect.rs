//! What an approval changes in the cluster, and what the settings let it.

use super::{Renewal, RiskStatement};
use crate::policy::PolicyMistake;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// What an approval changes in the cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Effect {
    /// Nothing by itself: an administrator acts by hand, and confirms.
    #[default]
    Manual,
    /// Labels and annotations on each namespace of the scope.
    Metadata {
        /// Labels.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        labels: BTreeMap<String, String>,
        /// Annotations.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        annotations: BTreeMap<String, String>,
    },
    /// A RoleBinding in each namespace of the scope, to the team's groups.
    RoleBinding {
        /// The ClusterRole that it gives.
        cluster_role: String,
    },
}

/// Stands where a label or annotation has no value, or more than one; no real value holds it.
pub const NO_VALUE: &str = "\u{0}";

impl Effect {
    /// What it sets, each with its field of the form.
    #[must_use]
    pub fn keys(&self) -> Vec<(&'static str, &String)> {
        match self {
            Self::Metadata { labels, annotations } => {
                let labels = labels.keys().map(|key| ("labels", key));
                labels.chain(annotations.keys().map(|key| ("annotations", key))).collect()
            }
            Self::Manual | Self::RoleBinding { .. } => Vec::new(),
        }
    }

    /// In a sentence.
    #[must_use]
    pub fn in_words(&self) -> String {
        match self {
            Self::Manual => "An administrator enables it by hand and confirms here.".to_owned(),
            Self::Metadata { labels, annotations } => {
                let pairs: Vec<String> =
                    labels.iter().chain(annotations).map(|(key, value)| format!("{key}={value}")).collect();
                format!("Each namespace gets {}.", pairs.join(", "))
            }
            Self::RoleBinding { cluster_role } => {
                format!("The groups named in the acceptance get the ClusterRole {cluster_role} in each namespace.")
            }
        }
    }
}

/// Why terms cannot be published, by the field of the form.
pub type Mistakes = Vec<(&'static str, String)>;

/// What effects may do, as the settings say. The portal's own account needs the same rights, and no more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EffectLimits {
    /// What labels and annotations must begin with.
    pub prefix: String,
    /// The ClusterRoles that may be bound.
    pub cluster_roles: Vec<String>,
    /// How long until what is effective is compared with the cluster again, in seconds.
    pub drift_check_seconds: u32,
}

impl Default for EffectLimits {
    fn default() -> Self {
        Self { prefix: "preview.fairway.dev/".to_owned(), cluster_roles: Vec::new(), drift_check_seconds: 60 }
    }
}

impl EffectLimits {
    /// Why the settings do not allow an effect; nothing where they do. They may have changed since it was published.
    #[must_use]
    pub fn objection(&self, effect: &Effect) -> Option<String> {
        self.mistakes_of(effect).into_iter().next().map(|(_, message)| message)
    }

    /// Why the settings themselves cannot be used; nothing where they can. Labels under the platform's own prefixes
    /// decide what it enforces.
    #[must_use]
    pub fn setting_mistake(&self) -> Option<PolicyMistake> {
        let domain = self.prefix.strip_suffix('/').unwrap_or_default();
        let is_domain =
            domain.contains('.') && domain.len() <= 253 && domain.split('.').all(crate::namespaces::is_dns_label);
        let is_kept =
            ["kubernetes.io", "k8s.io"].iter().any(|kept| domain == *kept || domain.ends_with(&format!(".{kept}")));
        let message = match (is_domain, is_kept) {
            (false, _) => "effects.prefix must be a domain and a slash, such as preview.example.com/",
            (_, true) => "effects.prefix must not be one that Kubernetes keeps for itself",
            _ => return None,
        };
        Some(PolicyMistake::new("prefix", message))
    }

    /// What is wrong with terms; empty where they may be published.
    #[must_use]
    pub fn mistakes(&self, terms: &RiskStatement) -> Mistakes {
        let mut mistakes = Mistakes::new();
        let mut wrong = |field, message: &str| mistakes.push((field, message.to_owned()));
        if terms.name.trim().is_empty() {
            wrong("name", "Enter the feature's name.");
        }
        if terms.body.trim().is_empty() {
            wrong("body", "Write down what may go wrong; people accept exactly these words.");
        }
        let is_long = |text: &str, most: usize| text.chars().count() > most;
        if is_long(&terms.body, LONGEST_BODY) || terms.body.lines().count() > MOST_LINES {
            wrong("body", "Enter at most 20,000 characters on 500 lines: people have to read it.");
        }
        if terms.points.len() > MOST_POINTS || terms.points.iter().any(|point| is_long(point, LONGEST_POINT)) {
            wrong("points", "Enter at most 50 points, each of at most 1,000 characters.");
        }
        if is_long(&terms.changes, LONGEST_CHANGES) {
            wrong("changes", "Enter at most 5,000 characters.");
        }
        if is_long(&terms.name, 100) {
            wrong("name", "Enter at most 100 characters.");
        }
        if terms.points.is_empty() || terms.points.iter().any(|point| point.trim().is_empty() || point.contains('\n')) {
            wrong("points", "Enter at least one point to confirm, each on a line of its own.");
        }
        let mut seen = BTreeSet::new();
        if let Some(twice) = terms.points.iter().find(|point| !seen.insert(point.as_str())) {
            wrong("points", &format!("“{twice}” is there twice."));
        }
        if terms.scopes.is_empty() {
            wrong("scopes", "Choose at least one kind of scope.");
        }
        if !(1..=60).contains(&terms.validity_months) {
            wrong("validity_months", "Enter a number of months from 1 to 60.");
        }
        if !(1..=2).contains(&terms.approvals) {
            wrong("approvals", "Choose one or two approvers.");
        }
        if terms.version > 1 && terms.changes.trim().is_empty() {
            wrong("changes", "Say what changed, for those who accepted the version before.");
        }
        if matches!(terms.renewal, Renewal::WithinDays(days) if !(1..=365).contains(&days)) {
            wrong("renewal_days", "Enter a number of days from 1 to 365.");
        }
        mistakes.extend(self.mistakes_of(&terms.effect));
        mistakes
    }

    fn mistakes_of(&self, effect: &Effect) -> Mistakes {
        match effect {
            Effect::Manual => Mistakes::new(),
            Effect::Metadata { labels, annotations } => {
                if labels.len() > MOST_KEYS || annotations.len() > MOST_KEYS {
                    return vec![("labels", "Enter at most 50 labels and 50 annotations.".to_owned())];
                }
                if labels.is_empty() && annotations.is_empty() {
                    return vec![("labels", "Enter at least one label or annotation, one a line.".to_owned())];
                }
                let of = |field, pairs: &BTreeMap<String, String>, is_value: fn(&str) -> bool| {
                    let wrong = pairs.iter().find(|(key, value)| !self.is_key(key) || !is_value(value));
                    wrong.map(|(key, value)| match value.as_str() {
                        NO_VALUE => (field, format!("{key} needs one value: write it on one line, as {key}=value.")),
                        _ => (
                            field,
                            format!(
                                "{key}={value} cannot be set: keys must begin with {}, and values must \
                            be what Kubernetes takes.",
                                self.prefix
                            ),
                        ),
                    })
                };
                [of("labels", labels, is_label_value), of("annotations", annotations, is_annotation_value)]
                    .into_iter()
                    .flatten()
                    .collect()
            }
            Effect::RoleBinding { cluster_role } if self.cluster_roles.contains(cluster_role) => Mistakes::new(),
            Effect::RoleBinding { .. } => {
                let known = match self.cluster_roles.is_empty() {
                    true => "none is allowed".to_owned(),
                    false => self.cluster_roles.join(", "),
                };
                vec![("cluster_role", format!("Enter a ClusterRole that the settings allow: {known}."))]
            }
        }
    }

    fn is_key(&self, key: &str) -> bool {
        key.strip_prefix(&self.prefix).is_some_and(|name| !name.is_empty() && is_label_value(name))
    }
}

/// How much a risk statement may say.
const LONGEST_BODY: usize = 20_000;
const MOST_LINES: usize = 500;
const MOST_POINTS: usize = 50;
const LONGEST_POINT: usize = 1_000;
const LONGEST_CHANGES: usize = 5_000;

/// The most labels, and annotations, that one feature sets.
const MOST_KEYS: usize = 50;

fn is_annotation_value(text: &str) -> bool {
    text.len() < 1024 && !text.contains(char::is_control)
}

/// Whether a text may be the value of a label, or the name in a key (Kubernetes, labels and selectors, syntax).
fn is_label_value(text: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric();
    text.len() <= 63
        && text.bytes().all(|byte| is_word(byte) || b"-_.".contains(&byte))
        && text.bytes().next().is_none_or(is_word)
        && text.bytes().last().is_none_or(is_word)
}
