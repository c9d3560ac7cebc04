//! The platform's policies, as the review evaluates them and as the real Gatekeeper does: the manifests in the review's
//! test data and a thousand generated ones, each put to the webhook as a dry run.

use crate::parts::{client, told, wait_for};
use futures::StreamExt;
use http::header::{CONTENT_TYPE, WARNING};
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use kube::Client;
use kube::client::Body;
use review::{Context, Manifest, Selection, Settings, Severity, decode, review};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use uuid::Uuid;

const POLICIES: &str = include_str!("../../../review/testdata/policies/policies.yaml");

/// How many objects are generated.
const GENERATED: u64 = 1000;

/// One thing that is said about an object: the constraint, whether it refuses, and the message.
type Said = BTreeSet<(String, bool, String)>;

/// Numbers that look random and are the same every time (SplitMix64).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % u64::try_from(limit).unwrap()).unwrap()
    }

    fn of<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        &choices[self.below(choices.len())]
    }
}

const IMAGES: [&str; 9] = [
    "harbor.example.com/shop/web:1.0",
    "harbor.example.com/shop/web",
    "harbor.example.com/shop/web:latest",
    "harbor.example.com.evil.io/web:1",
    "nginx",
    "nginx:latest",
    "registry:5000/web",
    "web@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "web:latest@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
];

fn container(numbers: &mut Numbers, name: &str) -> Value {
    let mut container = json!({ "name": name, "image": numbers.of(&IMAGES) });
    let resources = [
        json!(null),
        json!({}),
        json!({ "requests": { "cpu": "10m", "memory": "16Mi" } }),
        json!({ "requests": { "cpu": "10m" } }),
        json!({ "limits": { "memory": "16Mi" } }),
        json!({ "requests": { "memory": "0", "cpu": 1 } }),
    ];
    let chosen = numbers.of(&resources).clone();
    if !chosen.is_null() {
        container["resources"] = chosen;
    }
    if numbers.below(8) == 0 {
        container["securityContext"] = json!({ "seccompProfile": { "type": "Localhost", "localhostProfile": "p" } });
    }
    container
}

fn pod_spec(numbers: &mut Numbers) -> Value {
    let count = 1 + numbers.below(3);
    let containers: Vec<Value> = (0..count).map(|index| container(numbers, &format!("c{index}"))).collect();
    let mut spec = json!({ "containers": containers });
    if numbers.below(3) == 0 {
        spec["initContainers"] = json!([container(numbers, "init")]);
    }
    if numbers.below(10) == 0 {
        spec["securityContext"] = json!({ "seccompProfile": { "type": "Localhost", "localhostProfile": "p" } });
    }
    spec
}

fn labels(numbers: &mut Numbers) -> Value {
    let choices = [
        json!({ "app": "web" }),
        json!({ "app": "db", "tier": "data" }),
        json!({ "app": "db", "tier": "other" }),
        json!({ "run": "one" }),
        json!({ "env": "prod", "app": "other" }),
        json!({ "env": "dev", "app": "other" }),
        json!({ "app": "blocked" }),
    ];
    numbers.of(&choices).clone()
}

