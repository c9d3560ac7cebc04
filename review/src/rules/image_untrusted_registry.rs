//! Images from elsewhere.

use super::{Check, Problem, Rule, RuleSet, Scope};
use crate::workload::Workload;

pub(super) const RULE: Rule = Rule {
    id: "image/untrusted-registry",
    meaning: "An image from a registry that the platform does not trust has not been looked at by anybody here.",
    source: "Platform safeguard for trusted registries, compared by whole path segments",
    faq: Some("why-cant-i-kubectl-run"),
    set: RuleSet::Platform,
    check: Check::Workload(check),
};

fn check(workload: &Workload<'_>, scope: &Scope<'_>) -> Vec<Problem> {
    let trusted = &scope.settings.trusted_registries;
    if trusted.is_empty() {
        return Vec::new();
    }
    workload
        .images()
        .filter(|(_, image)| !trusted.iter().any(|prefix| image.is_under(prefix)))
        .map(|(container, image)| {
            let message = format!(
                "Container {} comes from {}, which the platform does not trust.",
                container.name(),
                image.registry
            );
            let fix = format!("Push the image to {} and use it from there.", trusted.join(" or "));
            Problem::warn(format!("{}.image", container.path), message, fix)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use crate::rules::testing::{paths_of, pod};

    fn is_broken_by(image: &str) -> bool {
        !paths_of("image/untrusted-registry", &pod("", "").replace("harbor.example.com/a:1", image)).is_empty()
    }

    #[test]
    fn a_host_that_merely_begins_like_a_trusted_one_is_not_trusted() {
        assert!(is_broken_by("harbor.example.com.evil.io/x:1"));
        assert!(is_broken_by("harbor.example.com:5000/x:1"));
        assert!(is_broken_by("nginx:1"));
        assert!(!is_broken_by("harbor.example.com/deep/x:1"));
    }
}
