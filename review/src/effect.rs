//! What a change of manifests opens and closes.

use crate::connections::{Connection, End, Link, elsewhere, links, links_elsewhere, speaks_of_ipv6};
use crate::port_set::PortSet;
use crate::world::World;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// Connections that are there afterwards and were not before, and the other way round. A connection that
/// gains or loses only some ports stands here with just these.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Effect {
    /// Allowed afterwards only.
    pub opened: Vec<Connection>,
    /// Allowed before only.
    pub closed: Vec<Connection>,
}

impl Effect {
    /// The same with people's own words for some of the ends; `name` gets the words that stand for one here.
    #[must_use]
    pub fn named(mut self, name: impl Fn(&str) -> Option<String>) -> Self {
        for connection in self.opened.iter_mut().chain(&mut self.closed) {
            for end in [&mut connection.from, &mut connection.to] {
                if let Some(name) = name(end) {
                    *end = name;
                }
            }
        }
        self
    }
}

/// Compares what may talk before and afterwards.
#[must_use]
pub fn effect(before: &World, after: &World) -> Effect {
    let with_ipv6 = speaks_of_ipv6(before) || speaks_of_ipv6(after);
    let (named_before, named_after) = (elsewhere(before), elsewhere(after));
    let links_of = |world| [links(world, with_ipv6), links_elsewhere(world, [&named_before, &named_after])].concat();
    let (before, after) = (links_of(before), links_of(after));
    let cuts = cuts(before.iter().chain(&after));
    let (before, after) = (cut(&before, &cuts), cut(&after, &cuts));
    Effect { opened: gained(&before, &after), closed: gained(&after, &before) }
}

type Pieces = BTreeMap<(End, End), PortSet>;

/// Where any range of either side begins, or the one after it would.
fn cuts<'a>(links: impl Iterator<Item = &'a Link>) -> BTreeSet<u128> {
    links
        .flat_map(|link| [&link.from, &link.to])
        .filter_map(|end| match end {
            End::Addresses { first, last, .. } => Some([Some(*first), last.checked_add(1)]),
            End::Workload(_) | End::Pods(_) => None,
        })
        .flatten()
        .flatten()
        .collect()
}

/// Cuts ranges so finely that those of both sides can be compared one by one.
fn cut(links: &[Link], cuts: &BTreeSet<u128>) -> Pieces {
    let mut pieces = Pieces::new();
    for link in links {
        for (from, to) in pairs(&parts(&link.from, cuts), &parts(&link.to, cuts)) {
            pieces.insert((from, to), link.ports.clone());
        }
    }
    pieces
}

fn pairs(from: &[End], to: &[End]) -> Vec<(End, End)> {
    from.iter().flat_map(|from| to.iter().map(|to| (from.clone(), to.clone()))).collect()
}

fn parts(end: &End, cuts: &BTreeSet<u128>) -> Vec<End> {
    let End::Addresses { family, first, last } = end else { return vec![end.clone()] };
    let begins: Vec<u128> = cuts.range(first..=last).copied().collect();
    let ends = begins.iter().skip(1).map(|next| next - 1).chain([*last]);
    begins.iter().zip(ends).map(|(first, last)| End::Addresses { family: *family, first: *first, last }).collect()
}

/// What `after` has beyond `before`, neighbouring ranges joined again.
fn gained(before: &Pieces, after: &Pieces) -> Vec<Connection> {
    let nothing = PortSet::default();
    let mut found: Vec<Link> = Vec::new();
    for ((from, to), ports) in after {
        let ports = ports.difference(before.get(&(from.clone(), to.clone())).unwrap_or(&nothing));
        if ports.is_empty() {
            continue;
        }
        let link = Link { from: from.clone(), to: to.clone(), ports };
        if let Some(previous) = found.last_mut()
            && let Some(longer) = joined(previous, &link)
        {
            *previous = longer;
        } else {
            found.push(link);
        }
    }
    let mut written: Vec<Connection> = found.iter().map(Link::written).collect();
    written.sort();
    written
}

