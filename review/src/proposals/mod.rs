//! Policies for workloads that have none, proposed from what their manifests say of each other.
//!
//! Manifests name the other end of most connections: in variables, arguments and ConfigMaps, as the host of a Service.
//! What is found there is a proposal and no more: a program may also know hosts that stand nowhere in its manifests. So
//! a Service that nobody names is left open to its own namespace, and each opening says what speaks for it.

mod hosts;

use crate::finding::ObjectRef;
use crate::generate::{Answers, Opening, Peer, PodLabels, Port, Protocol, generate};
use crate::manifest::{Manifest, to_yaml};
use crate::network_policy::NetworkPolicy;
use crate::selector::{Selector, labels};
use crate::settings::Settings;
use crate::workload::{Workload, namespace_or_default};
use crate::world::World;
use hosts::{Mention, mentions};
use serde_json::Value;
use std::collections::BTreeSet;

/// A policy for one workload, for somebody to confirm.
#[derive(Debug, Clone)]
pub struct Proposal {
    pub workload: ObjectRef,
    pub policy: Manifest,
    /// Who may reach it.
    pub sources: Vec<ProposedOpening>,
    /// What it may reach, beside DNS.
    pub destinations: Vec<ProposedOpening>,
    /// Hosts that it names and that are no Service known here. The policy does not let it reach them.
    pub unknown_hosts: Vec<String>,
}

/// One way in or out, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProposedOpening {
    pub opening: Opening,
    /// The other end, for people.
    pub other_end: String,
    /// What in the manifests speaks for it, a whole sentence.
    pub because: String,
}

impl ProposedOpening {
    /// Its ports, for people.
    #[must_use]
    pub fn ports_in_words(&self) -> String {
        self.opening.ports.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    }
}

impl Proposal {
    /// The policy, and above it what speaks for each of its openings.
    #[must_use]
    pub fn to_commented_yaml(&self) -> String {
        let reason = |preposition: &str, one: &ProposedOpening| {
            format!("# {preposition} {} on {}: {}\n", one.other_end, one.ports_in_words(), one.because)
        };
        let sources = self.sources.iter().map(|one| reason("From", one));
        let destinations = self.destinations.iter().map(|one| reason("To", one));
        let reasons: String = sources.chain(destinations).collect();
        let unknown = match self.unknown_hosts.as_slice() {
            [] => String::new(),
            hosts => format!("# Not opened, as no Service known here has that name: {}\n", hosts.join(", ")),
        };
        format!("# Proposed from the manifests.\n{reasons}{unknown}{}", to_yaml(std::slice::from_ref(&self.policy)))
    }
}

/// Pods of the platform that reach workloads, as far as the operator has said where they are.
#[derive(Debug, Clone, Default)]
pub struct PlatformSources {
    /// What brings people in through an Ingress.
    pub ingress_controller: Option<Peer>,
    /// What reads metrics.
    pub monitoring: Option<Peer>,
}

/// Proposes a policy for each workload of `manifests` that none selects, neither one of them nor one in `existing`.
#[must_use]
pub fn propose_policies(
    manifests: &[Manifest],
    existing: &[Manifest],
    platform: &PlatformSources,
    settings: &Settings,
) -> Vec<Proposal> {
    Application::new(manifests, existing, platform).proposals(settings)
}

/// A Service that selects pods.
struct Service<'a> {
    manifest: &'a Manifest,
    selector: Selector,
}

impl<'a> Service<'a> {
    fn of(manifest: &'a Manifest) -> Option<Self> {
        let is_service = manifest.api_version() == "v1" && manifest.object().kind == "Service";
        let selector = Selector::of_labels(&manifest.value()["spec"]["selector"]);
        (is_service && !selector.is_empty()).then_some(Self { manifest, selector })
    }

