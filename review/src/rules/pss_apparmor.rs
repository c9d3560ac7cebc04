//! AppArmor switched off.

use super::{Check, Problem, Rule, RuleSet, Scope};
use crate::patch::Edit;
use crate::workload::Workload;
use serde_json::json;

pub(super) const RULE: Rule = Rule {
    id: "pss/apparmor",
    meaning: "Without AppArmor, or with a profile of one's own, a container may do what the default profile forbids.",
    source: "Pod Security Standards, baseline, AppArmor, all versions; fields since v1.30",
    faq: Some("pod-security"),
    set: RuleSet::Baseline,
    check: Check::Workload(check),
};

const ANNOTATION: &str = "container.apparmor.security.beta.kubernetes.io/";
const FIX: &str = "Use the profile RuntimeDefault, or none.";

fn check(workload: &Workload<'_>, _: &Scope<'_>) -> Vec<Problem> {
    let fields = workload
        .security_contexts()
        .filter(|(_, context)| {
            context["appArmorProfile"]["type"]
                .as_str()
                .is_some_and(|kind| !["RuntimeDefault", "Localhost"].contains(&kind))
        })
        .map(|(path, _)| {
            let path = format!("{path}.appArmorProfile.type");
            Problem::deny(path.as_str(), "AppArmor is switched off.", FIX)
                .fixed_by([Edit::set(path.trim_end_matches(".type"), json!({ "type": "RuntimeDefault" }))])
        });
    let annotations = workload.annotations();
    let annotations = annotations
        .iter()
        .filter(|(key, _)| key.starts_with(ANNOTATION))
        .filter(|(_, value)| !value.is_empty() && *value != "runtime/default" && !value.starts_with("localhost/"))
        .map(|(key, value)| {
            let path = workload.metadata_path(&format!("annotations[\"{key}\"]"));
            let message = format!("The annotation {key} asks for the AppArmor profile {value}.");
            Problem::deny(path.as_str(), message, FIX).fixed_by([Edit::set(&path, "runtime/default")])
        });
    fields.chain(annotations).collect()
}

#[cfg(test)]
mod tests {
    use crate::rules::testing::{fixed, paths_of, pod};

    #[test]
    fn a_profile_that_is_switched_off_is_named_in_fields_and_annotations() {
        let field = pod(
            "securityContext: {appArmorProfile: {type: Unconfined}}",
            "securityContext: {appArmorProfile: {type: Localhost}}",
        );
        assert_eq!(paths_of("pss/apparmor", &field), ["spec.securityContext.appArmorProfile.type"]);
        let key = "container.apparmor.security.beta.kubernetes.io/c";
        let annotation = format!(
            "{{apiVersion: v1, kind: Pod, metadata: {{name: a, annotations: {{{key}: unconfined}}}}, spec: {{}}}}"
        );
        assert_eq!(paths_of("pss/apparmor", &annotation), [format!("metadata.annotations[\"{key}\"]")]);
        assert_eq!(fixed("pss/apparmor", &annotation)["metadata"]["annotations"][key], "runtime/default");
    }
}