fn generated(seed: u64, namespace: &str) -> Value {
    let mut numbers = Numbers(seed);
    let kinds = [
        ("v1", "Pod"),
        ("apps/v1", "Deployment"),
        ("apps/v1", "StatefulSet"),
        ("apps/v1", "DaemonSet"),
        ("batch/v1", "Job"),
        ("batch/v1", "CronJob"),
        ("v1", "Service"),
        ("policy/v1", "PodDisruptionBudget"),
        ("v1", "ConfigMap"),
    ];
    let (api_version, kind) = *numbers.of(&kinds);
    let mut metadata = json!({ "name": format!("generated-{seed}"), "namespace": namespace });
    if numbers.below(4) == 0 {
        metadata["annotations"] =
            json!({ "elastisys.io/ignore-minimum-replicas": *numbers.of(&["true", "false", ""]) });
    }
    let labels = labels(&mut numbers);
    let template = |spec: Value| json!({ "metadata": { "labels": labels }, "spec": spec });
    let spec = match kind {
        "Pod" => {
            metadata["labels"] = labels.clone();
            pod_spec(&mut numbers)
        }
        "Deployment" | "StatefulSet" | "DaemonSet" => {
            let mut spec =
                json!({ "selector": { "matchLabels": labels }, "template": template(pod_spec(&mut numbers)) });
            if kind != "DaemonSet" && numbers.below(4) > 0 {
                spec["replicas"] = numbers.below(5).into();
            }
            if kind == "StatefulSet" {
                spec["serviceName"] = "s".into();
            }
            spec
        }
        "Job" | "CronJob" => {
            let mut pod = pod_spec(&mut numbers);
            pod["restartPolicy"] = "Never".into();
            let job = json!({ "template": template(pod) });
            if kind == "Job" { job } else { json!({ "schedule": "* * * * *", "jobTemplate": { "spec": job } }) }
        }
        "Service" => {
            json!({ "type": *numbers.of(&["ClusterIP", "LoadBalancer", "NodePort"]), "ports": [{ "port": 80 }] })
        }
        "PodDisruptionBudget" => {
            let bounds = [
                json!({ "maxUnavailable": 0 }),
                json!({ "maxUnavailable": "0%" }),
                json!({ "maxUnavailable": 1 }),
                json!({ "minAvailable": 1 }),
                json!({ "minAvailable": 2 }),
                json!({ "minAvailable": "100%" }),
                json!({}),
            ];
            let mut spec = numbers.of(&bounds).clone();
            spec["selector"] = json!({ "matchLabels": labels });
            spec
        }
        _ => return json!({ "apiVersion": api_version, "kind": kind, "metadata": metadata, "data": { "a": "b" } }),
    };
    json!({ "apiVersion": api_version, "kind": kind, "metadata": metadata, "spec": spec })
}

/// What is in the namespace already, and what policies look up there.
fn existing_objects(namespace: &str) -> Vec<Value> {
    let policy = |name: &str, selector: Value| {
        json!({
            "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
            "metadata": { "name": name, "namespace": namespace }, "spec": { "podSelector": selector }
        })
    };
    let container = json!({
        "name": "c", "image": "harbor.example.com/shop/web:1",
        "resources": { "requests": { "cpu": "1m", "memory": "1Mi" } }
    });
    vec![
        policy("web", json!({ "matchLabels": { "app": "web" } })),
        policy(
            "data",
            json!({
                "matchLabels": { "app": "db" },
                "matchExpressions": [{ "key": "tier", "operator": "In", "values": ["data"] }]
            }),
        ),
        policy(
            "prod",
            json!({
                "matchExpressions": [{
                    "key": "env", "operator": "Exists" }, { "key": "env", "operator": "NotIn", "values": ["dev"]
                }]
            }),
        ),
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": "existing", "namespace": namespace },
            "spec": {
                "replicas": 2, "selector": { "matchLabels": { "app": "db" } },
                "template": {
                    "metadata": { "labels": { "app": "db", "tier": "data" } }, "spec": { "containers": [container] }
                }
            },
        }),
        json!({
            "apiVersion": "policy/v1", "kind": "PodDisruptionBudget",
            "metadata": { "name": "existing", "namespace": namespace },
            "spec": { "minAvailable": 2, "selector": { "matchLabels": { "app": "blocked" } } }
        }),
    ]
}

fn collection(object: &Value, namespace: &str) -> String {
    let (version, kind) = (object["apiVersion"].as_str().unwrap(), object["kind"].as_str().unwrap());
    let plural = match kind {
        "NetworkPolicy" => "networkpolicies".to_owned(),
        kind => format!("{}s", kind.to_lowercase()),
    };
    let root = if version.contains('/') { "apis" } else { "api" };
    format!("/{root}/{version}/namespaces/{namespace}/{plural}")
}

/// The answer of the API server: status, message and warnings.
async fn create(client: &Client, path: &str, object: &Value) -> (StatusCode, String, Vec<String>) {
    let request = Request::post(path).header(CONTENT_TYPE, "application/json");
    let response = client.send(request.body(Body::from(object.to_string().into_bytes())).unwrap()).await.unwrap();
    let (parts, body) = response.into_parts();
    let body: Value = serde_json::from_slice(&body.collect().await.unwrap().to_bytes()).unwrap_or_default();
    let warnings = parts.headers.get_all(WARNING).into_iter().filter_map(|header| {
        let text = header.to_str().ok()?.split_once('"')?.1.rsplit_once('"')?.0;
        Some(text.replace("\\\"", "\"").replace("\\\\", "\\"))
    });
    (parts.status, body["message"].as_str().unwrap_or_default().to_owned(), warnings.collect())
}

