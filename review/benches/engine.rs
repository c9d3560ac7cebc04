//! Speed of the engine: one review, the connections of a large namespace, the coverage of a large cluster.
//! `make bench` turns the figures into a table with targets.

#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout)]

use criterion::{BenchmarkId, Criterion};
use review::{
    Answers, Context, Interpreter, Kind, Manifest, Opening, Peer, PodAnswers, PodLabels, Selection, Settings, World,
    connections, coverage, decode, generate, review, to_yaml,
};
use serde_json::json;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

fn pod(namespace: usize, number: usize) -> Manifest {
    Manifest::from_value(json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "name": format!("pod-{number}"), "namespace": format!("ns-{namespace}"),
            "labels": { "app": format!("app-{}", number % 100), "tier": "web" }
        },
        "spec": { "containers": [{ "name": "main", "ports": [{ "containerPort": 8080 }] }] },
    }))
    .unwrap()
}

fn policy(namespace: usize, number: usize) -> Manifest {
    let app = |number: usize| json!({ "matchLabels": { "app": format!("app-{}", number % 100) } });
    Manifest::from_value(json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
        "metadata": { "name": format!("policy-{number}"), "namespace": format!("ns-{namespace}") },
        "spec": {
            "podSelector": app(number),
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [{ "from": [{ "podSelector": app(number + 1) }], "ports": [{ "port": 8080 }] }],
            "egress": [{
                "to": [{ "podSelector": app(number + 2) }],
                "ports": [{ "port": 8080 }] }, { "to": [{
                    "ipBlock": { "cidr": format!("10.{}.0.0/16", number % 250) }
                }]
            }],
        },
    }))
    .unwrap()
}

fn one_review(criterion: &mut Criterion) {
    let image_text = "harbor.example.com/shop/web:1.4.2".to_owned();
    let pods = PodAnswers {
        kind: Kind::Pod,
        image: image_text.parse().unwrap(),
        image_text,
        command: Vec::new(),
        environment: Vec::new(),
        volumes: Vec::new(),
        service: false,
        cpu_millis: 100,
        memory_mib: 128,
        run_as_user: 10_001,
        read_only_root: true,
    };
    let answers = Answers {
        namespace: "shop".into(),
        name: "web".into(),
        labels: PodLabels::named("web"),
        ports: vec!["8080".parse().unwrap()],
        ingress: vec![Opening { peer: Peer::SameNamespace, ports: Vec::new() }],
        egress: Vec::new(),
        dns: true,
        pods: Some(pods),
    };
    let settings = Settings::default();
    let manifests = generate(&answers, &settings);
    let policies = decode("policies", include_str!("../testdata/policies/policies.yaml")).unwrap();
    for (name, existing) in [("review", Vec::new()), ("review with policies", policies)] {
        let context = Context { existing, every_workload: false, namespaces: None, rego: Arc::new(Interpreter) };
        criterion.bench_function(name, |bencher| {
            bencher.iter(|| black_box(review(black_box(&manifests), &context, &settings, Selection::default())));
        });
    }
    let text = to_yaml(&manifests);
    criterion.bench_function("decode", |bencher| bencher.iter(|| black_box(decode("text", black_box(&text)))));
}

fn a_large_namespace(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("connections");
    for size in [125, 250, 500] {
        let manifests: Vec<Manifest> =
            (0..size).map(|number| pod(0, number)).chain((0..size).map(|number| policy(0, number))).collect();
        group.bench_with_input(BenchmarkId::from_parameter(size), &manifests, |bencher, manifests| {
            bencher.iter(|| black_box(connections(&World::new(manifests))));
        });
    }
    group.finish();
}

fn a_large_cluster(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("coverage");
    group.sample_size(10);
    let policies: Vec<Manifest> = (0..10_000).map(|number| policy(number % 2_000, number)).collect();
    for pods in [6_250, 12_500, 25_000, 50_000] {
        let mut manifests = policies.clone();
        manifests.extend((0..pods).map(|number| pod(number % 2_000, number)));
        group.bench_with_input(BenchmarkId::from_parameter(pods), &manifests, |bencher, manifests| {
            bencher.iter(|| black_box(coverage(&World::new(manifests))));
        });
    }
    group.finish();
}

/// The largest of the above with manifests that are dropped as soon as they are taken in.
fn memory_of_a_large_cluster() {
    let policies = (0..10_000).map(|number| policy(number % 2_000, number));
    let pods = (0..50_000).map(|number| pod(number % 2_000, number));
    black_box(coverage(&World::new(policies.chain(pods))));
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    println!("peak memory: {}", peak.unwrap_or("unknown").trim());
}

fn main() {
    // In a process of its own, as a peak never goes down again.
    if std::env::var_os("FAIRWAY_BENCH_MEMORY").is_some() {
        return memory_of_a_large_cluster();
    }
    let mut criterion = Criterion::default().measurement_time(Duration::from_secs(3)).configure_from_args();
    one_review(&mut criterion);
    a_large_namespace(&mut criterion);
    a_large_cluster(&mut criterion);
    criterion.final_summary();
}
