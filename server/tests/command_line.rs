//! The binary as people and pipelines call it.

#![allow(clippy::unwrap_used)]

use serde_json::Value;
use std::io::Write;
use std::process::{Command, Output, Stdio};

fn fairway(arguments: &[&str], environment: &[(&str, &str)], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_fairway"))
        .args(arguments)
        .env_clear()
        .envs(environment.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A command that does not read its input may be gone already.
    drop(child.stdin.take().unwrap().write_all(input.as_bytes()));
    child.wait_with_output().unwrap()
}

fn review(arguments: &[&str], manifest: &str) -> (i32, Value) {
    let output = fairway(&[&["review", "--format", "json"], arguments, &["-"]].concat(), &[], manifest);
    (output.status.code().unwrap(), serde_json::from_slice(&output.stdout).unwrap_or_default())
}

const RISKY: &str = "apiVersion: v1\nkind: Pod\nmetadata: {name: web, namespace: shop}\nspec:\n  containers:\n  - {name: web, image: 'nginx:latest', securityContext: {privileged: true}}\n";

const SAFE: &str = "apiVersion: v1\nkind: Pod\nmetadata: {name: web, namespace: shop}\nspec:\n  securityContext: {runAsNonRoot: true, seccompProfile: {type: RuntimeDefault}}\n  containers:\n  - name: web\n    image: harbor.example.com/shop/web:1\n    securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}\n";

#[test]
fn a_review_that_denies_exits_with_1_and_says_what_is_wrong_where() {
    let (code, report) = review(&[], RISKY);
    assert_eq!((code, &report["verdict"]), (1, &Value::from("deny")));
    let findings = report["findings"].as_array().unwrap();
    let privileged = findings.iter().find(|finding| finding["rule"] == "pss/privileged").unwrap();
    assert_eq!(privileged["object"], "Pod/shop/web");
    assert_eq!(privileged["severity"], "deny");
    for part in ["path", "message", "fix"] {
        assert!(privileged[part].as_str().is_some_and(|text| !text.is_empty()), "{privileged}");
    }
}

#[test]
fn a_review_that_only_warns_or_passes_exits_with_0() {
    let (code, report) = review(&["--only", "pss"], SAFE);
    assert_eq!((code, &report["verdict"], report["findings"].as_array().unwrap().len()), (0, &Value::from("pass"), 0));
}

#[test]
fn input_that_cannot_be_read_and_wrong_usage_exit_with_2() {
    assert_eq!(review(&[], "kind: [").0, 2);
    assert_eq!(fairway(&["review", "/nowhere.yaml"], &[], "").status.code(), Some(2));
    assert_eq!(fairway(&["review"], &[], "").status.code(), Some(2));
    assert_eq!(fairway(&["review", "--format", "xml", "-"], &[], "").status.code(), Some(2));
}

#[test]
fn wrong_settings_are_all_named_by_config_check_and_by_serve() {
    let wrong = [("FAIRWAY_LISTEN", "here"), ("OIDC_ISSUER_URL", "http://idp.example.com")];
    for arguments in [&["config", "check"][..], &["serve"]] {
        let output = fairway(arguments, &wrong, "");
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{said}");
        for setting in ["FAIRWAY_LISTEN", "OIDC_ISSUER_URL", "DATABASE_URL"] {
            assert!(said.contains(setting), "{arguments:?}: {said}");
        }
    }
}

#[test]
fn right_settings_pass() {
    let right = [("DATABASE_URL", "postgres://x"), ("OIDC_ISSUER_URL", "https://idp.example.com")];
    assert_eq!(fairway(&["config", "check"], &right, "").status.code(), Some(0));
}

#[test]
fn a_database_that_is_not_there_is_named_without_its_password() {
    let away = [
        ("DATABASE_URL", "postgres://fairway:canary@127.0.0.1:1/fairway"),
        ("OIDC_ISSUER_URL", "https://idp.example.com"),
    ];
    let output = fairway(&["serve"], &away, "");
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(said.contains("the database cannot be reached") && !said.contains("canary"), "{said}");
}

#[test]
fn connections_are_listed_as_text_and_as_json() {
    let pods = "{apiVersion: v1, kind: Pod, metadata: {name: web, labels: {app: web}}, spec: {containers: []}}\n---\n{apiVersion: apps/v1, kind: Deployment, metadata: {name: api, namespace: shop}, spec: {template: {metadata: {labels: {app: api}}, spec: {containers: []}}}}\n---\n{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: api, namespace: shop}, spec: {podSelector: {}, policyTypes: [Ingress, Egress], ingress: [{from: [{namespaceSelector: {}}], ports: [{port: 80}, {port: 443}]}]}}\n";
    let output = fairway(&["connections", "-"], &[], pods);
    assert_eq!(output.status.code(), Some(0));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.lines().any(|line| line == "default/web[Pod] => shop/api[Deployment] : TCP 80,443"), "{text}");
    let output = fairway(&["connections", "--format", "json", "-"], &[], pods);
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    let wanted = serde_json::json!({ "from": "default/web[Pod]", "to": "shop/api[Deployment]", "ports": "TCP 80,443" });
    assert!(json.as_array().unwrap().contains(&wanted), "{json}");
    assert_eq!(fairway(&["connections", "/nowhere"], &[], "").status.code(), Some(2));
}

#[test]
fn findings_name_file_and_line_in_text_and_in_sarif() {
    let folder = std::env::temp_dir().join(format!("fairway-review-{}", std::process::id()));
    std::fs::create_dir_all(folder.join("nested")).unwrap();
    std::fs::write(folder.join("nested/web.yaml"), RISKY).unwrap();
    std::fs::write(folder.join("notes.txt"), "not a manifest").unwrap();
    let path = folder.to_str().unwrap();
    let output = fairway(&["review", path], &[], "");
    let text = String::from_utf8(output.stdout).unwrap();
    let place = format!("{path}/nested/web.yaml:6: deny [pss/privileged] Pod/shop/web");
    assert!(text.contains(&place), "{text}");
    let output = fairway(&["review", "--format", "sarif", path], &[], "");
    let sarif: Value = serde_json::from_slice(&output.stdout).unwrap();
    let results = sarif["runs"][0]["results"].as_array().unwrap();
    let privileged = results.iter().find(|result| result["ruleId"] == "pss/privileged").unwrap();
    assert_eq!(privileged["level"], "error");
    assert_eq!(privileged["locations"][0]["physicalLocation"]["region"]["startLine"], 6);
    let rules = sarif["runs"][0]["tool"]["driver"]["rules"].as_array().unwrap();
    assert!(results.iter().all(|result| rules.iter().any(|rule| rule["id"] == result["ruleId"])));
    std::fs::remove_dir_all(&folder).unwrap();
}
