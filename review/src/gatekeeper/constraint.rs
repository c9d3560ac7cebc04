//! Constraints (constraints.gatekeeper.sh): which objects a policy judges, with which parameters, and what comes of it.

use super::inventory::Admitted;
use super::object_match::{self, Applies};
use crate::finding::Severity;
use crate::manifest::Manifest;
use serde_json::{Value, json};

/// A constraint as it was written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Constraint<'a> {
    pub(super) manifest: &'a Manifest,
}

impl<'a> Constraint<'a> {
    pub(super) fn of(manifest: &'a Manifest) -> Option<Self> {
        (manifest.group_version().0 == "constraints.gatekeeper.sh").then_some(Self { manifest })
    }

    /// The kind, which is that of its template.
    pub(super) fn kind(&self) -> &'a str {
        &self.manifest.object().kind
    }

    fn spec(&self) -> &'a Value {
        &self.manifest.value()["spec"]
    }

    /// What a violation counts as: `enforcementAction`, `deny` where it is left out; for `scoped`, what the webhook
    /// does.
    pub(super) fn severity(&self) -> Severity {
        let spec = self.spec();
        match spec["enforcementAction"].as_str() {
            Some("scoped") => scoped_severity(&spec["scopedEnforcementActions"]),
            action => severity_of(action.unwrap_or("deny")),
        }
    }

    /// What the policy is given to judge an object by.
    /// `old` is what is there already under that name.
    pub(super) fn input(&self, admitted: &Admitted<'_>, old: Option<&Value>) -> Value {
        let (group, version) = admitted.group_version();
        json!({
            "parameters": self.spec().get("parameters").cloned().unwrap_or_else(|| json!({})),
            "review": {
                "kind": { "group": group, "version": version, "kind": admitted.kind() },
                "name": admitted.name(),
                "namespace": admitted.namespace,
                "operation": if old.is_some() { "UPDATE" } else { "CREATE" },
                "object": admitted.object,
                "oldObject": old,
            },
        })
    }

    /// Whether it judges an object.
    pub(super) fn applies_to(&self, admitted: &Admitted<'_>, namespace: Option<&Value>) -> Applies {
        object_match::applies_to(&self.spec()["match"], admitted, namespace)
    }
}

fn severity_of(action: &str) -> Severity {
    match action {
        "warn" => Severity::Warn,
        "dryrun" => Severity::Info,
        // Actions that are not known are not taken for harmless.
        _ => Severity::Deny,
    }
}

/// The strictest action at the admission webhook; information where nothing happens there.
fn scoped_severity(actions: &Value) -> Severity {
    let at_webhook = |action: &&Value| {
        let mut points = action["enforcementPoints"].as_array().into_iter().flatten();
        points.any(|point| matches!(point["name"].as_str(), Some("*" | "validation.gatekeeper.sh")))
    };
    let actions = actions.as_array().into_iter().flatten().filter(at_webhook);
    actions.map(|action| severity_of(action["action"].as_str().unwrap_or("deny"))).max().unwrap_or(Severity::Info)
}
