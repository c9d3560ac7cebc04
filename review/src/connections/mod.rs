//! Who may talk to whom: every pair of workloads, and every workload with the addresses outside.

use crate::address_block::{Block, Family};
use crate::network_policy::{Direction, NetworkPolicy, Peer, Rule};
use crate::port_set::PortSet;
use crate::reach::peer_in_words;
use crate::selector::Selector;
use crate::world::{Endpoint, World, ports_of};
use serde::Serialize;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::fmt;
use std::rc::Rc;

/// One allowed connection. Peers are `namespace/name[Kind]` or an address range `first-last`, ports as
/// [`PortSet`] writes them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Connection {
    pub from: String,
    pub to: String,
    pub ports: String,
}

impl fmt::Display for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} => {} : {}", self.from, self.to, self.ports)
    }
}

/// Every allowed connection, sorted; a workload with itself is left out, and so is what a node sends to its own pods,
/// which always passes and comes from an address that nobody knows beforehand. Addresses of IPv6 are listed only
/// where a policy speaks of some.
#[must_use]
pub fn connections(world: &World) -> Vec<Connection> {
    let mut found: Vec<Connection> = links(world, speaks_of_ipv6(world)).iter().map(Link::written).collect();
    found.sort();
    found
}

/// A connection before it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Link {
    pub(crate) from: End,
    pub(crate) to: End,
    pub(crate) ports: PortSet,
}

/// One end of a connection.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum End {
    Workload(String),
    /// Pods of other namespaces, in words.
    Pods(String),
    Addresses {
        family: Family,
        first: u128,
        last: u128,
    },
}

impl Link {
    pub(crate) fn written(&self) -> Connection {
        Connection { from: self.from.to_string(), to: self.to.to_string(), ports: self.ports.to_string() }
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Workload(name) | Self::Pods(name) => f.write_str(name),
            Self::Addresses { family, first, last } => write!(f, "{}-{}", family.write(*first), family.write(*last)),
        }
    }
}

pub(crate) fn links(world: &World, with_ipv6: bool) -> Vec<Link> {
    let views = views(world);
    let named = |index: usize| End::Workload(world.endpoints()[index].to_string());
    let inside = between_workloads(world, &views).into_iter();
    let mut found: Vec<Link> =
        inside.map(|(from, to, ports)| Link { from: named(from), to: named(to), ports }).collect();
    for family in if with_ipv6 { &[Family::V4, Family::V6][..] } else { &[Family::V4] } {
        for view in &views {
            found.extend(outside(view, Direction::Egress, *family));
            found.extend(outside(view, Direction::Ingress, *family));
        }
    }
    found
}

/// A rule with the namespace that its policy is in.
type Placed<'a> = (&'a str, &'a Rule);

/// An endpoint with the rules that govern it; `None` in a direction means that it is open.
struct View<'a> {
    endpoint: &'a Endpoint,
    ingress: Option<Vec<Placed<'a>>>,
    egress: Option<Vec<Placed<'a>>>,
}

/// Every endpoint with its rules. Policies with the same selector govern the same pods, so each selector is
/// compared with the pods once.
fn views(world: &World) -> Vec<View<'_>> {
    let endpoints = world.endpoints();
    let mut views: Vec<View<'_>> =
        endpoints.iter().map(|endpoint| View { endpoint, ingress: None, egress: None }).collect();
    let mut selected: HashMap<(&str, &Selector), Vec<usize>> = HashMap::new();
    for policy in world.policies() {
        let places = selected.entry((&policy.namespace, &policy.pod_selector)).or_insert_with(|| {
            (0..endpoints.len()).filter(|place| world.selects(policy, &endpoints[*place])).collect()
        });
        places.iter().for_each(|place| views[*place].govern(policy));
    }
    views
}

impl<'a> View<'a> {
    fn govern(&mut self, policy: &'a NetworkPolicy) {
        for (direction, rules) in [(Direction::Ingress, &mut self.ingress), (Direction::Egress, &mut self.egress)] {
            if let Some(more) = policy.rules(direction) {
                rules.get_or_insert_default().extend(more.iter().map(|rule| (policy.namespace.as_str(), rule)));
            }
        }
    }