/// What Gatekeeper said; nothing where the API server refused before it was asked.
async fn of_gatekeeper(client: &Client, namespace: &str, object: &Value) -> Option<Said> {
    const DENIED: &str = "admission webhook \"validation.gatekeeper.sh\" denied the request: ";
    let path = format!("{}?dryRun=All", collection(object, namespace));
    let (status, message, warnings) = create(client, &path, object).await;
    let denied = match message.split_once(DENIED) {
        Some((_, denied)) => denied,
        None if status.is_success() => "",
        None => return None,
    };
    let refused = denied.lines().filter_map(|line| said(line, true));
    Some(refused.chain(warnings.iter().filter_map(|warning| said(warning, false))).collect())
}

/// `[constraint] message`.
fn said(line: &str, refuses: bool) -> Option<(String, bool, String)> {
    let (constraint, message) = line.strip_prefix('[')?.split_once("] ")?;
    constraint.starts_with("elastisys-").then(|| (constraint.to_owned(), refuses, message.to_owned()))
}

fn of_review(object: &Value, existing: &[Manifest]) -> Said {
    let context = Context {
        existing: existing.to_vec(),
        every_workload: true,
        namespaces: None,
        rego: Arc::new(crate::parts::rego_workers()),
    };
    let manifest = Manifest::from_value(object.clone()).unwrap();
    let report = review(&[manifest], &context, &Settings::default(), Selection::default());
    let of_policies = report.findings.into_iter().filter_map(|finding| {
        let constraint = finding.rule.strip_prefix("policy/")?.to_owned();
        Some((constraint, finding.severity == Severity::Deny, finding.message))
    });
    of_policies.collect()
}

/// Every Pod and workload of the review's test data, put into the namespace.
fn of_test_data(namespace: &str) -> Vec<Value> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../review/testdata/pss");
    let mut folders = vec![folder];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if entry.is_dir() {
                folders.push(entry);
            } else if entry.extension().is_some_and(|end| end == "yaml") {
                for manifest in decode("test data", &std::fs::read_to_string(&entry).unwrap()).unwrap() {
                    let mut value = manifest.value().clone();
                    value["metadata"]["namespace"] = namespace.into();
                    found.push(value);
                }
            }
        }
    }
    found
}

#[tokio::test]
async fn gatekeeper_and_the_review_say_the_same_of_every_object() {
    let client = client(&told("FAIRWAY_TEST_ADMIN_KUBECONFIG")).await;
    let namespace = format!("policies-{}", Uuid::new_v4().simple());
    let own = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": namespace } });
    assert!(create(&client, "/api/v1/namespaces", &own).await.0.is_success());
    let objects = existing_objects(&namespace);
    for object in &objects {
        let (status, message, _) = create(&client, &collection(object, &namespace), object).await;
        assert!(status.is_success(), "{message}");
    }
    let mut existing = decode("policies", POLICIES).unwrap();
    existing.extend(objects.iter().chain([&own]).map(|object| Manifest::from_value(object.clone()).unwrap()));
    // Gatekeeper's inventory follows the cluster a moment later: the last object that was made is what shows it.
    let probe = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": "probe", "namespace": namespace },
        "spec": {
            "replicas": 1, "selector": { "matchLabels": { "app": "blocked" } },
            "template": {
                "metadata": { "labels": { "app": "blocked" } },
                "spec": { "containers": [{ "name": "c", "image": "harbor.example.com/a:1" }] }
            }
        },
    });
    let expected = of_review(&probe, &existing);
    let is_settled = async || of_gatekeeper(&client, &namespace, &probe).await.as_ref() == Some(&expected);
    wait_for(async || is_settled().await.then_some(())).await;

    let mut objects = of_test_data(&namespace);
    objects.extend((0..GENERATED).map(|seed| generated(seed, &namespace)));
    let asked = futures::stream::iter(objects).map(|object| {
        let (client, namespace) = (client.clone(), namespace.clone());
        async move { (of_gatekeeper(&client, &namespace, &object).await, object) }
    });
    let answers: Vec<_> = asked.buffered(8).collect().await;
    let (mut compared, mut refused) = (0, 0);
    let mut differing = Vec::new();
    for (answer, object) in answers {
        let Some(answer) = answer else { continue };
        let here = of_review(&object, &existing);
        compared += 1;
        refused += usize::from(answer.iter().any(|(_, refuses, _)| *refuses));
        if answer != here {
            differing.push(format!("{object}\n  Gatekeeper {answer:?}\n  here {here:?}"));
        }
    }
    println!("{compared} objects compared, {refused} of them refused");
    assert!(
        differing.is_empty(),
        "{} of {compared} differ:\n{}",
        differing.len(),
        differing[..differing.len().min(5)].join("\n")
    );
    assert!(compared >= 900 && refused > 100, "{compared} compared, {refused} refused");
}

