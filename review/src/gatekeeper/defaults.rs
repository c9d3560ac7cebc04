//! What the API server fills in before anything else looks at an object (Kubernetes 1.37, `pkg/apis/*/v1/defaults.go`),
//! and what its own admission adds to pods (`plugin/pkg/admission`). Not the volume with the token of the service account,
//! which depends on that account.

use crate::image::ImageRef;
use serde_json::{Map, Value, json};
use std::borrow::Cow;

/// Fills in what an object of a built-in kind leaves out; others are not even copied.
pub(super) fn fill(object: &mut Cow<'_, Value>) {
    let text = |field: &str| object[field].as_str().unwrap_or_default().to_owned();
    let (api_version, kind) = (text("apiVersion"), text("kind"));
    if !KINDS.contains(&(api_version.as_str(), kind.as_str())) {
        return;
    }
    let object = object.to_mut();
    leave_out_what_is_empty(object);
    let Some(spec) = object.get_mut("spec").and_then(Value::as_object_mut) else { return };
    match (api_version.as_str(), kind.as_str()) {
        ("v1", "Pod") => {
            pod_spec(spec);
            pod(spec);
        }
        ("v1", "ReplicationController") => {
            set(spec, "replicas", 1);
            template(spec);
        }
        ("v1", "Service") => service(spec),
        ("apps/v1", "Deployment") => deployment(spec),
        ("apps/v1", "StatefulSet") => stateful_set(spec),
        ("apps/v1", "DaemonSet") => daemon_set(spec),
        ("apps/v1", "ReplicaSet") => {
            set(spec, "replicas", 1);
            template(spec);
        }
        ("batch/v1", "Job") => {
            job(spec);
            template(spec);
        }
        ("batch/v1", "CronJob") => cron_job(spec),
        ("networking.k8s.io/v1", "NetworkPolicy") => network_policy(spec),
        _ => {}
    }
    if kind == "Job" {
        label(object);
    }
}

/// The kinds of which something is filled in.
const KINDS: [(&str, &str); 10] = [
    ("v1", "Pod"),
    ("v1", "ReplicationController"),
    ("v1", "Service"),
    ("apps/v1", "Deployment"),
    ("apps/v1", "StatefulSet"),
    ("apps/v1", "DaemonSet"),
    ("apps/v1", "ReplicaSet"),
    ("batch/v1", "Job"),
    ("batch/v1", "CronJob"),
    ("networking.k8s.io/v1", "NetworkPolicy"),
];

/// The API server leaves out nulls and empty lists of its own kinds (`omitempty`).
fn leave_out_what_is_empty(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|_, value| !value.is_null() && value.as_array().is_none_or(|list| !list.is_empty()));
            fields.values_mut().for_each(leave_out_what_is_empty);
        }
        Value::Array(items) => items.iter_mut().for_each(leave_out_what_is_empty),
        _ => {}
    }
}

/// Takes a field away that says what nothing says as well.
fn leave_out(object: &mut Map<String, Value>, field: &str, nothing: &Value) {
    if object.get(field) == Some(nothing) {
        object.remove(field);
    }
}

/// Sets a field that is not there.
fn set(object: &mut Map<String, Value>, field: &str, value: impl Into<Value>) {
    if object.get(field).is_none_or(Value::is_null) {
        object.insert(field.to_owned(), value.into());
    }
}

/// An object below a field, made where it is missing.
fn below<'a>(object: &'a mut Map<String, Value>, field: &str) -> Option<&'a mut Map<String, Value>> {
    set(object, field, Map::new());
    found(object, field)
}

/// An object below a field.
fn found<'a>(object: &'a mut Map<String, Value>, field: &str) -> Option<&'a mut Map<String, Value>> {
    object.get_mut(field)?.as_object_mut()
}

/// The objects of a list.
fn each<'a>(object: &'a mut Map<String, Value>, field: &str) -> impl Iterator<Item = &'a mut Map<String, Value>> {
    object.get_mut(field).and_then(Value::as_array_mut).into_iter().flatten().filter_map(Value::as_object_mut)
}

