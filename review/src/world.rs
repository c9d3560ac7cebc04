//! Everything that may talk: workloads, namespaces and policies of a set of manifests, ready to be asked.

use crate::manifest::Manifest;
use crate::network_policy::{Direction, NetworkPolicy, Peer, PolicyPort, Rule};
use crate::pod_labels::WorkloadLabels;
use crate::port_set::{PortSet, Transport};
use crate::selector::{Labels, Selector, labels};
use crate::uncounted::Uncounted;
use crate::workload::Workload;
use std::borrow::Borrow;
use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::ops::Range;

/// The label that every namespace carries with its own name (set by the API server since 1.21).
pub(crate) const NAMESPACE_NAME: &str = "kubernetes.io/metadata.name";

/// A workload as the network sees it. Written `namespace/name[Kind]`.
#[derive(Debug, Clone)]
pub struct Endpoint {
    pub namespace: String,
    pub name: String,
    pub kind: String,
    labels: WorkloadLabels,
    /// On the host's network: no policy governs it, and no selector matches it.
    host_network: bool,
    ports: Vec<ContainerPort>,
}

#[derive(Debug, Clone)]
struct ContainerPort {
    name: String,
    transport: Transport,
    number: u16,
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}[{}]", self.namespace, self.name, self.kind)
    }
}

impl Endpoint {
    fn of(workload: &Workload<'_>) -> Self {
        let object = workload.manifest.object();
        let ports = workload
            .containers()
            .flat_map(|container| container.value["ports"].as_array().into_iter().flatten())
            .filter_map(|port| {
                Some(ContainerPort {
                    name: port["name"].as_str().unwrap_or_default().to_owned(),
                    transport: Transport::from_name(port["protocol"].as_str().unwrap_or_default())?,
                    number: u16::try_from(port["containerPort"].as_u64()?).ok()?,
                })
            })
            .collect();
        Self {
            namespace: workload.namespace().to_owned(),
            name: object.name.clone(),
            kind: object.kind.clone(),
            labels: workload.pod_labels(),
            host_network: workload.uses_host_network(),
            ports,
        }
    }

    /// Whether a selector that looks at labels alone, as those of Services and budgets do, selects its pods.
    pub(crate) fn is_selected_by(&self, selector: &Selector) -> bool {
        selector.matches(&self.labels)
    }

    /// Whether a container gives one of its ports this name.
    pub(crate) fn has_named_port(&self, protocol: &str, name: &str) -> bool {
        Transport::from_name(protocol).is_some_and(|transport| !self.named(transport, name).is_empty())
    }

    /// Whether a container says which ports it listens on.
    pub(crate) fn declares_ports(&self) -> bool {
        !self.ports.is_empty()
    }

    /// The ports that its containers say they listen on.
    pub(crate) fn declared(&self) -> PortSet {
        let ports = self.ports.iter().map(|port| PortSet::range(port.transport, port.number, port.number));
        ports.fold(PortSet::default(), |all, port| all.union(&port))
    }

    /// The number of a port that a container gives this name.
    pub(crate) fn number_of(&self, transport: Transport, name: &str) -> Option<u16> {
        self.ports.iter().find(|port| port.transport == transport && port.name == name).map(|port| port.number)
    }

    /// The numbers behind a named port; containers of one pod may give a name to several protocols.
    fn named(&self, transport: Transport, name: &str) -> PortSet {
        self.ports
            .iter()
            .filter(|port| port.transport == transport && port.name == name)
            .fold(PortSet::default(), |all, port| all.union(&PortSet::range(transport, port.number, port.number)))
    }
}

/// Workloads, namespaces and policies.
#[derive(Debug, Default)]
pub struct World {
    endpoints: Vec<Endpoint>,
    /// Where the endpoints of each namespace are; they follow one another.
    places: HashMap<String, Range<usize>>,
    namespaces: HashMap<String, Labels>,
    /// Namespaces of workloads of which nothing but the name is known.
    unlabelled: BTreeSet<String>,
    policies: HashMap<String, Vec<NetworkPolicy>>,
    /// What governs traffic as well, and is not counted.
    uncounted: Vec<Uncounted>,
    /// Where each policy stands among those of its namespace.
    policy_places: HashMap<(String, String), usize>,
}

