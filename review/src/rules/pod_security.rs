//! Pod Security Standards, version 1.35
//! (kubernetes.io/docs/concepts/security/pod-security-standards).

mod baseline;
mod restricted;

pub(super) use baseline::BASELINE;
pub(super) use restricted::RESTRICTED;

use crate::workload::{Container, Workload};
use serde_json::Value;

const FAQ: Option<&str> = Some("pod-security");

/// The pod's and every container's security context, each with its path. The pod comes first.
fn security_contexts<'a>(workload: &Workload<'a>) -> Vec<(String, &'a Value)> {
    let pod = (workload.path("securityContext"), &workload.spec()["securityContext"]);
    std::iter::once(pod).chain(workload.containers().iter().map(own_context)).collect()
}

fn own_context<'a>(container: &Container<'a>) -> (String, &'a Value) {
    (format!("{}.securityContext", container.path), &container.value["securityContext"])
}
