//! Services of type LoadBalancer.

use super::{Check, Problem, Rule, Scope};
use crate::manifest::Manifest;

pub(crate) const LOAD_BALANCER: Rule = Rule { id: "service/load-balancer", faq: None, check: Check::Object(check) };

fn check(manifest: &Manifest, scope: &Scope<'_>) -> Vec<Problem> {
    let is_one = manifest.object().kind == "Service" && manifest.value()["spec"]["type"] == "LoadBalancer";
    if !scope.settings.deny_load_balancers || !is_one {
        return Vec::new();
    }
    vec![Problem::deny(
        "spec.type",
        "The platform does not hand out load balancers.",
        "Use type ClusterIP and an Ingress.",
    )]
}
