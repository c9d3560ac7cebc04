//! From answers to manifests: a pod spec the restricted standard admits, and a NetworkPolicy that
//! selects it and allows what was asked for, and nothing else.

use crate::address_block::Block;
use crate::image::ImageRef;
use crate::manifest::Manifest;
use crate::selector::Labels;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// The label by which generated policies select generated pods
/// (kubernetes.io/docs/concepts/overview/working-with-objects/common-labels).
pub(crate) const NAME_LABEL: &str = "app.kubernetes.io/name";

/// What kind of workload to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Runs all the time, in several copies.
    Deployment {
        /// How many copies.
        replicas: u32,
    },
    /// Runs until it is done.
    Job,
    /// A single pod that nothing restarts elsewhere.
    Pod,
}

/// Transport protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

/// A port number with its protocol, written `8080` or `UDP 53`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Port {
    /// 1 to 65535.
    pub number: u16,
    /// The protocol.
    pub protocol: Protocol,
}

/// Why an answer cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AnswersError {
    /// Not a port.
    #[error("A port is a number from 1 to 65535, with UDP before it if it is not TCP, for example: 8080 or UDP 53.")]
    Port,
    /// Not addresses.
    #[error(
        "Enter one address like 203.0.113.10, or a range like 203.0.113.0/24. Names of hosts are not possible: policies know addresses only."
    )]
    Cidr,
    /// A range that does not begin where its length says.
    #[error(
        "This range begins in its middle. Write one address without the part behind the slash, or the range with its first address, like 203.0.113.0/24."
    )]
    CidrHostBits,
    /// Not labels.
    #[error("Labels look like app=web, several parted by commas.")]
    Labels,
}

impl FromStr for Port {
    type Err = AnswersError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let upper = text.trim().to_ascii_uppercase();
        let (protocol, number) = match upper.split_once([' ', '/']) {
            None => (Protocol::Tcp, upper.as_str()),
            Some(("TCP", number)) | Some((number, "TCP")) => (Protocol::Tcp, number),
            Some(("UDP", number)) | Some((number, "UDP")) => (Protocol::Udp, number),
            Some(_) => return Err(AnswersError::Port),
        };
        match number.trim().parse() {
            Ok(number) if number > 0 => Ok(Self { number, protocol }),
            _ => Err(AnswersError::Port),
        }
    }
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.protocol {
            Protocol::Tcp => write!(f, "{}", self.number),
            Protocol::Udp => write!(f, "UDP {}", self.number),
        }
    }
}

/// Addresses in CIDR notation. Kubernetes also takes a range that begins in its middle; people who write one
/// mean either one address or a range, and get the range, so it is refused here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Cidr(String);

impl FromStr for Cidr {
    type Err = AnswersError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (address, length) = match text.trim().split_once('/') {
            Some((address, length)) => (address, Some(length.parse().map_err(|_| AnswersError::Cidr)?)),
            None => (text.trim(), None),
        };
        let address: IpAddr = address.parse().map_err(|_| AnswersError::Cidr)?;
        let length = length.unwrap_or(if address.is_ipv4() { 32 } else { 128 });
        let block = Block::around(address, length).ok_or(AnswersError::Cidr)?;
        if !block.begins_with(address) {
            return Err(AnswersError::CidrHostBits);
        }
        Ok(Self(format!("{address}/{length}")))
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Labels that pick pods; at least one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PodLabels(Labels);

impl FromStr for PodLabels {
    type Err = AnswersError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let labels = text
            .split(',')
            .map(|pair| {
                let (key, value) = pair.trim().split_once('=')?;
                (is_label_key(key) && is_label_value(value)).then(|| (key.to_owned(), value.to_owned()))
            })
            .collect::<Option<Labels>>();
        labels.filter(|labels| !labels.is_empty()).map(Self).ok_or(AnswersError::Labels)
    }
}

impl fmt::Display for PodLabels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pairs: Vec<String> = self.0.iter().map(|(key, value)| format!("{key}={value}")).collect();
        f.write_str(&pairs.join(","))
    }
}

/// `[prefix/]name`, the prefix a DNS subdomain of at most 253 characters
/// (kubernetes.io/docs/concepts/overview/working-with-objects/labels).
fn is_label_key(key: &str) -> bool {
    match key.split_once('/') {
        Some((prefix, name)) => prefix.len() <= 253 && prefix.split('.').all(is_dns_label) && is_qualified_name(name),
        None => is_qualified_name(key),
    }
}

