use super::*;
use crate::{Context, Selection, decode, one_sided, review};
use std::fs::read_to_string;
use std::path::Path;

fn platform() -> PlatformSources {
    let pods = |namespace: &str, name: &str| {
        Some(Peer::Pods { namespace: Some(namespace.into()), labels: PodLabels::named(name) })
    };
    PlatformSources {
        ingress_controller: pods("ingress-nginx", "ingress-nginx"),
        monitoring: pods("monitoring", "prometheus"),
    }
}

fn proposed(yaml: &str) -> Vec<Proposal> {
    propose_policies(&decode("test", yaml).unwrap(), &[], &platform(), &Settings::default())
}

/// `who on ports` for each way.
fn ways(proposed: &[ProposedOpening]) -> Vec<String> {
    let ports = |ports: &[Port]| ports.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    proposed.iter().map(|one| format!("{} on {}", one.other_end, ports(&one.opening.ports))).collect()
}

fn deployment(name: &str, container: &str) -> String {
    format!(
        "---\n{{apiVersion: apps/v1, kind: Deployment, metadata: {{name: {name}, namespace: shop}}, spec: {{selector: \
         {{matchLabels: {{app: {name}}}}}, template: {{metadata: {{labels: {{app: {name}}}}}, spec: {{containers: \
         [{{name: c, image: a, {container}}}]}}}}}}}}\n"
    )
}

fn service(name: &str, port: &str, more: &str) -> String {
    format!(
        "---\n{{apiVersion: v1, kind: Service, metadata: {{name: {name}, namespace: shop}}, spec: {{selector: {{app: \
         {name}}}, ports: [{port}]{more}}}}}\n"
    )
}

#[test]
fn a_variable_that_names_a_service_opens_both_ends_on_the_ports_of_the_pods() {
    let found = proposed(
        &[
            deployment("web", "env: [{name: CART_ADDR, value: 'cart:80'}]"),
            deployment("cart", "ports: [{name: http, containerPort: 8080}]"),
            service("cart", "{port: 80, targetPort: http}, {port: 9090}", ""),
        ]
        .concat(),
    );
    assert_eq!(ways(&found[0].destinations), ["Deployment cart on 8080"]);
    assert_eq!(found[0].destinations[0].because, "CART_ADDR of Deployment web names cart:80.");
    assert_eq!(ways(&found[1].sources), ["Deployment web on 8080"]);
    assert_eq!((&found[0].sources, &found[1].destinations), (&Vec::new(), &Vec::new()));
    let spec = &found[1].policy.value()["spec"];
    assert_eq!(spec["ingress"][0]["from"][0]["podSelector"]["matchLabels"]["app"], "web");
    assert_eq!(spec["ingress"][0]["ports"][0]["port"], 8080);
}

#[test]
fn variables_of_a_config_map_count_for_who_reads_it() {
    let config = "---\n{apiVersion: v1, kind: ConfigMap, metadata: {name: addresses, namespace: shop}, data: {DB: \
                  'postgres://u:p@db:5432/x'}}\n";
    let texts = |reader: &str| {
        let db = [deployment("db", "ports: []"), service("db", "{port: 5432}", "")].concat();
        proposed(&[config, &deployment("web", reader), &db].concat())
    };
    for reader in [
        "envFrom: [{configMapRef: {name: addresses}}]",
        "env: [{name: X, valueFrom: {configMapKeyRef: {name: addresses, key: DB}}}]",
    ] {
        assert_eq!(ways(&texts(reader)[1].sources), ["Deployment web on 5432"], "{reader}");
    }
    assert_eq!(ways(&texts("envFrom: [{configMapRef: {name: other}}]")[1].sources), ["every pod of shop on 5432"]);
}