/// Two links as one, where their ranges are neighbours and all else is the same.
fn joined(one: &Link, next: &Link) -> Option<Link> {
    let end = |one: &End, next: &End| match (one, next) {
        (End::Workload(_) | End::Pods(_), _) if one == next => Some(one.clone()),
        (
            End::Addresses { family, first, last },
            End::Addresses { family: next_family, first: next_first, last: next_last },
        ) if family == next_family && last.checked_add(1) == Some(*next_first) => {
            Some(End::Addresses { family: *family, first: *first, last: *next_last })
        }
        _ => None,
    };
    if one.ports != next.ports {
        return None;
    }
    Some(Link { from: end(&one.from, &next.from)?, to: end(&one.to, &next.to)?, ports: one.ports.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::decode;

    const PODS: &str = "
{apiVersion: v1, kind: Pod, metadata: {name: web, labels: {app: web}}, spec: {containers: []}}
---
{apiVersion: v1, kind: Pod, metadata: {name: api, labels: {app: api}}, spec: {containers: []}}
---
";

    fn of(before: &str, after: &str) -> (Vec<String>, Vec<String>) {
        let world = |policies: &str| World::new(decode("test", &format!("{PODS}{policies}")).unwrap());
        let effect = effect(&world(before), &world(after));
        let written = |list: Vec<Connection>| list.iter().map(ToString::to_string).collect();
        (written(effect.opened), written(effect.closed))
    }

    fn policy(ingress: &str) -> String {
        format!(
            "{{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {{name: p}}, \
             spec: {{podSelector: {{matchLabels: {{app: api}}}}, policyTypes: [Ingress], ingress: {ingress}}}}}"
        )
    }

    #[test]
    fn the_first_policy_closes_what_was_open() {
        let (opened, closed) =
            of("", &policy("[{from: [{podSelector: {matchLabels: {app: web}}}], ports: [{port: 80}]}]"));
        assert!(opened.is_empty(), "{opened:?}");
        assert_eq!(
            closed,
            [
                "0.0.0.0-255.255.255.255 => default/api[Pod] : All Connections",
                "default/web[Pod] => default/api[Pod] : SCTP 1-65535,TCP 1-79,81-65535,UDP 1-65535",
            ]
        );
    }

    #[test]
    fn a_wider_block_opens_only_what_is_new() {
        let block = |cidr: &str| policy(&format!("[{{from: [{{ipBlock: {{cidr: {cidr}}}}}], ports: [{{port: 80}}]}}]"));
        let (opened, closed) = of(&block("10.0.1.0/24"), &block("10.0.0.0/16"));
        assert_eq!(
            opened,
            ["10.0.0.0-10.0.0.255 => default/api[Pod] : TCP 80", "10.0.2.0-10.0.255.255 => default/api[Pod] : TCP 80",]
        );
        assert!(closed.is_empty(), "{closed:?}");
    }

    fn from_namespaces(selector: &str, pods: &str) -> String {
        policy(&format!("[{{from: [{{namespaceSelector: {selector}, podSelector: {pods}}}], ports: [{{port: 80}}]}}]"))
    }

    const MONITORING: &str = "{matchLabels: {kubernetes.io/metadata.name: monitoring}}";

    #[test]
    fn pods_of_other_namespaces_that_lose_a_workload_are_named() {
        let before = from_namespaces(MONITORING, "{}");
        let (opened, closed) = of(&before, &policy("[]"));
        assert!(opened.is_empty(), "{opened:?}");
        assert_eq!(closed, ["every pod in monitoring => default/api[Pod] : TCP 80"]);
        let (opened, closed) = of(&policy("[]"), &before);
        assert_eq!(opened, ["every pod in monitoring => default/api[Pod] : TCP 80"]);
        assert!(closed.is_empty(), "{closed:?}");
    }

    #[test]
    fn who_may_already_as_one_of_many_is_not_opened_to() {
        let one = from_namespaces(MONITORING, "{matchLabels: {app: prometheus}}");
        for many in [from_namespaces(MONITORING, "{}"), from_namespaces("{}", "{}"), policy("[{ports: [{port: 80}]}]")]
        {
            let (opened, closed) = of(&many, &one);
            assert!(opened.is_empty(), "{opened:?}");
            assert!(closed.iter().all(|line| !line.contains("prometheus")), "{closed:?}");
        }
    }

    #[test]
    fn the_same_said_differently_changes_nothing() {
        let halves = policy("[{from: [{ipBlock: {cidr: 0.0.0.0/1}}, {ipBlock: {cidr: 128.0.0.0/1}}]}]");
        let whole = policy("[{from: [{ipBlock: {cidr: 0.0.0.0/0}}]}]");
        assert_eq!(of(&halves, &whole), (Vec::new(), Vec::new()));
    }
}
