//! Which of the namespaces that policies name are there: known by whoever knows the cluster.

use crate::manifest::Manifest;
use crate::network_policy::{NetworkPolicy, Peer};
use crate::world::NAMESPACE_NAME;
use std::collections::{BTreeMap, BTreeSet};

/// The namespaces that peers of some policies select by name alone. Labels are not looked up: whether some namespace
/// has a label would tell about those that a person may not see.
#[derive(Debug, Clone, Default)]
pub struct ClusterNamespaces {
    /// Whether each is there.
    named: BTreeMap<String, bool>,
    /// Those of which every workload is known.
    read: BTreeSet<String>,
}

impl ClusterNamespaces {
    /// Asks for each namespace that these policies name whether it is there, and gives the first error.
    ///
    /// # Errors
    /// Those of `is_there`.
    pub fn of<E>(manifests: &[Manifest], is_there: impl Fn(&str) -> Result<bool, E>) -> Result<Self, E> {
        let policies: Vec<NetworkPolicy> = manifests.iter().filter_map(NetworkPolicy::of).collect();
        let peers = policies.iter().flat_map(NetworkPolicy::placed_rules).flat_map(|placed| &placed.rule.peers);
        let mut named = BTreeMap::new();
        for name in peers.filter_map(name_of) {
            if !named.contains_key(name) {
                named.insert(name.to_owned(), is_there(name)?);
            }
        }
        Ok(Self { named, read: BTreeSet::new() })
    }

    /// The same, where every workload of these namespaces is known.
    #[must_use]
    pub fn with_read(self, read: BTreeSet<String>) -> Self {
        Self { read, ..self }
    }

    /// The named ones that are there.
    pub fn there(&self) -> impl Iterator<Item = &str> {
        self.named.iter().filter(|(_, is_there)| **is_there).map(|(name, _)| name.as_str())
    }

    /// The name of the namespace that a peer names and that is not there.
    pub(crate) fn missing<'p>(&self, peer: &'p Peer) -> Option<&'p str> {
        name_of(peer).filter(|name| self.named.get(*name) == Some(&false))
    }

    /// Whether every workload is known of the one namespace that a peer of a policy in `namespace` speaks of.
    pub(crate) fn has_read(&self, namespace: &str, peer: &Peer) -> bool {
        match peer {
            Peer::Block { .. } => false,
            Peer::Pods { namespaces: None, .. } => self.read.contains(namespace),
            Peer::Pods { .. } => name_of(peer).is_some_and(|name| self.read.contains(name)),
        }
    }
}

/// The one namespace that a peer selects by its name.
fn name_of(peer: &Peer) -> Option<&str> {
    match peer {
        Peer::Pods { namespaces: Some(selector), .. } => selector.sole_value_of(NAMESPACE_NAME),
        _ => None,
    }
}
