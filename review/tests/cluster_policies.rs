//! The cluster's own policies, as a review sees them.

#![allow(clippy::unwrap_used)]

use review::{Context, Finding, Interpreter, Selection, Settings, Severity, decode, review};
use std::sync::Arc;

const POLICIES: &str = include_str!("../testdata/policies/policies.yaml");

const POD: &str = "{apiVersion: v1, kind: Pod, metadata: {name: web, labels: {app: web}}, \
    spec: {containers: [{name: c, image: 'a:1'}]}}\n---\n";

/// The findings of the cluster's policies about `manifests`.
fn found(policies: &str, manifests: &str) -> Vec<Finding> {
    let context = Context {
        existing: decode("policies", policies).unwrap(),
        every_workload: true,
        namespaces: None,
        rego: Arc::new(Interpreter),
    };
    let report = review(&decode("test", manifests).unwrap(), &context, &Settings::default(), Selection::default());
    report.findings.into_iter().filter(|finding| finding.rule.starts_with("policy/")).collect()
}

fn said(policies: &str, manifests: &str) -> Vec<String> {
    found(policies, manifests).into_iter().map(|finding| format!("{} {}", finding.rule, finding.message)).collect()
}

/// A template and a constraint of it.
fn policy(rego: &str, spec: &str) -> String {
    let rego = serde_json::to_string(rego).unwrap();
    format!(
        "{{apiVersion: templates.gatekeeper.sh/v1, kind: ConstraintTemplate, metadata: {{name: test}}, \
         spec: {{crd: {{spec: {{names: {{kind: Test}}}}}}, targets: [{{rego: {rego}}}]}}}}\n---\n{{apiVersion: \
         constraints.gatekeeper.sh/v1beta1, kind: Test, metadata: {{name: test}}, spec: {spec}}}"
    )
}

const ALWAYS: &str = "package test\nviolation[{\"msg\": msg}] { msg := sprintf(\"%v in %v\", [input.review.kind.kind, \
    input.review.namespace]) }";

fn always(spec: &str, manifests: &str) -> Vec<String> {
    said(&policy(ALWAYS, spec), manifests)
}

const DEPLOYMENT: &str = "{apiVersion: apps/v1, kind: Deployment, metadata: {name: web, namespace: shop}, \
    spec: {template: {metadata: {labels: {app: web}}, spec: {containers: [{name: c, image: 'a:1'}]}}}}\n---\n";

#[test]
fn a_pod_is_judged_by_the_policies_that_match_it_with_their_parameters_and_libraries() {
    assert_eq!(
        said(POLICIES, POD),
        [
            "policy/elastisys-require-resource-requests The container named <c> has no resource requests.",
            "policy/elastisys-require-harbor-registry The container named <c> does not have an allowed image registry \
             <a:1>. Allowed registries are [\"harbor.example.com\"].",
            "policy/elastisys-require-networkpolicy No matching networkpolicy found.",
        ]
    );
}

#[test]
fn a_pod_and_its_policy_submitted_together_are_judged_together() {
    let policy = |label: &str| {
        format!(
            "{{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {{name: p}}, \
             spec: {{podSelector: {{matchLabels: {{app: {label}}}, matchExpressions: [{{key: app, \
             operator: Exists}}]}}}}}}"
        )
    };
    let is_refused = |label: &str| {
        said(POLICIES, &format!("{}{}", POD, policy(label))).iter().any(|said| said.contains("networkpolicy"))
    };
    assert!(!is_refused("web"));
    assert!(is_refused("wbe"));
}

#[test]
fn what_the_api_server_fills_in_is_filled_in() {
    let said = said(POLICIES, DEPLOYMENT);
    assert!(
        said.contains(
            &"policy/elastisys-warn-minimum-replicas The provided number of replicas is too low for Deployment: web. \
                Use at least 2."
                .to_owned()
        ),
        "{said:?}"
    );
}

#[test]
fn a_policy_for_pods_judges_the_pods_of_a_workload() {
    let found = found(&policy(ALWAYS, "{match: {kinds: [{apiGroups: [''], kinds: [Pod]}]}}"), DEPLOYMENT);
    assert_eq!((found[0].message.as_str(), found[0].path.as_str()), ("Its pods: Pod in shop", "spec.template"));
    assert_eq!(found[0].line, Some(1));
}

#[test]
fn a_policy_that_the_interpreter_breaks_on_is_named_and_the_others_go_on() {
    let breaks = "package test\nviolation[{\"msg\": \"m\"}] { count(numbers.range_step(1, 5, 0)) == 0 }";
    let both = format!("{}\n---\n{POLICIES}", policy(breaks, "{}"));
    let said = said(&both, POD);
    assert!(said.iter().any(|said| said.contains("Test test could not be evaluated")), "{said:?}");
    assert!(said.iter().any(|said| said.contains("No matching networkpolicy found.")), "{said:?}");
}

