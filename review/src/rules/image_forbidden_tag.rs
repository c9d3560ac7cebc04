//! Tags that mean another image every day.

use super::{Check, Problem, Rule, RuleSet, Scope};
use crate::workload::Workload;

pub(super) const RULE: Rule = Rule {
    id: "image/forbidden-tag",
    meaning: "A tag that moves runs another program every time it is pushed, and a missing tag is such a tag.",
    source: "Platform safeguard against disallowed tags; defaults of docker.io/library/x:latest \
        in distribution/reference",
    faq: Some("image-tags"),
    set: RuleSet::Platform,
    check: Check::Workload(check),
};

/// The platform's own check is a suffix match that lets `registry:5000/x` and `x:latest@sha256:...` through; the
/// reference is parsed here instead.
fn check(workload: &Workload<'_>, scope: &Scope<'_>) -> Vec<Problem> {
    let forbidden = &scope.settings.forbidden_tags;
    workload
        .images()
        .filter_map(|(container, image)| {
            let name = container.name();
            let message = match (&image.tag, &image.digest) {
                (Some(tag), _) if forbidden.contains(tag) => {
                    format!("Container {name} uses the tag {tag}, which means another image every time it is pushed.")
                }
                (None, None) => format!("The image of container {name} has no tag, so it means :latest."),
                _ => return None,
            };
            let fix = "Name a version that never moves, such as :1.4.2, or a digest.";
            Some(Problem::deny(format!("{}.image", container.path), message, fix))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use crate::rules::testing::{paths_of, pod};

    fn is_broken_by(image: &str) -> bool {
        !paths_of("image/forbidden-tag", &pod("", "").replace("harbor.example.com/a:1", image)).is_empty()
    }

    #[test]
    fn the_two_holes_of_the_platforms_own_check_are_closed() {
        assert!(is_broken_by("harbor.example.com:5000/x"));
        assert!(is_broken_by(&format!("harbor.example.com/x:latest@sha256:{}", "a".repeat(64))));
    }

    #[test]
    fn a_version_or_a_digest_is_fine() {
        assert!(!is_broken_by("harbor.example.com:5000/x:1.2"));
        assert!(!is_broken_by(&format!("harbor.example.com/x@sha256:{}", "a".repeat(64))));
    }
}
