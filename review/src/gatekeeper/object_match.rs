//! Which objects a constraint judges and a mutation changes (Gatekeeper, `pkg/mutation/match`).

use super::inventory::Admitted;
use crate::selector::{Labels, Selector, labels};
use serde_json::Value;

/// A match for what Gatekeeper itself expands. Pods come to admission as objects of their own, so what is
/// rendered here counts as original.
const ONLY_GENERATED: &str = "Generated";

/// Whether an object is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Applies {
    Yes,
    No,
    /// Its namespace's labels decide, and they are not known.
    Unknown,
}

/// Whether `spec.match` of a constraint or a mutation means an object; every part that is given must fit.
pub(super) fn applies_to(wanted: &Value, admitted: &Admitted<'_>, namespace: Option<&Value>) -> Applies {
    let fits = fits_kinds(&wanted["kinds"], admitted)
        && fits_scope(&wanted["scope"], admitted)
        && fits_namespaces(wanted, admitted)
        && wanted["source"] != ONLY_GENERATED
        && fits_labels(&wanted["labelSelector"], admitted)
        && wanted["name"].as_str().is_none_or(|name| name.is_empty() || fits_glob(name, admitted.name()));
    if !fits {
        return Applies::No;
    }
    fits_namespace_labels(&wanted["namespaceSelector"], admitted, namespace)
}

pub(super) fn texts(value: &Value) -> impl Iterator<Item = &str> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str)
}

fn fits_kinds(kinds: &Value, admitted: &Admitted<'_>) -> bool {
    let Some(kinds) = kinds.as_array().filter(|kinds| !kinds.is_empty()) else { return true };
    let any_or = |list: &Value, own: &str| {
        let mut all = texts(list).peekable();
        all.peek().is_none() || all.any(|one| one == "*" || one == own)
    };
    kinds.iter().any(|entry| {
        any_or(&entry["kinds"], admitted.kind()) && any_or(&entry["apiGroups"], admitted.group_version().0)
    })
}

fn fits_scope(scope: &Value, admitted: &Admitted<'_>) -> bool {
    match scope.as_str() {
        Some("Cluster") => admitted.is_cluster_scoped(),
        Some("Namespaced") => !admitted.is_cluster_scoped(),
        _ => true,
    }
}

/// For a Namespace its own name counts; other objects of the whole cluster are in no list, and fit either way.
fn fits_namespaces(wanted: &Value, admitted: &Admitted<'_>) -> bool {
    let own = if admitted.is_namespace() { admitted.name() } else { &admitted.namespace };
    if own.is_empty() {
        return true;
    }
    let is_in = |field: &str| texts(&wanted[field]).any(|name| fits_glob(name, own));
    let is_limited = wanted["namespaces"].as_array().is_some_and(|names| !names.is_empty());
    (!is_limited || is_in("namespaces")) && !is_in("excludedNamespaces")
}

fn fits_labels(selector: &Value, admitted: &Admitted<'_>) -> bool {
    Selector::from_value(Some(selector)).matches(&labels(&admitted.object["metadata"]["labels"]))
}

fn fits_namespace_labels(selector: &Value, admitted: &Admitted<'_>, namespace: Option<&Value>) -> Applies {
    if selector.is_null() || (admitted.is_cluster_scoped() && !admitted.is_namespace()) {
        return Applies::Yes;
    }
    let selector = Selector::from_value(Some(selector));
    let own: Option<Labels> = if admitted.is_namespace() {
        Some(labels(&admitted.object["metadata"]["labels"]))
    } else {
        namespace.map(|namespace| labels(&namespace["metadata"]["labels"]))
    };
    match own {
        _ if selector.is_empty() => Applies::Yes,
        None => Applies::Unknown,
        Some(own) if selector.matches(&own) => Applies::Yes,
        Some(_) => Applies::No,
    }
}

/// `*` may stand at either end.
fn fits_glob(glob: &str, text: &str) -> bool {
    match (glob.strip_prefix('*'), glob.strip_suffix('*')) {
        (Some(_), Some(_)) if glob.len() > 1 => text.contains(&glob[1..glob.len() - 1]),
        (Some(end), _) => text.ends_with(end),
        (None, Some(start)) => text.starts_with(start),
        (None, None) => text == glob,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_have_their_star_at_either_end() {
        for (glob, text, fits) in [
            ("kube-*", "kube-system", true),
            ("*-system", "kube-system", true),
            ("*sys*", "kube-system", true),
            ("*", "x", true),
            ("kube-system", "kube-system", true),
            ("kube-*", "my-kube-system", false),
            ("kube", "kube-system", false),
        ] {
            assert_eq!(fits_glob(glob, text), fits, "{glob} {text}");
        }
    }
}
