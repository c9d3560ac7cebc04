//! Well-known ends of connections that the platform's operators name in the settings, so that nobody has to look up
//! their labels.

use crate::policy::PolicyMistake;
use review::{Cidr, Opening, Peer, PlatformSources, PodLabels, Port};
use serde::{Deserialize, Serialize};

/// Something of the platform that many workloads talk with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// In forms and drafts: small letters, digits and hyphens.
    pub slug: String,
    pub name: String,
    #[serde(default)]
    pub hint: String,
    /// Whether it reaches workloads or is reached by them.
    pub direction: PlaceDirection,
    pub at: PlaceAt,
    /// Ports that it is reached on; for one that reaches workloads, none means every port they listen on.
    #[serde(default)]
    pub ports: Vec<Port>,
}

/// Which list of the wizard a place is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PlaceDirection {
    /// It opens connections to workloads.
    Source,
    /// Workloads open connections to it.
    Destination,
}

/// How a policy means a place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
pub enum PlaceAt {
    /// Pods of a namespace.
    Pods { namespace: String, labels: PodLabels },
    Addresses {
        /// At least one.
        addresses: Vec<Cidr>,
    },
}

impl Place {
    /// What the policy opens for it.
    #[must_use]
    pub fn opening(&self) -> Opening {
        let peer = match self.at.clone() {
            PlaceAt::Pods { namespace, labels } => Peer::Pods { namespace: Some(namespace), labels },
            PlaceAt::Addresses { addresses } => Peer::Addresses(addresses),
        };
        Opening { peer, ports: self.ports.clone() }
    }

    /// Why it cannot be used; nothing where it can.
    #[must_use]
    pub fn mistake(&self) -> Option<PolicyMistake> {
        let is_slug = crate::namespaces::is_dns_label(&self.slug);
        let why = match &self.at {
            _ if !is_slug => "its slug holds more than small letters, digits and hyphens",
            PlaceAt::Addresses { addresses } if addresses.is_empty() => "it has no address",
            _ if self.direction == PlaceDirection::Destination && self.ports.is_empty() => "it has no port",
            _ => return None,
        };
        Some(PolicyMistake::new(&self.slug, format!("the place {:?} cannot be used: {why}", self.slug)))
    }
}

/// The sources among the places that proposals know by their slugs.
#[must_use]
pub fn platform_sources(places: &[Place]) -> PlatformSources {
    let source = |slug: &str| {
        let is_meant = |place: &&Place| place.slug == slug && place.direction == PlaceDirection::Source;
        places.iter().find(is_meant).map(|place| place.opening().peer)
    };
    PlatformSources { ingress_controller: source("ingress-controller"), monitoring: source("monitoring") }
}

/// What the platforms that Fairway was written for have.
#[must_use]
pub fn usual_places() -> Vec<Place> {
    let pods = |slug: &str, name: &str, hint: &str, namespace: &str, label: &str| Place {
        slug: slug.to_owned(),
        name: name.to_owned(),
        hint: hint.to_owned(),
        direction: PlaceDirection::Source,
        at: PlaceAt::Pods { namespace: namespace.to_owned(), labels: PodLabels::named(label) },
        ports: Vec::new(),
    };
    vec![
        pods(
            "ingress-controller",
            "The ingress controller",
            "Needed if people reach it from outside, through an Ingress.",
            "ingress-nginx",
            "ingress-nginx",
        ),
        pods("monitoring", "Monitoring", "Needed if it offers metrics to Prometheus.", "monitoring", "prometheus"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_places_are_right() {
        assert!(usual_places().iter().all(|place| place.mistake().is_none()));
    }

    #[test]
    fn a_destination_without_a_port_or_an_address_is_a_mistake() {
        let mut place = usual_places().remove(0);
        place.direction = PlaceDirection::Destination;
        assert!(place.mistake().is_some());
        place.ports = vec!["443".parse().unwrap()];
        assert_eq!(place.mistake(), None);
        place.at = PlaceAt::Addresses { addresses: Vec::new() };
        assert!(place.mistake().is_some());
    }
}