    fn rules(&self, direction: Direction) -> Option<&[Placed<'a>]> {
        match direction {
            Direction::Ingress => self.ingress.as_deref(),
            Direction::Egress => self.egress.as_deref(),
        }
    }

    /// What it lets through to or from every endpoint, in their order. Named ports are the receiver's: its own
    /// for ingress, the other's for egress.
    fn allows(&self, peers: &mut PeerIndex<'a>, direction: Direction) -> Vec<PortSet> {
        let endpoints = peers.world.endpoints();
        let Some(rules) = self.rules(direction) else { return vec![PortSet::all(); endpoints.len()] };
        let mut allowed = vec![PortSet::default(); endpoints.len()];
        for (namespace, rule) in rules {
            let own = (direction == Direction::Ingress).then(|| ports_of(rule, Some(self.endpoint)));
            for place in peers.named(namespace, rule).iter() {
                let ports = own.clone().unwrap_or_else(|| ports_of(rule, Some(&endpoints[*place])));
                allowed[*place] = allowed[*place].union(&ports);
            }
        }
        allowed
    }
}

impl View<'_> {
    /// What it lets through to or from one other endpoint.
    fn allows_one(&self, world: &World, direction: Direction, other: &View<'_>) -> PortSet {
        let Some(rules) = self.rules(direction) else { return PortSet::all() };
        let receiver = if direction == Direction::Ingress { self.endpoint } else { other.endpoint };
        let named = rules.iter().filter(|(namespace, rule)| world.names(namespace, rule, other.endpoint));
        named.fold(PortSet::default(), |all, (_, rule)| all.union(&ports_of(rule, Some(receiver))))
    }
}

/// Which endpoints a rule names. Many rules name the same peers, so each list is looked up once.
struct PeerIndex<'a> {
    world: &'a World,
    known: HashMap<(&'a str, &'a [Peer]), Rc<[usize]>>,
}

impl<'a> PeerIndex<'a> {
    fn named(&mut self, namespace: &'a str, rule: &'a Rule) -> Rc<[usize]> {
        let Self { world, known } = self;
        let endpoints = world.endpoints();
        let find = || (0..endpoints.len()).filter(|place| world.names(namespace, rule, &endpoints[*place])).collect();
        known.entry((namespace, &rule.peers)).or_insert_with(find).clone()
    }
}

/// Sender, receiver (places in the world's list) and ports.
fn between_workloads<'a>(world: &'a World, views: &[View<'a>]) -> Vec<(usize, usize, PortSet)> {
    let mut peers = PeerIndex { world, known: HashMap::new() };
    let incoming: Vec<Vec<PortSet>> = views.iter().map(|view| view.allows(&mut peers, Direction::Ingress)).collect();
    let mut found = Vec::new();
    for (sender, view) in views.iter().enumerate() {
        let outgoing = view.allows(&mut peers, Direction::Egress).into_iter().enumerate();
        for (receiver, out) in outgoing.filter(|(receiver, out)| *receiver != sender && !out.is_empty()) {
            let ports = out.intersection(&incoming[receiver][sender]);
            if !ports.is_empty() {
                found.push((sender, receiver, ports));
            }
        }
    }
    found
}

pub(crate) fn speaks_of_ipv6(world: &World) -> bool {
    world.policies().any(|policy| {
        [Direction::Ingress, Direction::Egress]
            .into_iter()
            .flat_map(|direction| policy.rules(direction).unwrap_or_default())
            .flat_map(|rule| &rule.peers)
            .any(|peer| {
                matches!(
                    peer, Peer::Block { cidr, .. } if Block::parse(cidr).is_some_and(|block| block.family == Family::V6)
                )
            })
    })
}

/// Pods of other namespaces, as policies name them.
type Pods<'a> = (&'a Selector, &'a Selector);

/// Those that the policies of each workload name.
pub(crate) type Elsewhere<'a> = HashMap<String, HashSet<Pods<'a>>>;

