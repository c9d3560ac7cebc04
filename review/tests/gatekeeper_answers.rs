//! What Gatekeeper itself says of some six hundred small policies (`testdata/rego/policies.jsonl`, asked with `gator
//! test`), and what the engine says: the same, or that it did not evaluate.

#![allow(clippy::unwrap_used, clippy::panic)]

use review::{Context, Interpreter, Selection, Settings, decode, review};
use serde::Deserialize;
use serde_json::json;
use std::collections::BTreeSet;
use std::sync::Arc;

const POLICIES: &str = include_str!("../testdata/rego/policies.jsonl");
const INPUT: &str = include_str!("../testdata/rego/input.yaml");

/// Policies that the engine still judges otherwise, one JSON text a line. The list may only shrink.
const DIFFERENCES: &str = include_str!("../testdata/rego/differences.txt");

/// So many of them the engine leaves to the cluster. The number may only shrink.
const NOT_EVALUATED: usize = 194;

/// A policy and Gatekeeper's answer.
#[derive(Deserialize)]
struct Asked {
    policy: String,
    #[serde(flatten)]
    answer: Answer,
}

#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(tag = "gatekeeper", rename_all = "lowercase")]
enum Answer {
    /// Violations with these messages, in order.
    Says { messages: Vec<String> },
    /// No violation.
    None,
    /// The cluster does not take the template, or the answer is none.
    Refused,
}

#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Judged(Vec<String>),
    /// With the reason.
    NotEvaluated(String),
}

/// As the file keeps it: an expression whose value is the message, or a whole module after "rego:".
fn module(policy: &str) -> String {
    match policy.strip_prefix("rego:") {
        Some(module) => module.trim().to_owned(),
        None => {
            format!("package p\nviolation[{{\"msg\": msg}}] {{ x := ({policy}); msg := sprintf(\"%v\", [x]) }}")
        }
    }
}

fn objects(policy: &str) -> String {
    let parameters = json!({ "type": "object", "properties": {
        "list": { "type": "array", "items": { "type": "string" } }, "num": { "type": "integer" },
        "o": { "type": "object", "x-kubernetes-preserve-unknown-fields": true },
    } });
    let template = json!({
        "apiVersion": "templates.gatekeeper.sh/v1", "kind": "ConstraintTemplate", "metadata": { "name": "policy" },
        "spec": {
            "crd": { "spec": { "names": { "kind": "Policy" }, "validation": { "openAPIV3Schema": parameters } } },
            "targets": [{ "target": "admission.k8s.gatekeeper.sh", "rego": module(policy) }],
        },
    });
    let constraint = json!({
        "apiVersion": "constraints.gatekeeper.sh/v1beta1", "kind": "Policy", "metadata": { "name": "policy" },
        "spec": {
            "match": { "kinds": [{ "apiGroups": ["apps"], "kinds": ["Deployment"] }] },
            "parameters": { "list": ["a", "b"], "num": 3, "o": { "a": 1, "b": [1, 2], "c": { "d": "e" } } },
        },
    });
    format!("{template}\n---\n{constraint}\n")
}

fn judged(policy: &str) -> Verdict {
    let context = Context {
        existing: decode("policy", &objects(policy)).unwrap(),
        every_workload: true,
        namespaces: None,
        rego: Arc::new(Interpreter),
    };
    let report = review(&decode("input", INPUT).unwrap(), &context, &Settings::default(), Selection::default());
    if let Some(finding) = report.findings.iter().find(|finding| finding.rule == "policy/not-evaluated") {
        return Verdict::NotEvaluated(finding.message.clone());
    }
    let said = report.findings.into_iter().filter(|finding| finding.rule == "policy/policy");
    let mut messages: Vec<String> = said.map(|finding| finding.message).collect();
    messages.sort();
    Verdict::Judged(messages)
}

/// Whether a verdict says nothing that is not so.
fn is_true(verdict: &Verdict, answer: &Answer) -> bool {
    match (verdict, answer) {
        (Verdict::NotEvaluated(_), _) => true,
        (Verdict::Judged(found), Answer::Says { messages }) => found == messages,
        (Verdict::Judged(found), Answer::None) => found.is_empty(),
        (Verdict::Judged(_), Answer::Refused) => false,
    }
}

#[test]
fn what_gatekeeper_says_of_each_policy_is_said_here_or_nothing_is() {
    let asked: Vec<Asked> = POLICIES.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(asked.len() >= 400, "only {} policies", asked.len());
    let known: BTreeSet<String> = DIFFERENCES.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let (mut same, mut not_evaluated) = (0, 0);
    let mut differing = BTreeSet::new();
    for Asked { policy, answer } in asked {
        match judged(&policy) {
            verdict if !is_true(&verdict, &answer) => {
                println!("{policy}\n  Gatekeeper {answer:?}\n  here {verdict:?}");
                differing.insert(policy);
            }
            Verdict::NotEvaluated(reason) if answer != Answer::Refused => {
                println!("{policy}\n  not evaluated: {reason}");
                not_evaluated += 1;
            }
            _ => same += 1,
        }
    }
    println!("{same} the same, {not_evaluated} not evaluated, {} otherwise", differing.len());
    assert!(not_evaluated <= NOT_EVALUATED, "{not_evaluated} policies are not evaluated");
    let new: Vec<_> = differing.difference(&known).collect();
    assert!(new.is_empty(), "judged otherwise than Gatekeeper, and not in testdata/rego/differences.txt: {new:#?}");
    let fixed: Vec<_> = known.difference(&differing).collect();
    assert!(fixed.is_empty(), "judged as Gatekeeper does: take them out of testdata/rego/differences.txt: {fixed:#?}");
}