fn template(spec: &mut Map<String, Value>) {
    let Some(template) = found(spec, "template") else { return };
    set(template, "metadata", Map::new());
    if let Some(spec) = found(template, "spec") {
        pod_spec(spec);
    }
}

fn deployment(spec: &mut Map<String, Value>) {
    set(spec, "replicas", 1);
    if let Some(strategy) = below(spec, "strategy") {
        set(strategy, "type", "RollingUpdate");
        if strategy["type"] == "RollingUpdate"
            && let Some(update) = below(strategy, "rollingUpdate")
        {
            set(update, "maxUnavailable", "25%");
            set(update, "maxSurge", "25%");
        }
    }
    set(spec, "revisionHistoryLimit", 10);
    set(spec, "progressDeadlineSeconds", 600);
    template(spec);
}

fn stateful_set(spec: &mut Map<String, Value>) {
    set(spec, "podManagementPolicy", "OrderedReady");
    if let Some(strategy) = below(spec, "updateStrategy") {
        if strategy.get("type").is_none() {
            set(strategy, "rollingUpdate", Map::new());
        }
        set(strategy, "type", "RollingUpdate");
        if strategy["type"] == "RollingUpdate"
            && let Some(update) = found(strategy, "rollingUpdate")
        {
            set(update, "partition", 0);
            // Since 1.37.
            set(update, "maxUnavailable", 1);
        }
    }
    if let Some(retention) = below(spec, "persistentVolumeClaimRetentionPolicy") {
        set(retention, "whenDeleted", "Retain");
        set(retention, "whenScaled", "Retain");
    }
    set(spec, "replicas", 1);
    set(spec, "revisionHistoryLimit", 10);
    template(spec);
}

fn daemon_set(spec: &mut Map<String, Value>) {
    if let Some(strategy) = below(spec, "updateStrategy") {
        set(strategy, "type", "RollingUpdate");
        if strategy["type"] == "RollingUpdate"
            && let Some(update) = below(strategy, "rollingUpdate")
        {
            set(update, "maxUnavailable", 1);
            set(update, "maxSurge", 0);
        }
    }
    set(spec, "revisionHistoryLimit", 10);
    template(spec);
}

fn job(spec: &mut Map<String, Value>) {
    if spec.get("completions").is_none() && spec.get("parallelism").is_none() {
        set(spec, "completions", 1);
    }
    set(spec, "parallelism", 1);
    let by_index = spec.contains_key("backoffLimitPerIndex");
    set(spec, "backoffLimit", if by_index { i32::MAX } else { 6 });
    set(spec, "completionMode", "NonIndexed");
    set(spec, "suspend", false);
    let has_policy = spec.contains_key("podFailurePolicy");
    set(spec, "podReplacementPolicy", if has_policy { "Failed" } else { "TerminatingOrFailed" });
    set(spec, "manualSelector", false);
}

/// A Job without labels gets those of its pods, and they get its name; not its uid, which nobody knows yet.
fn label(job: &mut Value) {
    let labels = job["spec"]["template"]["metadata"]["labels"].clone();
    let has_own = job["metadata"]["labels"].as_object().is_some_and(|labels| !labels.is_empty());
    if labels.is_object() && !has_own {
        job["metadata"]["labels"] = labels;
    }
    let name = job["metadata"]["name"].clone();
    if job["spec"]["manualSelector"] == true || !job["spec"]["template"]["metadata"].is_object() {
        return;
    }
    for key in ["job-name", "batch.kubernetes.io/job-name"] {
        job["spec"]["template"]["metadata"]["labels"][key] = name.clone();
    }
}

fn cron_job(spec: &mut Map<String, Value>) {
    set(spec, "concurrencyPolicy", "Allow");
    set(spec, "suspend", false);
    set(spec, "successfulJobsHistoryLimit", 3);
    set(spec, "failedJobsHistoryLimit", 1);
    let Some(job) = found(spec, "jobTemplate") else { return };
    set(job, "metadata", Map::new());
    if let Some(spec) = found(job, "spec") {
        template(spec);
    }
}