impl World {
    /// Takes what these manifests hold; other kinds are passed over. Manifests that are handed over are dropped
    /// one by one, so that a large cluster need not be held twice.
    #[must_use]
    pub fn new<M: Borrow<Manifest>>(manifests: impl IntoIterator<Item = M>) -> Self {
        let mut world = Self::default();
        for manifest in manifests {
            let manifest = manifest.borrow();
            if let Some(workload) = Workload::of(manifest) {
                world.endpoints.push(Endpoint::of(&workload));
            } else if let Some(policy) = NetworkPolicy::of(manifest) {
                // Of two of one name the later replaces the earlier, as kubectl apply does.
                let policies = world.policies.entry(policy.namespace.clone()).or_default();
                let known = world.policy_places.entry((policy.namespace.clone(), policy.name.clone()));
                match known {
                    Entry::Occupied(place) => policies[*place.get()] = policy,
                    Entry::Vacant(place) => {
                        place.insert(policies.len());
                        policies.push(policy);
                    }
                }
            } else if let Some(uncounted) = Uncounted::of(manifest) {
                world.uncounted.push(uncounted);
            } else if manifest.object().kind == "Namespace" && manifest.api_version() == "v1" {
                let own = labels(&manifest.value()["metadata"]["labels"]);
                world.namespaces.insert(manifest.object().name.clone(), own);
            }
        }
        world.endpoints.sort_by_cached_key(ToString::to_string);
        for (place, endpoint) in world.endpoints.iter().enumerate() {
            world.places.entry(endpoint.namespace.clone()).or_insert(place..place).end = place + 1;
            if !world.namespaces.contains_key(&endpoint.namespace) {
                world.unlabelled.insert(endpoint.namespace.clone());
                world.namespaces.insert(endpoint.namespace.clone(), Labels::new());
            }
        }
        // Last, so that no manifest can say otherwise.
        for (name, labels) in &mut world.namespaces {
            labels.insert(NAMESPACE_NAME.to_owned(), name.clone());
        }
        world
    }

    /// Policies of kinds that are not modelled: what is said of connections is said without them.
    #[must_use]
    pub fn uncounted(&self) -> &[Uncounted] {
        &self.uncounted
    }

    /// Every workload, sorted by how it is written.
    #[must_use]
    pub fn endpoints(&self) -> &[Endpoint] {
        &self.endpoints
    }

    /// Every workload of a namespace.
    pub(crate) fn endpoints_in(&self, namespace: &str) -> &[Endpoint] {
        self.places.get(namespace).map(|place| &self.endpoints[place.clone()]).unwrap_or_default()
    }

