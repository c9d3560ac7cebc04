//! A second reading of the API reference, as slow and as plain as it can be: one packet at a time. For property tests
//! and fuzzing only.

use super::{End, links};
use crate::manifest::Manifest;
use crate::port_set::Transport;
use crate::world::World;
use serde_json::Value;
use std::net::Ipv4Addr;

/// Inside, beside and outside the blocks that policies under test speak of.
const ADDRESSES: [Ipv4Addr; 6] = [
    Ipv4Addr::new(0, 0, 0, 0),
    Ipv4Addr::new(10, 1, 2, 3),
    Ipv4Addr::new(10, 1, 2, 4),
    Ipv4Addr::new(10, 1, 3, 0),
    Ipv4Addr::new(10, 2, 0, 0),
    Ipv4Addr::new(255, 255, 255, 255),
];

/// One end of a packet.
#[derive(Debug, Clone, Copy)]
enum Party<'a> {
    Pod(&'a Value),
    Address(Ipv4Addr),
}

#[derive(Debug)]
struct Packet<'a> {
    from: Party<'a>,
    to: Party<'a>,
    transport: Transport,
    port: u16,
}

/// The first packet about which the evaluator and the plain reading differ, in words. Pods and policies are given names of
/// their own: of two of one name the later would replace the earlier.
pub fn difference(mut pods: Vec<Value>, mut policies: Vec<Value>) -> Option<String> {
    for (index, pod) in pods.iter_mut().enumerate() {
        pod["metadata"]["name"] = format!("pod-{index}").into();
    }
    for (index, policy) in policies.iter_mut().enumerate() {
        policy["metadata"]["name"] = format!("policy-{index}").into();
    }
    let policies = policies.as_slice();
    let manifests: Vec<Manifest> =
        pods.iter().chain(policies).filter_map(|value| Manifest::from_value(value.clone()).ok()).collect();
    let found = links(&World::new(&manifests), false);
    let parties: Vec<Party<'_>> = pods.iter().map(Party::Pod).chain(ADDRESSES.map(Party::Address)).collect();
    for from in &parties {
        for to in parties.iter().filter(|to| are_apart(from, to)) {
            for transport in Transport::ALL {
                for port in (1..8).chain([u16::MAX]) {
                    let packet = Packet { from: *from, to: *to, transport, port };
                    let by_evaluator = found.iter().any(|link| {
                        is_at(from, &link.from) && is_at(to, &link.to) && link.ports.contains(transport, port)
                    });
                    let by_reading = passes(&packet, policies, "Egress") && passes(&packet, policies, "Ingress");
                    if by_evaluator != by_reading {
                        return Some(format!(
                            "the evaluator says {by_evaluator}, the reading {by_reading}: {packet:?}"
                        ));
                    }
                }
            }
        }
    }
    None
}

/// Two pods, or a pod and an address.
fn are_apart(from: &Party<'_>, to: &Party<'_>) -> bool {
    match (from, to) {
        (Party::Pod(from), Party::Pod(to)) => from["metadata"]["name"] != to["metadata"]["name"],
        (Party::Address(_), Party::Address(_)) => false,
        _ => true,
    }
}

fn is_at(party: &Party<'_>, end: &End) -> bool {
    match (party, end) {
        (Party::Pod(pod), End::Workload(name)) => {
            let metadata = &pod["metadata"];
            let text = |field: &str| metadata[field].as_str().unwrap_or_default();
            *name == format!("{}/{}[Pod]", text("namespace"), text("name"))
        }
        (Party::Address(address), End::Addresses { first, last, .. }) => {
            (*first..=*last).contains(&u32::from(*address).into())
        }
        _ => false,
    }
}

/// Whether policies let a packet through at its receiver (`Ingress`) or at its sender (`Egress`).
fn passes(packet: &Packet<'_>, policies: &[Value], direction: &str) -> bool {
    let (field, end, own, other) = match direction {
        "Ingress" => ("ingress", "from", packet.to, packet.from),
        _ => ("egress", "to", packet.from, packet.to),
    };
    let Party::Pod(pod) = own else { return true };
    let governing: Vec<&Value> = policies.iter().filter(|policy| governs(policy, pod, direction)).collect();
    let lets_through = |rule: &Value| {
        let peers = &rule[end];
        let ports = &rule["ports"];
        (is_empty(peers) || items(peers).any(|peer| fits(&governing, peer, other)) || is_any_node(peers, other))
            && (is_empty(ports) || items(ports).any(|port| fits_port(port, packet)))
    };
    governing.is_empty() || governing.iter().any(|policy| items(&policy["spec"][field]).any(lets_through))
}

