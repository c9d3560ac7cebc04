//! The way back from a policy to the answers that open the same.

use super::differences::{nothing_lost, overrides_of};
use super::parse_answers::{ParseAnswersError, ParsedAnswers, list};
use super::{Answers, Cidr, Opening, Peer, PodLabels, Port, dns, generate, peers};
use crate::manifest::Manifest;
use crate::settings::Settings;
use crate::workload::Workload;
use crate::world::NAMESPACE_NAME;
use serde_json::{Value, json};

/// Finds the answers that make the policy of a workload that runs. What comes of them again, with the overrides, holds
/// every field of the policy.
///
/// # Errors
/// [`ParseAnswersError`] where there are none.
pub fn parse_policy(
    policy: &Manifest,
    workload: &Workload<'_>,
    settings: &Settings,
) -> Result<ParsedAnswers, ParseAnswersError> {
    let object = workload.manifest.object();
    let mut answers = Answers {
        namespace: workload.namespace().to_owned(),
        name: object.name.clone(),
        labels: workload.selecting_labels().ok_or(ParseAnswersError::NoLabels)?,
        ports: workload.declared_ports(),
        ingress: Vec::new(),
        egress: Vec::new(),
        dns: false,
        pods: None,
    };
    let lossy = || ParseAnswersError::Lossy(policy.object().to_string());
    (answers.ingress, answers.egress, answers.dns) = openings(policy, &answers, settings).ok_or_else(lossy)?;
    let generated = generate(&answers, settings);
    let overrides = overrides_of(&generated, &[policy], &answers);
    nothing_lost(generated, &overrides, &[policy], &answers)?;
    Ok(ParsedAnswers { answers, overrides, others: Vec::new() })
}

/// What a policy opens, if answers can say all of it.
pub(super) fn openings(
    policy: &Manifest,
    answers: &Answers,
    settings: &Settings,
) -> Option<(Vec<Opening>, Vec<Opening>, bool)> {
    let spec = &policy.value()["spec"];
    let both = json!(["Ingress", "Egress"]);
    let selector = &spec["podSelector"];
    let is_plain = selector["matchLabels"] == json!(answers.labels) && selector.get("matchExpressions").is_none();
    let types = list(&spec["policyTypes"]);
    if !is_plain || types.len() != 2 || !list(&both).iter().all(|one| types.contains(one)) {
        return None;
    }
    let annotation = format!("{}/netpol.internet-egress", settings.exception_annotation_prefix);
    let reason = policy.annotation(&annotation).map(str::to_owned);
    let mut ingress = Vec::new();
    for rule in list(&spec["ingress"]) {
        let ports = ports(&rule["ports"])?;
        let ports = if ports == answers.ports { Vec::new() } else { ports };
        for peer in peers_of(&rule["from"], reason.as_deref())? {
            ingress.push(Opening { peer, ports: ports.clone() });
        }
    }
    let is_internet = |opening: &Opening| matches!(opening.peer, Peer::Internet { .. });
    if ingress.iter().any(is_internet) {
        return None;
    }
    let (names, others): (Vec<&Value>, Vec<&Value>) = list(&spec["egress"]).iter().partition(|rule| **rule == dns());
    let mut egress = Vec::new();
    for rule in others {
        let ports = ports(&rule["ports"])?;
        for peer in peers_of(&rule["to"], reason.as_deref())? {
            egress.push(Opening { peer, ports: ports.clone() });
        }
    }
    if egress.iter().filter(|opening| is_internet(opening)).count() > 1 {
        return None;
    }
    Some((ingress, egress, !names.is_empty()))
}

/// Numbered ports, each alone; no ports would mean all.
fn ports(value: &Value) -> Option<Vec<Port>> {
    let read = |port: &Value| {
        let number = port["port"].as_u64()?;
        let plain = json!({ "containerPort": number, "protocol": port["protocol"] });
        Port::of_container(&plain).filter(|_| port.get("endPort").is_none())
    };
    let ports: Vec<Port> = list(value).iter().map(read).collect::<Option<_>>()?;
    (!ports.is_empty()).then_some(ports)
}

/// Peers that answers can say; addresses that stand beside each other are one answer.
fn peers_of(value: &Value, reason: Option<&str>) -> Option<Vec<Peer>> {
    let all = list(value);
    if all.is_empty() {
        return None;
    }
    let internet = Peer::Internet { reason: reason.unwrap_or_default().to_owned() };
    if *value == json!(peers(&internet)) {
        return reason.map(|_| vec![internet]);
    }
    let mut found: Vec<Peer> = Vec::new();
    for one in all {
        match (peer_of(one)?, found.last_mut()) {
            (Peer::Addresses(more), Some(Peer::Addresses(blocks))) => blocks.extend(more),
            (peer, _) => found.push(peer),
        }
    }
    Some(found)
}

