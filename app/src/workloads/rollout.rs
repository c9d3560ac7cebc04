//! How far the pods of an applied workload have come, from what the cluster shows.

use crate::ports::Family;
use review::Manifest;
use serde_json::Value;

/// How far a workload has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rollout {
    pub stage: Stage,
    /// How many pods there are.
    pub pods: usize,
    /// How many have a node.
    pub scheduled: usize,
    /// How many are ready, or have done their work.
    pub ready: usize,
    /// How many there should be.
    pub wanted: u64,
    /// What the cluster says stands in the way, each once.
    pub problems: Vec<String>,
}

/// How far a workload has come, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// The cluster does not show it (any more).
    NotThere,
    /// The cluster refuses its pods.
    Refused,
    /// Pods are admitted and wait for a node.
    Waiting,
    /// Pods have a node and are not ready.
    Starting,
    /// It makes pods when their time comes.
    Planned,
    /// As many as wanted are ready, or have done their work.
    Running,
}

/// The latest problems that are shown.
const MOST_PROBLEMS: usize = 5;

/// Judges a workload by the pods of its newest version and by what was said about any of them.
#[must_use]
pub fn rollout(family: &Family) -> Rollout {
    let Some(workload) = &family.workload else {
        return Rollout { stage: Stage::NotThere, pods: 0, scheduled: 0, ready: 0, wanted: 0, problems: Vec::new() };
    };
    let pods = newest_pods(workload, &family.made);
    let scheduled = pods.iter().filter(|pod| pod.value()["spec"]["nodeName"].is_string()).count();
    let ready = pods.iter().filter(|pod| is_ready(pod.value())).count();
    let wanted = wanted(workload);
    let enough = is_observed(workload) && u64::try_from(ready).is_ok_and(|ready| ready >= wanted);
    let problems = problems(family, &pods);
    let stage = match () {
        () if workload.object().kind == "CronJob" => Stage::Planned,
        () if enough => Stage::Running,
        () if pods.is_empty() && !problems.is_empty() => Stage::Refused,
        () if scheduled == 0 => Stage::Waiting,
        () => Stage::Starting,
    };
    Rollout { stage, pods: pods.len(), scheduled, ready, wanted, problems: if enough { Vec::new() } else { problems } }
}

/// Whether its controller has looked at what was applied last; kinds without a controller have no such number.
fn is_observed(workload: &Manifest) -> bool {
    let number = |path: &str| workload.value().pointer(path).and_then(Value::as_u64);
    match (number("/metadata/generation"), number("/status/observedGeneration")) {
        (Some(applied), Some(observed)) => observed >= applied,
        _ => true,
    }
}

/// The pods of what was applied last: while a Deployment changes over, those of the version before are still there.
fn newest_pods<'a>(workload: &'a Manifest, made: &'a [Manifest]) -> Vec<&'a Manifest> {
    let pods = made.iter().chain([workload]).filter(|object| object.object().kind == "Pod");
    let label = |object: &Manifest, key: &str| object.value()["metadata"]["labels"][key].as_str().map(str::to_owned);
    let revision = |set: &&Manifest| {
        let text = set.annotation("deployment.kubernetes.io/revision").unwrap_or_default();
        text.parse::<u64>().unwrap_or_default()
    };
    let sets = made.iter().filter(|object| object.object().kind == "ReplicaSet");
    let (key, newest) = match workload.object().kind.as_str() {
        "Deployment" => {
            ("pod-template-hash", sets.max_by_key(revision).and_then(|set| label(set, "pod-template-hash")))
        }
        "StatefulSet" => {
            ("controller-revision-hash", workload.value()["status"]["updateRevision"].as_str().map(str::to_owned))
        }
        _ => ("", None),
    };
    pods.filter(|pod| newest.is_none() || label(pod, key) == newest).collect()
}

fn wanted(workload: &Manifest) -> u64 {
    match workload.object().kind.as_str() {
        "Deployment" | "StatefulSet" | "ReplicaSet" => workload.value()["spec"]["replicas"].as_u64().unwrap_or(1),
        "DaemonSet" => workload.value()["status"]["desiredNumberScheduled"].as_u64().unwrap_or(1),
        "Job" => workload.value()["spec"]["completions"].as_u64().unwrap_or(1),
        _ => 1,
    }
}

