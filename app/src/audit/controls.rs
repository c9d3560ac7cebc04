//! Compliance controls: which records and articles are the evidence for each.

use super::{Action, Evidence};
use serde::{Deserialize, Serialize};

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
    pub fn evidence(&self) -> Evidence {
        Evidence { actions: self.actions.clone(), names: self.objects.clone() }
    }

    /// Whether a write is evidence for it.
    #[must_use]
    pub fn covers(&self, action: &str, object: &str) -> bool {
        let name = object.splitn(3, '/').nth(2).unwrap_or_default();
        self.actions.iter().any(|covered| covered.code() == action) || self.objects.iter().any(|object| object == name)
    }
}

/// The controls that a write is evidence for.
pub fn covering<'a>(controls: &'a [Control], action: &str, object: &str) -> impl Iterator<Item = &'a Control> {
    controls.iter().filter(move |control| control.covers(action, object))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_control_covers_kinds_of_writes_and_named_objects() {
        let control = Control {
            id: "ISO 27001 A.8.32".into(),
            actions: vec![Action::WorkloadApply],
            objects: vec!["snippets".into()],
            ..Control::default()
        };
        assert!(control.covers("workload.apply", "Submission/shop/web"));
        assert!(control.covers("preview_feature.approve", "PreviewFeature/shop/snippets"));
        assert!(!control.covers("session.sign_in", "Session//"));
    }
}