fn service(spec: &mut Map<String, Value>) {
    set(spec, "sessionAffinity", "None");
    set(spec, "type", "ClusterIP");
    for port in each(spec, "ports") {
        set(port, "protocol", "TCP");
        if let Some(number) = port.get("port").cloned() {
            set(port, "targetPort", number);
        }
    }
    let kind = spec["type"].as_str().unwrap_or_default().to_owned();
    if matches!(kind.as_str(), "NodePort" | "LoadBalancer") {
        set(spec, "externalTrafficPolicy", "Cluster");
    }
    if kind != "ExternalName" {
        set(spec, "internalTrafficPolicy", "Cluster");
    }
    if kind == "LoadBalancer" {
        set(spec, "allocateLoadBalancerNodePorts", true);
    }
}

fn network_policy(spec: &mut Map<String, Value>) {
    let rules = |spec: &Map<String, Value>, field: &str| {
        spec.get(field).and_then(Value::as_array).is_some_and(|rules| !rules.is_empty())
    };
    if !rules(spec, "policyTypes") {
        let egress = rules(spec, "egress").then_some("Egress");
        let types: Vec<&str> = std::iter::once("Ingress").chain(egress).collect();
        spec.insert("policyTypes".to_owned(), types.into());
    }
    for direction in ["ingress", "egress"] {
        for port in each(spec, direction).flat_map(|rule| each(rule, "ports")) {
            set(port, "protocol", "TCP");
        }
    }
}

/// What is filled in of every pod, also in templates.
fn pod_spec(spec: &mut Map<String, Value>) {
    let account = ["serviceAccountName", "serviceAccount"].iter().find_map(|field| spec.get(*field)?.as_str());
    if let Some(account) = account.filter(|account| !account.is_empty()).map(str::to_owned) {
        spec.insert("serviceAccountName".to_owned(), account.clone().into());
        spec.insert("serviceAccount".to_owned(), account.into());
    }
    for field in ["hostNetwork", "hostPID", "hostIPC"] {
        leave_out(spec, field, &false.into());
    }
    set(spec, "dnsPolicy", "ClusterFirst");
    set(spec, "restartPolicy", "Always");
    set(spec, "securityContext", Map::new());
    set(spec, "terminationGracePeriodSeconds", 30);
    set(spec, "schedulerName", "default-scheduler");
    for list in ["containers", "initContainers", "ephemeralContainers"] {
        each(spec, list).for_each(container);
    }
    each(spec, "volumes").for_each(volume);
}

fn container(container: &mut Map<String, Value>) {
    let image = container.get("image").and_then(Value::as_str).and_then(|image| image.parse::<ImageRef>().ok());
    let is_latest = image.is_some_and(|image| match (&image.tag, &image.digest) {
        (Some(tag), _) => tag == "latest",
        (None, digest) => digest.is_none(),
    });
    set(container, "imagePullPolicy", if is_latest { "Always" } else { "IfNotPresent" });
    set(container, "terminationMessagePath", "/dev/termination-log");
    set(container, "terminationMessagePolicy", "File");
    set(container, "resources", Map::new());
    for list in ["limits", "requests"] {
        if let Some(list) = found(container, "resources").and_then(|resources| found(resources, list)) {
            list.values_mut().for_each(quantity);
        }
    }
    for port in each(container, "ports") {
        set(port, "protocol", "TCP");
    }
    for variable in each(container, "env") {
        leave_out(variable, "value", &"".into());
        if let Some(field) = found(variable, "valueFrom").and_then(|from| found(from, "fieldRef")) {
            set(field, "apiVersion", "v1");
        }
    }
    for probe in ["livenessProbe", "readinessProbe", "startupProbe"] {
        let Some(probe) = found(container, probe) else { continue };
        for (field, number) in
            [("timeoutSeconds", 1), ("periodSeconds", 10), ("successThreshold", 1), ("failureThreshold", 3)]
        {
            leave_out(probe, field, &0.into());
            set(probe, field, number);
        }
        http_get(probe);
        if let Some(grpc) = found(probe, "grpc") {
            set(grpc, "service", "");
        }
    }
    for hook in ["postStart", "preStop"] {
        if let Some(hook) = found(container, "lifecycle").and_then(|lifecycle| found(lifecycle, hook)) {
            http_get(hook);
        }
    }
}