#[test]
fn people_come_in_by_an_ingress_or_a_public_service_and_prometheus_where_it_is_asked_to() {
    let ingress = "---\n{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: shop, namespace: shop}, spec: \
                   {defaultBackend: {service: {name: web, port: {number: 80}}}}}\n";
    let web = deployment("web", "ports: []");
    let by_ingress = proposed(&[&web, &service("web", "{port: 80, targetPort: 8080}", ""), ingress].concat());
    assert_eq!(ways(&by_ingress[0].sources), ["the ingress controller on 8080"]);
    let public = proposed(&[web.clone(), service("web", "{port: 80}", ", type: LoadBalancer")].concat());
    assert_eq!(ways(&public[0].sources), ["the ingress controller on 80"]);
    let scraped = web.replace(
        "metadata: {labels: {app: web}}",
        "metadata: {labels: {app: web}, annotations: \
                              {prometheus.io/scrape: 'true', prometheus.io/port: '9102'}}",
    );
    assert_eq!(ways(&proposed(&scraped)[0].sources), ["monitoring on 9102"]);
}

#[test]
fn hosts_that_are_no_service_are_named_and_not_opened() {
    let found = proposed(&deployment("web", "env: [{name: A, value: 'https://api.example.com:8443/x'}]"));
    assert_eq!(
        (found[0].unknown_hosts.as_slice(), ways(&found[0].destinations).len()),
        (&["api.example.com:8443".into()][..], 0)
    );
}

#[test]
fn a_workload_that_a_policy_selects_needs_none_and_no_policy_is_overwritten() {
    let policy = |selector: &str| {
        format!(
            "---\n{{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {{name: web, namespace: shop}}, \
             spec: {{podSelector: {{{selector}}}}}}}\n"
        )
    };
    let web = deployment("web", "ports: []");
    assert!(proposed(&[web.clone(), policy("")].concat()).is_empty());
    let beside = proposed(&[web, policy("matchLabels: {app: other}")].concat());
    assert_eq!(beside[0].policy.object().name, "web-proposed");
}

#[test]
fn a_policy_speaks_for_everything_that_has_its_labels() {
    let web = |name: &str, container: &str| {
        deployment("web", container).replacen("name: web, namespace", &format!("name: {name}, namespace"), 1)
    };
    let found = proposed(
        &[
            web("web-blue", "ports: []"),
            web("web-green", "env: [{name: A, value: 'cart:80'}]"),
            deployment("cart", "ports: []"),
            service("cart", "{port: 80}", ""),
        ]
        .concat(),
    );
    assert_eq!(found.len(), 2);
    assert_eq!(ways(&found[0].destinations), ["Deployment cart on 80"]);
}

#[test]
fn a_name_with_a_line_break_stays_inside_its_comment() {
    let web = deployment("web", "env: [{name: \"A\\n---\\nkind: Pod\", value: 'cart:80'}]");
    let found = proposed(&[web, deployment("cart", "ports: []"), service("cart", "{port: 80}", "")].concat());
    let text = found[0].to_commented_yaml();
    assert!(text.contains("# To Deployment cart on 80: A --- kind: Pod of Deployment web"), "{text}");
    assert_eq!(decode("test", &text).unwrap().len(), 1);
}

#[test]
fn a_headless_service_is_reached_on_the_very_port_that_is_named() {
    let kafka = [
        deployment("kafka", "ports: [{containerPort: 9092}]"),
        service("kafka", "", ", clusterIP: None"),
        deployment("web", "env: [{name: BROKERS, value: 'kafka-0.kafka:9093'}]"),
    ];
    assert_eq!(ways(&proposed(&kafka.concat())[1].destinations), ["Deployment kafka on 9093"]);
}

#[test]
fn an_ingress_opens_only_the_port_that_it_leads_to() {
    let ingress = "---\n{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: shop, namespace: shop}, spec: \
                   {rules: [{http: {paths: [{backend: {service: {name: web, port: {name: http}}}}]}}]}}\n";
    let ports = "{name: http, port: 80, targetPort: 8080}, {name: admin, port: 9000}";
    let web = [deployment("web", "ports: []"), service("web", ports, ""), ingress.to_owned()];
    assert_eq!(ways(&proposed(&web.concat())[0].sources), ["the ingress controller on 8080"]);
}

