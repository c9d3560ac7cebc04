//! Enough replicas to survive a node being rebooted.

use super::{Check, Problem, Rule, Scope};
use crate::manifest::Manifest;

pub(crate) const REPLICAS: Rule = Rule { id: "replicas/too-few", faq: Some("replicas"), check: Check::Object(check) };

fn check(manifest: &Manifest, scope: &Scope<'_>) -> Vec<Problem> {
    let settings = scope.settings;
    let scaled = matches!(manifest.object().kind.as_str(), "Deployment" | "StatefulSet");
    // Kubernetes defaults `replicas` to 1.
    let replicas = manifest.value()["spec"]["replicas"].as_u64().unwrap_or(1);
    let exempt = manifest.annotation(&settings.ignore_minimum_replicas_annotation).is_some();
    if !scaled || exempt || replicas >= u64::from(settings.minimum_replicas) {
        return Vec::new();
    }
    vec![Problem::warn(
        "spec.replicas",
        format!("With {replicas} of {} replicas, rebooting one node stops the application.", settings.minimum_replicas),
        format!(
            "Set replicas to {} or more, or annotate {}: \"true\" if it cannot run more than once.",
            settings.minimum_replicas, settings.ignore_minimum_replicas_annotation
        ),
    )]
}