/// Quantities may be written as numbers, and are texts from then on.
fn quantity(value: &mut Value) {
    if value.is_number() {
        *value = value.to_string().into();
    }
}

fn http_get(handler: &mut Map<String, Value>) {
    if let Some(get) = found(handler, "httpGet") {
        set(get, "path", "/");
        set(get, "scheme", "HTTP");
    }
}

/// Readable by everyone in the pod, writable by its owner: 0644.
const MODE: u16 = 0o644;

fn volume(volume: &mut Map<String, Value>) {
    if volume.keys().all(|field| field == "name") {
        set(volume, "emptyDir", Map::new());
    }
    for source in ["secret", "configMap", "downwardAPI", "projected"] {
        if let Some(source) = found(volume, source) {
            set(source, "defaultMode", MODE);
        }
    }
    if let Some(path) = found(volume, "hostPath") {
        set(path, "type", "");
    }
    if let Some(api) = found(volume, "downwardAPI") {
        fields_of_items(api);
    }
    if let Some(projected) = found(volume, "projected") {
        for source in each(projected, "sources") {
            if let Some(token) = found(source, "serviceAccountToken") {
                set(token, "expirationSeconds", 3600);
            }
            if let Some(api) = found(source, "downwardAPI") {
                fields_of_items(api);
            }
        }
    }
}

fn fields_of_items(source: &mut Map<String, Value>) {
    for item in each(source, "items") {
        if let Some(field) = found(item, "fieldRef") {
            set(field, "apiVersion", "v1");
        }
    }
}

/// What is filled in of pods themselves, and not in templates.
fn pod(spec: &mut Map<String, Value>) {
    for list in ["containers", "initContainers"] {
        each(spec, list).for_each(request_what_is_limited);
    }
    set(spec, "enableServiceLinks", true);
    if spec.get("hostNetwork") == Some(&Value::Bool(true)) {
        for list in ["containers", "initContainers"] {
            for port in each(spec, list).flat_map(|container| each(container, "ports")) {
                if let Some(number) = port.get("containerPort").cloned() {
                    set(port, "hostPort", number);
                }
            }
        }
    }
    set(spec, "serviceAccountName", "default");
    set(spec, "serviceAccount", "default");
    if !spec.contains_key("priorityClassName") {
        set(spec, "priority", 0);
        set(spec, "preemptionPolicy", "PreemptLowerPriority");
    }
    tolerate_nodes_that_are_away(spec);
}

fn request_what_is_limited(container: &mut Map<String, Value>) {
    let Some(resources) = found(container, "resources") else { return };
    let Some(limits) = found(resources, "limits").cloned() else { return };
    let Some(requests) = below(resources, "requests") else { return };
    for (resource, limit) in limits {
        set(requests, &resource, limit);
    }
}

/// For five minutes, unless the pod says otherwise (`DefaultTolerationSeconds`).
fn tolerate_nodes_that_are_away(spec: &mut Map<String, Value>) {
    set(spec, "tolerations", Vec::<Value>::new());
    let Some(tolerations) = spec.get_mut("tolerations").and_then(Value::as_array_mut) else { return };
    for taint in ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"] {
        let is_any = |value: &Value, wanted: &str| value.as_str().is_none_or(|text| text.is_empty() || text == wanted);
        let tolerates =
            |toleration: &Value| is_any(&toleration["key"], taint) && is_any(&toleration["effect"], "NoExecute");
        if !tolerations.iter().any(tolerates) {
            let added = json!({ "key": taint, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300 });
            tolerations.push(added);
        }
    }
}
