//! What is accepted: the terms of a preview feature, version by version, each immutable once published.

use crate::digest::Digest;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// How far a feature has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// May be used by those who accept its risks.
    #[default]
    Preview,
    /// Part of the platform: there is nothing to accept any more, and what was given stays.
    General,
    /// Withdrawn: nobody may accept, and what was given is taken back.
    Retired,
}

impl Stage {
    /// All, in the order in which features pass them.
    pub const ALL: [Self; 3] = [Self::Preview, Self::General, Self::Retired];

    /// As stored.
    #[must_use]
    pub fn stored(self) -> &'static str {
        match self {
            Self::Preview => "preview",
            Self::General => "general",
            Self::Retired => "retired",
        }
    }

    /// For people.
    #[must_use]
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Preview => "Preview",
            Self::General => "Generally available",
            Self::Retired => "Retired",
        }
    }

    /// From what is stored or sent.
    #[must_use]
    pub fn from_stored(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|stage| stage.stored() == text)
    }
}

/// For what a feature can be enabled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ScopeKind {
    /// A team: all its namespaces.
    Team,
    /// One namespace.
    Namespace,
    /// All namespaces of an environment.
    Environment,
}

impl ScopeKind {
    /// All there are.
    pub const ALL: [Self; 3] = [Self::Namespace, Self::Team, Self::Environment];

    /// As stored, and in addresses.
    #[must_use]
    pub fn stored(self) -> &'static str {
        match self {
            Self::Team => "team",
            Self::Namespace => "namespace",
            Self::Environment => "environment",
        }
    }
}

/// What a feature is enabled for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Scope {
    /// Which kind.
    pub kind: ScopeKind,
    /// Its name.
    pub name: String,
}

/// `namespace shop`.
impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind.stored(), self.name)
    }
}

impl Scope {
    /// As forms send it: `namespace/shop`.
    #[must_use]
    pub fn sent(&self) -> String {
        format!("{}/{}", self.kind.stored(), self.name)
    }

    /// Reads what a form sends.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (kind, name) = text.split_once('/')?;
        let kind = ScopeKind::ALL.into_iter().find(|known| known.stored() == kind)?;
        Some(Self { kind, name: name.to_owned() })
    }
}

/// What an approval changes in the cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Effect {
    /// Nothing by itself: an administrator acts by hand, and confirms.
    #[default]
    ByHand,
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
            Self::ByHand | Self::RoleBinding { .. } => Vec::new(),
        }
    }

    /// In a sentence.
    #[must_use]
    pub fn in_words(&self) -> String {
        match self {
            Self::ByHand => "An administrator enables it by hand and confirms here.".to_owned(),
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

/// What a version means for those who accepted an earlier one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Renewal {
    /// What they accepted goes on until it expires.
    #[default]
    NotNeeded,
    /// They accept anew within so many days, or lose the feature.
    WithinDays(u16),
}

impl Renewal {
    /// In a sentence, for those who accepted an earlier version.
    #[must_use]
    pub fn in_words(self) -> String {
        match self {
            Self::NotNeeded => "What was accepted before goes on as long as it lasts.".to_owned(),
            Self::WithinDays(days) => {
                format!(
                    "Whoever accepted an earlier version has to accept this one within {days} days, or loses the feature."
                )
            }
        }
    }
}

/// One version of what people accept. Its JSON text is what is stored, shown and digested.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Terms {
    /// The feature, by its slug.
    pub feature: String,
    /// Its name.
    pub name: String,
    /// From 1.
    pub version: i32,
    /// The risk statement, Markdown.
    pub body: String,
    /// What is confirmed, one by one.
    pub points: Vec<String>,
    /// For what it can be enabled.
    pub scopes: Vec<ScopeKind>,
    /// How long an approval lasts.
    pub validity_months: u16,
    /// How many administrators must approve: 1 or 2.
    pub approvals: u8,
    /// What an approval changes.
    pub effect: Effect,
    /// What this version means for those who accepted an earlier one.
    pub renewal: Renewal,
    /// What changed, in words; empty in the first version.
    pub changes: String,
}