    fn name(&self) -> &'a str {
        &self.manifest.object().name
    }

    fn namespace(&self) -> &'a str {
        namespace_or_default(&self.manifest.object().namespace)
    }

    fn leads_to(&self, workload: &Workload<'_>) -> bool {
        self.namespace() == workload.namespace() && self.selector.matches(&workload.labels())
    }

    fn ports(&self) -> impl Iterator<Item = &'a Value> {
        self.manifest.value()["spec"]["ports"].as_array().into_iter().flatten()
    }

    /// The ports of the pods behind its port `number`, or behind all of them where it has none like that.
    fn targets(&self, number: Option<u16>, workload: &Workload<'_>) -> Vec<Port> {
        let is_meant = |port: &&Value| number.is_some_and(|number| port["port"] == number);
        let is_one = self.ports().any(|port| is_meant(&port));
        let meant = self.ports().filter(|port| !is_one || is_meant(port));
        let mut found: Vec<Port> = meant.filter_map(|port| target(port, workload)).collect();
        found.sort_by_key(|port| (port.number, port.protocol == Protocol::Udp));
        found.dedup();
        found
    }

    /// Whether people come in by it from outside the cluster.
    fn is_public(&self) -> bool {
        matches!(self.manifest.value()["spec"]["type"].as_str(), Some("LoadBalancer" | "NodePort"))
    }

    /// Whether `host`, as named by somebody in `namespace`, is this Service or one of its pods.
    fn is_named(&self, host: &str, namespace: &str) -> bool {
        let mut parts: Vec<&str> = host.split('.').collect();
        if let Some(at) = parts.iter().position(|part| *part == "svc") {
            parts.truncate(at);
        }
        match parts.as_slice() {
            [name] => *name == self.name() && namespace == self.namespace(),
            [first, second] => {
                (*first == self.name() && *second == self.namespace())
                    || (*second == self.name() && namespace == self.namespace())
            }
            [_, name, of] => *name == self.name() && *of == self.namespace(),
            _ => false,
        }
    }
}

/// Where a port of a Service leads; nothing for protocols that our policies do not write.
fn target(port: &Value, workload: &Workload<'_>) -> Option<Port> {
    let protocol = match port["protocol"].as_str() {
        None | Some("TCP") => Protocol::Tcp,
        Some("UDP") => Protocol::Udp,
        Some(_) => return None,
    };
    let number = match &port["targetPort"] {
        Value::String(name) => workload
            .containers()
            .flat_map(|container| container.value["ports"].as_array().into_iter().flatten())
            .find(|own| own["name"] == *name)?["containerPort"]
            .as_u64()?,
        Value::Number(number) => number.as_u64()?,
        _ => port["port"].as_u64()?,
    };
    u16::try_from(number).ok().filter(|number| *number > 0).map(|number| Port { number, protocol })
}

/// A connection that the manifests speak of.
struct Edge {
    /// Places in the list of workloads.
    from: usize,
    to: usize,
    ports: Vec<Port>,
    because: String,
}

/// Workloads that belong together, and what they say of each other.
struct Application<'a> {
    manifests: &'a [Manifest],
    existing: &'a [Manifest],
    platform: &'a PlatformSources,
    /// Those under review come first.
    workloads: Vec<Workload<'a>>,
    services: Vec<Service<'a>>,
    mentions: Vec<Vec<Mention>>,
    edges: Vec<Edge>,
}

impl<'a> Application<'a> {
    fn new(manifests: &'a [Manifest], existing: &'a [Manifest], platform: &'a PlatformSources) -> Self {
        let is_replaced = |old: &&Manifest| manifests.iter().any(|new| new.key() == old.key());
        let objects: Vec<&Manifest> = manifests.iter().chain(existing.iter().filter(|old| !is_replaced(old))).collect();
        let workloads: Vec<Workload<'_>> = objects.iter().filter_map(|object| Workload::of(object)).collect();
        let services: Vec<Service<'_>> = objects.iter().filter_map(|object| Service::of(object)).collect();
        let mentions: Vec<_> = workloads.iter().map(|workload| mentions(workload, &objects)).collect();
        let mut edges = Vec::new();
        for (from, (workload, named)) in workloads.iter().zip(&mentions).enumerate() {
            for mention in named {
                let meant = services.iter().filter(|service| service.is_named(&mention.host, workload.namespace()));
                for service in meant {
                    let behind = workloads.iter().enumerate().filter(|(_, other)| service.leads_to(other));
                    edges.extend(behind.map(|(to, other)| Edge {
                        from,
                        to,
                        ports: service.targets(mention.port, other),
                        because: format!("{} of {} names {}.", mention.place, short(workload), written(mention)),
                    }));
                }
            }
        }
        Self { manifests, existing, platform, workloads, services, mentions, edges }
    }

