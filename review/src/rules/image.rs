//! Images: well-formed, with a tag that says which one, from a registry the platform trusts.

use super::{Check, Problem, Rule, Scope};
use crate::image::ImageRef;
use crate::workload::{Container, Workload};

pub(crate) const REFERENCE: Rule = Rule { id: "image/invalid-reference", faq: None, check: Check::Workload(reference) };
pub(crate) const TAG: Rule = Rule { id: "image/forbidden-tag", faq: Some("image-tags"), check: Check::Workload(tag) };
pub(crate) const REGISTRY: Rule =
    Rule { id: "image/untrusted-registry", faq: Some("why-cant-i-kubectl-run"), check: Check::Workload(registry) };

fn text<'a>(container: &Container<'a>) -> &'a str {
    container.value["image"].as_str().unwrap_or_default()
}

fn images<'a>(workload: &Workload<'a>) -> impl Iterator<Item = (Container<'a>, ImageRef)> {
    workload.containers().into_iter().filter_map(|container| {
        let image = text(&container).parse().ok()?;
        Some((container, image))
    })
}

fn path(container: &Container<'_>) -> String {
    format!("{}.image", container.path)
}

fn reference(workload: &Workload<'_>, _: &Scope<'_>) -> Vec<Problem> {
    workload
        .containers()
        .iter()
        .filter_map(|container| {
            let error = text(container).parse::<ImageRef>().err()?;
            Some(Problem::deny(
                path(container),
                format!("The image of container {} cannot be read: {error}", container.name()),
                "Write it as registry/path:tag.",
            ))
        })
        .collect()
}

/// The platform's own check is a suffix match that lets `registry:5000/x` and
/// `x:latest@sha256:...` through; the reference is parsed here instead.
fn tag(workload: &Workload<'_>, scope: &Scope<'_>) -> Vec<Problem> {
    images(workload)
        .filter_map(|(container, image)| {
            let name = container.name();
            let fix = "Name a version that never moves, such as :1.4.2, or a digest.";
            match (&image.tag, &image.digest) {
                (Some(tag), _) if scope.settings.forbidden_tags.contains(tag) => Some(Problem::deny(
                    path(&container),
                    format!("Container {name} uses the tag {tag}, which means another image every time it is pushed."),
                    fix,
                )),
                (None, None) => Some(Problem::deny(
                    path(&container),
                    format!("The image of container {name} has no tag, so it means :latest."),
                    fix,
                )),
                _ => None,
            }
        })
        .collect()
}

fn registry(workload: &Workload<'_>, scope: &Scope<'_>) -> Vec<Problem> {
    let trusted = &scope.settings.trusted_registries;
    if trusted.is_empty() {
        return Vec::new();
    }
    images(workload)
        .filter(|(_, image)| !trusted.iter().any(|prefix| image.is_under(prefix)))
        .map(|(container, image)| {
            Problem::warn(
                path(&container),
                format!(
                    "Container {} comes from {}, which the platform does not trust.",
                    container.name(),
                    image.registry
                ),
                format!("Push the image to {} and use it from there.", trusted.join(" or ")),
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use crate::rules::testing::rules_broken;

    fn broken_by(image: &str) -> Vec<String> {
        rules_broken(&format!("{{apiVersion: v1, kind: Pod, metadata: {{name: x}}, spec: {{containers: [{{name: c, image: '{image}'}}]}}}}"))
            .into_iter()
            .filter(|rule| rule.starts_with("image/"))
            .collect()
    }

    #[test]
    fn the_two_holes_of_the_platforms_tag_check_are_closed() {
        assert_eq!(broken_by("harbor.example.com:5000/x"), ["image/forbidden-tag", "image/untrusted-registry"]);
        assert_eq!(
            broken_by(&format!("harbor.example.com/x:latest@sha256:{}", "a".repeat(64))),
            ["image/forbidden-tag"]
        );
    }

    #[test]
    fn a_digest_alone_is_as_good_as_a_tag() {
        assert!(broken_by(&format!("harbor.example.com/x@sha256:{}", "a".repeat(64))).is_empty());
    }

    #[test]
    fn a_host_that_merely_begins_like_a_trusted_one_is_not_trusted() {
        assert_eq!(broken_by("harbor.example.com.evil.io/x:1"), ["image/untrusted-registry"]);
    }
}