fn is_ready(pod: &Value) -> bool {
    let mut conditions = pod["status"]["conditions"].as_array().into_iter().flatten();
    pod["status"]["phase"] == "Succeeded"
        || conditions.any(|condition| condition["type"] == "Ready" && condition["status"] == "True")
}

/// Why containers wait, what controllers report in the workload's conditions, and warnings among the events.
fn problems(family: &Family, pods: &[&Manifest]) -> Vec<String> {
    let of_containers = pods.iter().flat_map(|pod| {
        let lists = ["containerStatuses", "initContainerStatuses"];
        lists.into_iter().flat_map(|list| pod.value()["status"][list].as_array().into_iter().flatten())
    });
    let waiting = of_containers.filter_map(|status| {
        let waiting = &status["state"]["waiting"];
        let reason =
            waiting["reason"].as_str().filter(|reason| !matches!(*reason, "ContainerCreating" | "PodInitializing"))?;
        Some(format!("{reason}: {}", waiting["message"].as_str().unwrap_or_default()))
    });
    let controllers = family.workload.iter().chain(&family.made).filter(|object| object.object().kind != "Pod");
    let failures =
        controllers.flat_map(|object| object.value()["status"]["conditions"].as_array().into_iter().flatten());
    let failures = failures
        .filter(|condition| condition["type"] == "ReplicaFailure" && condition["status"] == "True")
        .filter_map(|condition| condition["message"].as_str().map(str::to_owned));
    let warnings = family.events.iter().rev().filter(|event| event.is_warning).map(|event| event.message.clone());
    let mut found: Vec<String> = Vec::new();
    for problem in waiting.chain(failures).chain(warnings) {
        if !found.iter().any(|other| without_names(other) == without_names(&problem)) {
            found.push(problem);
        }
    }
    found.truncate(MOST_PROBLEMS);
    found
}

