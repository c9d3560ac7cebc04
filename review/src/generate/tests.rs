//! Whatever the answers: what comes of them is safe, and allows exactly what was asked for.

use super::*;
use crate::{Context, PortSet, Selection, Settings, Transport, Verdict, World, connections, review};
use proptest::prelude::*;
use std::net::Ipv4Addr;

fn any_port() -> impl Strategy<Value = Port> {
    (1u16.., prop_oneof![Just(Protocol::Tcp), Just(Protocol::Udp)])
        .prop_map(|(number, protocol)| Port { number, protocol })
}

fn any_labels() -> impl Strategy<Value = PodLabels> {
    "[a-z]{1,9}=[a-z0-9]{0,9}".prop_map(|text| text.parse().unwrap())
}

fn any_block() -> impl Strategy<Value = Cidr> {
    (any::<[u8; 4]>(), 1u8..=32).prop_map(|(a, length)| {
        let first = Ipv4Addr::from(u32::from_be_bytes(a) & (u32::MAX << (32 - length)));
        format!("{first}/{length}").parse().unwrap()
    })
}

fn any_peer() -> impl Strategy<Value = Peer> {
    prop_oneof![
        Just(Peer::SameNamespace),
        "[a-z]{1,9}".prop_map(Peer::Namespace),
        (prop::option::of("[a-z]{1,9}"), any_labels()).prop_map(|(namespace, labels)| Peer::Pods { namespace, labels }),
        prop::collection::vec(any_block(), 1..3).prop_map(Peer::Addresses),
    ]
}

fn any_opening(fewest_ports: usize) -> impl Strategy<Value = Opening> {
    let ports = prop::collection::vec(any_port(), fewest_ports..3);
    (any_peer(), ports).prop_map(|(peer, ports)| Opening { peer, ports })
}

fn any_variable() -> impl Strategy<Value = Variable> {
    prop_oneof!["[A-Z]{1,5}=[ -~]{0,9}", "[A-Z]{1,5} from (secret|configmap) [a-z]{1,5}/[a-z]{1,5}"]
        .prop_map(|line: String| line.parse().unwrap())
}

fn any_volume() -> impl Strategy<Value = Volume> {
    let source = prop_oneof![
        Just(VolumeSource::Scratch),
        "[a-z]{1,5}".prop_map(VolumeSource::ConfigMap),
        "[a-z]{1,5}".prop_map(VolumeSource::Secret),
        "[a-z]{1,5}".prop_map(VolumeSource::Claim),
    ];
    let path = prop_oneof![Just("/tmp".to_owned()), "/[a-z]{1,5}"].prop_map(|path| path.parse().unwrap());
    ("[a-z]{1,5}", path, source).prop_map(|(name, path, source)| Volume { name, path, source })
}

/// Forms refuse two variables of one name, and two volumes at one place.
fn without_twins<T>(all: Vec<T>, are_twins: impl Fn(&T, &T) -> bool) -> Vec<T> {
    all.into_iter().fold(Vec::new(), |mut kept, one| {
        if !kept.iter().any(|other| are_twins(&one, other)) {
            kept.push(one);
        }
        kept
    })
}

prop_compose! {
    fn any_pods()(
        kind in prop_oneof![(
            2u32..9).prop_map(|replicas| Kind::Deployment { replicas }), Just(Kind::Job), Just(Kind::Pod
        )],
        command in prop::collection::vec("[ -~]{0,12}", 0..3),
        environment in prop::collection::vec(any_variable(), 0..3),
        volumes in prop::collection::vec(any_volume(), 0..3),
        service in any::<bool>(),
        run_as_user in 1u32..,
        read_only_root in any::<bool>(),
    ) -> PodAnswers {
        let image_text = "harbor.example.com/shop/web:1.4.2".to_owned();
        PodAnswers {
            kind, image: image_text.parse().unwrap(), image_text, command, service,
            environment: without_twins(environment, |one, other| one.name == other.name),
            volumes: without_twins(volumes, |one, other| one.name == other.name || one.path == other.path),
            cpu_millis: 100, memory_mib: 128, run_as_user, read_only_root,
        }
    }
}