    /// Namespaces that a peer may or may not mean: it selects by labels, and theirs are not known. They are taken to
    /// have none.
    pub(crate) fn undecided<'a>(&'a self, peer: &Peer) -> impl Iterator<Item = &'a str> {
        let by_labels =
            matches!(peer, Peer::Pods { namespaces: Some(selector), .. } if selector.asks_beyond(NAMESPACE_NAME));
        self.unlabelled.iter().map(String::as_str).filter(move |_| by_labels)
    }

    /// Whether a peer selects namespaces by labels, which are known of all that are known, and fits none of them.
    pub(crate) fn fits_no_namespace(&self, peer: &Peer) -> bool {
        let Peer::Pods { namespaces: Some(selector), .. } = peer else { return false };
        selector.asks_beyond(NAMESPACE_NAME)
            && !self.namespaces.is_empty()
            && self.unlabelled.is_empty()
            && !self.namespaces.values().any(|labels| selector.matches(labels))
    }

    /// The label of a namespace that is nearest to what a selector asks for: with the same value, or else with the same key.
    pub(crate) fn nearest_namespace_label(&self, selector: &Selector) -> Option<String> {
        let known = || self.namespaces.values().flatten();
        let of = |(key, value): (&String, &String)| format!("{key}={value}");
        selector.wanted().find_map(|(key, value)| {
            let by_name = self.namespaces.contains_key(value).then(|| format!("{NAMESPACE_NAME}={value}"));
            let by_value = || known().find(|(_, own)| *own == value).map(of);
            let by_key = || known().find(|(own, _)| *own == key).map(of);
            by_name.or_else(by_value).or_else(by_key)
        })
    }

    /// Namespaces about which some policy leaves undecided whether they are meant, as their labels are not known.
    #[must_use]
    pub fn undecided_namespaces(&self) -> BTreeSet<&str> {
        let rules = self.policies().flat_map(NetworkPolicy::placed_rules);
        rules.flat_map(|placed| &placed.rule.peers).flat_map(|peer| self.undecided(peer)).collect()
    }

    /// The workloads that a policy governs.
    pub(crate) fn governed_by(&self, policy: &NetworkPolicy) -> Vec<&Endpoint> {
        self.endpoints_in(&policy.namespace).iter().filter(|endpoint| self.selects(policy, endpoint)).collect()
    }

    /// The policies that select a workload's pods. Pods on the host's network are never governed.
    pub(crate) fn policies_of(&self, workload: &Workload<'_>) -> impl Iterator<Item = &NetworkPolicy> {
        let labels = (!workload.uses_host_network()).then(|| workload.pod_labels());
        self.policies_in(workload.namespace())
            .iter()
            .filter(move |policy| labels.as_ref().is_some_and(|labels| policy.pod_selector.matches(labels)))
    }

    /// Whether a policy governs an endpoint.
    pub(crate) fn selects(&self, policy: &NetworkPolicy, endpoint: &Endpoint) -> bool {
        !endpoint.host_network && policy.selects(&endpoint.namespace, &endpoint.labels)
    }

    /// The workloads of the namespaces that a peer of a policy in `namespace` speaks of.
    pub(crate) fn around<'a>(&'a self, namespace: &'a str, peer: &'a Peer) -> impl Iterator<Item = &'a Endpoint> {
        let named = self.places.keys().filter(move |name| self.speaks_of(namespace, peer, name));
        named.flat_map(|name| self.endpoints_in(name))
    }

    /// Every policy of a namespace.
    pub(crate) fn policies_in(&self, namespace: &str) -> &[NetworkPolicy] {
        self.policies.get(namespace).map(Vec::as_slice).unwrap_or_default()
    }

    /// Every policy.
    pub(crate) fn policies(&self) -> impl Iterator<Item = &NetworkPolicy> {
        self.policies.values().flatten()
    }

    /// The policies that isolate an endpoint in a direction; none where it is open.
    pub(crate) fn governing<'a>(
        &'a self,
        endpoint: &'a Endpoint,
        direction: Direction,
    ) -> impl Iterator<Item = &'a NetworkPolicy> {
        self.policies_in(&endpoint.namespace)
            .iter()
            .filter(move |policy| policy.rules(direction).is_some() && self.selects(policy, endpoint))
    }

    /// Whether a rule of a policy in `namespace` names this endpoint as its other end.
    pub(crate) fn names(&self, namespace: &str, rule: &Rule, endpoint: &Endpoint) -> bool {
        rule.peers.is_empty()
            || rule.peers.iter().any(|peer| self.is_peer(namespace, peer, endpoint))
            // On the host's network it has the node's address, and that is not known: only what holds every address
            // surely holds it.
            || (endpoint.host_network && rule.holds_every_address())
    }

    /// Whether a peer of a policy in `namespace` is this endpoint.
    pub(crate) fn is_peer(&self, namespace: &str, peer: &Peer, endpoint: &Endpoint) -> bool {
        let Peer::Pods { pods, .. } = peer else { return false };
        self.speaks_of(namespace, peer, &endpoint.namespace) && !endpoint.host_network && pods.matches(&endpoint.labels)
    }

    /// Whether a peer of a policy in `namespace` speaks of the namespace `other`.
    fn speaks_of(&self, namespace: &str, peer: &Peer, other: &str) -> bool {
        match peer {
            Peer::Block { .. } => false,
            Peer::Pods { namespaces: None, .. } => other == namespace,
            Peer::Pods { namespaces: Some(selector), .. } => {
                self.namespaces.get(other).is_some_and(|labels| selector.matches(labels))
            }
        }
    }
}

/// The ports a rule opens on its receiving end; `None` is an address, which has no named ports.
pub(crate) fn ports_of(rule: &Rule, receiver: Option<&Endpoint>) -> PortSet {
    if rule.ports.is_empty() {
        return PortSet::all();
    }
    rule.ports.iter().fold(PortSet::default(), |all, port| all.union(&port_range(port, receiver)))
}

/// The ports that an entry of a rule means on its receiving end.
pub(crate) fn port_range(port: &PolicyPort, receiver: Option<&Endpoint>) -> PortSet {
    let Some(transport) = Transport::from_name(&port.protocol) else { return PortSet::default() };
    let Some(first) = &port.port else { return PortSet::every(transport) };
    match first.parse::<u16>() {
        Ok(first) => {
            let last = port.end_port.map_or(first, |last| u16::try_from(last).unwrap_or(u16::MAX));
            PortSet::range(transport, first.max(1), last)
        }
        Err(_) => receiver.map(|receiver| receiver.named(transport, first)).unwrap_or_default(),
    }
}
