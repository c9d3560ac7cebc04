//! Policies for workloads that have none, proposed from what their manifests say of each other.
//!
//! Manifests name the other end of most connections: in variables, arguments and ConfigMaps, as the host of a Service.
//! What is found there is a proposal and no more: a program may also know hosts that stand nowhere in its manifests. So
//! a Service that nobody names is left open to its own namespace, and each opening says what speaks for it.

mod hosts;

use crate::finding::ObjectRef;
use crate::generate::{Answers, Opening, Peer, PodLabels, Port, Protocol, generate};
use crate::manifest::{Manifest, to_yaml};
use crate::names::is_subdomain;
use crate::network_policy::NetworkPolicy;
use crate::selector::{Labels, Selector, labels};
use crate::settings::Settings;
use crate::workload::{Workload, namespace_or_default};
use crate::world::World;
use hosts::{Mention, mentions};
use serde_json::Value;
use std::collections::{BTreeSet, HashMap, HashSet};

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
            let text = format!("{preposition} {} on {}: {}", one.other_end, one.ports_in_words(), one.because);
            format!("# {}\n", on_one_line(&text))
        };
        let sources = self.sources.iter().map(|one| reason("From", one));
        let destinations = self.destinations.iter().map(|one| reason("To", one));
        let reasons: String = sources.chain(destinations).collect();
        let unknown = match self.unknown_hosts.as_slice() {
            [] => String::new(),
            hosts => format!(
                "# {}\n",
                on_one_line(&format!("Not opened, because no known Service has this name: {}", hosts.join(", ")))
            ),
        };
        format!("# Proposed from the manifests.\n{reasons}{unknown}{}", to_yaml(std::slice::from_ref(&self.policy)))
    }
}

/// Names in manifests may hold anything, and a line break would end the comment.
fn on_one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') { ' ' } else { c }).collect()
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

/// The most ports of a Service that are followed to its pods, and the most connections that are looked at. An application
/// that fits into a draft has some hundreds.
const MOST_PORTS: usize = 100;
const MOST_EDGES: usize = 5_000;

/// A Service that selects pods.
struct Service<'a> {
    manifest: &'a Manifest,
    selector: Selector,
}

impl<'a> Service<'a> {
    fn of(manifest: &'a Manifest) -> Option<Self> {
        let is_service = manifest.api_version() == "v1" && manifest.object().kind == "Service";
        let selector = Selector::of_labels(&manifest.value()["spec"]["selector"]);
        let is_alias = manifest.value()["spec"]["type"] == "ExternalName";
        (is_service && !is_alias && !selector.is_empty()).then_some(Self { manifest, selector })
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
        self.manifest.value()["spec"]["ports"].as_array().into_iter().flatten().take(MOST_PORTS)
    }

