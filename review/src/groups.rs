//! Workloads that every policy treats alike, so that many can be looked at as one.

use crate::network_policy::Direction;
use crate::world::{Endpoint, World, ports_of};
use std::collections::BTreeMap;

/// Groups the workloads of a world, each as connections write it: two are in one group where every policy selects both
/// or neither, every peer means both or neither, and every port has the same numbers in both. What holds for one of a
/// group holds for all of it. In the order of their first members.
#[must_use]
pub fn groups(world: &World) -> Vec<Vec<String>> {
    let mut found: BTreeMap<Treatment, Vec<String>> = BTreeMap::new();
    for endpoint in world.endpoints() {
        found.entry(Treatment::of(world, endpoint)).or_default().push(endpoint.to_string());
    }
    let mut groups: Vec<Vec<String>> = found.into_values().collect();
    groups.sort();
    groups
}

/// Everything that policies can tell of a workload.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Treatment {
    namespace: String,
    selected: Vec<bool>,
    meant: Vec<bool>,
    ports: Vec<String>,
}

impl Treatment {
    fn of(world: &World, endpoint: &Endpoint) -> Self {
        let mut policies: Vec<_> = world.policies().collect();
        policies.sort_by(|one, other| (&one.namespace, &one.name).cmp(&(&other.namespace, &other.name)));
        let rules: Vec<_> = policies
            .iter()
            .flat_map(|policy| {
                let both = [Direction::Ingress, Direction::Egress].into_iter();
                both.flat_map(|direction| policy.rules(direction).unwrap_or_default())
                    .map(|rule| (policy.namespace.as_str(), rule))
            })
            .collect();
        Self {
            namespace: endpoint.namespace.clone(),
            selected: policies.iter().map(|policy| world.selects(policy, endpoint)).collect(),
            meant: rules.iter().map(|(namespace, rule)| world.names(namespace, rule, endpoint)).collect(),
            ports: rules.iter().map(|(_, rule)| ports_of(rule, Some(endpoint)).to_string()).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connections::connections;
    use crate::manifest::decode;

    fn pod(name: &str, labels: &str, port: &str) -> String {
        format!(
            "{{apiVersion: v1, kind: Pod, metadata: {{name: {name}, namespace: shop, labels: {labels}}}, \
             spec: {{containers: [{{name: c, ports: [{port}]}}]}}}}"
        )
    }

    fn world() -> World {
        let policy = "{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: web, namespace: shop}, \
            spec: {podSelector: {matchLabels: {app: web}}, ingress: [{from: [{podSelector: {matchLabels: {app: \
            api}}}], ports: [{port: http}]}]}}";
        let http = |number: u16| format!("{{name: http, containerPort: {number}}}");
        let text = [
            pod("web-1", "{app: web, track: a}", &http(80)),
            pod("web-2", "{app: web, track: b}", &http(80)),
            pod("web-3", "{app: web}", &http(81)),
            pod("api", "{app: api}", ""),
            pod("other-1", "{}", ""),
            pod("other-2", "{x: 'y'}", ""),
            policy.to_owned(),
        ];
        World::new(decode("test", &text.join("\n---\n")).unwrap())
    }

    #[test]
    fn workloads_that_differ_only_in_what_no_policy_looks_at_are_one_group() {
        let names = |group: &Vec<String>| {
            group.iter().map(|name| name["shop/".len()..].replace("[Pod]", "")).collect::<Vec<_>>().join(" ")
        };
        let found: Vec<String> = groups(&world()).iter().map(names).collect();
        assert_eq!(found, ["api", "other-1 other-2", "web-1 web-2", "web-3"]);
    }

    #[test]
    fn what_holds_for_one_of_a_group_holds_for_all_of_it() {
        let world = world();
        let all = connections(&world);
        let ports = |from: &str, to: &str| {
            let found = all.iter().find(|connection| connection.from == from && connection.to == to);
            found.map(|connection| connection.ports.clone())
        };
        let groups = groups(&world);
        for (senders, receivers) in groups.iter().flat_map(|one| groups.iter().map(move |other| (one, other))) {
            let pairs = senders
                .iter()
                .flat_map(|from| receivers.iter().map(move |to| (from, to)))
                .filter(|(from, to)| from != to);
            let mut found: Vec<Option<String>> = pairs.map(|(from, to)| ports(from, to)).collect();
            found.dedup();
            assert!(found.len() <= 1, "{senders:?} to {receivers:?}: {found:?}");
        }
    }
}