impl Terms {
    /// The exact text that is stored and digested.
    #[must_use]
    pub fn document(&self) -> String {
        // A struct of texts and numbers always has a text.
        serde_json::to_string_pretty(self).unwrap_or_default()
    }

    /// SHA-256 of the document.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(self.document())
    }

    /// For people, line by line: what they accept, and nothing else.
    #[must_use]
    pub fn in_words(&self) -> String {
        let points = self.points.iter().map(|point| format!("To confirm: {point}"));
        let scopes: Vec<&str> = self.scopes.iter().map(|scope| scope.stored()).collect();
        let lines = [format!("Name: {}", self.name), self.body.clone()].into_iter().chain(points).chain([
            format!("For one: {}", scopes.join(", ")),
            format!("Months from approval: {}", self.validity_months),
            format!("Approved by: {}", self.approvers_in_words()),
            format!("Approval does: {}", self.effect.in_words()),
        ]);
        lines.map(|line| line + "\n").collect()
    }

    /// Who approves, in words.
    #[must_use]
    pub fn approvers_in_words(&self) -> &'static str {
        if self.approvals == 1 { "one administrator" } else { "two administrators" }
    }

    /// Whether both say the same, whichever version they are and whatever was said to have changed.
    #[must_use]
    pub fn says_the_same_as(&self, other: &Self) -> bool {
        let plain =
            |terms: &Self| Self { version: 0, renewal: Renewal::NotNeeded, changes: String::new(), ..terms.clone() };
        plain(self) == plain(other)
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
    pub look_every_seconds: u32,
}

impl Default for EffectLimits {
    fn default() -> Self {
        Self { prefix: "preview.fairway.dev/".to_owned(), cluster_roles: Vec::new(), look_every_seconds: 60 }
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
    pub fn mistake(&self) -> Option<&'static str> {
        let domain = self.prefix.strip_suffix('/').unwrap_or_default();
        let is_domain =
            domain.contains('.') && domain.len() <= 253 && domain.split('.').all(crate::namespaces::is_dns_label);
        let is_kept =
            ["kubernetes.io", "k8s.io"].iter().any(|kept| domain == *kept || domain.ends_with(&format!(".{kept}")));
        match (is_domain, is_kept) {
            (false, _) => Some("effects.prefix must be a domain and a slash, such as preview.example.com/"),
            (_, true) => Some("effects.prefix must not be one that Kubernetes keeps for itself"),
            _ => None,
        }
    }

