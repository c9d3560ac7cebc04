//! NetworkPolicy (networking.k8s.io/v1) with the meaning the API reference gives it.

use crate::address_block::{AddressRanges, Block, FAMILIES, Family, count_less_one};
use crate::generate::Cidr;
use crate::manifest::Manifest;
use crate::selector::{Labelled, Selector};
use crate::workload::{Workload, namespace_or_default};
use crate::world::{NAMESPACE_NAME, ports_of};
use serde_json::Value;
use std::fmt;
use std::net::IpAddr;

/// Which way a connection goes, seen from the pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Towards the pod.
    Ingress,
    Egress,
}

impl Direction {
    /// The field of a policy's spec that holds its rules.
    pub(crate) fn field(self) -> &'static str {
        match self {
            Self::Ingress => "ingress",
            Self::Egress => "egress",
        }
    }

    /// The field of a rule that holds the other end.
    pub(crate) fn other_end(self) -> &'static str {
        match self {
            Self::Ingress => "from",
            Self::Egress => "to",
        }
    }
}

/// A policy, decoded. A direction that is `None` is not isolated by this policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkPolicy {
    /// Its own namespace; `default` where the manifest names none.
    pub namespace: String,
    pub name: String,
    /// The pods it governs; empty means every pod of the namespace.
    pub pod_selector: Selector,
    ingress: Option<Vec<Rule>>,
    egress: Option<Vec<Rule>>,
}

/// One entry of `ingress` or `egress`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// No peers means any peer.
    pub peers: Vec<Peer>,
    /// No ports means every port.
    pub ports: Vec<PolicyPort>,
}

/// A rule and where in its policy it stands.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PlacedRule<'a> {
    pub(crate) direction: Direction,
    index: usize,
    pub(crate) rule: &'a Rule,
}

impl PlacedRule<'_> {
    pub(crate) fn path(&self) -> String {
        format!("spec.{}[{}]", self.direction.field(), self.index)
    }

    pub(crate) fn peer_path(&self, index: usize) -> String {
        format!("{}.{}[{index}]", self.path(), self.direction.other_end())
    }

    pub(crate) fn port_path(&self, index: usize) -> String {
        format!("{}.ports[{index}].port", self.path())
    }
}

/// Who is at the other end.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Peer {
    /// Pods by label. Without `namespaces`, pods of the policy's own namespace.
    Pods {
        /// Selects namespaces by label.
        namespaces: Option<Selector>,
        /// Selects pods in them; empty means all.
        pods: Selector,
    },
    Block {
        /// For example `10.0.0.0/8`.
        cidr: String,
        /// Parts of it that this rule leaves out.
        except: Vec<String>,
    },
}

/// A port or a range of ports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyPort {
    /// `TCP` where the manifest names none.
    pub protocol: String,
    /// Number or name; nothing means every port of the protocol.
    pub port: Option<String>,
    /// Last port of a range.
    pub end_port: Option<u64>,
}

impl fmt::Display for PolicyPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.port, self.end_port) {
            (None, _) => write!(f, "{} all", self.protocol),
            (Some(port), None) => write!(f, "{} {port}", self.protocol),
            (Some(port), Some(end)) => write!(f, "{} {port}-{end}", self.protocol),
        }
    }
}

impl NetworkPolicy {
    /// Whether `manifest` is one.
    pub(crate) fn is(manifest: &Manifest) -> bool {
        manifest.object().kind == "NetworkPolicy" && manifest.group_version().0 == "networking.k8s.io"
    }

    /// Decodes `manifest`, or gives nothing where it is another kind.
    #[must_use]
    pub fn of(manifest: &Manifest) -> Option<Self> {
        if !Self::is(manifest) {
            return None;
        }
        let spec = &manifest.value()["spec"];
        let types = policy_types(spec);
        let rules = |direction: Direction| {
            let rules = spec[direction.field()].as_array().into_iter().flatten();
            rules.map(|rule| Rule::decode(rule, direction.other_end())).collect()
        };
        Some(Self {
            namespace: namespace_or_default(&manifest.object().namespace).to_owned(),
            name: manifest.object().name.clone(),
            pod_selector: Selector::from_value(spec.get("podSelector")),
            ingress: types.0.then(|| rules(Direction::Ingress)),
            egress: types.1.then(|| rules(Direction::Egress)),
        })
    }

    /// The rules for a direction; `None` where the policy does not isolate it.
    #[must_use]
    pub fn rules(&self, direction: Direction) -> Option<&[Rule]> {
        match direction {
            Direction::Ingress => self.ingress.as_deref(),
            Direction::Egress => self.egress.as_deref(),
        }
    }