/// A policy that refuses everything, and says what the mutations made of it.
const PRINTS: &str = r#"
package prints
violation[{"msg": msg}] {
  object := input.review.object
  object.kind == "Pod"
  # With the token of the service account, which the local stack has none of.
  left_out := ["volumes", "containers", "initContainers", "serviceAccountName", "serviceAccount"]
  rest := json.remove(object.spec, left_out)
  own := ["containers", "initContainers"]
  containers := [json.remove(container, ["volumeMounts"]) | container := object.spec[own[_]][_]]
  msg := sprintf("pod %v", [json.marshal([object.metadata.labels, rest, containers, volumes])])
}
volumes = input.review.object.spec.volumes { input.review.object.spec.automountServiceAccountToken == false } else = []
violation[{"msg": msg}] {
  object := input.review.object
  object.kind != "Pod"
  # Made by the API server after everything else.
  labels := ["template", "metadata", "labels"]
  uids := [array.concat(labels, [key]) | key := ["controller-uid", "batch.kubernetes.io/controller-uid"][_]]
  own := json.remove(object.spec, array.concat(["selector"], uids))
  msg := sprintf("%v %v", [object.kind, json.marshal([object.metadata.labels, own])])
}
"#;

const KINDS: [&str; 7] = ["Pod", "Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob", "NetworkPolicy"];

/// The policy, for one namespace alone.
fn printing_policy(namespace: &str) -> (Value, Value) {
    let template = json!({
        "apiVersion": "templates.gatekeeper.sh/v1", "kind": "ConstraintTemplate", "metadata": { "name": "prints" },
        "spec": {
            "crd": { "spec": { "names": { "kind": "Prints" } } },
            "targets": [{ "target": "admission.k8s.gatekeeper.sh", "rego": PRINTS }],
        },
    });
    let kinds = json!([{ "apiGroups": ["*"], "kinds": KINDS }]);
    let constraint = json!({
        "apiVersion": "constraints.gatekeeper.sh/v1beta1", "kind": "Prints", "metadata": { "name": "elastisys-prints" },
        "spec": { "match": { "kinds": kinds, "namespaces": [namespace] } },
    });
    (template, constraint)
}

fn mutations(namespace: &str) -> Vec<Value> {
    let of = |kind: &str, name: &str, applies_to: &str, location: &str, parameters: Value| {
        let group = if applies_to == "Deployment" { "apps" } else { "" };
        json!({
            "apiVersion": "mutations.gatekeeper.sh/v1", "kind": kind, "metadata": { "name": format!("test-{name}") },
            "spec": {
                "applyTo": [{ "groups": [group], "versions": ["v1"], "kinds": [applies_to] }],
                "match": { "namespaces": [namespace] }, "location": location, "parameters": parameters,
            },
        })
    };
    let unless_there = |path: &str| json!([{ "subPath": path, "condition": "MustNotExist" }]);
    let drop = "spec.containers[name:*].securityContext.capabilities.drop";
    let mut owner = of(
        "AssignMetadata",
        "owner",
        "Pod",
        "metadata.labels.owner",
        json!({ "assign": { "fromMetadata": { "field": "name" } } }),
    );
    owner["spec"].as_object_mut().unwrap().remove("applyTo");
    vec![
        of("Assign", "drop", "Pod", drop, json!({ "assign": { "value": ["ALL"] }, "pathTests": unless_there(drop) })),
        of(
            "Assign",
            "pull",
            "Pod",
            "spec.containers[name: c1].imagePullPolicy",
            json!({
                "assign": { "value": "Never" },
                "pathTests": [{ "subPath": "spec.containers[name: c1]", "condition": "MustExist" }],
            }),
        ),
        of(
            "ModifySet",
            "args",
            "Pod",
            "spec.containers[name:*].args",
            json!({ "operation": "merge", "values": { "fromList": ["--verbose", "--color"] } }),
        ),
        of(
            "ModifySet",
            "args-off",
            "Pod",
            "spec.containers[name:*].args",
            json!({ "operation": "prune", "values": { "fromList": ["--debug"] } }),
        ),
        of(
            "Assign",
            "toleration",
            "Pod",
            "spec.tolerations[key: dedicated]",
            json!({ "assign": { "value": { "key": "dedicated", "operator": "Exists" } } }),
        ),
        of(
            "Assign",
            "template",
            "Deployment",
            "spec.template.metadata.labels.changed",
            json!({ "assign": { "value": "yes" } }),
        ),
        owner,
    ]
}

