//! Workloads that a namespace has no room for.

use super::{Check, Problem, Rule, RuleSet, Scope};
use crate::manifest::Manifest;
use crate::pod_resources::{Bound, PodResources};
use crate::quantity::Quantity;
use crate::workload::Workload;

pub(super) const RULE: Rule = Rule {
    id: "quota/exceeded",
    meaning: "The quota of the namespace has no room for all pods, so some of them are never made.",
    source: "kubernetes.io/docs/concepts/policy/resource-quotas; quotas with scopes are not counted, nor more than 500 workloads together",
    faq: Some("quotas"),
    set: RuleSet::Platform,
    check: Check::Workload(check),
};

/// The most resources of a quota that are compared.
const MOST_RESOURCES: usize = 32;

/// The most workloads that are counted together.
const MOST_TOGETHER: usize = 500;

const FIX: &str = "Ask for fewer replicas or for less in each, or ask an administrator for a larger quota.";

fn check(workload: &Workload<'_>, scope: &Scope<'_>) -> Vec<Problem> {
    scope
        .quotas_of(workload.namespace())
        .flat_map(|quota| {
            let hard = quota.value()["spec"]["hard"].as_object().into_iter().flatten();
            hard.take(MOST_RESOURCES)
                .filter_map(move |(resource, allowed)| Some((quota, resource.as_str(), Quantity::of(allowed)?)))
        })
        .filter_map(|(quota, resource, allowed)| {
            let needed = needs(workload, scope, resource).unwrap_or_default();
            if needed > allowed {
                let (name, needed) = (&quota.object().name, words(needed, resource));
                let message = format!("It needs {needed}, and the quota {name} of its namespace allows {allowed}.");
                return Some(Problem::deny(path(workload), message, FIX));
            }
            let message =
                if is_last(workload, scope) { together(workload, scope, quota, resource, allowed) } else { None };
            message.map(|message| Problem::warn(path(workload), message, FIX))
        })
        .collect()
}

/// Whether it is the last workload under review of its namespace.
fn is_last(workload: &Workload<'_>, scope: &Scope<'_>) -> bool {
    let last = scope.workloads_under_review(workload.namespace()).next_back();
    last.is_some_and(|last| std::ptr::eq(last.manifest, workload.manifest))
}

/// Said of the last workload only: more is needed than is left, or, where nobody says what is in use, all workloads that
/// are known need more than is allowed.
fn together(
    workload: &Workload<'_>,
    scope: &Scope<'_>,
    quota: &Manifest,
    resource: &str,
    allowed: Quantity,
) -> Option<String> {
    let (name, namespace) = (&quota.object().name, workload.namespace());
    if scope.workloads_in(namespace).nth(MOST_TOGETHER).is_some() {
        return None;
    }
    let need = |workload: &Workload<'_>| needs(workload, scope, resource).unwrap_or_default();
    let Some(used) = Quantity::of(&quota.value()["status"]["used"][resource]) else {
        let all: Quantity = scope.workloads_in(namespace).filter(|workload| is_on_its_own(workload)).map(need).sum();
        let message = format!(
            "All workloads of the namespace need {}, and its quota {name} allows {allowed}.",
            words(all, resource)
        );
        return (all > allowed).then_some(message);
    };
    let new: Quantity = scope.workloads_under_review(namespace).map(|workload| need(&workload)).sum();
    let old: Quantity = scope.replaced_workloads(namespace).map(|workload| need(&workload)).sum();
    let (more, left) = (new - old, (allowed - used).max(Quantity::default()));
    let message =
        format!("It takes {} more, and the quota {name} has {left} of {allowed} left.", words(more, resource));
    (more > left).then_some(message)
}

fn path(workload: &Workload<'_>) -> String {
    match workload.manifest.object().kind.as_str() {
        "Deployment" | "StatefulSet" | "ReplicaSet" | "ReplicationController" => "spec.replicas".to_owned(),
        _ => workload.path("containers"),
    }
}

fn words(amount: Quantity, resource: &str) -> String {
    match resource {
        "pods" | "count/pods" if amount == Quantity::whole(1) => "1 pod".to_owned(),
        "pods" | "count/pods" => format!("{amount} pods"),
        _ => format!("{amount} of {resource}"),
    }
}

/// What is made by a workload is counted with it.
fn is_on_its_own(workload: &Workload<'_>) -> bool {
    workload.manifest.value()["metadata"]["ownerReferences"].as_array().is_none_or(Vec::is_empty)
}

/// What a workload takes of what a quota counts; nothing of what is no matter of pods.
fn needs(workload: &Workload<'_>, scope: &Scope<'_>, resource: &str) -> Option<Quantity> {
    if matches!(resource, "pods" | "count/pods") {
        return Some(Quantity::whole(pods(workload, scope)));
    }
    let (bound, resource) = counted(resource)?;
    let limit_ranges = scope.limit_ranges_of(workload.namespace());
    let of_pod = PodResources::of(*workload, limit_ranges).of_pod_with_overhead(bound, resource)?;
    Some(of_pod * pods(workload, scope))
}

/// Resources that quotas count without `requests.` too, and of which they count limits.
const NATIVE: [&str; 3] = ["cpu", "memory", "ephemeral-storage"];