#[test]
fn pods_in_the_network_of_their_node_are_no_ends_of_a_policy() {
    let agent = deployment("agent", "env: [{name: A, value: 'cart:80'}]")
        .replace("{containers", "{hostNetwork: true, containers");
    let found = proposed(&[agent, deployment("cart", "ports: []"), service("cart", "{port: 80}", "")].concat());
    assert_eq!(found.len(), 1);
    assert_eq!(ways(&found[0].sources), ["every pod of shop on 80"]);
}

#[test]
fn hostile_sizes_are_bounded() {
    let many: String = (0..20_000).map(|port| format!("a:{},", port % 60_000 + 1)).collect();
    let ports: String = (1..2_000).map(|port| format!("{{port: {port}, targetPort: p{port}}},")).collect();
    let readers = "envFrom: [".to_owned() + &"{configMapRef: {name: many}},".repeat(100) + "]";
    let config = format!(
        "---\n{{apiVersion: v1, kind: ConfigMap, metadata: {{name: many, namespace: shop}}, data: {{A: '{many}'}}}}\n"
    );
    let behind: String = (0..40)
        .map(|n| deployment("a", &readers[..readers.len()]).replacen("name: a,", &format!("name: a-{n},"), 1))
        .collect();
    let found = proposed(&[config, behind, service("a", &ports, "")].concat());
    assert!(found[0].sources.len() <= 40 * 200);
}

#[test]
fn what_runs_already_counts_and_does_not_become_part_of_the_application() {
    let old = [
        deployment("old", "env: [{name: A, value: 'web:80'}]"),
        deployment("lonely", "ports: []"),
        service("lonely", "{port: 80}", ""),
    ];
    let new = [deployment("web", "ports: []"), service("web", "{port: 80}", "")];
    let decoded = |texts: &[String]| decode("test", &texts.concat()).unwrap();
    let found = propose_policies(&decoded(&new), &decoded(&old), &platform(), &Settings::default());
    assert_eq!(found.len(), 1);
    assert_eq!(ways(&found[0].sources), ["Deployment old on 80"]);
    assert!(found[0].destinations.is_empty(), "nothing says that it uses what runs beside it");
}

/// Of each application that stands beside the project: every workload gets a policy, both ends agree, and what the
/// policies are missing is nothing.
#[test]
fn proposed_policies_of_real_applications_agree_with_each_other() {
    let apps = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/fixtures/apps");
    for (name, workloads) in [("online-boutique", 12), ("bank-of-anthos", 9), ("sock-shop", 14)] {
        let Ok(files) = apps.join(name).read_dir() else { continue };
        let texts = files.map(|file| read_to_string(file.unwrap().path()).unwrap());
        let manifests: Vec<Manifest> = texts.flat_map(|text| decode("app", &text).unwrap()).collect();
        let found = propose_policies(&manifests, &[], &platform(), &Settings::default());
        assert_eq!(found.len(), workloads, "{name}");
        let with: Vec<Manifest> =
            manifests.iter().cloned().chain(found.iter().map(|proposal| proposal.policy.clone())).collect();
        let world = World::new(&with);
        for proposal in &found {
            let object = &proposal.workload;
            let namespace = namespace_or_default(&object.namespace);
            let own = one_sided(&world, &format!("{namespace}/{}[{}]", object.name, object.kind));
            assert!(own.is_empty(), "{name}: {own:?}");
        }
        let report = review(&with, &Context::default(), &Settings::default(), Selection::default());
        let about: Vec<_> = report.findings.iter().filter(|finding| finding.rule.starts_with("netpol/")).collect();
        assert!(about.iter().all(|finding| finding.rule == "netpol/selects-nothing"), "{name}: {about:#?}");
    }
}