fn is_label_value(value: &str) -> bool {
    value.is_empty() || is_qualified_name(value)
}

fn is_qualified_name(text: &str) -> bool {
    let bytes = text.as_bytes();
    let edge = |b: Option<&u8>| b.is_some_and(u8::is_ascii_alphanumeric);
    text.len() <= 63
        && edge(bytes.first())
        && edge(bytes.last())
        && bytes.iter().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(b))
}

fn is_dns_label(text: &str) -> bool {
    let bytes = text.as_bytes();
    let edge = |b: Option<&u8>| b.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    text.len() <= 63
        && edge(bytes.first())
        && edge(bytes.last())
        && bytes.iter().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'-')
}

/// Who may open connections to the workload's ports.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IngressPeer {
    /// Every pod of the same namespace.
    SameNamespace,
    /// Every pod of another namespace.
    Namespace(String),
    /// Pods with these labels in the same namespace.
    Pods(PodLabels),
    /// Addresses.
    Addresses(Cidr),
}

/// What the workload may open connections to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EgressPeer {
    /// The other end; the same choices as for ingress.
    pub peer: IngressPeer,
    /// The ports there; never empty.
    pub ports: Vec<Port>,
}

/// What a person wants to run, checked field by field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answers {
    /// Where it runs.
    pub namespace: String,
    /// Its name, a DNS label.
    pub name: String,
    /// What kind of workload.
    pub kind: Kind,
    /// The image.
    pub image: ImageRef,
    /// The image as written.
    pub image_text: String,
    /// Command and arguments; empty means the image's own.
    pub command: Vec<String>,
    /// Ports it listens on.
    pub ports: Vec<Port>,
    /// Who may reach those ports.
    pub ingress: Vec<IngressPeer>,
    /// What it may reach.
    pub egress: Vec<EgressPeer>,
    /// Whether it may look up names.
    pub dns: bool,
    /// CPU request in thousandths of a core.
    pub cpu_millis: u32,
    /// Memory request and limit in MiB.
    pub memory_mib: u32,
    /// Numeric user, never 0.
    pub run_as_user: u32,
    /// Whether the image's own files stay read-only; `/tmp` is writable all the same.
    pub read_only_root: bool,
}

/// Writes the workload and its NetworkPolicy, the policy first so that the pod never runs without.
#[must_use]
pub fn generate(answers: &Answers) -> Vec<Manifest> {
    [network_policy(answers), workload(answers)]
        .into_iter()
        .filter_map(|value| Manifest::from_value(value).ok())
        .collect()
}

/// The commands that do the same from a terminal.
#[must_use]
pub fn kubectl_commands(answers: &Answers) -> String {
    let Answers { namespace, name, .. } = answers;
    format!(
        "# Show what would happen; nothing is changed.\nkubectl apply --server-side --field-manager=fairway --namespace={namespace} --dry-run=server -f {name}.yaml\n\n# Apply the policy and the workload.\nkubectl apply --server-side --field-manager=fairway --namespace={namespace} -f {name}.yaml\n"
    )
}

fn labels(answers: &Answers) -> Value {
    json!({ NAME_LABEL: answers.name })
}

fn workload(answers: &Answers) -> Value {
    let metadata = json!({ "name": answers.name, "namespace": answers.namespace, "labels": labels(answers) });
    let template = |restart: Option<&str>| {
        let mut spec = pod_spec(answers);
        if let Some(restart) = restart {
            spec["restartPolicy"] = restart.into();
        }
        json!({ "metadata": { "labels": labels(answers) }, "spec": spec })
    };
    match answers.kind {
        Kind::Deployment { replicas } => json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata,
            "spec": { "replicas": replicas, "selector": { "matchLabels": labels(answers) }, "template": template(None) },
        }),
        Kind::Job => json!({
            "apiVersion": "batch/v1", "kind": "Job", "metadata": metadata,
            "spec": { "backoffLimit": 3, "template": template(Some("Never")) },
        }),
        Kind::Pod => json!({ "apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": pod_spec(answers) }),
    }
}