    fn proposals(&self, settings: &Settings) -> Vec<Proposal> {
        let objects = || self.manifests.iter().chain(self.existing);
        let world = World::new(objects());
        let mut names: BTreeSet<(String, String)> = objects()
            .filter_map(NetworkPolicy::of)
            .map(|policy| (policy.namespace.clone(), policy.name.clone()))
            .collect();
        let mut selected = BTreeSet::new();
        let under_review = self.manifests.iter().filter(|manifest| Workload::of(manifest).is_some()).count();
        let mut found = Vec::new();
        for (at, workload) in self.workloads.iter().enumerate().take(under_review) {
            let Some(labels) = workload.selecting_labels() else { continue };
            let is_new = selected.insert((workload.namespace(), labels.to_string()));
            if !is_new || workload.uses_host_network() || world.policies_of(workload).next().is_some() {
                continue;
            }
            let own = &workload.manifest.object().name;
            let is_free = |name: &String| !names.contains(&(workload.namespace().to_owned(), name.clone()));
            let Some(name) = [own.clone(), format!("{own}-proposed")].into_iter().find(is_free) else { continue };
            names.insert((workload.namespace().to_owned(), name.clone()));
            found.extend(self.proposal(at, name, labels, settings));
        }
        found
    }

    fn proposal(&self, at: usize, name: String, labels: PodLabels, settings: &Settings) -> Option<Proposal> {
        let workload = &self.workloads[at];
        let (sources, destinations) = (self.sources(at), self.destinations(at));
        let openings = |proposed: &[ProposedOpening]| proposed.iter().map(|one| one.opening.clone()).collect();
        let answers = Answers {
            namespace: workload.namespace().to_owned(),
            name,
            labels,
            ports: Vec::new(),
            ingress: openings(&sources),
            egress: openings(&destinations),
            dns: true,
            pods: None,
        };
        let policy = generate(&answers, settings).into_iter().next()?;
        let policy = as_placed_as(workload.manifest, &policy)?;
        let unknown_hosts = self.unknown_hosts(at);
        Some(Proposal { workload: workload.manifest.object().clone(), policy, sources, destinations, unknown_hosts })
    }

    fn sources(&self, at: usize) -> Vec<ProposedOpening> {
        let workload = &self.workloads[at];
        let mut found = Vec::new();
        for edge in self.edges.iter().filter(|edge| edge.to == at) {
            let other = &self.workloads[edge.from];
            add(&mut found, self.peer(other, workload), short(other), &edge.ports, &edge.because);
        }
        for (service, because) in self.ways_in(workload) {
            let ports = service.targets(None, workload);
            if let Some(peer) = &self.platform.ingress_controller {
                add(&mut found, peer.clone(), "the ingress controller".to_owned(), &ports, &because);
            }
        }
        if let (Some(ports), Some(peer)) = (scraped(workload), &self.platform.monitoring) {
            let because = format!("{} has the annotation prometheus.io/scrape.", short(workload));
            add(&mut found, peer.clone(), "monitoring".to_owned(), &ports, &because);
        }
        for service in self.services.iter().filter(|service| service.leads_to(workload)) {
            if self.is_unnamed(service) {
                let because = format!("{} Narrow this down if you know.", unknown_users(service));
                let everyone = format!("every pod of {}", workload.namespace());
                add(&mut found, Peer::SameNamespace, everyone, &service.targets(None, workload), &because);
            }
        }
        found
    }

    fn destinations(&self, at: usize) -> Vec<ProposedOpening> {
        let workload = &self.workloads[at];
        let mut found = Vec::new();
        for edge in self.edges.iter().filter(|edge| edge.from == at) {
            let other = &self.workloads[edge.to];
            add(&mut found, self.peer(other, workload), short(other), &edge.ports, &edge.because);
        }
        // Whatever is open because nobody names it must be within reach of everybody.
        let unnamed = self.services.iter().filter(|service| service.namespace() == workload.namespace());
        for service in unnamed.filter(|service| self.is_unnamed(service) && !service.leads_to(workload)) {
            let because = format!("{} Take this out if it does not.", unknown_users(service));
            for other in self.workloads.iter().filter(|other| service.leads_to(other)) {
                let ports = service.targets(None, other);
                add(&mut found, self.peer(other, workload), short(other), &ports, &because);
            }
        }
        found
    }

    /// How the policy of `own` means another workload.
    fn peer(&self, other: &Workload<'_>, own: &Workload<'_>) -> Peer {
        let namespace = (other.namespace() != own.namespace()).then(|| other.namespace().to_owned());
        match other.selecting_labels().or_else(|| PodLabels::new(other.labels())) {
            Some(labels) => Peer::Pods { namespace, labels },
            None => namespace.map_or(Peer::SameNamespace, Peer::Namespace),
        }
    }

