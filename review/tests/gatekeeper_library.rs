//! The policies of Gatekeeper's public library with their samples, against what `gator test` says of them. The library
//! is not part of this repository: `GATEKEEPER_LIBRARY=PATH make test CHECK=library` asks and compares.

#![allow(clippy::unwrap_used)]

use review::{Context, Interpreter, Selection, Settings, decode, review};
use serde::Deserialize;
use std::sync::Arc;

/// A sample and Gatekeeper's answer.
#[derive(Deserialize)]
struct Sample {
    name: String,
    template: String,
    constraint: String,
    object: String,
    inventory: Vec<String>,
    gatekeeper: String,
    #[serde(default)]
    messages: Vec<String>,
}

#[test]
#[ignore = "needs a checkout of the library"]
fn what_gatekeeper_says_of_the_samples_of_its_library_is_said_here_or_nothing_is() {
    let file = std::env::var("FAIRWAY_LIBRARY_ANSWERS").unwrap();
    let text = std::fs::read_to_string(file).unwrap();
    let (mut same, mut not_evaluated, mut unreadable) = (0, 0, 0);
    let mut differing = Vec::new();
    for sample in text.lines().map(|line| serde_json::from_str::<Sample>(line).unwrap()) {
        let policies = [&sample.template, &sample.constraint].into_iter().chain(&sample.inventory);
        let policies: Vec<_> = policies.map(|text| decode("policy", text)).collect();
        let (Ok(existing), Ok(objects)) =
            (policies.into_iter().collect::<Result<Vec<_>, _>>(), decode("object", &sample.object))
        else {
            unreadable += 1;
            continue;
        };
        let context = Context {
            existing: existing.concat(),
            every_workload: true,
            namespaces: None,
            rego: Arc::new(Interpreter),
        };
        let report = review(&objects, &context, &Settings::default(), Selection::default());
        let of_policies = report.findings.into_iter().filter(|finding| finding.rule.starts_with("policy/"));
        let (unknown, judged): (Vec<_>, Vec<_>) =
            of_policies.partition(|finding| finding.rule == "policy/not-evaluated");
        // gator judges a workload, and not the pods that it would make.
        let own = judged.into_iter().filter(|finding| !finding.message.starts_with("Its pods: "));
        let mut found: Vec<String> = own.map(|finding| finding.message).collect();
        found.sort();
        match () {
            () if !unknown.is_empty() => {
                println!("{}: {}", sample.name, unknown[0].message);
                not_evaluated += 1;
            }
            () if sample.gatekeeper != "refused" && found == sample.messages => same += 1,
            () => differing.push(format!(
                "{}\n  Gatekeeper {} {:?}\n  here {found:?}",
                sample.name, sample.gatekeeper, sample.messages
            )),
        }
    }
    println!("{same} the same, {not_evaluated} not evaluated, {unreadable} not read, {} otherwise", differing.len());
    assert!(same >= 100, "only {same} samples compared");
    assert!(differing.is_empty(), "{}", differing.join("\n"));
}