fn pod_spec(answers: &Answers) -> Value {
    let memory = format!("{}Mi", answers.memory_mib);
    let mut container = json!({
        "name": answers.name,
        "image": answers.image_text,
        "resources": {
            "requests": { "cpu": format!("{}m", answers.cpu_millis), "memory": memory },
            "limits": { "memory": memory },
        },
        "securityContext": {
            "allowPrivilegeEscalation": false,
            "capabilities": { "drop": ["ALL"] },
            "readOnlyRootFilesystem": answers.read_only_root,
        },
    });
    if !answers.command.is_empty() {
        container["command"] = json!(answers.command);
    }
    if !answers.ports.is_empty() {
        container["ports"] = answers
            .ports
            .iter()
            .map(|port| json!({ "containerPort": port.number, "protocol": port.protocol }))
            .collect();
    }
    let mut spec = json!({
        "automountServiceAccountToken": false,
        "securityContext": {
            "runAsNonRoot": true,
            "runAsUser": answers.run_as_user,
            "runAsGroup": answers.run_as_user,
            "fsGroup": answers.run_as_user,
            "seccompProfile": { "type": "RuntimeDefault" },
        },
    });
    if answers.read_only_root {
        container["volumeMounts"] = json!([{ "name": "tmp", "mountPath": "/tmp" }]);
        spec["volumes"] = json!([{ "name": "tmp", "emptyDir": {} }]);
    }
    spec["containers"] = json!([container]);
    spec
}

fn network_policy(answers: &Answers) -> Value {
    let ingress: Vec<Value> = if answers.ingress.is_empty() || answers.ports.is_empty() {
        Vec::new()
    } else {
        let from: Vec<Value> = answers.ingress.iter().map(peer).collect();
        vec![json!({ "from": from, "ports": ports(&answers.ports) })]
    };
    let asked =
        answers.egress.iter().map(|egress| json!({ "to": [peer(&egress.peer)], "ports": ports(&egress.ports) }));
    let egress: Vec<Value> = answers.dns.then(dns).into_iter().chain(asked).collect();
    json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
        "metadata": { "name": answers.name, "namespace": answers.namespace, "labels": labels(answers) },
        "spec": {
            "podSelector": { "matchLabels": labels(answers) },
            "policyTypes": ["Ingress", "Egress"],
            "ingress": ingress,
            "egress": egress,
        },
    })
}

/// Without UDP and TCP 53 to the cluster's DNS, no name resolves.
fn dns() -> Value {
    json!({
        "to": [{
            "namespaceSelector": { "matchLabels": { "kubernetes.io/metadata.name": "kube-system" } },
            "podSelector": { "matchLabels": { "k8s-app": "kube-dns" } },
        }],
        "ports": [{ "port": 53, "protocol": "UDP" }, { "port": 53, "protocol": "TCP" }],
    })
}

fn peer(peer: &IngressPeer) -> Value {
    match peer {
        IngressPeer::SameNamespace => json!({ "podSelector": {} }),
        IngressPeer::Namespace(name) => {
            json!({ "namespaceSelector": { "matchLabels": { "kubernetes.io/metadata.name": name } } })
        }
        IngressPeer::Pods(labels) => json!({ "podSelector": { "matchLabels": labels } }),
        IngressPeer::Addresses(cidr) => json!({ "ipBlock": { "cidr": cidr } }),
    }
}

