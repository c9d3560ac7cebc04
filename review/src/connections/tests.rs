//! Connections, by example and against a second reading.

use super::plain;
use super::*;
use crate::manifest::decode;
use proptest::prelude::*;
use serde_json::{Value, json};

fn written(yaml: &str) -> Vec<String> {
    connections(&World::new(decode("test", yaml).unwrap())).iter().map(ToString::to_string).collect()
}

const PODS: &str = "
{apiVersion: v1, kind: Pod, metadata: {name: web, labels: {app: web}}, spec: {containers: [{name: c, \
ports: [{name: http, containerPort: 8080}]}]}}
---
{apiVersion: v1, kind: Pod, metadata: {name: api, namespace: shop, labels: {app: api}}, spec: {containers: [{name: c, \
ports: [{name: http, containerPort: 9090}]}]}}
---
";

#[test]
fn without_policies_everything_is_open() {
    assert_eq!(
        written(PODS),
        [
            "0.0.0.0-255.255.255.255 => default/web[Pod] : All Connections",
            "0.0.0.0-255.255.255.255 => shop/api[Pod] : All Connections",
            "default/web[Pod] => 0.0.0.0-255.255.255.255 : All Connections",
            "default/web[Pod] => shop/api[Pod] : All Connections",
            "shop/api[Pod] => 0.0.0.0-255.255.255.255 : All Connections",
            "shop/api[Pod] => default/web[Pod] : All Connections",
        ]
    );
}

#[test]
fn a_named_port_is_the_number_it_has_at_the_receiver() {
    let policy = "{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: p}, \
        spec: {podSelector: {}, policyTypes: [Egress], egress: [{ports: [{port: http}]}]}}";
    let found = written(&format!("{PODS}{policy}"));
    assert!(found.contains(&"default/web[Pod] => shop/api[Pod] : TCP 9090".to_owned()), "{found:#?}");
    // An address has no named ports.
    assert!(!found.iter().any(|line| line.starts_with("default/web[Pod] => 0.0.0.0")), "{found:#?}");
}

#[test]
fn what_one_rule_leaves_out_another_may_let_in() {
    let policy = "{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: p}, \
        spec: {podSelector: {}, ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/8, except: [10.1.0.0/16]}}]}, \
        {from: [{ipBlock: {cidr: 10.1.2.0/24}}], ports: [{port: 80}]}]}}";
    let found: Vec<_> =
        written(&format!("{PODS}{policy}")).into_iter().filter(|line| line.starts_with("10.")).collect();
    assert_eq!(
        found,
        [
            "10.0.0.0-10.0.255.255 => default/web[Pod] : All Connections",
            "10.1.2.0-10.1.2.255 => default/web[Pod] : TCP 80",
            "10.2.0.0-10.255.255.255 => default/web[Pod] : All Connections",
        ]
    );
}

#[test]
fn addresses_of_ipv6_are_listed_where_a_policy_speaks_of_them() {
    let policy = "{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: p}, \
        spec: {podSelector: {}, ingress: [{from: [{ipBlock: {cidr: 'fd00::/8'}}]}]}}";
    let found = written(&format!("{PODS}{policy}"));
    assert!(
        found.contains(
            &"fd00::-fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff => default/web[Pod] : All Connections".to_owned()
        ),
        "{found:#?}"
    );
}

fn set(object: &mut Value, field: &str, value: Option<impl Into<Value>>) {
    if let Some(value) = value {
        object[field] = value.into();
    }
}

fn labels() -> impl Strategy<Value = Value> {
    (prop::option::of(0..2u8), prop::option::of(0..2u8)).prop_map(|(a, b)| {
        let mut labels = json!({});
        set(&mut labels, "a", a.map(|value| value.to_string()));
        set(&mut labels, "b", b.map(|value| value.to_string()));
        labels
    })
}

fn expression() -> impl Strategy<Value = Value> {
    let key = || prop::sample::select(vec!["a", "b"]);
    let values = || prop::sample::subsequence(vec!["0", "1"], 1..=2);
    prop_oneof![
        (key(), prop::sample::select(vec!["In", "NotIn"]), values())
            .prop_map(|(key, operator, values)| json!({ "key": key, "operator": operator, "values": values })),
        (key(), prop::sample::select(vec!["Exists", "DoesNotExist"]))
            .prop_map(|(key, operator)| json!({ "key": key, "operator": operator })),
    ]
}

fn selector() -> impl Strategy<Value = Value> {
    let expressions = || prop::collection::vec(expression(), 1..3);
    prop_oneof![
        Just(json!({})),
        labels().prop_map(|labels| json!({ "matchLabels": labels })),
        expressions().prop_map(|expressions| json!({ "matchExpressions": expressions })),
        (labels(), expressions())
            .prop_map(|(labels, expressions)| json!({ "matchLabels": labels, "matchExpressions": expressions })),
    ]
}

fn namespace() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["one", "two"])
}

