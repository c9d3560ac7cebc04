//! What is accepted: the terms of a preview feature, version by version, each immutable once published.

mod effect;

pub use effect::{Effect, EffectLimits, Mistakes, NO_VALUE};

pub use record::{Renewal, Scope, ScopeKind, Stage};

use record::Digest;
use serde::{Deserialize, Serialize};

/// One version of what people accept. Its JSON text is what is stored, shown and digested.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RiskStatement {
    /// The feature, by its slug.
    pub feature: String,
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
    pub effect: Effect,
    /// What this version means for those who accepted an earlier one.
    pub renewal: Renewal,
    /// What changed, in words; empty in the first version.
    pub changes: String,
}

impl RiskStatement {
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
        let scopes: Vec<&str> = self.scopes.iter().map(|scope| scope.as_str()).collect();
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
impl RiskStatement {
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
            effect: Effect::Manual,
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

    fn wrong_fields(terms: &RiskStatement) -> Vec<&'static str> {
        let limits = EffectLimits { cluster_roles: vec!["snippets-editor".into()], ..EffectLimits::default() };
        limits.mistakes(terms).into_iter().map(|(field, _)| field).collect()
    }

    #[test]
    fn every_word_that_is_accepted_is_part_of_the_digest() {
        let changed = [
            RiskStatement { body: "Risky".into(), ..RiskStatement::example() },
            RiskStatement { points: vec!["We accept downtime".into()], ..RiskStatement::example() },
            RiskStatement { points: vec![], body: "Risky.\nWe accept downtime.".into(), ..RiskStatement::example() },
            RiskStatement { validity_months: 6, ..RiskStatement::example() },
            RiskStatement { effect: metadata("a", "b"), ..RiskStatement::example() },
            RiskStatement { version: 2, ..RiskStatement::example() },
        ];
        for other in changed {
            assert_ne!(other.digest(), RiskStatement::example().digest());
            let read: RiskStatement = serde_json::from_str(&other.document()).unwrap();
            assert_eq!(read, other);
        }
    }

    #[test]
    fn what_cannot_be_published_is_named_by_its_field() {
        assert_eq!(wrong_fields(&RiskStatement::example()), Vec::<&str>::new());
        let empty = RiskStatement {
            body: " ".into(),
            points: vec![],
            scopes: vec![],
            validity_months: 0,
            approvals: 3,
            version: 2,
            renewal: Renewal::WithinDays(0),
            ..RiskStatement::example()
        };
        let all = ["body", "points", "scopes", "validity_months", "approvals", "changes", "renewal_days"];
        assert_eq!(wrong_fields(&empty), all);
    }

    #[test]
    fn effects_stay_within_what_the_settings_allow() {
        let with = |effect| wrong_fields(&RiskStatement { effect, ..RiskStatement::example() });
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
        let mistake =
            |prefix: &str| EffectLimits { prefix: prefix.into(), ..EffectLimits::default() }.setting_mistake();
        assert_eq!((mistake("preview.fairway.dev/"), EffectLimits::default().setting_mistake()), (None, None));
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
}
