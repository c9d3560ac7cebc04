//! Policies that govern traffic and are not modelled. What is said of connections is said without them, so they are named.

use crate::finding::ObjectRef;
use crate::manifest::Manifest;
use std::fmt;

/// A policy that does not count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Uncounted {
    pub object: ObjectRef,
    /// Group of its API.
    pub group: String,
}

/// Groups with a part of the names of their kinds that govern traffic.
const KINDS: [(&str, &str); 6] = [
    ("policy.networking.k8s.io", "NetworkPolicy"),
    ("crd.projectcalico.org", "NetworkPolicy"),
    ("projectcalico.org", "NetworkPolicy"),
    ("cilium.io", "NetworkPolicy"),
    ("cilium.io", "ClusterwideNetworkPolicy"),
    ("crd.antrea.io", "NetworkPolicy"),
];

impl Uncounted {
    pub(crate) fn of(manifest: &Manifest) -> Option<Self> {
        let (group, _) = manifest.group_version();
        let object = manifest.object();
        KINDS
            .iter()
            .any(|(known, kind)| *known == group && object.kind.ends_with(kind))
            .then(|| Self { object: object.clone(), group: group.to_owned() })
    }
}

impl fmt::Display for Uncounted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ObjectRef { kind, namespace, name } = &self.object;
        if namespace.is_empty() { write!(f, "{kind} {name}") } else { write!(f, "{kind} {namespace}/{name}") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn is_uncounted(api_version: &str, kind: &str) -> bool {
        let object = json!({ "apiVersion": api_version, "kind": kind, "metadata": { "name": "a" } });
        Uncounted::of(&Manifest::from_value(object).unwrap()).is_some()
    }

    #[test]
    fn policies_of_other_kinds_are_known_by_group_and_name() {
        for (api_version, kind) in [
            ("policy.networking.k8s.io/v1alpha1", "AdminNetworkPolicy"),
            ("policy.networking.k8s.io/v1alpha1", "BaselineAdminNetworkPolicy"),
            ("policy.networking.k8s.io/v1alpha2", "ClusterNetworkPolicy"),
            ("projectcalico.org/v3", "GlobalNetworkPolicy"),
            ("crd.projectcalico.org/v1", "NetworkPolicy"),
            ("cilium.io/v2", "CiliumNetworkPolicy"),
            ("cilium.io/v2", "CiliumClusterwideNetworkPolicy"),
        ] {
            assert!(is_uncounted(api_version, kind), "{api_version} {kind}");
        }
        assert!(!is_uncounted("networking.k8s.io/v1", "NetworkPolicy"));
        assert!(!is_uncounted("cilium.io/v2", "CiliumEndpoint"));
    }
}