#[test]
fn a_workload_that_is_refused_itself_is_not_refused_again_for_its_pods() {
    assert_eq!(always("{}", DEPLOYMENT), ["policy/test Deployment in shop"]);
}

#[test]
fn the_enforcement_action_is_the_severity() {
    let severity = |spec: &str| found(&policy(ALWAYS, spec), DEPLOYMENT)[0].severity;
    assert_eq!(severity("{}"), Severity::Deny);
    assert_eq!(severity("{enforcementAction: warn}"), Severity::Warn);
    assert_eq!(severity("{enforcementAction: dryrun}"), Severity::Info);
    let scoped = |point: &str| {
        severity(&format!(
            "{{enforcementAction: scoped, scopedEnforcementActions: [{{action: warn, enforcementPoints: [{{name: \
             {point}}}]}}]}}"
        ))
    };
    assert_eq!(scoped("validation.gatekeeper.sh"), Severity::Warn);
    assert_eq!(scoped("audit.gatekeeper.sh"), Severity::Info);
}

#[test]
fn every_part_of_a_match_must_fit() {
    let fits = |wanted: &str| !always(&format!("{{match: {wanted}}}"), DEPLOYMENT).is_empty();
    for wanted in [
        "{}",
        "{kinds: [{kinds: [Deployment]}]}",
        "{kinds: [{apiGroups: ['*'], kinds: ['*']}]}",
        "{scope: Namespaced}",
        "{namespaces: [sh*]}",
        "{excludedNamespaces: [kube-*]}",
        "{name: we*}",
        "{labelSelector: {matchExpressions: [{key: app, operator: DoesNotExist}]}}",
        "{namespaceSelector: {}}",
    ] {
        assert!(fits(wanted), "{wanted}");
    }
    for wanted in [
        "{kinds: [{apiGroups: [batch], kinds: [Deployment]}]}",
        "{scope: Cluster}",
        "{namespaces: [pay]}",
        "{excludedNamespaces: ['*op']}",
        "{name: api}",
        "{labelSelector: {matchLabels: {app: other}}}",
        "{kinds: [{kinds: [Deployment]}], namespaces: [pay]}",
        "{source: Generated}",
    ] {
        assert!(!fits(wanted), "{wanted}");
    }
}

#[test]
fn labels_of_a_namespace_that_is_not_known_are_said_to_be_missing() {
    let wanted = "{match: {kinds: [{kinds: [Deployment]}], namespaceSelector: {matchExpressions: [{key: owner, \
        operator: NotIn, values: [operator]}]}}}";
    let said = always(wanted, DEPLOYMENT);
    assert!(
        said[0].starts_with("policy/not-evaluated") && said[0].contains("labels of the namespace shop"),
        "{said:?}"
    );
    let namespace = |owner: &str| {
        format!(
            "{{apiVersion: v1, kind: Namespace, metadata: {{name: shop, \
             labels: {{owner: {owner}}}}}}}\n---\n{DEPLOYMENT}"
        )
    };
    assert_eq!(always(wanted, &namespace("team")), ["policy/test Deployment in shop"]);
    assert!(always(wanted, &namespace("operator")).is_empty());
}

#[test]
fn a_template_that_cannot_be_evaluated_is_named() {
    for (rego, reason) in [
        ("package test\nviolation[{\"msg\": msg}] { msg := no.such.function(1) }", "no.such.function"),
        ("package test\nviolation[{", ""),
        ("package test\nother = 1", "violation"),
        ("package test\nviolation[{\"message\": \"x\"}] { true }", "no `msg`"),
    ] {
        let said = said(&policy(rego, "{}"), DEPLOYMENT);
        assert_eq!(said.len(), 1, "{said:?}");
        assert!(said[0].starts_with("policy/not-evaluated") && said[0].contains(reason), "{reason}: {said:?}");
    }
    let constraint = "{apiVersion: constraints.gatekeeper.sh/v1beta1, kind: Test, metadata: {name: test}, spec: {}}";
    let cel = "{apiVersion: templates.gatekeeper.sh/v1, kind: ConstraintTemplate, metadata: {name: test}, \
        spec: {crd: {spec: {names: {kind: Test}}}, targets: [{code: [{engine: K8sNativeValidation}]}]}}";
    assert!(said(&format!("{cel}\n---\n{constraint}"), DEPLOYMENT)[0].contains("it is not written in Rego"));
    assert!(said(cel, DEPLOYMENT).is_empty(), "nothing makes use of it");
    let both = "{apiVersion: templates.gatekeeper.sh/v1, kind: ConstraintTemplate, metadata: {name: test}, \
        spec: {crd: {spec: {names: {kind: Test}}}, targets: [{code: [{engine: Rego, source: {rego: \"package test\"}}, \
        {engine: K8sNativeValidation}]}]}}";
    assert!(said(&format!("{both}\n---\n{constraint}"), DEPLOYMENT)[0].contains("Gatekeeper evaluates its CEL"));
    let constraint = "{apiVersion: constraints.gatekeeper.sh/v1beta1, kind: Alone, metadata: {name: test}, spec: {}}";
    assert!(said(constraint, DEPLOYMENT)[0].contains("no ConstraintTemplate of the kind Alone is known"));
}

