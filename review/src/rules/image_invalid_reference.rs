//! Texts that are no image.

use super::{Check, Problem, Rule, RuleSet, Scope};
use crate::image::ImageRef;
use crate::workload::Workload;

pub(super) const RULE: Rule = Rule {
    id: "image/invalid-reference",
    meaning: "The image cannot be read as a reference, so nothing can be pulled.",
    source: "distribution/reference v0.6, grammar of reference.go",
    faq: None,
    set: RuleSet::Platform,
    check: Check::Workload(check),
};

fn check(workload: &Workload<'_>, _: &Scope<'_>) -> Vec<Problem> {
    workload
        .containers()
        .filter_map(|container| {
            let error = container.image().parse::<ImageRef>().err()?;
            let message = format!("The image of container {} cannot be read: {error}", container.name());
            Some(Problem::deny(format!("{}.image", container.path), message, "Write it as registry/path:tag."))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use crate::rules::testing::{paths_of, pod};

    #[test]
    fn what_is_no_reference_is_named() {
        let pod = pod("initContainers: [{name: i, image: 'a b'}]", "");
        assert_eq!(paths_of("image/invalid-reference", &pod), ["spec.initContainers[0].image"]);
    }
}