prop_compose! {
    pub(super) fn any_answers()(
        name in "[a-z][a-z0-9]{0,20}",
        labels in prop::option::of(any_labels()),
        ports in prop::collection::vec(any_port(), 0..4),
        ingress in prop::collection::vec(any_opening(0), 0..4),
        egress in prop::collection::vec(any_opening(1), 0..4),
        dns in any::<bool>(),
        pods in any_pods(),
    ) -> Answers {
        let labels = labels.unwrap_or_else(|| PodLabels::named(&name));
        Answers { namespace: "shop".into(), name, labels, ports, ingress, egress, dns, pods: Some(pods) }
    }
}

fn generated(answers: &Answers) -> Vec<Manifest> {
    generate(answers, &Settings::default())
}

fn peers_of(answers: &Answers) -> impl Iterator<Item = &Peer> {
    answers.ingress.iter().chain(&answers.egress).map(|opening| &opening.peer)
}

/// Pods of every kind that an answer may speak of, and one that none does.
fn probes(answers: &Answers) -> Vec<Manifest> {
    let mut places = vec![(answers.namespace.clone(), json!({})), ("elsewhere-0".to_owned(), json!({}))];
    for peer in peers_of(answers) {
        match peer {
            Peer::Pods { namespace, labels } => {
                places.push((answers.namespace.clone(), json!(labels)));
                places.push(("elsewhere-0".to_owned(), json!(labels)));
                places.extend(namespace.iter().map(|name| (name.clone(), json!(labels))));
                places.extend(namespace.iter().map(|name| (name.clone(), json!({}))));
            }
            Peer::Namespace(name) => places.push((name.clone(), json!({}))),
            Peer::SameNamespace | Peer::Addresses(_) | Peer::Internet { .. } => {}
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
    let blocks = peers_of(answers).flat_map(|peer| match peer {
        Peer::Addresses(blocks) => blocks.as_slice(),
        _ => &[],
    });
    let firsts: Vec<u32> =
        blocks.filter_map(|block| block.0.split_once('/')?.0.parse::<Ipv4Addr>().ok().map(u32::from)).collect();
    firsts.iter().flat_map(|first| [*first, first.wrapping_sub(1)]).chain([0x0102_0304]).collect()
}

fn holds(block: &str, address: u32) -> bool {
    let (first, length) = block.split_once('/').unwrap();
    let free = 32 - length.parse::<u32>().unwrap();
    let head = |bits: u32| bits.checked_shr(free).unwrap_or(0);
    head(u32::from(first.parse::<Ipv4Addr>().unwrap())) == head(address)
}

/// Whether an answer means this pod.
fn fits(answers: &Answers, peer: &Peer, pod: &Manifest) -> bool {
    let is_in = |namespace: &str| pod.object().namespace == namespace;
    match peer {
        Peer::SameNamespace => is_in(&answers.namespace),
        Peer::Namespace(name) => is_in(name),
        Peer::Pods { namespace, labels } => {
            is_in(namespace.as_ref().unwrap_or(&answers.namespace))
                && labels.0.iter().all(|(key, value)| pod.value()["metadata"]["labels"][key] == *value)
        }
        Peer::Addresses(_) | Peer::Internet { .. } => false,
    }
}

/// The ports that an answer opens on the way in.
fn entered(answers: &Answers, opening: &Opening) -> PortSet {
    ports(if opening.ports.is_empty() { &answers.ports } else { &opening.ports })
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
        let report = review(&generated(&answers), &Context::default(), &Settings::default(), Selection::default());
        prop_assert_ne!(report.verdict, Verdict::Deny, "{:#?}", report);
    }

    #[test]
    fn whatever_the_answers_its_connections_are_the_answers(answers in any_answers()) {
        let subject = generated(&answers);
        let probes = probes(&answers);
        let found = connections(&World::new(subject.iter().chain(&probes)));
        let own = format!("{}/{}[{}]", answers.namespace, answers.name, subject.last().unwrap().object().kind);
        let between = |from: &str, to: &str| {
            let link = found.iter().find(|link| (link.from.as_str(), link.to.as_str()) == (from, to));
            link.map_or_else(|| PortSet::default().to_string(), |link| link.ports.clone())
        };
        let added_up = |openings: Vec<PortSet>| openings.iter().fold(PortSet::default(), |all, ports| all.union(ports));
        for probe in &probes {
            let other = format!("{}/{}[Pod]", probe.object().namespace, probe.object().name);
            let incoming = answers.ingress.iter().filter(|opening| fits(&answers, &opening.peer, probe));
            let incoming = added_up(incoming.map(|opening| entered(&answers, opening)).collect());
            prop_assert_eq!(between(&other, &own), incoming.to_string(), "{} to it", other);
            let outgoing = answers.egress.iter().filter(|opening| fits(&answers, &opening.peer, probe));
            let outgoing = added_up(outgoing.map(|opening| ports(&opening.ports)).collect());
            prop_assert_eq!(between(&own, &other), outgoing.to_string(), "it to {}", other);
        }
        let has = |peer: &Peer, address: u32| {
            matches!(peer, Peer::Addresses(blocks) if blocks.iter().any(|block| holds(&block.0, address)))
        };
        for address in addresses(&answers) {
            let range = |end: &str| end.split_once('-').is_some_and(|(first, last)| {
                let number = |text: &str| text.parse::<Ipv4Addr>().map(u32::from);
                matches!((number(first), number(last)), (Ok(first), Ok(last)) if (first..=last).contains(&address))
            });
            let incoming = found.iter().find(|link| link.to == own && range(&link.from));
            let wanted = answers.ingress.iter().filter(|opening| has(&opening.peer, address));
            let wanted = added_up(wanted.map(|opening| entered(&answers, opening)).collect());
            prop_assert_eq!(incoming.map_or("No Connections", |link| &link.ports), wanted.to_string());
            let outgoing = found.iter().find(|link| link.from == own && range(&link.to));
            let wanted = answers.egress.iter().filter(|opening| has(&opening.peer, address));
            let wanted = added_up(wanted.map(|opening| ports(&opening.ports)).collect());
            prop_assert_eq!(outgoing.map_or("No Connections", |link| &link.ports), wanted.to_string());
        }
    }

    #[test]
    fn what_is_generated_reads_back_as_yaml(answers in any_answers()) {
        let manifests = generated(&answers);
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
    let too_long = format!("{}=b", "a".repeat(64));
    for text in ["", "app", "=x", "a=-b", "a=b c", "A B=c", "UPPER.io/x=y", &too_long] {
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
        "spec": {
            "containers": [{ "name": words[1], "image": flag("image"), "resources": {} }], "dnsPolicy": "ClusterFirst",
            "restartPolicy": "Always"
        },
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
    fn kubectl_run_with_its_overrides_makes_the_reviewed_pod(
        answers in any_answers(), arguments in prop::collection::vec("[ -~'\"$]{0,9}", 0..3)
    ) {
        let mut answers = answers;
        if let Some(pods) = &mut answers.pods {
            (pods.kind, pods.command) = (Kind::Pod, arguments);
        }
        let generated = generated(&answers);
        let pod_made = generated.last().unwrap();
        let calls = calls(&kubectl_commands(&answers, &generated));
        let run = calls.iter().find(|call| call[0] == "run").unwrap();
        let overrides = run.iter().find_map(|word| word.strip_prefix("--overrides=")).unwrap();
        let overrides: Value = serde_json::from_str(overrides).unwrap();
        prop_assert_eq!(&overrides["apiVersion"], "v1");
        let mut pod = made_by_kubectl_run(run);
        merged(&mut pod, &overrides);
        prop_assert_eq!(&pod["spec"]["containers"], &pod_made.value()["spec"]["containers"]);
        prop_assert_eq!(&pod["metadata"]["labels"], &pod_made.value()["metadata"]["labels"]);
        let manifests = [generated[0].clone(), Manifest::from_value(pod).unwrap()];
        let report = review(&manifests, &Context::default(), &Settings::default(), Selection::default());
        prop_assert!(report.verdict != Verdict::Deny, "{:#?}", report.findings);
        prop_assert_eq!(&report.selected_by[0].policies, &vec![answers.name.clone()]);
    }
}

#[test]
fn other_kinds_are_applied_from_the_file_as_kubectl_cannot_override_them() {
    let answers = Answers { pods: Some(job()), ..plain() };
    let calls = calls(&kubectl_commands(&answers, &generated(&answers)));
    assert!(calls.iter().all(|call| call[0] == "apply" && call.contains(&"web.yaml".to_owned())), "{calls:?}");
}

fn plain() -> Answers {
    Answers {
        namespace: "shop".into(),
        name: "web".into(),
        labels: PodLabels::named("web"),
        ports: vec!["8080".parse().unwrap()],
        ingress: Vec::new(),
        egress: Vec::new(),
        dns: true,
        pods: None,
    }
}

fn job() -> PodAnswers {
    let text = "harbor.example.com/shop/web:1";
    PodAnswers {
        kind: Kind::Job,
        image: text.parse().unwrap(),
        image_text: text.into(),
        command: Vec::new(),
        environment: Vec::new(),
        volumes: Vec::new(),
        service: false,
        cpu_millis: 1,
        memory_mib: 4,
        run_as_user: 1,
        read_only_root: true,
    }
}

#[test]
fn for_what_runs_already_only_the_policy_is_written_and_selects_it_by_its_own_labels() {
    let answers = Answers { labels: "app=old".parse().unwrap(), ..plain() };
    let [policy] = generated(&answers).try_into().unwrap();
    assert_eq!(policy.object().to_string(), "NetworkPolicy/shop/web");
    assert_eq!(policy.value()["spec"]["podSelector"]["matchLabels"], json!({ "app": "old" }));
}

#[test]
fn the_internet_is_public_addresses_only_and_its_reason_stands_in_the_policy() {
    let internet = Peer::Internet { reason: "Talks to payment providers.".into() };
    let opening = Opening { peer: internet, ports: vec!["443".parse().unwrap()] };
    let manifests = generated(&Answers { egress: vec![opening], pods: Some(job()), ..plain() });
    let found = connections(&World::new(manifests.iter()));
    let reached = |address: &str| {
        let number = |text: &str| text.parse::<Ipv4Addr>().map(u32::from).ok();
        found.iter().any(|link| {
            let Some((first, last)) = link.to.split_once('-') else { return false };
            matches!((
                number(first), number(last), number(address)), (Some(first), Some(last),
                Some(address)) if (first..=last).contains(&address
            ))
        })
    };
    assert!(reached("203.0.113.9") && reached("8.8.8.8"));
    for private in ["10.1.2.3", "169.254.169.254", "192.168.0.1", "172.20.0.1", "100.64.0.1", "127.0.0.1"] {
        assert!(!reached(private), "{private}");
    }
    let report = review(&manifests, &Context::default(), &Settings::default(), Selection::default());
    let accepted = report.findings.iter().find(|finding| finding.rule == "netpol/internet-egress").unwrap();
    assert_eq!(accepted.exception.as_deref(), Some("Talks to payment providers."));
}

#[test]
fn a_service_leads_to_the_pods_where_there_is_a_port() {
    let pods = PodAnswers { service: true, kind: Kind::Deployment { replicas: 2 }, ..job() };
    let answers = Answers { pods: Some(pods), ..plain() };
    let manifests = generated(&answers);
    assert_eq!(manifests[1].object().to_string(), "Service/shop/web");
    let report = review(&manifests, &Context::default(), &Settings::default(), Selection::default());
    assert!(report.findings.is_empty(), "{:#?}", report.findings);
    assert_eq!(generated(&Answers { ports: Vec::new(), ..answers }).len(), 2);
}
