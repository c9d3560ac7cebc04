//! Volumes of other types.

use super::{Check, Problem, Rule, RuleSet, Scope};
use crate::workload::Workload;

pub(super) const RULE: Rule = Rule {
    id: "pss/volume-types",
    meaning: "A volume outside the usual types reaches past what PersistentVolumes allow.",
    source: "Pod Security Standards, restricted, Volume Types, all versions; image volumes since v1.33 \
        (kubernetes/kubernetes#130394)",
    faq: Some("pod-security"),
    set: RuleSet::Restricted,
    check: Check::Workload(check),
};

const ALLOWED: &[&str] =
    &["configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"];

fn check(workload: &Workload<'_>, scope: &Scope<'_>) -> Vec<Problem> {
    let allowed =
        |source: &str| ALLOWED.contains(&source) || (source == "image" && scope.pod_security_version.is_at_least(33));
    workload
        .volumes()
        .filter_map(|(path, volume)| {
            // A volume without a source is an emptyDir (API reference, Volume v1 core).
            let (source, _) = volume.as_object()?.iter().find(|(key, value)| *key != "name" && !value.is_null())?;
            (!allowed(source)).then(|| {
                let fix = format!("Use one of {}.", ALLOWED.join(", "));
                Problem::deny(path, format!("Volumes of type {source} are not allowed."), fix)
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use crate::rules::testing::{paths_of, pod};

    #[test]
    fn volumes_of_other_types_are_named() {
        let volumes = pod(
            "volumes: [{name: a, secret: {secretName: a}}, {name: b}, {name: c, nfs: {server: a, path: /}}, {name: d, \
             image: {reference: a}}]",
            "",
        );
        assert_eq!(paths_of("pss/volume-types", &volumes), ["spec.volumes[2]"]);
    }
}