/// A pod with much of what the API server fills in.
fn rich_pod_spec(numbers: &mut Numbers) -> Value {
    let mut spec = pod_spec(numbers);
    for container in spec["containers"].as_array_mut().unwrap() {
        let fields = [
            ("args", vec![json!(["--color"]), json!(["--debug", "--verbose"]), json!([])]),
            (
                "securityContext",
                vec![json!({}), json!({ "capabilities": { "drop": ["CHOWN"] } }), json!({ "privileged": false })],
            ),
            ("ports", vec![json!([{ "containerPort": 80 }]), json!([{ "containerPort": 53, "protocol": "UDP" }])]),
            (
                "env",
                vec![json!([
                    { "name": "A", "valueFrom": { "fieldRef": { "fieldPath": "metadata.name" } } },
                    { "name": "B", "value": "" },
                ])],
            ),
            (
                "livenessProbe",
                vec![
                    json!({ "httpGet": { "port": 80 } }),
                    json!({ "grpc": { "port": 80 }, "periodSeconds": 3 }),
                    json!({ "exec": { "command": ["true"] }, "timeoutSeconds": 0 }),
                ],
            ),
            ("lifecycle", vec![json!({ "preStop": { "httpGet": { "port": 80, "path": "/end" } } })]),
            ("imagePullPolicy", vec![json!("Always"), json!("IfNotPresent")]),
        ];
        for (field, choices) in fields {
            if numbers.below(2) == 0 {
                container[field] = numbers.of(&choices).clone();
            }
        }
    }
    let fields = [
        (
            "tolerations",
            vec![
                json!([{ "key": "dedicated", "operator": "Equal", "value": "x" }]),
                json!([{ "operator": "Exists" }]),
                json!([{ "key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute" }]),
                json!([]),
            ],
        ),
        ("automountServiceAccountToken", vec![json!(false)]),
        ("terminationGracePeriodSeconds", vec![json!(0), json!(5)]),
        ("dnsPolicy", vec![json!("Default")]),
        ("hostNetwork", vec![json!(true), json!(false)]),
        ("nodeSelector", vec![json!({ "a": "b" }), json!(null)]),
        (
            "volumes",
            vec![json!([
                { "name": "a" },
                { "name": "b", "configMap": { "name": "c" } },
                { "name": "c", "hostPath": { "path": "/tmp" } },
                { "name": "d", "projected": { "sources": [
                    { "serviceAccountToken": { "path": "t" } },
                    { "downwardAPI": { "items": [{ "path": "l", "fieldRef": { "fieldPath": "metadata.labels" } }] } },
                ] } },
                { "name": "e", "secret": { "secretName": "s", "defaultMode": 256 } },
            ])],
        ),
    ];
    for (field, choices) in fields {
        if numbers.below(2) == 0 {
            spec[field] = numbers.of(&choices).clone();
        }
    }
    spec
}

fn generated_for_defaults(seed: u64, namespace: &str) -> Value {
    let mut numbers = Numbers(seed);
    let labels = labels(&mut numbers);
    let mut metadata = json!({ "name": format!("changed-{seed}"), "namespace": namespace });
    if numbers.below(3) == 0 {
        metadata["labels"] = json!({ "owner": "somebody" });
    }
    let kind = *numbers.of(&KINDS);
    let mut pod = rich_pod_spec(&mut numbers);
    if matches!(kind, "Job" | "CronJob") {
        pod["restartPolicy"] = "Never".into();
    }
    let template = json!({ "metadata": { "labels": labels }, "spec": pod });
    let selecting = json!({ "selector": { "matchLabels": labels }, "template": template });
    let (api_version, mut spec) = match kind {
        "Pod" => ("v1", pod),
        "Job" => ("batch/v1", json!({ "template": template })),
        "CronJob" => {
            ("batch/v1", json!({ "schedule": "* * * * *", "jobTemplate": { "spec": { "template": template } } }))
        }
        "NetworkPolicy" => {
            let rules = json!([{ "ports": [{ "port": 80 }, { "port": 53, "protocol": "UDP" }] }, {}]);
            ("networking.k8s.io/v1", json!({ "podSelector": {}, "ingress": rules }))
        }
        _ => ("apps/v1", selecting),
    };
    let some = |numbers: &mut Numbers| numbers.below(3) == 0;
    match kind {
        "StatefulSet" => spec["serviceName"] = "s".into(),
        "Deployment" if some(&mut numbers) => spec["strategy"] = json!({ "type": "Recreate" }),
        "DaemonSet" if some(&mut numbers) => {
            spec["updateStrategy"] = json!({ "rollingUpdate": { "maxUnavailable": "50%" } });
        }
        "Job" if some(&mut numbers) => spec["parallelism"] = 2.into(),
        "NetworkPolicy" if some(&mut numbers) => spec["egress"] = json!([{}]),
        _ => {}
    }
    json!({ "apiVersion": api_version, "kind": kind, "metadata": metadata, "spec": spec })
}