#[test]
fn a_policy_that_would_take_too_long_to_read_is_named() {
    // Each level doubles the time of the interpreter's parser; fuzzing found it.
    let nested =
        format!("package test\nviolation[{{\"msg\": \"x\"}}] {{ x := {}1{} }}", "[".repeat(40), "]".repeat(40));
    let long = format!("package test\n{}", "# a long comment\n".repeat(5_000));
    for rego in [nested, long] {
        let said = said(&policy(&rego, "{}"), DEPLOYMENT);
        assert!(said[0].contains("longer than 64 KiB or nests brackets deeper than 8 levels"), "{said:?}");
    }
}

#[test]
fn a_policy_that_takes_too_long_is_stopped_and_named() {
    let rego = "package test\nviolation[{\"msg\": \"x\"}] { n := numbers.range(1, 3000); a := n[_]; b := n[_]; c := \
        n[_]; a * b * c == -1 }";
    let begun = std::time::Instant::now();
    let said = said(&policy(rego, "{match: {kinds: [{kinds: [Deployment]}]}}"), DEPLOYMENT);
    assert!(said[0].contains("took longer than 250 ms"), "{said:?}");
    assert!(begun.elapsed() < std::time::Duration::from_secs(20));
}

#[test]
fn a_policy_under_review_is_not_run() {
    let sent = format!("{}\n---\n{DEPLOYMENT}", policy(ALWAYS, "{}"));
    assert!(said("{apiVersion: v1, kind: Namespace, metadata: {name: shop}}", &sent).is_empty());
    // Not as a part of one that the cluster has, either.
    let constraint = "{apiVersion: constraints.gatekeeper.sh/v1beta1, kind: Test, metadata: {name: mine}, spec: {}}";
    let sent = format!("{constraint}\n---\n{DEPLOYMENT}");
    assert_eq!(said(&policy(ALWAYS, "{}"), &sent), ["policy/test Deployment in shop"]);
}

#[test]
fn policies_do_not_see_policies() {
    let rego = "package test\nviolation[{\"msg\": msg}] { o := data.inventory.cluster[_][kind][_]; msg := kind }";
    let namespace = "{apiVersion: v1, kind: Namespace, metadata: {name: shop}}";
    assert_eq!(said(&format!("{}\n---\n{namespace}", policy(rego, "{}")), DEPLOYMENT), ["policy/test Namespace"]);
}

#[test]
fn without_an_evaluator_policies_are_named_as_not_evaluated() {
    let existing = decode("policies", &policy(ALWAYS, "{}")).unwrap();
    let context = Context { existing, ..Context::default() };
    let report = review(&decode("test", DEPLOYMENT).unwrap(), &context, &Settings::default(), Selection::default());
    let of_policies: Vec<_> = report.findings.iter().filter(|found| found.rule == "policy/not-evaluated").collect();
    assert!(of_policies[0].message.contains("nothing was there to evaluate it"), "{of_policies:?}");
}

#[test]
fn a_manifest_cannot_free_itself_from_the_policies_of_the_cluster() {
    let policies = policy(ALWAYS, "{match: {namespaceSelector: {matchLabels: {team: shop}}}}");
    let known = format!(
        "{policies}\n---\n{{apiVersion: v1, kind: Namespace, metadata: {{name: shop, labels: {{team: shop}}}}}}"
    );
    for trick in [
        "{apiVersion: evil.io/v1, kind: Test, metadata: {name: test}}",
        "{apiVersion: constraints.gatekeeper.sh/v1beta1, kind: Test, metadata: {name: test}, \
         spec: {match: {name: nothing}}}",
        "{apiVersion: templates.gatekeeper.sh/v1, kind: ConstraintTemplate, metadata: {name: test}, \
         spec: {crd: {spec: {names: {kind: Test}}}, targets: [{rego: \"package test\\nviolation[{\\\"msg\\\": 1}] { \
         false }\"}]}}",
        "{apiVersion: v1, kind: Namespace, metadata: {name: shop, labels: {team: operators}}}",
    ] {
        let said = said(&known, &format!("{trick}\n---\n{DEPLOYMENT}"));
        assert!(said.contains(&"policy/test Deployment in shop".to_owned()), "{trick}: {said:?}");
    }
}