fn pods_elsewhere(peer: &Peer) -> Option<Pods<'_>> {
    match peer {
        Peer::Pods { namespaces: Some(namespaces), pods } => Some((namespaces, pods)),
        Peer::Pods { namespaces: None, .. } | Peer::Block { .. } => None,
    }
}

/// Whom the policies of each workload name in other namespaces.
pub(crate) fn elsewhere(world: &World) -> Elsewhere<'_> {
    let mut found = Elsewhere::new();
    for view in views(world) {
        let rules = [&view.ingress, &view.egress].into_iter().flatten().flatten();
        let pods = rules.flat_map(|(_, rule)| &rule.peers).filter_map(pods_elsewhere);
        found.entry(view.endpoint.to_string()).or_default().extend(pods);
    }
    found
}

/// What workloads may exchange with these pods of other namespaces, of which nothing else is known.
pub(crate) fn links_elsewhere(world: &World, named: [&Elsewhere<'_>; 2]) -> Vec<Link> {
    let mut found = Vec::new();
    for view in views(world) {
        let name = view.endpoint.to_string();
        let [before, after] = named.map(|named| named.get(&name));
        let all: HashSet<Pods<'_>> = before.into_iter().chain(after).flatten().copied().collect();
        let openings = [Direction::Ingress, Direction::Egress].map(|direction| OpenElsewhere::of(&view, direction));
        for (namespaces, pods) in all {
            let [ingress, egress] = openings.each_ref().map(|open| open.ports((namespaces, pods)));
            let peer = Peer::Pods { namespaces: Some(namespaces.clone()), pods: pods.clone() };
            let others = End::Pods(peer_in_words(&view.endpoint.namespace, &peer));
            let own = End::Workload(name.clone());
            found.push(Link { from: others.clone(), to: own.clone(), ports: ingress });
            found.push(Link { from: own, to: others, ports: egress });
        }
    }
    found.retain(|link| !link.ports.is_empty());
    found
}

/// What a workload lets through to or from pods of other namespaces. Selectors are compared as they are written: of two
/// that mean the same in other words, neither is the other.
struct OpenElsewhere<'a> {
    to_all: PortSet,
    by_pods: HashMap<Pods<'a>, PortSet>,
}

impl<'a> OpenElsewhere<'a> {
    fn of(view: &View<'a>, direction: Direction) -> Self {
        let receiver = (direction == Direction::Ingress).then_some(view.endpoint);
        let mut open = Self { to_all: PortSet::default(), by_pods: HashMap::new() };
        let Some(rules) = view.rules(direction) else { return Self { to_all: PortSet::all(), ..open } };
        for (_, rule) in rules {
            let ports = ports_of(rule, receiver);
            if rule.peers.is_empty() {
                open.to_all = open.to_all.union(&ports);
            }
            for pods in rule.peers.iter().filter_map(pods_elsewhere) {
                let known = open.by_pods.entry(pods).or_default();
                *known = known.union(&ports);
            }
        }
        open
    }

    /// An empty selector stands for all.
    fn ports(&self, (namespaces, pods): Pods<'_>) -> PortSet {
        let every = Selector::default();
        let wider = [(&every, &every), (&every, pods), (namespaces, &every), (namespaces, pods)];
        wider.iter().filter_map(|pods| self.by_pods.get(pods)).fold(self.to_all.clone(), |all, ports| all.union(ports))
    }
}

/// What a workload may exchange with addresses, in as few ranges as there are.
fn outside(view: &View<'_>, direction: Direction, family: Family) -> Vec<Link> {
    let own = End::Workload(view.endpoint.to_string());
    let receiver = (direction == Direction::Ingress).then_some(view.endpoint);
    let openings: Option<Vec<Opening>> =
        view.rules(direction).map(|rules| rules.iter().map(|(_, rule)| Opening::of(rule, receiver, family)).collect());
    let mut found: Vec<(u128, u128, PortSet)> = Vec::new();
    for (first, last) in pieces(openings.as_deref().unwrap_or_default(), family) {
        let ports = match &openings {
            None => PortSet::all(),
            Some(openings) => openings
                .iter()
                .filter(|opening| opening.admits(first))
                .fold(PortSet::default(), |all, opening| all.union(&opening.ports)),
        };
        match found.last_mut() {
            Some(previous) if previous.2 == ports => previous.1 = last,
            _ => found.push((first, last, ports)),
        }
    }
    found.retain(|(.., ports)| !ports.is_empty());
    found
        .into_iter()
        .map(|(first, last, ports)| {
            let range = End::Addresses { family, first, last };
            let (from, to) = if direction == Direction::Egress { (own.clone(), range) } else { (range, own.clone()) };
            Link { from, to, ports }
        })
        .collect()
}

