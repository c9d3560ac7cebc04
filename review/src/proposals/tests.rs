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
