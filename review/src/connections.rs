//! Who may talk to whom: every pair of workloads, and every workload with the addresses outside.

use crate::address_block::{Block, Family};
use crate::network_policy::{Direction, NetworkPolicy, Peer, Rule};
use crate::port_set::PortSet;
use crate::selector::Selector;
use crate::world::{Endpoint, World, ports_of};
use serde::Serialize;
use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::rc::Rc;

/// One allowed connection. Peers are `namespace/name[Kind]` or an address range `first-last`, ports as
/// [`PortSet`] writes them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Connection {
    /// Who begins it.
    pub from: String,
    /// Who receives it.
    pub to: String,
    /// On which ports.
    pub ports: String,
}

impl fmt::Display for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} => {} : {}", self.from, self.to, self.ports)
    }
}

/// Every allowed connection, sorted; a workload with itself is left out. Addresses of IPv6 are listed only
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
    Addresses { family: Family, first: u128, last: u128 },
}

impl Link {
    pub(crate) fn written(&self) -> Connection {
        Connection { from: self.from.to_string(), to: self.to.to_string(), ports: self.ports.to_string() }
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Workload(name) => f.write_str(name),
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
            .any(|peer| matches!(peer, Peer::Block { cidr, .. } if Block::parse(cidr).is_some_and(|block| block.family == Family::V6)))
    })
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::{Manifest, decode};
    use crate::port_set::Transport;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn written(yaml: &str) -> Vec<String> {
        connections(&World::new(decode("test", yaml).unwrap())).iter().map(ToString::to_string).collect()
    }

    const PODS: &str = "
{apiVersion: v1, kind: Pod, metadata: {name: web, labels: {app: web}}, spec: {containers: [{name: c, ports: [{name: http, containerPort: 8080}]}]}}
---
{apiVersion: v1, kind: Pod, metadata: {name: api, namespace: shop, labels: {app: api}}, spec: {containers: [{name: c, ports: [{name: http, containerPort: 9090}]}]}}
---
";

    #[test]
    fn without_policies_everything_is_open() {
        assert_eq!(
            written(PODS),
            [
                "0.0.0.0-255.255.255.255 => default/web[Pod] : All Connections",
                "0.0.0.0-255.255.255.255 => shop/api[Pod] : All Connections",
                "default/web[Pod] => 0.0.0.0-255.255.255.255 : All Connections",
                "default/web[Pod] => shop/api[Pod] : All Connections",
                "shop/api[Pod] => 0.0.0.0-255.255.255.255 : All Connections",
                "shop/api[Pod] => default/web[Pod] : All Connections",
            ]
        );
    }

    #[test]
    fn a_named_port_is_the_number_it_has_at_the_receiver() {
        let policy = "{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: p}, spec: {podSelector: {}, policyTypes: [Egress], egress: [{ports: [{port: http}]}]}}";
        let found = written(&format!("{PODS}{policy}"));
        assert!(found.contains(&"default/web[Pod] => shop/api[Pod] : TCP 9090".to_owned()), "{found:#?}");
        // An address has no named ports.
        assert!(!found.iter().any(|line| line.starts_with("default/web[Pod] => 0.0.0.0")), "{found:#?}");
    }

    #[test]
    fn what_one_rule_leaves_out_another_may_let_in() {
        let policy = "{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: p}, spec: {podSelector: {}, ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/8, except: [10.1.0.0/16]}}]}, {from: [{ipBlock: {cidr: 10.1.2.0/24}}], ports: [{port: 80}]}]}}";
        let found: Vec<_> =
            written(&format!("{PODS}{policy}")).into_iter().filter(|line| line.starts_with("10.")).collect();
        assert_eq!(
            found,
            [
                "10.0.0.0-10.0.255.255 => default/web[Pod] : All Connections",
                "10.1.2.0-10.1.2.255 => default/web[Pod] : TCP 80",
                "10.2.0.0-10.255.255.255 => default/web[Pod] : All Connections",
            ]
        );
    }

    #[test]
    fn addresses_of_ipv6_are_listed_where_a_policy_speaks_of_them() {
        let policy = "{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: p}, spec: {podSelector: {}, ingress: [{from: [{ipBlock: {cidr: 'fd00::/8'}}]}]}}";
        let found = written(&format!("{PODS}{policy}"));
        assert!(
            found.contains(
                &"fd00::-fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff => default/web[Pod] : All Connections".to_owned()
            ),
            "{found:#?}"
        );
    }

    // A second reading of the API reference, as slow and as plain as it can be: one packet at a time.

    #[derive(Debug, Clone)]
    struct Packet<'a> {
        from: &'a Value,
        to: &'a Value,
        transport: Transport,
        port: u16,
    }

    fn label(object: &Value, key: &str) -> Option<String> {
        object["metadata"]["labels"][key].as_str().map(str::to_owned)
    }

    fn selector_matches(selector: &Value, value_of: &dyn Fn(&str) -> Option<String>) -> bool {
        selector["matchLabels"]
            .as_object()
            .into_iter()
            .flatten()
            .all(|(key, wanted)| value_of(key).as_deref() == wanted.as_str())
    }

    fn peer_matches(policy: &Value, peer: &Value, pod: &Value) -> bool {
        let namespace = pod["metadata"]["namespace"].as_str().unwrap();
        let in_namespace = match peer.get("namespaceSelector") {
            None => policy["metadata"]["namespace"] == namespace,
            Some(selector) => {
                selector_matches(selector, &|key| (key == "kubernetes.io/metadata.name").then(|| namespace.to_owned()))
            }
        };
        in_namespace && selector_matches(&peer["podSelector"], &|key| label(pod, key))
    }

    fn port_matches(port: &Value, packet: &Packet<'_>) -> bool {
        let transport = port["protocol"].as_str().unwrap_or("TCP");
        if transport != packet.transport.to_string() {
            return false;
        }
        match &port["port"] {
            Value::Null => true,
            Value::String(name) => {
                packet.to["spec"]["containers"][0]["ports"].as_array().unwrap().iter().any(|own| {
                    own["name"] == *name && own["containerPort"] == packet.port && own["protocol"] == transport
                })
            }
            first => {
                let first = first.as_u64().unwrap();
                (first..=port["endPort"].as_u64().unwrap_or(first)).contains(&packet.port.into())
            }
        }
    }

    fn passes(packet: &Packet<'_>, policies: &[Value], direction: &str) -> bool {
        let (field, end, pod, other) = match direction {
            "Ingress" => ("ingress", "from", packet.to, packet.from),
            _ => ("egress", "to", packet.from, packet.to),
        };
        let governing: Vec<&Value> = policies
            .iter()
            .filter(|policy| {
                let spec = &policy["spec"];
                let types = spec["policyTypes"].as_array();
                let applies = types.map_or(
                    direction == "Ingress" || spec["egress"].as_array().is_some_and(|rules| !rules.is_empty()),
                    |types| types.iter().any(|named| named == direction),
                );
                applies
                    && policy["metadata"]["namespace"] == pod["metadata"]["namespace"]
                    && selector_matches(&spec["podSelector"], &|key| label(pod, key))
            })
            .collect();
        governing.is_empty()
            || governing.iter().any(|policy| {
                policy["spec"][field].as_array().into_iter().flatten().any(|rule| {
                    let any = |list: &Value| list.as_array().is_none_or(Vec::is_empty);
                    let peer = any(&rule[end])
                        || rule[end].as_array().unwrap().iter().any(|peer| peer_matches(policy, peer, other));
                    let port = any(&rule["ports"])
                        || rule["ports"].as_array().unwrap().iter().any(|port| port_matches(port, packet));
                    peer && port
                })
            })
    }

    fn set(object: &mut Value, field: &str, value: Option<impl Into<Value>>) {
        if let Some(value) = value {
            object[field] = value.into();
        }
    }

    fn labels() -> impl Strategy<Value = Value> {
        (prop::option::of(0..2u8), prop::option::of(0..2u8)).prop_map(|(a, b)| {
            let mut labels = json!({});
            set(&mut labels, "a", a.map(|value| value.to_string()));
            set(&mut labels, "b", b.map(|value| value.to_string()));
            labels
        })
    }

    fn namespace() -> impl Strategy<Value = &'static str> {
        prop::sample::select(vec!["one", "two"])
    }

    fn pod() -> impl Strategy<Value = Value> {
        (namespace(), labels(), 1..5u16, prop::sample::select(vec!["TCP", "UDP"])).prop_map(
            |(namespace, labels, port, protocol)| {
                json!({
                    "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "pod", "namespace": namespace, "labels": labels },
                    "spec": { "containers": [{ "name": "c", "ports": [{ "name": "named", "containerPort": port, "protocol": protocol }] }] },
                })
            },
        )
    }

    fn peer() -> impl Strategy<Value = Value> {
        let pods = labels().prop_map(|labels| json!({ "podSelector": { "matchLabels": labels } }));
        let named = namespace().prop_map(
            |name| json!({ "namespaceSelector": { "matchLabels": { "kubernetes.io/metadata.name": name } } }),
        );
        let both = (labels(), namespace()).prop_map(|(labels, name)| {
            json!({
                "podSelector": { "matchLabels": labels },
                "namespaceSelector": { "matchLabels": { "kubernetes.io/metadata.name": name } },
            })
        });
        prop_oneof![pods, named, both, Just(json!({ "namespaceSelector": {} }))]
    }

    fn port() -> impl Strategy<Value = Value> {
        prop_oneof![
            (1..5u16).prop_map(|port| json!({ "port": port })),
            (1..4u16, 0..3u16)
                .prop_map(|(port, more)| json!({ "port": port, "endPort": port + more, "protocol": "UDP" })),
            Just(json!({ "port": "named" })),
            Just(json!({ "port": "named", "protocol": "UDP" })),
            Just(json!({ "protocol": "SCTP" })),
        ]
    }

    fn rules(end: &'static str) -> impl Strategy<Value = Value> {
        let rule = (
            prop::option::of(prop::collection::vec(peer(), 0..3)),
            prop::option::of(prop::collection::vec(port(), 0..3)),
        )
            .prop_map(move |(peers, ports)| {
                let mut rule = json!({});
                set(&mut rule, end, peers);
                set(&mut rule, "ports", ports);
                rule
            });
        prop::collection::vec(rule, 0..3).prop_map(Value::from)
    }

    fn policy() -> impl Strategy<Value = Value> {
        let types = prop::option::of(prop::sample::subsequence(vec!["Ingress", "Egress"], 1..=2));
        (namespace(), labels(), types, prop::option::of(rules("from")), prop::option::of(rules("to"))).prop_map(
            |(namespace, labels, types, ingress, egress)| {
                let mut spec = json!({ "podSelector": { "matchLabels": labels } });
                set(&mut spec, "policyTypes", types);
                set(&mut spec, "ingress", ingress);
                set(&mut spec, "egress", egress);
                json!({
                    "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
                    "metadata": { "name": "policy", "namespace": namespace }, "spec": spec,
                })
            },
        )
    }

    proptest! {
        #[test]
        fn the_evaluator_lets_through_what_the_plain_reading_lets_through(
            mut pods in prop::collection::vec(pod(), 2..5),
            policies in prop::collection::vec(policy(), 0..5),
        ) {
            for (index, pod) in pods.iter_mut().enumerate() {
                pod["metadata"]["name"] = format!("pod-{index}").into();
            }
            let manifests: Vec<Manifest> =
                pods.iter().chain(&policies).map(|value| Manifest::from_value(value.clone()).unwrap()).collect();
            let world = World::new(&manifests);
            let found = between_workloads(&world, &views(&world));
            let place = |pod: &Value| {
                let wanted = pod["metadata"]["name"].as_str();
                world.endpoints().iter().position(|endpoint| Some(endpoint.name.as_str()) == wanted).unwrap()
            };
            for from in &pods {
                for to in pods.iter().filter(|to| to["metadata"]["name"] != from["metadata"]["name"]) {
                    let ports = found
                        .iter()
                        .find(|(sender, receiver, _)| (*sender, *receiver) == (place(from), place(to)))
                        .map(|(.., ports)| ports.clone())
                        .unwrap_or_default();
                    for transport in Transport::ALL {
                        for port in (1..8).chain([u16::MAX]) {
                            let packet = Packet { from, to, transport, port };
                            let passes = passes(&packet, &policies, "Egress") && passes(&packet, &policies, "Ingress");
                            prop_assert_eq!(ports.contains(transport, port), passes, "{:?}", packet);
                        }
                    }
                }
            }
        }
    }
}
