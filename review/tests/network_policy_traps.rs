//! Every trap that people fall into with NetworkPolicies, as what it really means.

#![allow(clippy::unwrap_used)]

use review::{World, connections, decode};

const PODS: &str = "
{apiVersion: v1, kind: Namespace, metadata: {name: shop, labels: {team: shop}}}
---
{apiVersion: v1, kind: Namespace, metadata: {name: pay, labels: {team: pay}}}
---
{apiVersion: v1, kind: Pod, metadata: {name: web, namespace: shop, labels: {app: web}}, spec: {containers: [{name: c, \
ports: [{name: http, containerPort: 8080}]}]}}
---
{apiVersion: v1, kind: Pod, metadata: {name: api, namespace: shop, labels: {app: api}}, spec: {containers: [{name: c, \
ports: [{name: http, containerPort: 9090}]}]}}
---
{apiVersion: v1, kind: Pod, metadata: {name: web, namespace: pay, labels: {app: web}}, spec: {containers: [{name: c}]}}
---
{apiVersion: v1, kind: Pod, metadata: {name: agent, namespace: shop, labels: {app: api}}, spec: {hostNetwork: true, \
containers: [{name: c}]}}
";

/// What may reach `shop/api` under policies of the namespace shop, each given by its spec.
fn reaching_api(specs: &[&str]) -> Vec<String> {
    lines(specs)
        .into_iter()
        .filter_map(|line| line.split_once(" => shop/api[Pod] : ").map(|(from, ports)| format!("{from} {ports}")))
        .collect()
}

/// What `shop/api` may reach.
fn reached_by_api(specs: &[&str]) -> Vec<String> {
    lines(specs).into_iter().filter_map(|line| line.strip_prefix("shop/api[Pod] => ").map(str::to_owned)).collect()
}

fn lines(specs: &[&str]) -> Vec<String> {
    let policies = specs.iter().enumerate().map(|(index, spec)| {
        format!(
            "---\n{{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {{name: p{index}, \
            namespace: shop}}, spec: {spec}}}\n"
        )
    });
    let manifests = decode("test", &format!("{PODS}{}", policies.collect::<String>())).unwrap();
    connections(&World::new(&manifests)).iter().map(ToString::to_string).collect()
}

const EVERYONE: [&str; 4] = [
    "0.0.0.0-255.255.255.255 All Connections",
    "pay/web[Pod] All Connections",
    "shop/agent[Pod] All Connections",
    "shop/web[Pod] All Connections",
];

const NOBODY: [&str; 0] = [];

#[test]
fn a_pod_selector_that_is_missing_null_or_empty_selects_every_pod_of_the_namespace() {
    for selector in ["", "podSelector: null,", "podSelector: {},"] {
        assert_eq!(reaching_api(&[&format!("{{{selector} policyTypes: [Ingress]}}")]), NOBODY, "{selector}");
    }
}

#[test]
fn a_missing_or_empty_from_means_anyone() {
    for rule in ["{}", "{from: []}", "{from: null}", "{ports: []}"] {
        assert_eq!(reaching_api(&[&format!("{{podSelector: {{}}, ingress: [{rule}]}}")]), EVERYONE, "{rule}");
    }
}

#[test]
fn a_from_with_a_sibling_item_is_two_rules_and_the_empty_one_allows_everything() {
    assert_eq!(
        reaching_api(&["{podSelector: {}, ingress: [{from: [{podSelector: {matchLabels: {app: none}}}]}, {}]}"]),
        EVERYONE
    );
}

#[test]
fn without_policy_types_egress_is_limited_only_by_a_rule() {
    // Of its own pods nobody is reached, as the policy limits their ingress.
    assert_eq!(
        reached_by_api(&["{podSelector: {}, egress: []}"]),
        [
            "0.0.0.0-255.255.255.255 : All Connections",
            "pay/web[Pod] : All Connections",
            "shop/agent[Pod] : All Connections"
        ]
    );
    assert_eq!(reached_by_api(&["{podSelector: {}, policyTypes: [Egress]}"]), NOBODY);
    assert_eq!(
        reached_by_api(&["{podSelector: {matchLabels: {app: api}}, egress: [{ports: [{port: 443}]}]}"]),
        [
            "0.0.0.0-255.255.255.255 : TCP 443",
            "pay/web[Pod] : TCP 443",
            "shop/agent[Pod] : TCP 443",
            "shop/web[Pod] : TCP 443"
        ]
    );
}

#[test]
fn two_selectors_in_one_peer_must_both_match_and_two_peers_need_not() {
    let web = "podSelector: {matchLabels: {app: web}}";
    let pay = "namespaceSelector: {matchLabels: {team: pay}}";
    let both = format!("{{podSelector: {{}}, ingress: [{{from: [{{{web}, {pay}}}]}}]}}");
    assert_eq!(reaching_api(&[&both]), ["pay/web[Pod] All Connections"]);
    let either = format!("{{podSelector: {{}}, ingress: [{{from: [{{{web}}}, {{{pay}}}]}}]}}");
    assert_eq!(reaching_api(&[&either]), ["pay/web[Pod] All Connections", "shop/web[Pod] All Connections"]);
}