    /// The ports of the pods behind its port `number`, or behind all of them where it has none like that. Without an
    /// address of its own nothing is translated. Where it does not say, what the pods declare.
    fn targets(&self, number: Option<u16>, workload: &Workload<'_>) -> Vec<Port> {
        let is_headless = self.manifest.value()["spec"]["clusterIP"] == "None";
        if let (true, Some(number)) = (is_headless, number) {
            return vec![Port { number, protocol: Protocol::Tcp }];
        }
        let is_meant = |port: &&Value| number.is_some_and(|number| port["port"] == number);
        let is_one = self.ports().any(|port| is_meant(&port));
        let meant = self.ports().filter(|port| !is_one || is_meant(port));
        let mut found: Vec<Port> = meant.filter_map(|port| target(port, workload)).collect();
        found.sort_by_key(|port| (port.number, port.protocol == Protocol::Udp));
        found.dedup();
        if found.is_empty() { workload.declared_ports() } else { found }
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
    /// All that would be there afterwards, those under review first.
    objects: Vec<&'a Manifest>,
    platform: &'a PlatformSources,
    /// Those under review come first.
    workloads: Vec<Workload<'a>>,
    services: Vec<Service<'a>>,
    /// The workloads behind each Service.
    behind: Vec<Vec<usize>>,
    mentions: Vec<Vec<Mention>>,
    edges: Vec<Edge>,
    /// Services of which nothing says who uses them.
    unnamed: BTreeSet<usize>,
}

impl<'a> Application<'a> {
    fn new(manifests: &'a [Manifest], existing: &'a [Manifest], platform: &'a PlatformSources) -> Self {
        let new: HashSet<_> = manifests.iter().map(Manifest::key).collect();
        let objects: Vec<&Manifest> =
            manifests.iter().chain(existing.iter().filter(|old| !new.contains(&old.key()))).collect();
        // Policies do not reach pods in the network of their node, nor do they know them by their labels.
        let is_governed = |workload: &Workload<'_>| !workload.uses_host_network();
        let workloads: Vec<Workload<'_>> =
            objects.iter().filter_map(|object| Workload::of(object)).filter(is_governed).collect();
        let services: Vec<Service<'_>> = objects.iter().filter_map(|object| Service::of(object)).collect();
        let behind = |service: &Service<'_>| {
            workloads.iter().enumerate().filter(|(_, workload)| service.leads_to(workload)).map(|(at, _)| at).collect()
        };
        let behind: Vec<Vec<usize>> = services.iter().map(behind).collect();
        let mentions: Vec<_> = workloads.iter().map(|workload| mentions(workload, &objects)).collect();
        let edges = Vec::new();
        let unnamed = BTreeSet::new();
        let mut application =
            Self { manifests, objects, platform, workloads, services, behind, mentions, edges, unnamed };
        application.edges = application.find_edges();
        application.unnamed = (0..application.services.len()).filter(|at| application.is_unnamed(*at)).collect();
        application
    }

    fn find_edges(&self) -> Vec<Edge> {
        let mut by_name = HashMap::<&str, Vec<usize>>::new();
        for (at, service) in self.services.iter().enumerate() {
            by_name.entry(service.name()).or_default().push(at);
        }
        let mut edges = Vec::new();
        for (from, (workload, named)) in self.workloads.iter().zip(&self.mentions).enumerate() {
            for mention in named {
                let parts = mention.host.split('.').take(2);
                let known: BTreeSet<usize> = parts.filter_map(|part| by_name.get(part)).flatten().copied().collect();
                for at in known {
                    let service = &self.services[at];
                    if !service.is_named(&mention.host, workload.namespace()) {
                        continue;
                    }
                    let room = MOST_EDGES - edges.len();
                    edges.extend(self.behind[at].iter().take(room).map(|to| Edge {
                        from,
                        to: *to,
                        ports: service.targets(mention.port, &self.workloads[*to]),
                        because: format!("{} of {} names {}.", mention.place, short(workload), written(mention)),
                    }));
                }
            }
        }
        edges
    }

    fn proposals(&self, settings: &Settings) -> Vec<Proposal> {
        let world = World::new(self.objects.iter().copied());
        let mut names: BTreeSet<(String, String)> = self
            .objects
            .iter()
            .filter_map(|object| NetworkPolicy::of(object))
            .map(|policy| (policy.namespace.clone(), policy.name.clone()))
            .collect();
        let mut selected = BTreeSet::new();
        let new: HashSet<_> = self.manifests.iter().map(Manifest::key).collect();
        let is_new = |workload: &&Workload<'_>| new.contains(&workload.manifest.key());
        let under_review = self.workloads.iter().take_while(is_new).count();
        let mut found = Vec::new();
        for workload in self.workloads.iter().take(under_review) {
            let Some(labels) = workload.selecting_labels() else { continue };
            let is_new = selected.insert((workload.namespace(), labels.to_string()));
            if !is_new || world.policies_of(workload).next().is_some() {
                continue;
            }
            // What is made by generateName ends with a hyphen, and no name may.
            let own = workload.manifest.object().name.trim_end_matches('-').to_owned();
            let is_free = |name: &String| !names.contains(&(workload.namespace().to_owned(), name.clone()));
            let others = (1..).map(|number| match number {
                1 => format!("{own}-proposed"),
                number => format!("{own}-proposed-{number}"),
            });
            let mut candidates = std::iter::once(own.clone()).chain(others);
            let Some(name) = candidates.find(is_free).filter(|name| is_subdomain(name)) else { continue };
            names.insert((workload.namespace().to_owned(), name.clone()));
            found.extend(self.proposal(workload, name, labels, settings));
        }
        found
    }