/// What a resource of a quota counts of pods.
pub(super) fn counted(resource: &str) -> Option<(Bound, &str)> {
    match (resource.strip_prefix("requests."), resource.strip_prefix("limits.")) {
        // Of volumes.
        (Some("storage"), _) => None,
        (Some(resource), _) => Some((Bound::Requests, resource)),
        (_, Some(resource)) => NATIVE.contains(&resource).then_some((Bound::Limits, resource)),
        _ if NATIVE.contains(&resource) => Some((Bound::Requests, resource)),
        _ => None,
    }
}

/// How many pods run at the same time at least: of a DaemonSet one, and a Job gets by with one after the other.
fn pods(workload: &Workload<'_>, scope: &Scope<'_>) -> u64 {
    match workload.manifest.object().kind.as_str() {
        "Deployment" | "StatefulSet" | "ReplicaSet" | "ReplicationController" => scope.least_replicas(workload),
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use crate::rules::testing::reviewed;

    fn deployment(name: &str, replicas: u32, cpu: &str) -> String {
        format!(
            "{{apiVersion: apps/v1, kind: Deployment, metadata: {{name: {name}}}, spec: {{replicas: {replicas}, template: \
             {{spec: {{containers: [{{name: c, image: 'harbor.example.com/a:1', resources: {{requests: {{cpu: {cpu}, \
             memory: 64Mi}}}}}}]}}}}}}}}\n---\n"
        )
    }

    fn quota(hard: &str, more: &str) -> String {
        format!(
            "{{apiVersion: v1, kind: ResourceQuota, metadata: {{name: team}}, spec: {{hard: {{{hard}}}}}{more}}}\n---\n"
        )
    }

    fn said(yaml: &str) -> Vec<String> {
        let findings = reviewed(yaml).findings.into_iter().filter(|finding| finding.rule == "quota/exceeded");
        findings.map(|finding| format!("{}: {}", finding.object.name, finding.message)).collect()
    }

    #[test]
    fn what_never_fits_is_refused_with_both_numbers() {
        assert_eq!(
            said(&format!("{}{}", quota("pods: 30", ""), deployment("a", 60, "1"))),
            ["a: It needs 60 pods, and the quota team of its namespace allows 30."]
        );
        assert_eq!(
            said(&format!("{}{}", quota("requests.cpu: '4', memory: 1Gi", ""), deployment("a", 3, "1500m"))),
            ["a: It needs 4500m of requests.cpu, and the quota team of its namespace allows 4."]
        );
        assert!(said(&format!("{}{}", quota("pods: 60", ""), deployment("a", 60, "1"))).is_empty());
    }

    #[test]
    fn what_does_not_fit_together_is_said_once_of_the_last() {
        let two = format!("{}{}", deployment("a", 2, "1"), deployment("b", 2, "1"));
        assert_eq!(
            said(&format!("{}{two}", quota("pods: 3", ""))),
            ["b: All workloads of the namespace need 4 pods, and its quota team allows 3."]
        );
        let used = ", status: {used: {pods: '27'}}";
        assert_eq!(
            said(&format!("{}{two}", quota("pods: 30", used))),
            ["b: It takes 4 pods more, and the quota team has 3 of 30 left."]
        );
        assert!(said(&format!("{}{two}", quota("pods: 31", used))).is_empty());
    }

    #[test]
    fn what_the_last_workload_does_not_use_is_counted_all_the_same() {
        let gpu = deployment("a", 2, "1").replace("cpu: 1,", "nvidia.com/gpu: 1,");
        let used = ", status: {used: {requests.nvidia.com/gpu: '7'}}";
        assert_eq!(
            said(&format!("{}{gpu}{}", quota("requests.nvidia.com/gpu: 8", used), deployment("b", 1, "1"))),
            ["b: It takes 2 of requests.nvidia.com/gpu more, and the quota team has 1 of 8 left."]
        );
    }

    #[test]
    fn each_of_many_namespaces_has_its_own_quota() {
        let all: Vec<String> = (0..50)
            .map(|number| {
                let place = format!("{{name: team, namespace: n{number}}}");
                let quota = quota("pods: 1", "").replace("{name: team}", &place);
                format!("{quota}{}", deployment("a", 2, "1").replace("{name: a}", &place.replace("team", "a")))
            })
            .collect();
        assert_eq!(said(&all.concat()).len(), 50);
    }

    #[test]
    fn quotas_of_some_pods_only_and_of_what_is_no_pod_are_passed_over() {
        let many = deployment("a", 9, "1");
        assert!(said(&format!("{}{many}", quota("pods: 1}, scopes: [BestEffort], also: {", ""))).is_empty());
        assert!(said(&format!("{}{many}", quota("requests.storage: 1Gi, services: 0", ""))).is_empty());
    }

    #[test]
    fn a_change_takes_only_what_it_takes_more() {
        use crate::{Context, Selection, Settings, decode, review};
        let known = format!("{}{}", quota("pods: 10", ", status: {used: {pods: '9'}}"), deployment("a", 5, "1"));
        let context = Context { existing: decode("known", &known).unwrap(), ..Context::default() };
        let said = |replicas| {
            let manifests = decode("new", &deployment("a", replicas, "1")).unwrap();
            let findings = review(&manifests, &context, &Settings::default(), Selection::default()).findings;
            findings
                .into_iter()
                .filter(|finding| finding.rule == "quota/exceeded")
                .map(|finding| finding.message)
                .collect::<Vec<_>>()
        };
        assert!(said(6).is_empty());
        assert_eq!(said(7), ["It takes 2 pods more, and the quota team has 1 of 10 left."]);
    }
}
