//! What is accepted: the terms of a preview feature, version by version, each immutable once published.

mod effect;

pub use effect::{Effect, EffectLimits, Mistakes, NO_VALUE};

use crate::digest::Digest;
use serde::{Deserialize, Serialize};
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

#[cfg(test)]
impl Terms {
    /// The first version of something, for tests.
    pub(crate) fn example() -> Self {
        Self {
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
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

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
            Terms { body: "Risky".into(), ..Terms::example() },
            Terms { points: vec!["We accept downtime".into()], ..Terms::example() },
            Terms { points: vec![], body: "Risky.\nWe accept downtime.".into(), ..Terms::example() },
            Terms { validity_months: 6, ..Terms::example() },
            Terms { effect: metadata("a", "b"), ..Terms::example() },
            Terms { version: 2, ..Terms::example() },
        ];
        for other in changed {
            assert_ne!(other.digest(), Terms::example().digest());
            let read: Terms = serde_json::from_str(&other.document()).unwrap();
            assert_eq!(read, other);
        }
    }

    #[test]
    fn what_cannot_be_published_is_named_by_its_field() {
        assert_eq!(wrong_fields(&Terms::example()), Vec::<&str>::new());
        let empty = Terms {
            body: " ".into(),
            points: vec![],
            scopes: vec![],
            validity_months: 0,
            approvals: 3,
            version: 2,
            renewal: Renewal::WithinDays(0),
            ..Terms::example()
        };
        let all = ["body", "points", "scopes", "validity_months", "approvals", "changes", "renewal_days"];
        assert_eq!(wrong_fields(&empty), all);
    }

    #[test]
    fn effects_stay_within_what_the_settings_allow() {
        let with = |effect| wrong_fields(&Terms { effect, ..Terms::example() });
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