/// Where the API server has an object of Gatekeeper's.
fn path_of(object: &Value) -> String {
    let (version, kind) = (object["apiVersion"].as_str().unwrap(), object["kind"].as_str().unwrap());
    let plural = if kind == "ConstraintTemplate" { "constrainttemplates".to_owned() } else { kind.to_lowercase() };
    format!("/apis/{version}/{plural}")
}

#[tokio::test]
async fn policies_judge_what_the_api_server_fills_in_and_mutations_leave() {
    let client = client(&told("FAIRWAY_TEST_ADMIN_KUBECONFIG")).await;
    let namespace = format!("mutations-{}", Uuid::new_v4().simple());
    let own = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": namespace } });
    assert!(create(&client, "/api/v1/namespaces", &own).await.0.is_success());
    let (template, constraint) = printing_policy(&namespace);
    let mutations = mutations(&namespace);
    let of_gatekeeper_itself = || mutations.iter().chain([&template, &constraint]);
    // Its kind is served a moment after its template is there.
    for object in of_gatekeeper_itself() {
        wait_for(async || {
            let (status, ..) = create(&client, &path_of(object), object).await;
            (status.is_success() || status == StatusCode::CONFLICT).then_some(())
        })
        .await;
    }
    let existing: Vec<Manifest> =
        of_gatekeeper_itself().chain([&own]).map(|object| Manifest::from_value(object.clone()).unwrap()).collect();
    let objects: Vec<Value> = (0..300).map(|seed| generated_for_defaults(seed, &namespace)).collect();
    let printed = |said: Said| said.into_iter().find(|(constraint, ..)| constraint == "elastisys-prints");
    let there = async |object: &Value| of_gatekeeper(&client, &namespace, object).await.map(printed);
    let here = |object: &Value| printed(of_review(object, &existing));
    // Each part of Gatekeeper learns of each of these in its own time.
    let container = json!({ "name": "c1", "image": "harbor.example.com/a:1", "args": ["--debug"] });
    let spec = json!({ "containers": [container] });
    let metadata = json!({ "name": "probe", "namespace": namespace });
    let probe = json!({ "apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec });
    let labels = json!({ "app": "probe" });
    let template = json!({ "metadata": { "labels": labels }, "spec": spec });
    let selecting = json!({ "selector": { "matchLabels": labels }, "template": template });
    let of_workload = json!({ "apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": selecting });
    let made: [(&Value, &[&str]); 2] =
        [(&probe, &["owner", "dedicated", "--verbose", "ALL", "Never"]), (&of_workload, &["changed"])];
    for (object, changes) in made {
        wait_for(async || {
            let (_, _, message) = there(object).await??;
            let is_pruned = object["kind"] != "Pod" || !message.contains("--debug");
            (is_pruned && changes.iter().all(|change| message.contains(change))).then_some(())
        })
        .await;
    }
    let (mut compared, mut differing) = (0, Vec::new());
    for object in &objects {
        let Some(there) = there(object).await else { continue };
        let here = here(object);
        compared += 1;
        if there != here || here.is_none() {
            differing.push(format!("{object}\n  Gatekeeper {there:?}\n  here {here:?}"));
        }
    }
    for object in of_gatekeeper_itself() {
        let address = format!("{}/{}", path_of(object), object["metadata"]["name"].as_str().unwrap());
        client.request_text(Request::delete(address).body(Vec::new()).unwrap()).await.unwrap();
    }
    let first = differing.first().map_or("", String::as_str);
    assert!(differing.is_empty(), "{} of {compared} differ:\n{first}", differing.len());
    assert!(compared >= 250, "{compared} compared");
}
