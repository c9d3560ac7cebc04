//! Policies in processes of their own: what a hostile one does, and what it does not.

use review::{Rego, RegoError, RegoPolicy, RegoVersion};
use serde_json::json;
use server::rego_workers::RegoWorkers;
use std::time::Duration;

const LONG: Duration = Duration::from_secs(5);

fn workers(number: usize) -> RegoWorkers {
    RegoWorkers::start(env!("CARGO_BIN_EXE_fairway"), number, LONG).unwrap()
}

/// A policy that is broken where its body holds.
fn policy(body: &str) -> RegoPolicy {
    let rego = format!("package test\nviolation[{{\"msg\": \"said\"}}] {{ {body} }}");
    RegoPolicy { rego, libraries: Vec::new(), version: RegoVersion::V0 }
}

fn said(workers: &RegoWorkers, body: &str) -> Result<Vec<String>, RegoError> {
    let mut session = workers.session();
    session.load(&policy(body), None, LONG)?;
    session.violations(&json!({ "review": { "object": {} } }), LONG)
}

#[test]
fn a_policy_is_evaluated_with_its_libraries_and_the_inventory() {
    let workers = workers(1);
    let mut session = workers.session();
    let rego = "package test\nimport data.lib.names\nviolation[{\"msg\": msg}] { msg := names.known[_] }";
    let library = "package lib.names\nknown[name] { data.inventory.cluster[\"v1\"].Namespace[name] }";
    let policy = RegoPolicy { rego: rego.into(), libraries: vec![library.into()], version: RegoVersion::V0 };
    let inventory = json!({ "cluster": { "v1": { "Namespace": { "shop": {}, "pay": {} } } } }).to_string();
    session.load(&policy, Some(&inventory), LONG).unwrap();
    assert_eq!(session.violations(&json!({}), LONG).unwrap(), ["pay", "shop"]);
    drop(session);
    assert!(workers.slowest(&policy).is_some());
}

#[test]
fn a_policy_that_wants_all_memory_or_all_time_is_stopped_named_and_not_tried_again() {
    let workers = workers(1);
    for (hostile, told) in [
        ("numbers.range(1, 5000000000000)", RegoError::Stopped),
        ("n := numbers.range(1, 3000); a := n[_]; b := n[_]; c := n[_]; a * b * c == -1", RegoError::Time),
    ] {
        let first = said(&workers, hostile);
        assert_eq!(first, Err(told), "{hostile}");
        assert_eq!(said(&workers, hostile), Err(RegoError::StoppedBefore), "{hostile}");
        assert_eq!(said(&workers, "true").unwrap(), ["said"], "after {hostile}");
    }
}

#[test]
fn a_width_that_would_take_all_memory_is_none() {
    // As in Go: the whole format is given up, and what it gives is short.
    assert_eq!(said(&workers(1), "x := sprintf(\"%1000000000d\", [1])").unwrap(), ["said"]);
    // Nobody pads so much, so it is not tried.
    let wide = said(&workers(1), "x := sprintf(\"%999999d\", [1])");
    assert!(matches!(wide, Err(RegoError::Failed(_))), "{wide:?}");
}

#[test]
fn a_shift_that_would_never_end_stops_nobody_else() {
    let workers = workers(2);
    let other = workers.clone();
    let hostile = std::thread::spawn(move || said(&other, "x := bits.lsh(1, 400000000); bits.lsh(x, 400000000) > x"));
    for _ in 0..20 {
        assert_eq!(said(&workers, "true").unwrap(), ["said"]);
    }
    assert!(hostile.join().unwrap().is_err());
}

#[test]
fn a_worker_that_was_killed_from_outside_is_replaced() {
    let workers = workers(1);
    let [process] = workers.idle_processes()[..] else { panic!("one worker") };
    let killed = std::process::Command::new("kill").args(["-9", &process.to_string()]).status();
    assert!(killed.unwrap().success());
    // Gone for good, not only told to go.
    let state = || std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    while !state().contains(") Z ") {
        std::thread::yield_now();
    }
    assert_eq!(said(&workers, "true").unwrap(), ["said"]);
}

#[test]
fn an_evaluation_that_finds_no_free_worker_says_so() {
    let workers = workers(1);
    let mut held = workers.session();
    held.load(&policy("true"), None, LONG).unwrap();
    let mut session = workers.session();
    let waited = session.load(&policy("true"), None, Duration::from_millis(10));
    assert_eq!(waited, Err(RegoError::NoEvaluator));
    drop(held);
    assert_eq!(said(&workers, "true").unwrap(), ["said"]);
}

#[test]
fn a_policy_that_is_slow_about_one_object_is_still_asked_about_others() {
    let workers = workers(1);
    let policy = policy("n := numbers.range(1, input.size); a := n[_]; b := n[_]; c := n[_]; a * b * c == -1");
    let asked = |size: u32| {
        let mut session = workers.session();
        session.load(&policy, None, LONG)?;
        session.violations(&json!({ "size": size }), LONG)
    };
    assert_eq!(asked(2), Ok(Vec::new()));
    assert_eq!(asked(3000), Err(RegoError::Time));
    assert_eq!(asked(3000), Err(RegoError::StoppedBefore));
    assert_eq!(asked(2), Ok(Vec::new()));
}

#[test]
fn an_answer_that_is_too_long_is_named_and_blames_nobody() {
    let workers = workers(1);
    // Quickly made, so that the time it may take is not what ends it.
    let long = "x := concat(\"\", [part | numbers.range(1, 30)[_]; part := sprintf(\"%9999s\", [\"a\"])])";
    let rego = format!("package test\nviolation[{{\"msg\": x}}] {{ {long} }}");
    let policy = RegoPolicy { rego, libraries: Vec::new(), version: RegoVersion::V0 };
    let mut session = workers.session();
    session.load(&policy, None, LONG).unwrap();
    assert_eq!(session.violations(&json!({}), LONG), Err(RegoError::LongAnswer));
    drop(session);
    assert_eq!(said(&workers, "true").unwrap(), ["said"]);
}