#[test]
fn a_peer_with_only_a_pod_selector_means_the_policys_own_namespace() {
    let spec = "{podSelector: {}, ingress: [{from: [{podSelector: {matchLabels: {app: web}}}]}]}";
    assert_eq!(reaching_api(&[spec]), ["shop/web[Pod] All Connections"]);
}

#[test]
fn a_namespace_always_has_the_label_with_its_name() {
    let spec = "{podSelector: {}, ingress: [{from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: \
        pay}}}]}]}";
    assert_eq!(reaching_api(&[spec]), ["pay/web[Pod] All Connections"]);
    // Its name is no label by itself.
    let spec = "{podSelector: {}, ingress: [{from: [{namespaceSelector: {matchLabels: {name: pay}}}]}]}";
    assert_eq!(reaching_api(&[spec]), NOBODY);
}

#[test]
fn the_protocol_is_tcp_where_none_is_given() {
    let spec = "{podSelector: {}, ingress: [{from: [{podSelector: {}}], ports: [{port: 53}]}]}";
    assert_eq!(reaching_api(&[spec]), ["shop/web[Pod] TCP 53"]);
}

#[test]
fn a_named_port_is_the_receiving_pods_and_may_differ_from_pod_to_pod() {
    let spec = "{podSelector: {}, ingress: [{from: [{podSelector: {}}], ports: [{port: http}]}]}";
    assert_eq!(reaching_api(&[spec]), ["shop/web[Pod] TCP 9090"]);
    assert!(lines(&[spec]).contains(&"shop/api[Pod] => shop/web[Pod] : TCP 8080".to_owned()));
}

#[test]
fn policies_add_up_and_nothing_subtracts() {
    let narrow =
        "{podSelector: {matchLabels: {app: api}}, ingress: [{from: [{podSelector: {}}], ports: [{port: 80}]}]}";
    let wide = "{podSelector: {}, ingress: [{}]}";
    assert_eq!(reaching_api(&[narrow, wide, "{podSelector: {}}"]), EVERYONE);
}

#[test]
fn an_exception_can_be_let_in_again_by_another_rule() {
    let spec = "{podSelector: {}, ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/8, except: [10.1.0.0/16]}}]}, {from: \
        [{ipBlock: {cidr: 10.1.0.0/16}}]}]}";
    assert_eq!(reaching_api(&[spec]), ["10.0.0.0-10.255.255.255 All Connections"]);
}

#[test]
fn both_ends_must_allow() {
    let ingress = "{podSelector: {matchLabels: {app: api}}, ingress: [{from: [{podSelector: {}}]}]}";
    let egress = "{podSelector: {matchLabels: {app: web}}, policyTypes: [Egress]}";
    assert_eq!(reaching_api(&[ingress]), ["shop/web[Pod] All Connections"]);
    assert_eq!(reaching_api(&[ingress, egress]), NOBODY);
}

#[test]
fn pods_on_the_hosts_network_are_not_governed_and_no_selector_matches_them() {
    let lines = lines(&[
        "{podSelector: {}, policyTypes: [Ingress, Egress], ingress: [{from: [{podSelector: {}}]}], egress: [{to: \
         [{podSelector: {}}]}]}",
    ]);
    assert!(lines.contains(&"0.0.0.0-255.255.255.255 => shop/agent[Pod] : All Connections".to_owned()));
    assert!(!lines.iter().any(|line| line.starts_with("shop/agent[Pod] => shop/web[Pod]")));
}

#[test]
fn an_allow_all_copied_from_an_answer_on_the_web_protects_nothing() {
    let copied = "{podSelector: {}, policyTypes: [Ingress, Egress], ingress: [{}], egress: [{}]}";
    assert_eq!(reaching_api(&[copied]), EVERYONE);
}

#[test]
fn selectors_do_not_match_the_api_server_which_is_an_address() {
    let every_pod =
        "{podSelector: {matchLabels: {app: api}}, policyTypes: [Egress], egress: [{to: [{namespaceSelector: {}}]}]}";
    let reached = reached_by_api(&[every_pod]);
    assert!(!reached.is_empty() && reached.iter().all(|line| line.contains("[Pod]")), "{reached:?}");
}

/// What a node sends to its own pods (probes, for example) always passes. Which node that is nobody knows before the
/// pod runs, so it is in no list, and no policy keeps it out.
#[test]
fn a_pod_that_is_closed_is_still_reached_by_its_own_node_which_is_not_listed() {
    assert!(reaching_api(&["{podSelector: {}, policyTypes: [Ingress]}"]).is_empty());
}