    fn proposal(
        &self,
        workload: &Workload<'_>,
        name: String,
        labels: PodLabels,
        settings: &Settings,
    ) -> Option<Proposal> {
        let selector = Labels::from(labels.clone());
        // A policy speaks for everything that has its labels.
        let has_them = |other: &Workload<'_>| {
            let own = other.labels();
            other.namespace() == workload.namespace() && selector.iter().all(|(key, value)| own.get(key) == Some(value))
        };
        let group: Vec<usize> = (0..self.workloads.len()).filter(|at| has_them(&self.workloads[*at])).collect();
        let (sources, destinations) = (self.sources(&group), self.destinations(&group));
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
        let unknown_hosts = self.unknown_hosts(&group);
        Some(Proposal { workload: workload.manifest.object().clone(), policy, sources, destinations, unknown_hosts })
    }

    fn sources(&self, group: &[usize]) -> Vec<ProposedOpening> {
        let mut found = Vec::new();
        for edge in self.edges.iter().filter(|edge| group.contains(&edge.to)) {
            let other = &self.workloads[edge.from];
            add(&mut found, peer(other, &self.workloads[edge.to]), named(other), &edge.ports, &edge.because);
        }
        for workload in group.iter().map(|at| &self.workloads[*at]) {
            for (service, port, because) in self.ways_in(workload) {
                let ports = service.targets(port, workload);
                if let Some(peer) = &self.platform.ingress_controller {
                    add(&mut found, peer.clone(), "the ingress controller".to_owned(), &ports, &because);
                }
            }
            if let (Some(ports), Some(peer)) = (scraped(workload), &self.platform.monitoring) {
                let because = format!("{} has the annotation prometheus.io/scrape.", short(workload));
                add(&mut found, peer.clone(), "monitoring".to_owned(), &ports, &because);
            }
            let unnamed = self.unnamed.iter().map(|at| &self.services[*at]);
            for service in unnamed.filter(|service| service.leads_to(workload)) {
                let because = format!("{} Narrow this down if you know.", unknown_users(service));
                let everyone = format!("every pod of {}", workload.namespace());
                add(&mut found, Peer::SameNamespace, everyone, &service.targets(None, workload), &because);
            }
        }
        found
    }

    fn destinations(&self, group: &[usize]) -> Vec<ProposedOpening> {
        let mut found = Vec::new();
        for edge in self.edges.iter().filter(|edge| group.contains(&edge.from)) {
            let other = &self.workloads[edge.to];
            add(&mut found, peer(other, &self.workloads[edge.from]), named(other), &edge.ports, &edge.because);
        }
        // Whatever of the application is open because nobody names it must be within reach of all of it.
        let Some(own) = group.first().map(|at| &self.workloads[*at]) else { return found };
        for at in &self.unnamed {
            let service = &self.services[*at];
            let is_own = self.behind[*at].iter().any(|to| group.contains(to));
            if is_own || service.namespace() != own.namespace() || !self.is_under_review(service) {
                continue;
            }
            let because = format!("{} Remove this if {} does not.", unknown_users(service), short(own));
            for other in self.behind[*at].iter().map(|to| &self.workloads[*to]) {
                let ports = service.targets(None, other);
                add(&mut found, peer(other, own), named(other), &ports, &because);
            }
        }
        found
    }

    fn is_under_review(&self, service: &Service<'_>) -> bool {
        self.manifests.iter().any(|manifest| std::ptr::eq(manifest, service.manifest))
    }

    /// The Services by which people come in to a workload, on which of their ports, and what says so.
    fn ways_in(&self, workload: &Workload<'_>) -> Vec<(&Service<'a>, Option<u16>, String)> {
        let mut found = Vec::new();
        for service in self.services.iter().filter(|service| service.leads_to(workload)) {
            for (name, port) in self.ingresses_to(service) {
                found.push((service, port, format!("The Ingress {name} leads to the Service {}.", service.name())));
            }
            if found.is_empty() && service.is_public() {
                let kind = service.manifest.value()["spec"]["type"].as_str().unwrap_or_default();
                let because = format!(
                    "The Service {} is of type {kind}. Here people come in by an Ingress instead, which is still to be \
                     written.",
                    service.name()
                );
                found.push((service, None, because));
            }
        }
        found
    }

    /// The Ingresses that lead to a Service, each with the port, unless it means it by a name.
    fn ingresses_to(&self, service: &Service<'_>) -> Vec<(&'a str, Option<u16>)> {
        let ingresses = self.objects.iter().filter(|object| {
            let (own, is_ingress) = (object.object(), object.api_version() == "networking.k8s.io/v1");
            is_ingress && own.kind == "Ingress" && namespace_or_default(&own.namespace) == service.namespace()
        });
        let mut found = Vec::new();
        for ingress in ingresses {
            let spec = &ingress.value()["spec"];
            let rules = spec["rules"].as_array().into_iter().flatten();
            let paths = rules.flat_map(|rule| rule["http"]["paths"].as_array().into_iter().flatten());
            let backends = paths.map(|path| &path["backend"]["service"]).chain([&spec["defaultBackend"]["service"]]);
            for backend in backends.filter(|backend| backend["name"] == *service.name()) {
                let named =
                    service.ports().find(|port| port["name"].is_string() && port["name"] == backend["port"]["name"]);
                let number = named.map_or(&backend["port"]["number"], |port| &port["port"]).as_u64();
                let way = (ingress.object().name.as_str(), number.and_then(|number| u16::try_from(number).ok()));
                if !found.contains(&way) {
                    found.push(way);
                }
            }
        }
        found
    }

    /// Whether nothing says who uses a Service that leads to pods.
    fn is_unnamed(&self, at: usize) -> bool {
        let (service, behind) = (&self.services[at], &self.behind[at]);
        let is_named = self.edges.iter().any(|edge| behind.contains(&edge.to) && !behind.contains(&edge.from));
        !behind.is_empty() && !is_named && !service.is_public() && self.ingresses_to(service).is_empty()
    }

    fn unknown_hosts(&self, group: &[usize]) -> Vec<String> {
        let is_itself = |host: &str| host == "localhost" || host.starts_with("127.");
        let mut found = BTreeSet::new();
        for at in group {
            let namespace = self.workloads[*at].namespace();
            let is_known = |host: &str| self.services.iter().any(|service| service.is_named(host, namespace));
            let others = self.mentions[*at].iter().filter(|mention| mention.is_sure);
            let named = others.filter(|mention| !is_itself(&mention.host) && !is_known(&mention.host));
            found.extend(named.map(written));
        }
        found.into_iter().collect()
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

/// How the policy of `own` means another workload.
fn peer(other: &Workload<'_>, own: &Workload<'_>) -> Peer {
    let namespace = (other.namespace() != own.namespace()).then(|| other.namespace().to_owned());
    match other.selecting_labels() {
        Some(labels) => Peer::Pods { namespace, labels },
        None => namespace.map_or(Peer::SameNamespace, Peer::Namespace),
    }
}

/// Whom a policy means that means a workload: by its labels, or else everyone around it.
fn named(workload: &Workload<'_>) -> String {
    match workload.selecting_labels() {
        Some(_) => short(workload),
        None => format!("every pod of {}", workload.namespace()),
    }
}

fn written(mention: &Mention) -> String {
    mention.port.map_or_else(|| mention.host.clone(), |port| format!("{}:{port}", mention.host))
}

#[cfg(test)]
mod tests;
