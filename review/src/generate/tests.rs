//! Whatever the answers: what comes of them is safe, and allows exactly what was asked for.

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

/// What a shell makes of the commands: the words of each call of kubectl.
fn calls(commands: &str) -> Vec<Vec<String>> {
    // Each call prints its words; what it reads from standard input is passed over.
    let script = format!("kubectl() {{ printf '%s\\0' \"$@\"; printf '\\1\\0'; }}\n{commands}");
    let output = std::process::Command::new("sh").args(["-euc", &script]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let calls = text.split("\u{1}\0").filter(|call| !call.is_empty());
    calls.map(|call| call.split_terminator('\0').map(str::to_owned).collect()).collect()
}

/// What `kubectl run` makes of its flags before the overrides (kubectl, pkg/cmd/run, `BasicPod`).
fn made_by_kubectl_run(words: &[String]) -> Value {
    let flag = |name: &str| words.iter().find_map(|word| word.strip_prefix(&format!("--{name}="))).unwrap();
    let (key, value) = flag("labels").split_once('=').unwrap();
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": { "name": words[1], "namespace": flag("namespace"), "labels": { key: value } },
        "spec": { "containers": [{ "name": words[1], "image": flag("image"), "resources": {} }], "dnsPolicy": "ClusterFirst", "restartPolicy": "Always" },
    })
}

/// JSON merge patch (RFC 7386, section 2).
fn merged(target: &mut Value, patch: &Value) {
    let Value::Object(fields) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    for (key, value) in fields {
        merged(&mut target[key], value);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn kubectl_run_with_its_overrides_makes_the_reviewed_pod(answers in any_answers(), arguments in prop::collection::vec("[ -~'\"$]{0,9}", 0..3)) {
        let answers = Answers { kind: Kind::Pod, command: arguments, ..answers };
        let calls = calls(&kubectl_commands(&answers));
        let run = calls.iter().find(|call| call[0] == "run").unwrap();
        let overrides = run.iter().find_map(|word| word.strip_prefix("--overrides=")).unwrap();
        let overrides: Value = serde_json::from_str(overrides).unwrap();
        prop_assert_eq!(&overrides["apiVersion"], "v1");
        let mut pod = made_by_kubectl_run(run);
        merged(&mut pod, &overrides);
        let generated = generate(&answers);
        prop_assert_eq!(&pod["spec"]["containers"], &generated[1].value()["spec"]["containers"]);
        prop_assert_eq!(&pod["metadata"]["labels"], &generated[1].value()["metadata"]["labels"]);
        let manifests = [generated[0].clone(), Manifest::from_value(pod).unwrap()];
        let report = review(&manifests, &Context::default(), &Settings::default(), Selection::default());
        prop_assert!(report.verdict != Verdict::Deny, "{:#?}", report.findings);
        prop_assert_eq!(&report.selected_by[0].policies, &vec![answers.name.clone()]);
    }
}

#[test]
fn other_kinds_are_applied_from_the_file_as_kubectl_cannot_override_them() {
    let text = "harbor.example.com/shop/web:1";
    let answers = Answers {
        namespace: "shop".into(),
        name: "web".into(),
        kind: Kind::Job,
        image: text.parse().unwrap(),
        image_text: text.into(),
        command: Vec::new(),
        ports: Vec::new(),
        ingress: Vec::new(),
        egress: Vec::new(),
        dns: true,
        cpu_millis: 1,
        memory_mib: 4,
        run_as_user: 1,
        read_only_root: true,
    };
    let calls = calls(&kubectl_commands(&answers));
    assert!(calls.iter().all(|call| call[0] == "apply" && call.contains(&"web.yaml".to_owned())), "{calls:?}");
}