/// Messages about different pods say the same thing with different names: in quotes, or as the kubelet's `pod=NAME`.
fn without_names(text: &str) -> String {
    let text = text.strip_prefix("(combined from similar events): ").unwrap_or(text);
    let text = text.strip_prefix("Error creating: ").unwrap_or(text);
    let unquoted: String = text.split('"').step_by(2).collect();
    unquoted.split_whitespace().filter(|word| !word.starts_with("pod=")).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::ClusterEvent;
    use serde_json::json;

    fn object(kind: &str, rest: Value) -> Manifest {
        let mut value = json!({ "apiVersion": "v1", "kind": kind, "metadata": { "name": "a" } });
        for (key, part) in rest.as_object().unwrap() {
            value[key] = part.clone();
        }
        Manifest::from_value(value).unwrap()
    }

    fn pod(phase: &str, node: Option<&str>, ready: bool) -> Manifest {
        let conditions = json!([{ "type": "Ready", "status": if ready { "True" } else { "False" } }]);
        object("Pod", json!({ "spec": { "nodeName": node }, "status": { "phase": phase, "conditions": conditions } }))
    }

    fn deployment() -> Option<Manifest> {
        Some(object("Deployment", json!({ "spec": { "replicas": 2 } })))
    }

    fn warning(message: &str) -> ClusterEvent {
        ClusterEvent { reason: "FailedCreate".into(), message: message.into(), is_warning: true }
    }

    #[test]
    fn a_workload_whose_pods_are_refused_says_why_once() {
        let events = vec![
            warning("Error creating: pods \"a-1\" is forbidden: exceeded quota: full"),
            warning("Error creating: pods \"a-2\" is forbidden: exceeded quota: full"),
            warning("(combined from similar events): Error creating: pods \"a-3\" is forbidden: exceeded quota: full"),
        ];
        let found = rollout(&Family { workload: deployment(), made: Vec::new(), events });
        assert_eq!((found.stage, found.problems.len()), (Stage::Refused, 1));
    }

    #[test]
    fn what_the_kubelet_says_of_several_pods_is_said_once() {
        let crashing = |name: &str| {
            let message = format!("back-off 1m20s restarting failed container=web pod={name}_shop(0-1)");
            let waiting = json!({ "reason": "CrashLoopBackOff", "message": message });
            let status = json!({ "containerStatuses": [{ "state": { "waiting": waiting } }] });
            object("Pod", json!({ "spec": { "nodeName": "n" }, "status": status }))
        };
        let made = vec![crashing("web-a"), crashing("web-b")];
        let found = rollout(&Family { workload: deployment(), made, events: Vec::new() });
        assert_eq!(found.problems.len(), 1, "{:?}", found.problems);
    }

    #[test]
    fn pods_wait_for_a_node_start_and_run() {
        let stage = |made: Vec<Manifest>| rollout(&Family { workload: deployment(), made, events: Vec::new() }).stage;
        assert_eq!(stage(vec![pod("Pending", None, false)]), Stage::Waiting);
        assert_eq!(stage(vec![pod("Pending", Some("n"), false)]), Stage::Starting);
        assert_eq!(stage(vec![pod("Running", Some("n"), true)]), Stage::Starting);
        assert_eq!(stage(vec![pod("Running", Some("n"), true), pod("Running", Some("n"), true)]), Stage::Running);
    }

    #[test]
    fn a_container_that_cannot_start_says_so_and_an_old_warning_is_gone_once_all_runs() {
        let status = json!({
            "phase": "Pending",
            "containerStatuses": [{ "state": { "waiting": { "reason": "ImagePullBackOff", "message": "not found" } } }]
        });
        let stuck = object("Pod", json!({ "spec": { "nodeName": "n" }, "status": status }));
        let found = rollout(&Family { workload: deployment(), made: vec![stuck], events: Vec::new() });
        assert_eq!(found.problems, ["ImagePullBackOff: not found"]);
        let job = Some(object("Job", json!({})));
        let done = rollout(&Family {
            workload: job,
            made: vec![pod("Succeeded", Some("n"), false)],
            events: vec![warning("old")],
        });
        assert_eq!((done.stage, done.problems.len()), (Stage::Running, 0));
    }

    #[test]
    fn while_a_deployment_changes_over_the_pods_of_the_version_before_do_not_count() {
        let set = |revision: &str, hash: &str| {
            let metadata = json!({
                "name": hash, "annotations": { "deployment.kubernetes.io/revision": revision },
                "labels": { "pod-template-hash": hash }
            });
            object("ReplicaSet", json!({ "metadata": metadata }))
        };
        let of = |hash: &str, ready: bool| {
            let conditions = json!([{ "type": "Ready", "status": if ready { "True" } else { "False" } }]);
            let waiting =
                json!([{ "state": { "waiting": { "reason": "ImagePullBackOff", "message": "no such image" } } }]);
            let status =
                json!({ "conditions": conditions, "containerStatuses": if ready { json!([]) } else { waiting } });
            object(
                "Pod",
                json!({
                    "metadata": { "name": "p", "labels": { "pod-template-hash": hash } }, "spec": { "nodeName": "n" },
                    "status": status
                }),
            )
        };
        let made = vec![set("1", "old"), set("2", "new"), of("old", true), of("old", true), of("new", false)];
        let found = rollout(&Family { workload: deployment(), made, events: Vec::new() });
        assert_eq!((found.stage, found.pods, found.ready), (Stage::Starting, 1, 0));
        assert_eq!(found.problems, ["ImagePullBackOff: no such image"]);
    }

    #[test]
    fn a_change_that_no_controller_has_seen_yet_does_not_run() {
        let metadata = json!({ "name": "a", "generation": 2 });
        let deployment = object(
            "Deployment",
            json!({ "metadata": metadata, "spec": { "replicas": 1 }, "status": { "observedGeneration": 1 } }),
        );
        let found = rollout(&Family {
            workload: Some(deployment),
            made: vec![pod("Running", Some("n"), true)],
            events: Vec::new(),
        });
        assert_eq!(found.stage, Stage::Starting);
    }

    #[test]
    fn what_is_gone_is_said_to_be_gone() {
        assert_eq!(rollout(&Family::default()).stage, Stage::NotThere);
    }
}
