//! Which groups, versions and kinds Kubernetes itself serves, and which are gone. The table is written by
//! `e2e/stack/api-versions.mjs` from the API's own discovery and from the lifecycle that its types declare.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

/// The release that the table is of.
pub(crate) const RELEASE: &str = "1.37";

/// How a kind of one of Kubernetes' own groups stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    Served,
    /// No longer, since a release; with the version and kind to use instead, where there is one.
    Gone {
        since: &'static str,
        instead: Option<&'static str>,
    },
    /// It never was, as far as the table goes; with the version and kind that is nearest, where one is near.
    Unknown {
        nearest: Option<(&'static str, &'static str, &'static str)>,
    },
}

struct Table {
    groups: BTreeSet<&'static str>,
    served: BTreeSet<(&'static str, &'static str, &'static str)>,
    gone: BTreeMap<(&'static str, &'static str, &'static str), (&'static str, Option<&'static str>)>,
}

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    let mut table = Table { groups: BTreeSet::new(), served: BTreeSet::new(), gone: BTreeMap::new() };
    for line in include_str!("api_versions.txt").lines().filter(|line| !line.starts_with('#')) {
        let mut parts = line.splitn(6, ' ');
        let (Some(group), Some(version), Some(kind)) = (parts.next(), parts.next(), parts.next()) else { continue };
        let key = (if group == "-" { "" } else { group }, version, kind);
        table.groups.insert(key.0);
        match (parts.next(), parts.next()) {
            (Some("gone"), Some(since)) => drop(table.gone.insert(key, (since, parts.next()))),
            _ => drop(table.served.insert(key)),
        }
    }
    table
});

/// How a kind stands; nothing where the group is none of Kubernetes' own.
pub(crate) fn standing(group: &str, version: &str, kind: &str) -> Option<Standing> {
    let table = &*TABLE;
    if !table.groups.contains(group) {
        return None;
    }
    if table.served.contains(&(group, version, kind)) {
        return Some(Standing::Served);
    }
    let gone = table.gone.iter().find(|(key, _)| **key == (group, version, kind));
    if let Some((_, (since, instead))) = gone {
        return Some(Standing::Gone { since, instead: *instead });
    }
    Some(Standing::Unknown { nearest: nearest(table, group, kind) })
}

/// The same kind in another version or group, or else the one whose name is nearest.
fn nearest(table: &Table, group: &str, kind: &str) -> Option<(&'static str, &'static str, &'static str)> {
    let distance = |known: &(&'static str, &'static str, &'static str)| {
        (edit_distance(&kind.to_lowercase(), &known.2.to_lowercase()), known.0 != group, is_unstable(known.1))
    };
    let best = table.served.iter().min_by_key(|known| distance(known))?;
    (distance(best).0 <= MOST_EDITS.min(kind.len() / 3)).then_some(*best)
}

/// The most letters that somebody mistypes in a name.
const MOST_EDITS: usize = 3;

fn is_unstable(version: &str) -> bool {
    version.contains("alpha") || version.contains("beta")
}

/// How many letters must be added, taken away or changed (Levenshtein).
pub(crate) fn edit_distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (line, c) in one.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], line + 1);
        for (column, d) in other.iter().enumerate() {
            let changed = diagonal + usize::from(c != *d);
            diagonal = row[column + 1];
            row[column + 1] = changed.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_gone_names_what_took_its_place() {
        let gone = |since, instead| Some(Standing::Gone { since, instead });
        assert_eq!(standing("extensions", "v1beta1", "Deployment"), gone("1.16", Some("apps/v1 Deployment")));
        assert_eq!(standing("policy", "v1beta1", "PodSecurityPolicy"), gone("1.25", None));
        assert_eq!(standing("apps", "v1", "Deployment"), Some(Standing::Served));
        assert_eq!(standing("", "v1", "Pod"), Some(Standing::Served));
        assert_eq!(standing("gateway.networking.k8s.io", "v1", "Gateway"), None);
    }

    #[test]
    fn what_never_was_names_what_is_nearest() {
        let nearest = |group, version, kind| match standing(group, version, kind) {
            Some(Standing::Unknown { nearest }) => nearest,
            other => panic!("{other:?}"),
        };
        assert_eq!(nearest("apps", "v1", "Deploymnet"), Some(("apps", "v1", "Deployment")));
        assert_eq!(nearest("apps", "v2", "Deployment"), Some(("apps", "v1", "Deployment")));
        assert_eq!(nearest("", "v1", "Deployment"), Some(("apps", "v1", "Deployment")));
        assert_eq!(nearest("", "v1", "configmap"), Some(("", "v1", "ConfigMap")));
        assert_eq!(nearest("", "v1", "SomethingElse"), None);
    }

    #[test]
    fn distances_are_counted_in_letters() {
        for (one, other, distance) in [("", "", 0), ("a", "", 1), ("kitten", "sitting", 3), ("größe", "grösse", 2)] {
            assert_eq!(edit_distance(one, other), distance, "{one} {other}");
        }
    }
}