#[test]
fn an_object_replaces_its_namesake_of_the_same_group_and_namespace_only() {
    let context = |old: &str| Context {
        existing: decode("old", old).unwrap(),
        every_workload: true,
        namespaces: None,
        rego: Arc::new(Interpreter),
    };
    let selected_by = |old: &str, new: &str| {
        let report = review(&decode("new", new).unwrap(), &context(old), &Settings::default(), Selection::default());
        report.selected_by[0].policies.clone()
    };
    let policy = |namespace: &str, app: &str| {
        format!(
            "{{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {{name: p{namespace}}}, \
             spec: {{podSelector: {{matchLabels: {{app: {app}}}}}}}}}"
        )
    };
    // No namespace is the namespace default.
    assert!(selected_by(&policy(", namespace: default", "web"), &format!("{POD}{}", policy("", "other"))).is_empty());
    let calico = "{apiVersion: projectcalico.org/v3, kind: NetworkPolicy, metadata: {name: p}}";
    assert_eq!(selected_by(&policy("", "web"), &format!("{POD}{calico}")), ["p"]);
}

#[test]
fn the_newer_syntax_is_read_where_the_template_says_so() {
    let policies = "{apiVersion: templates.gatekeeper.sh/v1, kind: ConstraintTemplate, metadata: {name: test}, \
        spec: {crd: {spec: {names: {kind: Test}}}, targets: [{code: [{engine: Rego, source: {version: v1, \
        rego: \"package test\\nviolation contains {\\\"msg\\\": \\\"new\\\"} if { true }\"}}]}]}}\n---\n{apiVersion: \
        constraints.gatekeeper.sh/v1beta1, kind: Test, metadata: {name: test}}";
    assert_eq!(said(policies, DEPLOYMENT), ["policy/test new"]);
}

#[test]
fn a_warning_of_a_policy_can_be_accepted_and_a_refusal_cannot() {
    let accepted = DEPLOYMENT.replace(
        "namespace: shop",
        "namespace: shop, annotations: {exception.fairway.dev/policy.test: 'Agreed in ticket 7.'}",
    );
    let exception = |spec: &str| found(&policy(ALWAYS, spec), &accepted)[0].exception.clone();
    assert_eq!(exception("{enforcementAction: warn}").as_deref(), Some("Agreed in ticket 7."));
    assert_eq!(exception("{}"), None);
}

#[test]
fn what_is_there_already_is_changed_and_not_made() {
    let policy = policy(
        "package test\nviolation[{\"msg\": msg}] { input.review.operation == \"UPDATE\"; \
         input.review.object.spec.replicas < input.review.oldObject.spec.replicas; msg := \"fewer\" }",
        "{match: {kinds: [{apiGroups: [apps], kinds: [Deployment]}]}}",
    );
    let scaled = |replicas: u32| {
        format!(
            "{{apiVersion: apps/v1, kind: Deployment, metadata: {{name: web, namespace: shop}}, \
             spec: {{replicas: {replicas}, template: {{spec: {{containers: []}}}}}}}}"
        )
    };
    assert_eq!(said(&format!("{policy}\n---\n{}", scaled(3)), &scaled(2)), ["policy/test fewer"]);
    assert!(said(&format!("{policy}\n---\n{}", scaled(2)), &scaled(3)).is_empty());
    assert!(said(&policy, &scaled(2)).is_empty());
}

#[test]
fn policies_judge_what_will_be_stored() {
    let rego = "package test\nviolation[{\"msg\": msg}] { c := input.review.object.spec.containers[_]\n\
                not c.resources.requests.memory; msg := \"no request\" }\n\
                violation[{\"msg\": msg}] { not input.review.object.spec.securityContext.runAsNonRoot; msg := \"root\" }";
    let policy = policy(rego, "{match: {kinds: [{kinds: [Pod]}]}}");
    let limited = "{apiVersion: v1, kind: Pod, metadata: {name: web, namespace: shop}, \
                   spec: {containers: [{name: a, image: a/b:1, resources: {limits: {memory: 1Gi}}}]}}";
    assert_eq!(said(&policy, limited), ["policy/test root"], "limits are requests where there are none");
    let mutation = "{apiVersion: mutations.gatekeeper.sh/v1, kind: Assign, metadata: {name: set}, spec: {applyTo: \
                    [{groups: [''], versions: [v1], kinds: [Pod]}], location: spec.securityContext.runAsNonRoot, \
                    parameters: {assign: {value: true}}}}";
    assert!(said(&format!("{policy}\n---\n{mutation}"), limited).is_empty());
    let unknown = mutation.replace("{value: true}", "{externalData: {provider: p}}");
    let said = said(&format!("{policy}\n---\n{unknown}"), limited);
    assert!(said[0].starts_with("policy/not-evaluated") && said[0].contains("mutation Assign set"), "{said:?}");
}