fn pod() -> impl Strategy<Value = Value> {
    let host = prop::bool::weighted(0.1);
    (namespace(), labels(), 1..5u16, prop::sample::select(vec!["TCP", "UDP"]), host).prop_map(
        |(namespace, labels, port, protocol, host)| {
            json!({
                "apiVersion": "v1", "kind": "Pod", "metadata": {
                    "name": "pod", "namespace": namespace, "labels": labels
                },
                "spec": {
                    "hostNetwork": host,
                    "containers": [{
                        "name": "c", "ports": [{ "name": "named", "containerPort": port, "protocol": protocol }]
                    }]
                },
            })
        },
    )
}

/// Blocks around the few addresses that are probed.
fn block() -> impl Strategy<Value = Value> {
    let cidr = || prop::sample::select(vec!["0.0.0.0/0", "10.0.0.0/8", "10.1.0.0/16", "10.1.2.0/24", "10.1.2.3/32"]);
    (cidr(), prop::collection::vec(cidr(), 0..3))
        .prop_map(|(cidr, except)| json!({ "ipBlock": { "cidr": cidr, "except": except } }))
}

fn peer() -> impl Strategy<Value = Value> {
    let pods = selector().prop_map(|selector| json!({ "podSelector": selector }));
    let namespaces = || {
        prop_oneof![
            Just(json!({})),
            namespace().prop_map(|name| json!({ "matchLabels": { "kubernetes.io/metadata.name": name } })),
        ]
    };
    let of_namespaces = namespaces().prop_map(|namespaces| json!({ "namespaceSelector": namespaces }));
    let both = (selector(), namespaces())
        .prop_map(|(pods, namespaces)| json!({ "podSelector": pods, "namespaceSelector": namespaces }));
    prop_oneof![pods, of_namespaces, both, block()]
}

fn port() -> impl Strategy<Value = Value> {
    prop_oneof![
        (1..5u16).prop_map(|port| json!({ "port": port })),
        (1..4u16, 0..3u16).prop_map(|(port, more)| json!({ "port": port, "endPort": port + more, "protocol": "UDP" })),
        Just(json!({ "port": "named" })),
        Just(json!({ "port": "named", "protocol": "UDP" })),
        Just(json!({ "protocol": "SCTP" })),
    ]
}

fn rules(end: &'static str) -> impl Strategy<Value = Value> {
    let rule =
        (prop::option::of(prop::collection::vec(peer(), 0..3)), prop::option::of(prop::collection::vec(port(), 0..3)))
            .prop_map(move |(peers, ports)| {
                let mut rule = json!({});
                set(&mut rule, end, peers);
                set(&mut rule, "ports", ports);
                rule
            });
    prop::collection::vec(rule, 0..3).prop_map(Value::from)
}

fn policy() -> impl Strategy<Value = Value> {
    let types = prop::option::of(prop::sample::subsequence(vec!["Ingress", "Egress"], 1..=2));
    (namespace(), selector(), types, prop::option::of(rules("from")), prop::option::of(rules("to"))).prop_map(
        |(namespace, selector, types, ingress, egress)| {
            let mut spec = json!({ "podSelector": selector });
            set(&mut spec, "policyTypes", types);
            set(&mut spec, "ingress", ingress);
            set(&mut spec, "egress", egress);
            json!({
                "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
                "metadata": { "name": "policy", "namespace": namespace }, "spec": spec,
            })
        },
    )
}

proptest! {
    #[test]
    fn the_evaluator_lets_through_what_the_plain_reading_lets_through(
        pods in prop::collection::vec(pod(), 2..5),
        policies in prop::collection::vec(policy(), 0..5),
    ) {
        prop_assert_eq!(plain::difference(pods, policies), None);
    }
}

#[test]
fn what_one_end_allows_and_the_other_does_not_is_one_sided() {
    let pod = |name: &str| {
        format!(
            "{{apiVersion: v1, kind: Pod, metadata: {{name: {name}, namespace: shop, labels: {{app: {name}}}}}, \
             spec: {{containers: []}}}}"
        )
    };
    let policy = |name: &str, rules: &str| {
        format!(
            "{{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {{name: {name}, namespace: shop}}, \
             spec: {{podSelector: {{matchLabels: {{app: {name}}}}}, {rules}}}}}"
        )
    };
    let to_db =
        "policyTypes: [Egress], egress: [{to: [{podSelector: {matchLabels: {app: db}}}], ports: [{port: 5432}]}]";
    let of = |db: &str| {
        let text = [pod("web"), pod("db"), policy("web", to_db), policy("db", db)].join("\n---\n");
        one_sided(&World::new(crate::decode("test", &text).unwrap()), "shop/web[Pod]")
    };
    let closed = of("policyTypes: [Ingress]");
    assert_eq!(
        closed,
        [OneSided { closed: "shop/db[Pod]".into(), direction: Direction::Egress, ports: "TCP 5432".into() }]
    );
    assert_eq!(of("ingress: [{from: [{podSelector: {matchLabels: {app: web}}}], ports: [{port: 5432}]}]"), []);
    assert_eq!(of("policyTypes: [Egress]"), [], "an open end agrees");
}
