//! Which namespaces of a cluster policies speak of: known by whoever knows the cluster, and told to nobody who may not
//! see them.

use crate::manifest::Manifest;
use crate::network_policy::{NetworkPolicy, Peer};
use crate::selector::Selector;
use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap};

/// The names of a cluster's namespaces that each selector of some policies fits.
#[derive(Debug, Clone, Default)]
pub struct ClusterNamespaces {
    fitting: HashMap<Selector, BTreeSet<String>>,
}

impl ClusterNamespaces {
    /// Asks for each selector by which peers of these policies select namespaces, and gives the first error.
    ///
    /// # Errors
    /// Those of `fitting`.
    pub fn of<E>(manifests: &[Manifest], fitting: impl Fn(&Selector) -> Result<Vec<String>, E>) -> Result<Self, E> {
        let mut found = Self::default();
        for selector in namespace_selectors(manifests) {
            if let Entry::Vacant(place) = found.fitting.entry(selector) {
                let names = fitting(place.key())?.into_iter().collect();
                place.insert(names);
            }
        }
        Ok(found)
    }

    /// The namespaces that some policy singles out. Who speaks of all namespaces means none in particular.
    pub fn singled_out(&self) -> BTreeSet<&str> {
        let narrow = self.fitting.iter().filter(|(selector, _)| !selector.is_empty());
        narrow.flat_map(|(_, names)| names).map(String::as_str).collect()
    }

    /// Those that a selector fits; nothing where that was not asked for.
    pub(crate) fn fitting(&self, selector: &Selector) -> Option<&BTreeSet<String>> {
        self.fitting.get(selector)
    }
}

fn namespace_selectors(manifests: &[Manifest]) -> Vec<Selector> {
    let policies: Vec<NetworkPolicy> = manifests.iter().filter_map(NetworkPolicy::of).collect();
    let peers = policies.iter().flat_map(NetworkPolicy::placed_rules).flat_map(|placed| &placed.rule.peers);
    let selectors = peers.filter_map(|peer| match peer {
        Peer::Pods { namespaces, .. } => namespaces.clone(),
        Peer::Block { .. } => None,
    });
    selectors.collect()
}
