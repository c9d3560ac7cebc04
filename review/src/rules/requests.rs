//! Every container asks for cpu and memory, so that the scheduler can place it.

use super::{Check, Problem, Rule, Scope};
use crate::workload::{ContainerKind, Workload};

pub(crate) const REQUESTS: Rule =
    Rule { id: "resources/missing-requests", faq: Some("resource-requests"), check: Check::Workload(check) };

/// The platform looks at `containers` only. Limits alone do not help: they become requests only
/// when the API server defaults a Pod, not inside a template.
fn check(workload: &Workload<'_>, _: &Scope<'_>) -> Vec<Problem> {
    workload
        .containers()
        .into_iter()
        .filter(|container| container.kind == ContainerKind::Main)
        .filter_map(|container| {
            let requests = &container.value["resources"]["requests"];
            let missing: Vec<&str> = ["cpu", "memory"].into_iter().filter(|name| requests[name].is_null()).collect();
            (!missing.is_empty()).then(|| {
                Problem::deny(
                    format!("{}.resources.requests", container.path),
                    format!("Container {} does not request {}.", container.name(), missing.join(" and ")),
                    "Request what it usually needs, for example cpu: 100m and memory: 128Mi.",
                )
            })
        })
        .collect()
}
