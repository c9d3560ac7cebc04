//! What a review takes beside policies of the cluster that want all time or all memory. Prints the milliseconds of the
//! slowest review, and of the fastest once those policies are left alone.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

use review::{Context, Manifest, Selection, Settings, decode, review};
use serde_json::json;
use server::rego_workers::RegoWorkers;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

const REVIEWS: usize = 20;

const HOSTILE: [&str; 8] = [
    "numbers.range(1, 5000000000000)",
    "x := bits.lsh(1, 400000000); bits.lsh(x, 400000000) > x",
    "x := sprintf(\"%1000000000d\", [1]); count(x) < 0",
    "n := numbers.range(1, 3000); a := n[_]; b := n[_]; c := n[_]; a * b * c == -1",
    "n := numbers.range(1, 9000000); a := n[_]; b := n[_]; a + b == -1",
    "x := [a | a := numbers.range(1, 100000)[_]; b := numbers.range(1, 100000)[_]; a < b]; count(x) < 0",
    "x := bits.lsh(1, 100000000); y := x * x * x * x; y < 0",
    "numbers.range(1, 900000000000)",
];

const POD: &str = "{apiVersion: v1, kind: Pod, metadata: {name: web, namespace: shop, labels: {app: web}}, \
    spec: {containers: [{name: c, image: 'a:1'}]}}";

fn main() {
    let workers = RegoWorkers::start(env!("CARGO_BIN_EXE_fairway"), 2, Duration::from_millis(400)).unwrap();
    let existing = HOSTILE.iter().enumerate().flat_map(|(number, body)| policy(number, body)).collect();
    let context = Context { existing, every_workload: true, namespaces: None, rego: Arc::new(workers) };
    let manifests = decode("pod", POD).unwrap();
    let times: Vec<f64> = (0..REVIEWS)
        .map(|_| {
            let began = Instant::now();
            black_box(review(&manifests, &context, &Settings::default(), Selection::default()));
            began.elapsed().as_secs_f64() * 1000.0
        })
        .collect();
    let slowest = times.iter().copied().fold(0.0, f64::max);
    println!("slowest: {slowest:.1} ms, afterwards: {:.1} ms", times[REVIEWS - 1]);
}

fn policy(number: usize, body: &str) -> Vec<Manifest> {
    let kind = format!("Hostile{number}");
    let rego = format!("package test\nviolation[{{\"msg\": \"said\"}}] {{ {body} }}");
    let template = json!({
        "apiVersion": "templates.gatekeeper.sh/v1", "kind": "ConstraintTemplate",
        "metadata": { "name": kind.to_lowercase() },
        "spec": { "crd": { "spec": { "names": { "kind": kind } } }, "targets": [{ "rego": rego }] },
    });
    let constraint = json!({
        "apiVersion": "constraints.gatekeeper.sh/v1beta1", "kind": kind, "metadata": { "name": kind.to_lowercase() },
    });
    [template, constraint].into_iter().map(|value| Manifest::from_value(value).unwrap()).collect()
}
