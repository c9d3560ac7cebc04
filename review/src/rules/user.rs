//! A numeric user: with `runAsNonRoot` the kubelet cannot tell whether a named user is root.

use super::{Check, Problem, Rule, Scope};
use crate::workload::Workload;
use serde_json::Value;

pub(crate) const NUMERIC_USER: Rule =
    Rule { id: "user/not-set", faq: Some("container-has-runasnonroot"), check: Check::Workload(check) };

fn check(workload: &Workload<'_>, _: &Scope<'_>) -> Vec<Problem> {
    let user = |value: &Value| value["securityContext"]["runAsUser"].as_u64();
    if workload.is_windows() || user(workload.spec()).is_some() {
        return Vec::new();
    }
    workload
        .containers()
        .into_iter()
        .filter(|container| user(container.value).is_none())
        .map(|container| {
            Problem::info(
                format!("{}.securityContext.runAsUser", container.path),
                format!("Container {} does not say which user it runs as. It starts only if its image names a numeric user that is not root.", container.name()),
                "Set runAsUser to a number above 10000, or make sure the image has a numeric USER.",
            )
        })
        .collect()
}
