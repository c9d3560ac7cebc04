//! A feature as the catalogue's YAML has it, and what saving it would publish.

use crate::namespaces::is_dns_label;
use crate::preview::statement::{Effect, Mistakes, Renewal, RiskStatement, ScopeKind, Stage};
use crate::preview::{Description, Feature, Version};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A feature in the catalogue's YAML.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Entry {
    pub(super) slug: String,
    pub(super) name: String,
    pub(super) purpose: String,
    pub(super) owner: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) documentation_url: Option<String>,
    pub(super) stage: Stage,
    pub(super) body: String,
    pub(super) points: Vec<String>,
    pub(super) scopes: Vec<ScopeKind>,
    pub(super) validity_months: u16,
    pub(super) approvals: u8,
    #[serde(default)]
    pub(super) effect: Effect,
    #[serde(default)]
    pub(super) renewal: Renewal,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) changes: String,
}

impl Entry {
    pub(super) fn of(feature: Feature) -> Self {
        let Feature { description, current: Version { terms, .. } } = feature;
        Self {
            slug: description.slug,
            name: description.name,
            purpose: description.purpose,
            owner: description.owner,
            documentation_url: description.documentation_url,
            stage: description.stage,
            body: terms.body,
            points: terms.points,
            scopes: terms.scopes,
            validity_months: terms.validity_months,
            approvals: terms.approvals,
            effect: terms.effect,
            // Of what will be published next, not of what was.
            renewal: Renewal::NotNeeded,
            changes: String::new(),
        }
    }

    /// The same, as a form would give it: so a feature that came as YAML and is then opened and saved says nothing new.
    pub(super) fn normalized(self) -> Self {
        let text = |text: String| text.trim().replace("\r\n", "\n");
        let has = |kind: &ScopeKind| self.scopes.contains(kind);
        Self {
            scopes: ScopeKind::ALL.iter().copied().filter(has).collect(),
            slug: text(self.slug),
            name: text(self.name),
            purpose: text(self.purpose),
            owner: text(self.owner),
            documentation_url: self.documentation_url.map(text).filter(|url| !url.is_empty()),
            body: text(self.body),
            points: self.points.into_iter().map(text).collect(),
            changes: text(self.changes),
            ..self
        }
    }

    /// What it says about the feature; `retires_at` counts where that is retired.
    pub(super) fn description(&self, retires_at: Option<Timestamp>) -> Description {
        Description {
            slug: self.slug.clone(),
            name: self.name.clone(),
            purpose: self.purpose.clone(),
            owner: self.owner.clone(),
            documentation_url: self.documentation_url.clone(),
            stage: self.stage,
            retires_at: retires_at.filter(|_| self.stage == Stage::Retired),
        }
    }

    /// The terms it would publish after those there are; none where they say the same.
    pub(super) fn next_terms(&self, current: Option<&RiskStatement>) -> Option<RiskStatement> {
        let terms = RiskStatement {
            feature: self.slug.clone(),
            name: self.name.clone(),
            version: current.map_or(1, |current| current.version + 1),
            body: self.body.clone(),
            points: self.points.clone(),
            scopes: self.scopes.clone(),
            validity_months: self.validity_months,
            approvals: self.approvals,
            effect: self.effect.clone(),
            renewal: self.renewal,
            changes: self.changes.clone(),
        };
        Some(terms).filter(|terms| current.is_none_or(|current| !terms.says_the_same_as(current)))
    }

    /// Whether it sets what another feature sets: of two that set one thing, one would always differ.
    pub(super) fn clashes<'a>(&self, others: impl Iterator<Item = (&'a str, &'a Effect)>) -> Mistakes {
        let mut mistakes = Mistakes::new();
        if self.stage == Stage::Retired {
            return mistakes;
        }
        for (slug, effect) in others.filter(|(slug, _)| *slug != self.slug) {
            let theirs = effect.keys();
            let taken = self.effect.keys().into_iter().filter(|key| theirs.contains(key));
            let wrong =
                |(field, key)| (field, format!("{key} is set by the feature {slug} already. Choose another name."));
            mistakes.extend(taken.map(wrong));
        }
        mistakes
    }

    /// What is wrong with the description, by the field of the form.
    pub(super) fn mistakes(&self) -> Vec<(&'static str, String)> {
        let mut mistakes = Vec::new();
        let mut wrong = |field, message: &str| mistakes.push((field, message.to_owned()));
        if !is_dns_label(&self.slug)
            || self.slug.len() > LONGEST_SLUG
            || ["new", "acceptances"].contains(&self.slug.as_str())
        {
            wrong(
                "slug",
                "Enter a short name of at most 40 lower-case letters, digits and '-'; it becomes part of the address. \
                 It cannot be new or acceptances.",
            );
        }
        if self.purpose.is_empty() || self.purpose.chars().count() > 500 {
            wrong("purpose", "Say in a sentence what it is for, in at most 500 characters.");
        }
        if self.owner.is_empty() || self.owner.chars().count() > 100 {
            wrong("owner", "Say who answers for it: a team, or an address, in at most 100 characters.");
        }
        let is_address = |url: &String| url::Url::parse(url).is_ok_and(|url| matches!(url.scheme(), "http" | "https"));
        if self.documentation_url.as_ref().is_some_and(|url| !is_address(url)) {
            wrong("documentation_url", "Enter an address that begins with https://, or leave it empty.");
        }
        mistakes
    }
}

/// The slug is part of a name in the cluster that has 63 characters at most.
const LONGEST_SLUG: usize = 40;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::preview::service::catalogue::FeatureForm;
    use record::Digest;
    use std::collections::BTreeMap;

    fn feature(effect: Effect) -> Feature {
        let form = FeatureForm {
            slug: "snippets".into(),
            name: "Snippets: \"quoted\"".into(),
            purpose: "Rewrites".into(),
            owner: "platform".into(),
            body: "Risky.\n\n- one\n- two".into(),
            points: "First\nSecond".into(),
            scopes: vec!["team".into(), "namespace".into()],
            ..FeatureForm::empty()
        };
        let entry = Entry { effect, ..form.entry() };
        let terms = entry.next_terms(None).unwrap();
        let current =
            Version { document: terms.document(), digest: Digest::ZERO, published_at: Timestamp::UNIX_EPOCH, terms };
        Feature { description: entry.description(None), current }
    }

    #[test]
    fn a_feature_reads_back_from_its_form_and_from_yaml() {
        let labels = BTreeMap::from([("preview.fairway.dev/a".to_owned(), "on".to_owned())]);
        for effect in [
            Effect::Manual,
            Effect::Metadata { labels, annotations: BTreeMap::new() },
            Effect::RoleBinding { cluster_role: "editor".into() },
        ] {
            let feature = feature(effect);
            let entry = Entry::of(feature.clone());
            assert_eq!(FeatureForm::of(&feature).entry(), entry);
            let yaml = serde_saphyr::to_string(&vec![entry.clone()]).unwrap();
            assert_eq!(serde_saphyr::from_str::<Vec<Entry>>(&yaml).unwrap(), std::slice::from_ref(&entry), "{yaml}");
            let written_by_hand = Entry {
                body: format!("{}\n", entry.body),
                scopes: entry.scopes.iter().rev().copied().collect(),
                points: entry.points.iter().map(|point| format!("{point} ")).collect(),
                ..entry.clone()
            };
            assert_eq!(written_by_hand.normalized(), entry);
            // Taking the same once more publishes nothing.
            assert_eq!(entry.next_terms(Some(&feature.current.terms)), None);
        }
    }
}