    /// Every rule with its place.
    pub(crate) fn placed_rules(&self) -> impl Iterator<Item = PlacedRule<'_>> {
        [Direction::Ingress, Direction::Egress].into_iter().flat_map(move |direction| {
            let rules = self.rules(direction).unwrap_or_default().iter().enumerate();
            rules.map(move |(index, rule)| PlacedRule { direction, index, rule })
        })
    }

    /// Whether it governs a pod with these labels in that namespace.
    #[must_use]
    pub(crate) fn selects(&self, namespace: &str, labels: &impl Labelled) -> bool {
        self.namespace == namespace && self.pod_selector.matches(labels)
    }

    /// Whether it governs the workload's pods. Pods on the host's network are never governed.
    #[must_use]
    pub fn selects_workload(&self, workload: &Workload<'_>) -> bool {
        !workload.uses_host_network() && self.selects(workload.namespace(), &workload.pod_labels())
    }
}

/// `policyTypes` omitted: Ingress always, Egress only if `egress` holds a rule.
fn policy_types(spec: &Value) -> (bool, bool) {
    match spec["policyTypes"].as_array().filter(|types| !types.is_empty()) {
        Some(types) => (types.contains(&"Ingress".into()), types.contains(&"Egress".into())),
        None => (true, spec["egress"].as_array().is_some_and(|rules| !rules.is_empty())),
    }
}

impl Rule {
    fn decode(value: &Value, other_end: &str) -> Self {
        let list = |field: &str| value[field].as_array().cloned().unwrap_or_default();
        Self {
            peers: list(other_end).iter().map(Peer::decode).collect(),
            ports: list("ports").iter().map(PolicyPort::decode).collect(),
        }
    }

    /// Whether it lets anybody through on every port.
    #[must_use]
    pub fn allows_everything(&self) -> bool {
        ports_of(self, None).is_all() && (self.peers.is_empty() || self.holds_every_address())
    }

    /// Whether its blocks together hold every address of a family.
    pub(crate) fn holds_every_address(&self) -> bool {
        FAMILIES.into_iter().any(|family| self.held(family) == Some(family.last()))
    }

    /// Whether it lets through every address of a block.
    pub(crate) fn holds_block(&self, cidr: &str) -> bool {
        let Some(block) = Block::parse(cidr) else { return false };
        let wanted = block.without(std::iter::empty());
        let held: AddressRanges = self.peers.iter().flat_map(|peer| peer.ranges(block.family)).collect();
        self.peers.is_empty() || wanted.iter().all(|range| held.gaps(range).next().is_none())
    }

    /// Whether its blocks together hold at least half of the public addresses of a family.
    pub(crate) fn holds_most_addresses(&self) -> bool {
        Self::hold_most_addresses(std::iter::once(self))
    }

    /// Whether the blocks of several rules do.
    pub(crate) fn hold_most_addresses<'a>(rules: impl Iterator<Item = &'a Self> + Clone) -> bool {
        FAMILIES.into_iter().any(|family| {
            let public = family.public();
            let ranges = rules.clone().flat_map(|rule| &rule.peers).flat_map(|peer| peer.ranges(family));
            let clipped = ranges.map(|range| *range.start().max(public.start())..=*range.end().min(public.end()));
            let held = clipped.filter(|range| !range.is_empty()).collect();
            count_less_one(&held).is_some_and(|held| held >= (public.end() - public.start()) / 2)
        })
    }

    /// How many addresses of a family its blocks hold, less one.
    fn held(&self, family: Family) -> Option<u128> {
        count_less_one(&self.peers.iter().flat_map(|peer| peer.ranges(family)).collect())
    }

    /// Whether it lets through all that `other` does, as far as their texts tell.
    pub(crate) fn covers(&self, other: &Self) -> bool {
        let every_peer = self.peers.is_empty()
            || (!other.peers.is_empty() && other.peers.iter().all(|peer| self.peers.contains(peer)));
        let names = |rule: &Self| {
            let named =
                rule.ports.iter().filter(|port| port.port.as_deref().is_some_and(|name| name.parse::<u16>().is_err()));
            named.cloned().collect::<Vec<_>>()
        };
        let numbers = ports_of(other, None).difference(&ports_of(self, None)).is_empty();
        every_peer && numbers && (self.ports.is_empty() || names(other).iter().all(|port| self.ports.contains(port)))
    }
}

/// Whether these blocks together hold at least half of the public addresses of IPv4 or IPv6.
#[must_use]
pub fn are_most_addresses(blocks: &[Cidr]) -> bool {
    let peers = blocks.iter().map(|block| Peer::Block { cidr: block.to_string(), except: Vec::new() }).collect();
    Rule { peers, ports: Vec::new() }.holds_most_addresses()
}