fn peer_of(value: &Value) -> Option<Peer> {
    let fields = value.as_object()?;
    let labels = |selector: &Value| -> Option<PodLabels> {
        let is_plain = selector.as_object()?.keys().eq(["matchLabels"]);
        serde_json::from_value(selector["matchLabels"].clone()).ok().filter(|_| is_plain)
    };
    let namespace = |selector: &Value| -> Option<String> {
        let name = selector["matchLabels"][NAMESPACE_NAME].as_str()?.to_owned();
        (*selector == json!({ "matchLabels": { NAMESPACE_NAME: name } })).then_some(name)
    };
    let (names, pods, block) = (fields.get("namespaceSelector"), fields.get("podSelector"), fields.get("ipBlock"));
    match (names, pods, block) {
        (None, Some(pods), None) if *pods == json!({}) => Some(Peer::SameNamespace),
        (None, Some(pods), None) => Some(Peer::Pods { namespace: None, labels: labels(pods)? }),
        (Some(names), None, None) => Some(Peer::Namespace(namespace(names)?)),
        (Some(names), Some(pods), None) => {
            Some(Peer::Pods { namespace: Some(namespace(names)?), labels: labels(pods)? })
        }
        (None, None, Some(block)) => {
            let cidr: Cidr = block["cidr"].as_str()?.parse().ok()?;
            (*block == json!({ "cidr": cidr })).then(|| Peer::Addresses(vec![cidr]))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generate::overrides::apply_overrides;
    use crate::generate::tests::any_answers;
    use crate::manifest::decode;
    use proptest::prelude::*;

    fn read(yaml: &str) -> Vec<Manifest> {
        decode("given", yaml).unwrap()
    }

    proptest! {
        #[test]
        fn a_policy_comes_back_as_the_answers_that_made_it(answers in any_answers()) {
            let settings = Settings::default();
            let made = generate(&answers, &settings);
            let workload = made.iter().find_map(Workload::of);
            let policy = made.iter().find(|made| made.object().kind == "NetworkPolicy").unwrap();
            if let Some(workload) = workload {
                prop_assert_eq!(workload.own_policies(&made), [policy]);
                let parsed = parse_policy(policy, &workload, &settings).unwrap();
                let again = apply_overrides(generate(&parsed.answers, &settings), &parsed.overrides).unwrap();
                prop_assert_eq!(&again[..], std::slice::from_ref(policy));
            }
        }
    }

    #[test]
    fn a_policy_of_another_name_keeps_its_name_and_what_it_says_beside_the_answers() {
        let objects = read(
            "{apiVersion: apps/v1, kind: Deployment, metadata: {name: web, namespace: shop}, spec: {selector: {matchLabels: \
             {app: web}}, template: {metadata: {labels: {app: web}}, spec: {containers: [{name: c, ports: \
             [{containerPort: 80}]}]}}}}\n---\n\
             {apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: front, namespace: shop, labels: \
             {team: a}}, spec: {podSelector: {matchLabels: {app: web}}, policyTypes: [Ingress, Egress], ingress: [{from: \
             [{podSelector: {}}], ports: [{port: 80, protocol: TCP}]}]}}\n---\n\
             {apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: default-deny, namespace: shop}, spec: \
             {podSelector: {}}}",
        );
        let (settings, workload) = (Settings::default(), Workload::of(&objects[0]).unwrap());
        let own = workload.own_policies(&objects);
        assert_eq!(own, [&objects[1]]);
        let parsed = parse_policy(own[0], &workload, &settings).unwrap();
        assert_eq!(parsed.answers.ingress, [Opening { peer: Peer::SameNamespace, ports: Vec::new() }]);
        let again = apply_overrides(generate(&parsed.answers, &settings), &parsed.overrides).unwrap();
        assert_eq!((again.len(), again[0].object().name.as_str()), (1, "front"));
        assert_eq!(again[0].value()["metadata"]["labels"]["team"], "a");
    }

    #[test]
    fn a_policy_that_answers_cannot_say_is_no_answers() {
        let objects = read(
            "{apiVersion: v1, kind: Pod, metadata: {name: web, namespace: shop, labels: {app: web}}, spec: {containers: \
             [{name: c}]}}\n---\n\
             {apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: web, namespace: shop}, spec: \
             {podSelector: {matchLabels: {app: web}}, policyTypes: [Ingress]}}",
        );
        let parsed = parse_policy(&objects[1], &Workload::of(&objects[0]).unwrap(), &Settings::default());
        assert_eq!(parsed.unwrap_err(), ParseAnswersError::Lossy("NetworkPolicy/shop/web".to_owned()));
    }
}