fn ports(ports: &[Port]) -> Value {
    ports.iter().map(|port| json!({ "port": port.number, "protocol": port.protocol })).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Context, PortSet, Selection, Settings, Transport, Verdict, World, connections, review};
    use proptest::prelude::*;
    use std::net::Ipv4Addr;

    fn any_port() -> impl Strategy<Value = Port> {
        (1u16.., prop_oneof![Just(Protocol::Tcp), Just(Protocol::Udp)])
            .prop_map(|(number, protocol)| Port { number, protocol })
    }

    fn any_peer() -> impl Strategy<Value = IngressPeer> {
        prop_oneof![
            Just(IngressPeer::SameNamespace),
            "[a-z]{1,9}".prop_map(IngressPeer::Namespace),
            "[a-z]{1,9}=[a-z0-9]{0,9}".prop_map(|text| IngressPeer::Pods(text.parse().unwrap())),
            (any::<[u8; 4]>(), 1u8..=32).prop_map(|(a, length)| IngressPeer::Addresses(
                format!("{}/{length}", Ipv4Addr::from(u32::from_be_bytes(a) & (u32::MAX << (32 - length))))
                    .parse()
                    .unwrap()
            )),
        ]
    }

    prop_compose! {
        fn any_answers()(
            name in "[a-z][a-z0-9]{0,20}",
            kind in prop_oneof![(2u32..9).prop_map(|replicas| Kind::Deployment { replicas }), Just(Kind::Job), Just(Kind::Pod)],
            command in prop::collection::vec("[ -~]{0,12}", 0..3),
            ports in prop::collection::vec(any_port(), 0..4),
            ingress in prop::collection::vec(any_peer(), 0..4),
            egress in prop::collection::vec((any_peer(), prop::collection::vec(any_port(), 1..3)), 0..4),
            dns in any::<bool>(),
            run_as_user in 1u32..,
            read_only_root in any::<bool>(),
        ) -> Answers {
            let image_text = "harbor.example.com/shop/web:1.4.2".to_owned();
            Answers {
                namespace: "shop".into(), name, kind, image: image_text.parse().unwrap(), image_text, command, ports,
                ingress, egress: egress.into_iter().map(|(peer, ports)| EgressPeer { peer, ports }).collect(),
                dns, cpu_millis: 100, memory_mib: 128, run_as_user, read_only_root,
            }
        }
    }

    /// Pods of every kind that an answer may speak of, and one that none does.
    fn probes(answers: &Answers) -> Vec<Manifest> {
        let mut places = vec![(answers.namespace.clone(), json!({})), ("elsewhere-0".to_owned(), json!({}))];
        for peer in answers.ingress.iter().chain(answers.egress.iter().map(|egress| &egress.peer)) {
            match peer {
                IngressPeer::Pods(labels) => {
                    places.push((answers.namespace.clone(), json!(labels)));
                    places.push(("elsewhere-0".to_owned(), json!(labels)));
                }
                IngressPeer::Namespace(name) => places.push((name.clone(), json!({}))),
                IngressPeer::SameNamespace | IngressPeer::Addresses(_) => {}
            }
        }
        let pod = |(index, (namespace, labels)): (usize, (String, Value))| {
            let metadata = json!({ "name": format!("probe-{index}"), "namespace": namespace, "labels": labels });
            let value = json!({ "apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {} });
            Manifest::from_value(value).unwrap()
        };
        places.into_iter().enumerate().map(pod).collect()
    }

    /// The first address of every block, the one before it, and one that is rarely in any.
    fn addresses(answers: &Answers) -> Vec<u32> {
        let peers = answers.ingress.iter().chain(answers.egress.iter().map(|egress| &egress.peer));
        let first = |peer: &IngressPeer| match peer {
            IngressPeer::Addresses(block) => block.0.split_once('/')?.0.parse::<Ipv4Addr>().ok().map(u32::from),
            _ => None,
        };
        let firsts: Vec<u32> = peers.filter_map(first).collect();
        firsts.iter().flat_map(|first| [*first, first.wrapping_sub(1)]).chain([0x0102_0304]).collect()
    }

    fn holds(block: &str, address: u32) -> bool {
        let (first, length) = block.split_once('/').unwrap();
        let free = 32 - length.parse::<u32>().unwrap();
        let head = |bits: u32| bits.checked_shr(free).unwrap_or(0);
        head(u32::from(first.parse::<Ipv4Addr>().unwrap())) == head(address)
    }

    /// Whether an answer means this pod.
    fn fits(answers: &Answers, peer: &IngressPeer, pod: &Manifest) -> bool {
        let at_home = pod.object().namespace == answers.namespace;
        match peer {
            IngressPeer::SameNamespace => at_home,
            IngressPeer::Namespace(name) => pod.object().namespace == *name,
            IngressPeer::Pods(labels) => {
                at_home && labels.0.iter().all(|(key, value)| pod.value()["metadata"]["labels"][key] == *value)
            }
            IngressPeer::Addresses(_) => false,
        }
    }

    fn ports(ports: &[Port]) -> PortSet {
        ports.iter().fold(PortSet::default(), |all, port| {
            let transport = match port.protocol {
                Protocol::Tcp => Transport::Tcp,
                Protocol::Udp => Transport::Udp,
            };
            all.union(&PortSet::range(transport, port.number, port.number))
        })
    }

    proptest! {
        #[test]
        fn whatever_the_answers_nothing_is_denied(answers in any_answers()) {
            let report = review(&generate(&answers), &Context::default(), &Settings::default(), Selection::default());
            prop_assert_ne!(report.verdict, Verdict::Deny, "{:#?}", report);
        }

        #[test]
        fn whatever_the_answers_its_connections_are_the_answers(answers in any_answers()) {
            let subject = generate(&answers);
            let probes = probes(&answers);
            let found = connections(&World::new(subject.iter().chain(&probes)));
            let own = format!("{}/{}[{}]", answers.namespace, answers.name, subject[1].object().kind);
            let between = |from: &str, to: &str| {
                let link = found.iter().find(|link| (link.from.as_str(), link.to.as_str()) == (from, to));
                link.map_or_else(|| PortSet::default().to_string(), |link| link.ports.clone())
            };
            for probe in &probes {
                let other = format!("{}/{}[Pod]", probe.object().namespace, probe.object().name);
                let may_enter = answers.ingress.iter().any(|peer| fits(&answers, peer, probe));
                let incoming = if may_enter { ports(&answers.ports) } else { PortSet::default() };
                prop_assert_eq!(between(&other, &own), incoming.to_string(), "{} to it", other);
                let peers = answers.egress.iter().filter(|egress| fits(&answers, &egress.peer, probe));
                let outgoing = peers.fold(PortSet::default(), |all, egress| all.union(&ports(&egress.ports)));
                prop_assert_eq!(between(&own, &other), outgoing.to_string(), "it to {}", other);
            }
            let blocks = |peers: Vec<&IngressPeer>, address: u32| {
                peers.into_iter().any(|peer| matches!(peer, IngressPeer::Addresses(block) if holds(&block.0, address)))
            };
            for address in addresses(&answers) {
                let range = |end: &str| end.split_once('-').is_some_and(|(first, last)| {
                    let number = |text: &str| text.parse::<Ipv4Addr>().map(u32::from);
                    matches!((number(first), number(last)), (Ok(first), Ok(last)) if (first..=last).contains(&address))
                });
                let incoming = found.iter().find(|link| link.to == own && range(&link.from));
                let may_enter = blocks(answers.ingress.iter().collect(), address);
                let wanted = if may_enter { ports(&answers.ports) } else { PortSet::default() };
                prop_assert_eq!(incoming.map_or("No Connections", |link| &link.ports), wanted.to_string());
                let outgoing = found.iter().find(|link| link.from == own && range(&link.to));
                let peers = answers.egress.iter().filter(|egress| blocks(vec![&egress.peer], address));
                let wanted = peers.fold(PortSet::default(), |all, egress| all.union(&ports(&egress.ports)));
                prop_assert_eq!(outgoing.map_or("No Connections", |link| &link.ports), wanted.to_string());
            }
        }

        #[test]
        fn what_is_generated_reads_back_as_yaml(answers in any_answers()) {
            let manifests = generate(&answers);
            prop_assert_eq!(crate::decode("generated", &crate::to_yaml(&manifests)).unwrap(), manifests);
        }
    }

    #[test]
    fn ports_are_read_as_people_write_them() {
        for (text, shown) in [("80", "80"), (" udp 53", "UDP 53"), ("53/UDP", "UDP 53"), ("tcp/443", "443")] {
            assert_eq!(text.parse::<Port>().unwrap().to_string(), shown);
        }
        for text in ["", "0", "65536", "http", "SCTP 1", "80 90"] {
            assert!(text.parse::<Port>().is_err(), "{text}");
        }
    }

    #[test]
    fn address_ranges_are_parsed_not_matched() {
        assert!("10.0.0.0/8".parse::<Cidr>().is_ok());
        assert!("2001:db8::/32".parse::<Cidr>().is_ok());
        assert_eq!("203.0.113.10".parse::<Cidr>().unwrap().to_string(), "203.0.113.10/32");
        assert_eq!("::1".parse::<Cidr>().unwrap().to_string(), "::1/128");
        assert_eq!("::/0".parse::<Cidr>().unwrap().to_string(), "::/0");
        for text in ["", "db.example.com", "10.0.0.0/33", "10.0.0/8", "::/129", "a/8"] {
            assert_eq!(text.parse::<Cidr>(), Err(AnswersError::Cidr), "{text}");
        }
        assert_eq!("203.0.113.10/24".parse::<Cidr>(), Err(AnswersError::CidrHostBits));
    }

    #[test]
    fn labels_may_hold_what_kubernetes_allows() {
        assert!("app.kubernetes.io/name=web,tier=front_end".parse::<PodLabels>().is_ok());
        assert!("empty=".parse::<PodLabels>().is_ok());
        for text in ["", "app", "=x", "a=-b", "A B=c", "UPPER.io/x=y"] {
            assert!(text.parse::<PodLabels>().is_err(), "{text}");
        }
    }
}
