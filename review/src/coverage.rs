//! Which workloads no policy governs.

use crate::network_policy::Direction;
use crate::world::World;
use serde::Serialize;

/// Whether policies govern a workload; one that no policy selects in a direction is open in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Coverage {
    /// `namespace/name[Kind]`.
    pub workload: String,
    /// Whether what reaches it is limited.
    pub ingress: bool,
    /// Whether what it reaches is limited.
    pub egress: bool,
}

/// The coverage of every workload, in the order of their names.
#[must_use]
pub fn coverage(world: &World) -> Vec<Coverage> {
    world
        .endpoints()
        .iter()
        .map(|endpoint| {
            let governed = |direction| world.governing(endpoint, direction).next().is_some();
            Coverage {
                workload: endpoint.to_string(),
                ingress: governed(Direction::Ingress),
                egress: governed(Direction::Egress),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::decode;

    fn covered(policy: &str) -> (bool, bool) {
        let pod = "{apiVersion: v1, kind: Pod, metadata: {name: web, labels: {app: web}}, spec: {containers: []}}";
        let found = coverage(&World::new(decode("test", &format!("{pod}\n---\n{policy}")).unwrap()));
        (found[0].ingress, found[0].egress)
    }

    fn policy(spec: &str) -> String {
        format!("{{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {{name: p}}, spec: {spec}}}")
    }

    #[test]
    fn isolation_is_per_direction() {
        assert_eq!(covered(""), (false, false));
        assert_eq!(covered(&policy("{podSelector: {}}")), (true, false));
        assert_eq!(covered(&policy("{podSelector: {}, policyTypes: [Egress]}")), (false, true));
        assert_eq!(covered(&policy("{podSelector: {}, egress: []}")), (true, false));
        assert_eq!(covered(&policy("{podSelector: {}, egress: [{}]}")), (true, true));
    }

    #[test]
    fn a_policy_for_other_pods_covers_nothing() {
        assert_eq!(covered(&policy("{podSelector: {matchLabels: {app: other}}}")), (false, false));
    }
}