/// What a rule says of the addresses of one family.
struct Opening {
    /// Blocks, each with the parts it leaves out; `None` where every address is meant.
    blocks: Option<Vec<(Block, Vec<Block>)>>,
    ports: PortSet,
}

impl Opening {
    fn of(rule: &Rule, receiver: Option<&Endpoint>, family: Family) -> Self {
        let read = |cidr: &String| Block::parse(cidr).filter(|block| block.family == family);
        let block = |peer: &Peer| match peer {
            Peer::Block { cidr, except } => Some((read(cidr)?, except.iter().filter_map(read).collect())),
            Peer::Pods { .. } => None,
        };
        let blocks = (!rule.peers.is_empty()).then(|| rule.peers.iter().filter_map(block).collect());
        Self { blocks, ports: ports_of(rule, receiver) }
    }

    fn admits(&self, address: u128) -> bool {
        let within = |block: &Block| (block.first..=block.last).contains(&address);
        self.blocks
            .as_ref()
            .is_none_or(|blocks| blocks.iter().any(|(block, except)| within(block) && !except.iter().any(within)))
    }
}

/// Cuts all addresses where any block begins or ends, so that every piece is treated alike throughout.
fn pieces(openings: &[Opening], family: Family) -> Vec<(u128, u128)> {
    let mut begins = BTreeSet::from([0]);
    for (block, except) in openings.iter().filter_map(|opening| opening.blocks.as_ref()).flatten() {
        for part in std::iter::once(block).chain(except) {
            begins.insert(part.first);
            if part.last < family.last() {
                begins.insert(part.last + 1);
            }
        }
    }
    let ends = begins.iter().skip(1).map(|next| next - 1).chain([family.last()]);
    begins.iter().copied().zip(ends).collect()
}

/// A workload that another may reach as far as the one's policies go, while the other's do not agree: nothing passes,
/// as both ends must allow it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OneSided {
    /// The workload whose policies stand in the way, `namespace/name[Kind]`.
    pub closed: String,
    /// Seen from the one that would let it pass.
    pub direction: Direction,
    /// On which ports that one would let it pass.
    pub ports: String,
}

/// The workloads that keep `subject` (as connections write it) from what its own policies allow. Where no policy
/// governs a direction of the subject, nothing was asked for in it, and nothing is said.
#[must_use]
pub fn one_sided(world: &World, subject: &str) -> Vec<OneSided> {
    let views = views(world);
    let Some(own) = world.endpoints().iter().position(|endpoint| endpoint.to_string() == subject) else {
        return Vec::new();
    };
    let mut peers = PeerIndex { world, known: HashMap::new() };
    let mut found = Vec::new();
    for (direction, back) in [(Direction::Ingress, Direction::Egress), (Direction::Egress, Direction::Ingress)] {
        if views[own].rules(direction).is_none() {
            continue;
        }
        let wanted = views[own].allows(&mut peers, direction).into_iter().enumerate();
        for (other, ports) in wanted.filter(|(other, ports)| *other != own && !ports.is_empty()) {
            // An open end agrees to everything; only then need the other's rules be looked at.
            if views[other].rules(back).is_some() {
                let agreed = views[other].allows_one(world, back, &views[own]).intersection(&ports);
                if agreed.is_empty() {
                    let closed = world.endpoints()[other].to_string();
                    found.push(OneSided { closed, direction, ports: ports.to_string() });
                }
            }
        }
    }
    found
}

#[cfg(any(test, fuzzing))]
pub mod plain;
#[cfg(test)]
mod tests;
