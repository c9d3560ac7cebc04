//! Kinds and versions of Kubernetes' own groups that no cluster serves.

use super::{Check, Problem, Rule, RuleSet, Scope};
use crate::api_versions::{RELEASE, Standing, standing};
use crate::manifest::Manifest;

pub(super) const RULE: Rule = Rule {
    id: "kind/not-served",
    meaning: "A kind or version that the API does not have cannot be applied.",
    source: "Kubernetes 1.37, its API's discovery and the lifecycle of its types; Deprecated API Migration Guide",
    faq: None,
    set: RuleSet::Platform,
    check: Check::Object(check),
};

fn check(manifest: &Manifest, _: &Scope<'_>) -> Vec<Problem> {
    let (group, version) = manifest.group_version();
    let (api_version, kind) = (manifest.api_version(), manifest.object().kind.as_str());
    let problem = match standing(group, version, kind) {
        None | Some(Standing::Served) => return Vec::new(),
        Some(Standing::Gone { since, instead }) => {
            let message = format!("{kind} of {api_version} is gone since Kubernetes {since}, so it cannot be applied.");
            let fix = match instead {
                Some(instead) => format!("Use {}, whose fields may differ.", of(instead)),
                None => "Nothing took its place: remove it.".to_owned(),
            };
            Problem::deny("apiVersion", message, fix)
        }
        Some(Standing::Unknown { nearest }) => {
            let message = format!("Kubernetes {RELEASE} has no {kind} of {api_version}, so it cannot be applied.");
            let fix = match nearest {
                Some((group, version, kind)) => format!("Perhaps {kind} of {} is meant.", written(group, version)),
                None => "Correct apiVersion and kind.".to_owned(),
            };
            Problem::deny("kind", message, fix)
        }
    };
    vec![problem]
}

fn written(group: &str, version: &str) -> String {
    if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") }
}

/// As sentences say it, from the way the table does.
fn of(versioned_kind: &str) -> String {
    match versioned_kind.split_once(' ') {
        Some((version, kind)) => format!("{kind} of {version}"),
        None => versioned_kind.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use crate::rules::testing::reviewed;

    fn said(version: &str, kind: &str) -> Option<String> {
        let object = format!("{{apiVersion: {version}, kind: {kind}, metadata: {{name: a}}}}");
        let found = reviewed(&object).findings.into_iter().find(|finding| finding.rule == "kind/not-served");
        found.map(|finding| format!("{} {}", finding.message, finding.fix))
    }

    #[test]
    fn what_cannot_be_applied_is_named_with_what_can() {
        assert_eq!(
            said("extensions/v1beta1", "Deployment").unwrap(),
            "Deployment of extensions/v1beta1 is gone since Kubernetes 1.16, so it cannot be applied. Use Deployment of \
             apps/v1, whose fields may differ."
        );
        assert!(said("policy/v1beta1", "PodSecurityPolicy").unwrap().contains("Nothing took its place"));
        assert!(said("apps/v1", "Deploymnet").unwrap().contains("Perhaps Deployment of apps/v1 is meant."));
        assert!(said("v1", "Deployment").unwrap().contains("Perhaps Deployment of apps/v1 is meant."));
    }

    #[test]
    fn what_is_served_and_what_others_serve_is_not() {
        for (version, kind) in [
            ("apps/v1", "Deployment"),
            ("v1", "ConfigMap"),
            ("example.com/v1", "Any"),
            ("gateway.networking.k8s.io/v1", "Gateway"),
        ] {
            assert_eq!(said(version, kind), None, "{version} {kind}");
        }
    }
}