impl Peer {
    fn decode(value: &Value) -> Self {
        match value.get("ipBlock").filter(|block| !block.is_null()) {
            Some(block) => Self::Block {
                cidr: block["cidr"].as_str().unwrap_or_default().to_owned(),
                except: block["except"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .filter_map(Value::as_str)
                    .map(str::to_owned)
                    .collect(),
            },
            None => Self::Pods {
                namespaces: value
                    .get("namespaceSelector")
                    .filter(|selector| !selector.is_null())
                    .map(|selector| Selector::from_value(Some(selector))),
                pods: Selector::from_value(value.get("podSelector")),
            },
        }
    }

    /// Whether it is a block that holds this address and does not leave it out.
    pub(crate) fn holds_address(&self, address: IpAddr) -> bool {
        let Self::Block { cidr, except } = self else { return false };
        let holds = |cidr: &String| Block::parse(cidr).is_some_and(|block| block.contains(address));
        holds(cidr) && !except.iter().any(holds)
    }

    /// Whether it is a block that holds more than this one address.
    pub(crate) fn is_wider_than(&self, address: IpAddr) -> bool {
        let Self::Block { cidr, .. } = self else { return false };
        let alone = Block::around(address, if address.is_ipv4() { 32 } else { 128 });
        Block::parse(cidr).zip(alone).is_some_and(|(block, alone)| block.holds_less(&alone))
    }

    /// The addresses of one family that it holds; pods hold none.
    fn ranges(&self, family: Family) -> AddressRanges {
        let Self::Block { cidr, except } = self else { return AddressRanges::new() };
        let parts = except.iter().filter_map(|part| Block::parse(part));
        Block::parse(cidr).filter(|block| block.family == family).map(|block| block.without(parts)).unwrap_or_default()
    }

    /// Whether it means pods of one namespace that can be told by its name.
    pub(crate) fn is_of_one_namespace(&self) -> bool {
        match self {
            Self::Block { .. } => false,
            Self::Pods { namespaces, .. } => {
                namespaces.as_ref().is_none_or(|selector| selector.sole_value_of(NAMESPACE_NAME).is_some())
            }
        }
    }

    /// The parts that a block leaves out.
    pub(crate) fn except(&self) -> &[String] {
        match self {
            Self::Block { except, .. } => except,
            Self::Pods { .. } => &[],
        }
    }

    /// Whether it is every address there is.
    #[must_use]
    pub fn is_anywhere(&self) -> bool {
        matches!(
            self,
            Self::Block { cidr, except }
                if except.is_empty() && Block::parse(cidr).is_some_and(|block| block.is_everything())
        )
    }
}

impl PolicyPort {
    fn decode(value: &Value) -> Self {
        Self {
            protocol: value["protocol"].as_str().unwrap_or("TCP").to_owned(),
            port: match &value["port"] {
                Value::Null => None,
                Value::String(name) => Some(name.clone()),
                number => Some(number.to_string()),
            },
            end_port: value["endPort"].as_u64(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn policy(spec: Value) -> NetworkPolicy {
        let manifest = Manifest::from_value(json!({
            "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
            "metadata": {"name": "p", "namespace": "shop"}, "spec": spec,
        }));
        NetworkPolicy::of(&manifest.unwrap()).unwrap()
    }

    #[test]
    fn without_policy_types_ingress_is_isolated_and_egress_only_with_a_rule() {
        assert!(policy(json!({})).rules(Direction::Ingress).is_some());
        assert!(policy(json!({})).rules(Direction::Egress).is_none());
        assert!(policy(json!({"egress": []})).rules(Direction::Egress).is_none());
        assert!(policy(json!({"egress": [{}]})).rules(Direction::Egress).is_some());
        assert!(policy(json!({"policyTypes": ["Egress"]})).rules(Direction::Ingress).is_none());
    }

    #[test]
    fn an_empty_rule_allows_everything() {
        let policy = policy(json!({"ingress": [{}]}));
        assert!(policy.rules(Direction::Ingress).unwrap()[0].allows_everything());
    }

    #[test]
    fn two_list_items_are_two_rules_of_which_the_empty_one_allows_everything() {
        let policy = policy(json!({"ingress": [{"from": null}, {}]}));
        assert_eq!(policy.rules(Direction::Ingress).unwrap().iter().filter(|rule| rule.allows_everything()).count(), 2);
    }

    #[test]
    fn protocol_defaults_to_tcp() {
        let policy = policy(
            json!({"ingress": [{"ports": [{"port": 80, "endPort": 90}, {"port": "web"}, {"protocol": "UDP"}]}]}),
        );
        let ports: Vec<_> =
            policy.rules(Direction::Ingress).unwrap()[0].ports.iter().map(ToString::to_string).collect();
        assert_eq!(ports, ["TCP 80-90", "TCP web", "UDP all"]);
    }
}
