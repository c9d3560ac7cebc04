//! Compliance controls: which records and articles are the evidence for each.

use super::EvidenceFilter;
use crate::policy::PolicyMistake;
use record::{Action, ObjectRef};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// A control of a standard, as the settings tag it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Control {
    /// As auditors name it, for example `ISO 27001 A.8.32`.
    pub id: String,
    /// What it asks for, in a few words.
    pub title: String,
    /// Kinds of writes that are evidence for it.
    pub actions: Vec<Action>,
    /// Names of objects; every write to them is evidence for it, as for one preview feature.
    pub objects: Vec<String>,
    /// Articles of the FAQ that say how it is met.
    pub articles: Vec<String>,
}

impl Control {
    /// The writes that are evidence for it; none where only articles are.
    #[must_use]
    pub fn evidence(&self) -> EvidenceFilter {
        EvidenceFilter { actions: self.actions.clone(), names: self.objects.clone() }
    }

    /// Whether a write is evidence for it.
    #[must_use]
    pub fn covers(&self, action: &str, object: &ObjectRef) -> bool {
        let is_named = |name: &String| self.objects.contains(name);
        self.actions.iter().any(|covered| covered.as_str() == action) || object.name.as_ref().is_some_and(is_named)
    }
}

/// Controls without an id of their own.
#[must_use]
pub fn control_mistakes(controls: &[Control]) -> Vec<PolicyMistake> {
    let mut known = BTreeSet::new();
    let ids = controls.iter().map(|control| control.id.as_str());
    let wrong = ids.filter(|id| id.trim().is_empty() || !known.insert(*id));
    let message = |id| format!("each control needs an id of its own, and {id:?} is none or there twice");
    wrong.map(|id| PolicyMistake::new(id, message(id))).collect()
}

/// The controls that a write is evidence for.
pub fn covering<'a>(controls: &'a [Control], action: &str, object: &ObjectRef) -> impl Iterator<Item = &'a Control> {
    controls.iter().filter(move |control| control.covers(action, object))
}

#[cfg(test)]
mod tests {
    use super::*;
    use record::ObjectKind;

    #[test]
    fn a_control_covers_kinds_of_writes_and_named_objects() {
        let control = Control {
            id: "ISO 27001 A.8.32".into(),
            actions: vec![Action::WorkloadApply],
            objects: vec!["snippets".into()],
            ..Control::default()
        };
        let named = |kind, name: &str| ObjectRef::of(kind).named(name);
        assert!(control.covers("workload.apply", &named(ObjectKind::Submission, "web")));
        assert!(control.covers("preview_feature.approve", &named(ObjectKind::OptIn, "snippets")));
        assert!(!control.covers("session.sign_in", &ObjectRef::of(ObjectKind::Session)));
    }
}