/// A pod of the host has the address of a node, which is not known: it passes where every address would.
fn is_any_node(peers: &Value, other: Party<'_>) -> bool {
    let holds = |address| items(peers).any(|peer| fits(&[], peer, Party::Address(address)));
    matches!(other, Party::Pod(pod) if pod["spec"]["hostNetwork"] == true) && ADDRESSES.into_iter().all(holds)
}

fn items(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}

fn is_empty(list: &Value) -> bool {
    list.as_array().is_none_or(Vec::is_empty)
}

fn governs(policy: &Value, pod: &Value, direction: &str) -> bool {
    let spec = &policy["spec"];
    let applies = match spec["policyTypes"].as_array() {
        Some(types) if !types.is_empty() => types.iter().any(|named| named == direction),
        _ => direction == "Ingress" || !is_empty(&spec["egress"]),
    };
    applies
        && pod["spec"]["hostNetwork"] != true
        && policy["metadata"]["namespace"] == pod["metadata"]["namespace"]
        && selects(&spec["podSelector"], &|key| label(pod, key))
}

/// All governing policies are of one namespace, which a peer without `namespaceSelector` means.
fn fits(governing: &[&Value], peer: &Value, other: Party<'_>) -> bool {
    match other {
        Party::Address(address) => {
            let holds = |cidr: &Value| is_in(cidr.as_str().unwrap_or_default(), address);
            peer.get("ipBlock").is_some_and(|block| holds(&block["cidr"]) && !items(&block["except"]).any(holds))
        }
        Party::Pod(pod) if peer.get("ipBlock").is_some() || pod["spec"]["hostNetwork"] == true => false,
        Party::Pod(pod) => {
            let namespace = &pod["metadata"]["namespace"];
            let in_namespace = match peer.get("namespaceSelector") {
                None => governing.iter().all(|policy| policy["metadata"]["namespace"] == *namespace),
                Some(selector) => selects(selector, &|key| {
                    (key == "kubernetes.io/metadata.name").then(|| namespace.as_str().unwrap_or_default().to_owned())
                }),
            };
            in_namespace && selects(&peer["podSelector"], &|key| label(pod, key))
        }
    }
}

fn is_in(cidr: &str, address: Ipv4Addr) -> bool {
    let Some((first, length)) = cidr.split_once('/') else { return false };
    let (Ok(first), Ok(length)) = (first.parse::<Ipv4Addr>(), length.parse::<u32>()) else { return false };
    let head = |address: Ipv4Addr| u32::from(address).checked_shr(32 - length).unwrap_or(0);
    head(first) == head(address)
}

fn label(object: &Value, key: &str) -> Option<String> {
    object["metadata"]["labels"][key].as_str().map(str::to_owned)
}

fn selects(selector: &Value, value_of: &dyn Fn(&str) -> Option<String>) -> bool {
    let labels = selector["matchLabels"].as_object().into_iter().flatten();
    let expressions = items(&selector["matchExpressions"]);
    labels.into_iter().all(|(key, wanted)| value_of(key).as_deref() == wanted.as_str())
        && expressions.into_iter().all(|expression| {
            let own = value_of(expression["key"].as_str().unwrap_or_default());
            let listed = items(&expression["values"]).any(|value| value.as_str() == own.as_deref());
            match expression["operator"].as_str().unwrap_or_default() {
                "In" => own.is_some() && listed,
                "NotIn" => own.is_none() || !listed,
                "Exists" => own.is_some(),
                _ => own.is_none(),
            }
        })
}

fn fits_port(port: &Value, packet: &Packet<'_>) -> bool {
    let transport = port["protocol"].as_str().unwrap_or("TCP");
    if transport != packet.transport.to_string() {
        return false;
    }
    match &port["port"] {
        Value::Null => true,
        Value::String(name) => match packet.to {
            Party::Address(_) => false,
            Party::Pod(pod) => items(&pod["spec"]["containers"][0]["ports"])
                .any(|own| own["name"] == *name && own["containerPort"] == packet.port && own["protocol"] == transport),
        },
        first => {
            let first = first.as_u64().unwrap_or_default();
            (first..=port["endPort"].as_u64().unwrap_or(first)).contains(&packet.port.into())
        }
    }
}
