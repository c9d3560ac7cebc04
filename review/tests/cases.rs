//! Manifests that the engine once judged wrongly, most of them from public reports of people who do this job.

#![allow(clippy::unwrap_used, clippy::panic)]

use review::{
    Context, Finding, Interpreter, Manifest, Selection, Settings, Severity, World, connections, decode, fix, review,
    rewrite,
};
use std::sync::Arc;

fn text(case: &str) -> String {
    let path = format!("{}/testdata/cases/{case}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).unwrap()
}

fn manifests(case: &str) -> Vec<Manifest> {
    decode(case, &text(case)).unwrap()
}

fn found(case: &str, rule: &str) -> Vec<Finding> {
    let context = Context { every_workload: true, ..Context::default() };
    let report = review(&manifests(case), &context, &Settings::default(), Selection::default());
    report.findings.into_iter().filter(|finding| finding.rule == rule).collect()
}

fn the_only(case: &str, rule: &str) -> Finding {
    match found(case, rule).as_slice() {
        [one] => one.clone(),
        other => panic!("{case}: {other:#?}"),
    }
}

fn listed(case: &str) -> Vec<String> {
    connections(&World::new(manifests(case))).iter().map(ToString::to_string).collect()
}

#[test]
fn pods_of_a_job_are_selected_by_the_name_of_the_job() {
    let case = "job-pods-are-selected-by-job-name.yaml";
    let connections = listed(case);
    let to_db: Vec<&String> =
        connections.iter().filter(|line| line.starts_with("shop/migrate[Job]") && line.contains("shop/db")).collect();
    assert!(matches!(to_db.as_slice(), [one] if one.contains("TCP 5432")), "{connections:?}");
    assert!(!connections.iter().any(|line| line.contains("=> shop/migrate[Job]")), "{connections:?}");
    for rule in ["netpol/selects-nothing", "netpol/peer-selects-nothing", "netpol/not-selected"] {
        assert_eq!(found(case, rule), [], "{rule}");
    }
}

#[test]
fn of_two_policies_of_one_name_the_later_counts_and_both_are_named() {
    let case = "two-policies-of-one-name.yaml";
    assert!(
        the_only(case, "review/duplicate-object").message.contains("line 28"),
        "{:?}",
        found(case, "review/duplicate-object")
    );
    // The backend is open, as the policy that was to close it is replaced.
    assert!(listed(case).iter().any(|line| line.contains("=> default/backend[Deployment]")), "{:?}", listed(case));
}

#[test]
fn a_version_that_is_gone_is_denied_with_the_one_that_took_its_place() {
    let finding = the_only("api-version-that-is-gone.yaml", "kind/not-served");
    assert_eq!(finding.severity, Severity::Deny);
    assert!(finding.fix.contains("Deployment of apps/v1"), "{}", finding.fix);
}

#[test]
fn policies_that_are_not_modelled_are_named() {
    let case = "adminnetworkpolicy-is-not-modelled.yaml";
    let world = World::new(manifests(case));
    let names: Vec<String> = world.uncounted().iter().map(ToString::to_string).collect();
    assert_eq!(names, ["AdminNetworkPolicy deny-all"]);
    assert_eq!(the_only(case, "netpol/kind-not-counted").severity, Severity::Warn);
}

#[test]
fn legal_text_is_read() {
    assert_eq!(manifests("comment-block-of-33-lines.yaml").len(), 1);
    assert_eq!(manifests("json-objects-one-after-another.json").len(), 2);
    assert_eq!(manifests("label-without-value.yaml")[0].annotation("example.com/note"), Some(""));
}

#[test]
fn an_autoscaler_counts_for_budgets_and_replicas() {
    let case = "budget-of-an-autoscaled-workload.yaml";
    assert!(found(case, "disruption-budget/blocks-upgrades").iter().all(|finding| finding.severity < Severity::Deny));
    let case = "replicas-left-to-an-autoscaler.yaml";
    let severities: Vec<Severity> = found(case, "replicas/too-few").iter().map(|finding| finding.severity).collect();
    assert_eq!(severities, [Severity::Warn, Severity::Info]);
}

#[test]
fn a_clouds_resolver_is_no_metadata_service_and_counts_as_dns() {
    for rule in ["netpol/metadata-address", "netpol/no-dns"] {
        assert_eq!(found("cloud-dns-on-link-local-address.yaml", rule), [], "{rule}");
    }
}

fn fixed(case: &str) -> (Vec<Manifest>, String) {
    let fixed = fix(&manifests(case), &Context::default(), &Settings::default(), Selection::default());
    let patches = fixed.patches.iter().map(Vec::as_slice);
    let changes: Vec<_> = fixed.manifests.iter().zip(patches).collect();
    let written = rewrite(case, &text(case), &changes).unwrap();
    (fixed.manifests, written)
}

#[test]
fn json_stays_json_and_keeps_its_byte_order_mark() {
    let (_, written) = fixed("fix-keeps-json-json.json");
    assert!(written.starts_with("\u{feff}{"), "{written}");
    assert!(serde_json::from_str::<serde_json::Value>(written.trim_start_matches('\u{feff}')).is_ok());
}

#[test]
fn what_holds_data_is_not_doubled() {
    let (manifests, _) = fixed("fix-must-not-double-what-holds-data.yaml");
    let deployment = manifests.iter().find(|manifest| manifest.object().kind == "Deployment").unwrap();
    assert_eq!(deployment.value()["spec"]["replicas"], 1);
    assert_eq!(found("fix-must-not-double-what-holds-data.yaml", "replicas/too-few").len(), 1);
}

#[test]
fn the_port_of_a_service_is_told_from_that_of_its_pods() {
    let finding = the_only("service-port-instead-of-container-port.yaml", "netpol/service-port");
    assert_eq!(finding.fix, "Name 8080 instead.");
}

#[test]
fn excepts_that_cancel_each_other_are_named() {
    let findings = found("two-excepts-cancel.yaml", "netpol/except-allowed-again");
    let messages: Vec<&str> = findings.iter().map(|finding| finding.message.as_str()).collect();
    assert_eq!(findings.len(), 2, "{messages:?}");
    assert!(messages.iter().any(|message| message.contains("policy policy2")), "{messages:?}");
}

#[test]
fn a_selector_that_fits_no_namespace_names_the_nearest_label() {
    let finding = the_only("namespace-name-label-with-old-policy.yaml", "netpol/peer-selects-nothing");
    assert_eq!(finding.severity, Severity::Warn);
    assert!(finding.fix.contains("=edge"), "{}", finding.fix);
}

#[test]
fn a_resource_that_nobody_knows_is_denied() {
    assert_eq!(the_only("invented-resource-name.yaml", "resources/unknown-name").severity, Severity::Deny);
}

#[test]
fn a_parenthesis_on_a_new_line_begins_another_expression_of_a_policy() {
    let case = "rego-parenthesis-on-a-new-line";
    let context = Context {
        existing: manifests(&format!("{case}.cluster.yaml")),
        every_workload: true,
        namespaces: None,
        rego: Arc::new(Interpreter),
    };
    let objects = manifests(&format!("{case}.yaml"));
    let report = review(&objects, &context, &Settings::default(), Selection::default());
    let said: Vec<_> = report.findings.iter().filter(|finding| finding.rule.starts_with("policy/")).collect();
    assert_eq!(said.len(), 1, "{said:?}");
    assert_eq!(said[0].message, "the spread must be at least 2");
}