    /// What is wrong with terms; empty where they may be published.
    #[must_use]
    pub fn mistakes(&self, terms: &Terms) -> Mistakes {
        let mut mistakes = Mistakes::new();
        let mut wrong = |field, message: &str| mistakes.push((field, message.to_owned()));
        if terms.name.trim().is_empty() {
            wrong("name", "Enter the feature's name.");
        }
        if terms.body.trim().is_empty() {
            wrong("body", "Write down what may go wrong; people accept exactly these words.");
        }
        if terms.name.chars().count() > 100 {
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
            Effect::ByHand => Mistakes::new(),
            Effect::Metadata { labels, annotations } => {
                if labels.is_empty() && annotations.is_empty() {
                    return vec![("labels", "Enter at least one label or annotation, one a line.".to_owned())];
                }
                let of = |field, pairs: &BTreeMap<String, String>, is_value: fn(&str) -> bool| {
                    let wrong = pairs.iter().find(|(key, value)| !self.is_key(key) || !is_value(value));
                    wrong.map(|(key, value)| match value.as_str() {
                        NO_VALUE => (field, format!("{key} needs one value: write it on one line, as {key}=value.")),
                        _ => (field, format!("{key}={value} cannot be set: keys must begin with {}, and values must be what Kubernetes takes.", self.prefix)),
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

#[cfg(test)]
mod tests {
    use super::*;

    fn terms() -> Terms {
        Terms {
            feature: "snippets".into(),
            name: "Snippets".into(),
            version: 1,
            body: "Risky.".into(),
            points: vec!["We accept downtime.".into()],
            scopes: vec![ScopeKind::Namespace],
            validity_months: 12,
            approvals: 1,
            effect: Effect::ByHand,
            renewal: Renewal::NotNeeded,
            changes: String::new(),
        }
    }

    fn metadata(key: &str, value: &str) -> Effect {
        Effect::Metadata { labels: BTreeMap::from([(key.to_owned(), value.to_owned())]), annotations: BTreeMap::new() }
    }

    fn wrong_fields(terms: &Terms) -> Vec<&'static str> {
        let limits = EffectLimits { cluster_roles: vec!["snippets-editor".into()], ..EffectLimits::default() };
        limits.mistakes(terms).into_iter().map(|(field, _)| field).collect()
    }

    #[test]
    fn every_word_that_is_accepted_is_part_of_the_digest() {
        let changed = [
            Terms { body: "Risky".into(), ..terms() },
            Terms { points: vec!["We accept downtime".into()], ..terms() },
            Terms { points: vec![], body: "Risky.\nWe accept downtime.".into(), ..terms() },
            Terms { validity_months: 6, ..terms() },
            Terms { effect: metadata("a", "b"), ..terms() },
            Terms { version: 2, ..terms() },
        ];
        for other in changed {
            assert_ne!(other.digest(), terms().digest());
            let read: Terms = serde_json::from_str(&other.document()).unwrap();
            assert_eq!(read, other);
        }
    }

    #[test]
    fn what_cannot_be_published_is_named_by_its_field() {
        assert_eq!(wrong_fields(&terms()), Vec::<&str>::new());
        let empty = Terms {
            body: " ".into(),
            points: vec![],
            scopes: vec![],
            validity_months: 0,
            approvals: 3,
            version: 2,
            renewal: Renewal::WithinDays(0),
            ..terms()
        };
        let all = ["body", "points", "scopes", "validity_months", "approvals", "changes", "renewal_days"];
        assert_eq!(wrong_fields(&empty), all);
    }

    #[test]
    fn effects_stay_within_what_the_settings_allow() {
        let with = |effect| wrong_fields(&Terms { effect, ..terms() });
        assert_eq!(with(metadata("preview.fairway.dev/snippets", "on")), Vec::<&str>::new());
        for (key, value) in [
            ("pod-security.kubernetes.io/enforce", "privileged"),
            ("preview.fairway.dev/", "on"),
            ("preview.fairway.dev/a/b", "on"),
            ("preview.fairway.dev/a", "not a value"),
        ] {
            assert_eq!(with(metadata(key, value)), ["labels"], "{key}={value}");
        }
        let role = |role: &str| Effect::RoleBinding { cluster_role: role.into() };
        assert_eq!(with(role("snippets-editor")), Vec::<&str>::new());
        assert_eq!(with(role("cluster-admin")), ["cluster_role"]);
    }

    #[test]
    fn a_prefix_that_the_platform_itself_goes_by_cannot_be_set() {
        let mistake = |prefix: &str| EffectLimits { prefix: prefix.into(), ..EffectLimits::default() }.mistake();
        assert_eq!((mistake("preview.fairway.dev/"), EffectLimits::default().mistake()), (None, None));
        for wrong in [
            "",
            "/",
            "preview",
            "preview/",
            "preview.fairway.dev",
            "owner=/",
            "a..b/",
            "kubernetes.io/",
            "pod-security.kubernetes.io/",
            "x.k8s.io/",
        ] {
            assert!(mistake(wrong).is_some(), "{wrong}");
        }
    }

    #[test]
    fn a_scope_reads_back_from_a_form() {
        let scope = Scope { kind: ScopeKind::Team, name: "shop".into() };
        assert_eq!(Scope::parse(&scope.sent()), Some(scope));
        for wrong in ["", "shop", "cluster/shop"] {
            assert_eq!(Scope::parse(wrong), None);
        }
    }
}