    /// The Services by which people come in to a workload, each with what says so.
    fn ways_in(&self, workload: &Workload<'_>) -> Vec<(&Service<'a>, String)> {
        let leading = self.services.iter().filter(|service| service.leads_to(workload));
        leading
            .filter_map(|service| {
                let public = service.is_public().then(|| {
                    let kind = service.manifest.value()["spec"]["type"].as_str().unwrap_or_default();
                    format!("The Service {} is of type {kind}, so people come in by it.", service.name())
                });
                let because = self
                    .ingress_to(service)
                    .map(|name| format!("The Ingress {name} leads to the Service {}.", service.name()));
                Some((service, because.or(public)?))
            })
            .collect()
    }

    fn ingress_to(&self, service: &Service<'_>) -> Option<&'a str> {
        let ingresses = self.manifests.iter().chain(self.existing).filter(|object| {
            object.object().kind == "Ingress" && namespace_or_default(&object.object().namespace) == service.namespace()
        });
        let mut leading = ingresses.filter(|ingress| {
            let spec = &ingress.value()["spec"];
            let rules = spec["rules"].as_array().into_iter().flatten();
            let paths = rules.flat_map(|rule| rule["http"]["paths"].as_array().into_iter().flatten());
            let backends = paths.map(|path| &path["backend"]).chain([&spec["defaultBackend"]]);
            backends.into_iter().any(|backend| backend["service"]["name"] == *service.name())
        });
        leading.next().map(|ingress| ingress.object().name.as_str())
    }

    /// Whether nothing says who uses a Service.
    fn is_unnamed(&self, service: &Service<'_>) -> bool {
        let behind = |at: usize| service.leads_to(&self.workloads[at]);
        let is_named = self.edges.iter().any(|edge| behind(edge.to) && !behind(edge.from));
        !is_named && !service.is_public() && self.ingress_to(service).is_none()
    }

    fn unknown_hosts(&self, at: usize) -> Vec<String> {
        let namespace = self.workloads[at].namespace();
        let is_known = |host: &str| self.services.iter().any(|service| service.is_named(host, namespace));
        let is_itself = |host: &str| host == "localhost" || host.starts_with("127.");
        let is_host = |mention: &&Mention| mention.port.is_some() || mention.host.contains('.');
        let others = self.mentions[at].iter().filter(is_host);
        let named = others.filter(|mention| !is_itself(&mention.host) && !is_known(&mention.host));
        named.map(written).collect::<BTreeSet<_>>().into_iter().collect()
    }
}

/// The policy goes where its workload goes: what names no namespace goes where it is applied.
fn as_placed_as(workload: &Manifest, policy: &Manifest) -> Option<Manifest> {
    let mut value = policy.value().clone();
    if workload.object().namespace.is_empty() {
        value["metadata"].as_object_mut()?.shift_remove("namespace");
    }
    Manifest::from_value(value).ok()
}

fn unknown_users(service: &Service<'_>) -> String {
    format!("Nothing here names the Service {}, so who uses it is not known.", service.name())
}

/// One more way, unless it is there: what speaks for it is said once.
fn add(found: &mut Vec<ProposedOpening>, peer: Peer, other_end: String, ports: &[Port], because: &str) {
    let opening = Opening { peer, ports: ports.to_vec() };
    if !ports.is_empty() && !found.iter().any(|one| one.opening == opening) {
        found.push(ProposedOpening { opening, other_end, because: because.to_owned() });
    }
}

/// The ports that metrics are read from, where the pods ask for that by the annotations that Prometheus is usually set
/// up to follow.
fn scraped(workload: &Workload<'_>) -> Option<Vec<Port>> {
    let annotations = labels(&workload.template_metadata()["annotations"]);
    let is_asked = annotations.get("prometheus.io/scrape").is_some_and(|value| value == "true");
    let own = annotations.get("prometheus.io/port").and_then(|port| port.parse().ok());
    is_asked.then(|| own.map_or_else(|| workload.declared_ports(), |port| vec![port]))
}

fn short(workload: &Workload<'_>) -> String {
    let object = workload.manifest.object();
    format!("{} {}", object.kind, object.name)
}

fn written(mention: &Mention) -> String {
    mention.port.map_or_else(|| mention.host.clone(), |port| format!("{}:{port}", mention.host))
}

#[cfg(test)]
mod tests;
