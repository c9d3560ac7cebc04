//! A feature as an administrator types it.

use super::entry::Entry;
use crate::preview::Feature;
use crate::preview::statement::{Effect, NO_VALUE, Renewal, ScopeKind, Stage};
use jiff::{SignedDuration, Timestamp};
use record::Digest;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::BTreeMap;

/// A feature, as an administrator types it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct FeatureForm {
    /// In the address.
    pub slug: String,
    pub name: String,
    pub purpose: String,
    pub owner: String,
    pub documentation_url: String,
    /// How far it has come.
    pub stage: String,
    pub body: String,
    /// What is confirmed, one a line.
    pub points: String,
    /// Kinds of scopes.
    pub scopes: Vec<String>,
    /// How long an approval lasts.
    pub validity_months: String,
    pub approvals: String,
    /// `manual`, `metadata` or `role_binding`.
    pub effect: String,
    /// `key=value`, one a line.
    pub labels: String,
    pub annotations: String,
    pub cluster_role: String,
    pub changes: String,
    /// Days until earlier acceptances end; empty where they go on.
    pub renewal_days: String,
    /// What the form was opened with, as the page of the feature gives it; empty for a new feature.
    pub seen: String,
    /// The feature's short name, typed to confirm that it is retired.
    pub retire: String,
    /// Days until what it gave is taken back then; 0 is at once.
    pub retire_days: String,
}

impl FeatureForm {
    /// The form of a feature as it is.
    #[must_use]
    pub fn of(feature: &Feature) -> Self {
        let seen = seen(feature);
        let Feature { description, current } = feature.clone();
        let terms = current.terms;
        let lines = |pairs: &BTreeMap<String, String>| {
            pairs.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join("\n")
        };
        let (effect, labels, annotations, cluster_role) = match &terms.effect {
            Effect::Manual => ("manual", String::new(), String::new(), String::new()),
            Effect::Metadata { labels, annotations } => ("metadata", lines(labels), lines(annotations), String::new()),
            Effect::RoleBinding { cluster_role } => {
                ("role_binding", String::new(), String::new(), cluster_role.clone())
            }
        };
        Self {
            slug: description.slug,
            name: description.name,
            purpose: description.purpose,
            owner: description.owner,
            documentation_url: description.documentation_url.unwrap_or_default(),
            stage: description.stage.as_str().to_owned(),
            body: terms.body,
            points: terms.points.join("\n"),
            scopes: terms.scopes.iter().map(|scope| scope.as_str().to_owned()).collect(),
            validity_months: terms.validity_months.to_string(),
            approvals: terms.approvals.to_string(),
            effect: effect.to_owned(),
            labels,
            annotations,
            cluster_role,
            changes: String::new(),
            renewal_days: String::new(),
            seen,
            retire: String::new(),
            retire_days: RETIRE_DAYS.to_owned(),
        }
    }

    /// An empty form with what is usual.
    #[must_use]
    pub fn empty() -> Self {
        Self {
            stage: Stage::Preview.as_str().to_owned(),
            scopes: vec![ScopeKind::Namespace.as_str().to_owned()],
            validity_months: "12".to_owned(),
            approvals: "1".to_owned(),
            effect: "manual".to_owned(),
            ..Self::default()
        }
    }

    /// With as many days until a retirement as are usual.
    pub(super) fn with_usual_days(self) -> Self {
        Self { retire_days: RETIRE_DAYS.to_owned(), ..self }
    }

    /// When what it gave is taken back, if it is retired now; nothing for at once.
    pub(super) fn retires_at(&self, now: Timestamp) -> Result<Option<Timestamp>, &'static str> {
        let days: i64 = self.retire_days.trim().parse().unwrap_or(-1);
        if !(0..=365).contains(&days) {
            return Err("Enter a number of days from 0, which is at once, to 365.");
        }
        let at = now + SignedDuration::from_hours(24 * days);
        Ok(Some(at).filter(|at| *at > now))
    }

    /// What it says, as far as it can be read: what cannot is named when that is checked.
    pub(super) fn entry(&self) -> Entry {
        let effect = match self.effect.as_str() {
            "metadata" => Effect::Metadata { labels: pairs(&self.labels), annotations: pairs(&self.annotations) },
            "role_binding" => Effect::RoleBinding { cluster_role: self.cluster_role.trim().to_owned() },
            _ => Effect::Manual,
        };
        let renewal = match self.renewal_days.trim() {
            "" => Renewal::NotNeeded,
            // What is no number is no number of days either, and said to be wrong.
            days => Renewal::WithinDays(days.parse().unwrap_or(0)),
        };
        let entry = Entry {
            slug: self.slug.clone(),
            name: self.name.clone(),
            purpose: self.purpose.clone(),
            owner: self.owner.clone(),
            documentation_url: Some(self.documentation_url.clone()),
            stage: self.stage.parse().unwrap_or_default(),
            body: self.body.clone(),
            points: self.points.lines().filter(|line| !line.trim().is_empty()).map(str::to_owned).collect(),
            scopes: ScopeKind::ALL
                .iter()
                .copied()
                .filter(|kind| self.scopes.iter().any(|sent| sent == kind.as_str()))
                .collect(),
            validity_months: self.validity_months.trim().parse().unwrap_or(0),
            approvals: self.approvals.trim().parse().unwrap_or(0),
            effect,
            renewal,
            changes: self.changes.clone(),
        };
        entry.normalized()
    }
}

/// Long enough for the first of the notices.
const RETIRE_DAYS: &str = "31";

/// Everything that an administrator sees of a feature before they change it, as one digest: whoever saves has seen
/// exactly this.
pub(super) fn seen(feature: &Feature) -> String {
    Digest::of(json!([feature.description, feature.current.document]).to_string()).to_string()
}

/// `key=value`, one a line. A line without `=`, and a key that is there twice, have no value, which the rules then
/// name.
fn pairs(lines: &str) -> BTreeMap<String, String> {
    let mut pairs = BTreeMap::new();
    for line in lines.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (key, value) = line.split_once('=').unwrap_or((line, NO_VALUE));
        let value = if pairs.contains_key(key.trim()) { NO_VALUE } else { value.trim() };
        pairs.insert(key.trim().to_owned(), value.to_owned());
    }
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_without_a_value_is_not_taken_for_a_label() {
        assert_eq!(
            pairs("a=b\n\n c = d \nwrong\ntwice=e\ntwice=f"),
            BTreeMap::from([
                ("a".to_owned(), "b".to_owned()),
                ("c".to_owned(), "d".to_owned()),
                ("wrong".to_owned(), NO_VALUE.to_owned()),
                ("twice".to_owned(), NO_VALUE.to_owned()),
            ])
        );
    }
}
