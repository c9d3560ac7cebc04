//! Fields that the kind does not have.

use super::{Check, Problem, Rule, RuleSet, Scope};
use crate::manifest::Manifest;

pub(super) const RULE: Rule = Rule {
    id: "review/unknown-field",
    meaning: "A field that the kind does not have sets nothing, and kubectl refuses it.",
    source: "Kubernetes API reference 1.37; kubectl, strict field validation since 1.27",
    faq: None,
    set: RuleSet::Platform,
    check: Check::Object(check),
};

fn check(manifest: &Manifest, _: &Scope<'_>) -> Vec<Problem> {
    manifest
        .unknown_fields()
        .iter()
        .map(|path| {
            let message = format!("{} knows no field {path}, so it sets nothing.", manifest.object().kind);
            Problem::warn(
                path.to_string(),
                message,
                "Compare its spelling, capitals included, and its place, with the API reference.",
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use crate::rules::testing::{paths_of, pod};

    #[test]
    fn a_field_that_is_spelt_wrong_is_named() {
        let pod = pod("", "securityContext: {runAsNonroot: true}");
        assert_eq!(paths_of("review/unknown-field", &pod), ["spec.containers[0].securityContext.runAsNonroot"]);
    }
}
