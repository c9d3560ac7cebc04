//! Fixing manifests: the patches of all findings, applied until none is left.

use crate::finding::{Finding, Report};
use crate::manifest::Manifest;
use crate::patch::Patch;
use crate::rules::Selection;
use crate::settings::Settings;
use crate::{Context, Judgement};

/// Manifests with everything fixed that a patch can fix.
#[derive(Debug, Clone)]
pub struct Fixed {
    /// The manifests, in the order in which they were given.
    pub manifests: Vec<Manifest>,
    /// What was done to each, in the order in which it was done.
    pub patches: Vec<Vec<Patch>>,
    /// How many findings there are no more.
    pub fixed_findings: usize,
    /// What is left to do by hand.
    pub report: Report,
}

/// Patches that wait for others touch at most a few levels of one object; this is far above that.
const MOST_ROUNDS: usize = 32;

/// Applies the patches of all findings. Patches that touch the same place wait for one another, and are made anew
/// from what the earlier ones left. Findings that are accepted as exceptions stay.
#[must_use]
pub fn fix(manifests: &[Manifest], context: &Context, settings: &Settings, selection: Selection) -> Fixed {
    let mut manifests = manifests.to_vec();
    let mut patches = vec![Vec::new(); manifests.len()];
    let mut judgement = Judgement::of(&manifests, context, settings, selection);
    let before = judgement.len();
    for _ in 0..MOST_ROUNDS {
        let found = manifests.iter_mut().zip(&judgement.findings).zip(&mut patches);
        let done: usize = found.map(|((manifest, findings), patches)| apply_fixes(manifest, findings, patches)).sum();
        if done == 0 {
            break;
        }
        judgement = Judgement::of(&manifests, context, settings, selection);
    }
    let fixed_findings = before.saturating_sub(judgement.len());
    Fixed { manifests, patches, fixed_findings, report: judgement.report() }
}

/// Applies to one manifest what does not overlap; says how many patches that was.
fn apply_fixes(manifest: &mut Manifest, findings: &[Finding], patches: &mut Vec<Patch>) -> usize {
    let begun = patches.len();
    for finding in findings.iter().filter(|finding| finding.exception.is_none() && !finding.patch.is_empty()) {
        if patches[begun..].iter().any(|done| done.overlaps(&finding.patch)) {
            continue;
        }
        manifest.patch(&finding.patch);
        patches.push(finding.patch.clone());
    }
    patches.len() - begun
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::testing::pod;
    use crate::{decode, review};
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn settings() -> Settings {
        Settings::default()
    }

    fn fixed(yaml: &str) -> Fixed {
        fix(&decode("test", yaml).unwrap(), &Context::default(), &settings(), Selection::default())
    }

    #[test]
    fn patches_that_need_the_same_missing_field_are_all_applied() {
        let fixed = fixed(&pod("", ""));
        let object = fixed.manifests[0].value();
        assert_eq!(object["spec"]["securityContext"]["runAsNonRoot"], true);
        assert_eq!(object["spec"]["securityContext"]["seccompProfile"]["type"], "RuntimeDefault");
        assert!(fixed.report.findings.iter().all(|finding| finding.patch.is_empty()), "{:#?}", fixed.report.findings);
    }

    #[test]
    fn of_two_objects_with_one_name_each_is_fixed_by_its_own_findings() {
        let yaml = format!("{}{}", pod("hostPID: true", ""), pod("hostIPC: true", ""));
        let fixed = fixed(&yaml);
        assert_eq!(fixed.manifests[0].value()["spec"]["hostPID"], false);
        assert_eq!(fixed.manifests[0].value()["spec"].get("hostIPC"), None);
    }

    #[test]
    fn what_is_accepted_stays() {
        let yaml = "{apiVersion: apps/v1, kind: Deployment, metadata: {name: a, \
            annotations: {exception.fairway.dev/replicas.too-few: 'Holds a lock.'}}, spec: {replicas: 1, \
            template: {spec: {}}}}";
        assert_eq!(fixed(yaml).manifests[0].value()["spec"]["replicas"], 1);
    }

    fn any_context() -> impl Strategy<Value = Value> {
        let flag = || prop::option::of(any::<bool>());
        let list =
            || prop::option::of(prop::sample::subsequence(vec!["ALL", "NET_RAW", "CHOWN", "NET_BIND_SERVICE"], 0..3));
        let kind = || prop::option::of(prop::sample::select(vec!["RuntimeDefault", "Unconfined", "Localhost"]));
        (flag(), flag(), flag(), list(), list(), kind(), prop::option::of(0..3u32), prop::option::of(Just("Unmasked")))
            .prop_map(|(privileged, escalation, non_root, drop, add, seccomp, user, proc_mount)| {
                let mut context = json!({});
                let mut set = |field: &str, value: Option<Value>| {
                    if let Some(value) = value {
                        context[field] = value;
                    }
                };
                set("privileged", privileged.map(Into::into));
                set("allowPrivilegeEscalation", escalation.map(Into::into));
                set("runAsNonRoot", non_root.map(Into::into));
                set("runAsUser", user.map(Into::into));
                set("procMount", proc_mount.map(Into::into));
                set("seccompProfile", seccomp.map(|kind| json!({ "type": kind })));
                set("capabilities", (drop.is_some() || add.is_some()).then(|| json!({ "drop": drop, "add": add })));
                context
            })
    }

    prop_compose! {
        fn any_container()(
            name in "[a-z]{1,5}",
            context in prop::option::of(any_context()),
            requests in prop::option::of(prop::sample::subsequence(vec!["cpu", "memory"], 0..=2)),
            host_port in prop::option::of(0..3u16),
        ) -> Value {
            let mut container = json!({ "name": name, "image": "harbor.example.com/a:1" });
            if let Some(context) = context {
                container["securityContext"] = context;
            }
            if let Some(requests) = requests {
                let requests = requests.into_iter().map(
                    |name| (name.to_owned(), json!("1"))
                ).collect::<serde_json::Map<_, _>>();
                container["resources"] = json!({ "requests": requests });
            }
            if let Some(port) = host_port {
                container["ports"] = json!([{ "containerPort": 80, "hostPort": port }]);
            }
            container
        }
    }

    prop_compose! {
        fn any_workload()(
            mut containers in prop::collection::vec(any_container(), 1..3),
            mut init in prop::collection::vec(any_container(), 0..2),
            context in prop::option::of(any_context()),
            host in prop::collection::vec(any::<bool>(), 3),
            replicas in prop::option::of(0..4u32),
            is_pod in any::<bool>(),
        ) -> Value {
            for (index, container) in containers.iter_mut().chain(&mut init).enumerate() {
                container["name"] = format!("c{index}").into();
            }
            let mut spec = json!({
                "containers": containers, "initContainers": init, "hostNetwork": host[0], "hostPID": host[1],
                "hostUsers": host[2]
            });
            if let Some(context) = context {
                // What the containers' context has and the pod's has not.
                let pod = ["runAsNonRoot", "runAsUser", "seccompProfile"];
                spec["securityContext"] = pod.iter().filter_map(
                    |field| Some(((*field).to_owned(), context.get(field)?.clone()))
                ).collect();
            }
            if is_pod {
                return json!({ "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "a" }, "spec": spec });
            }
            let mut deployment = json!({
                "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": "a" },
                "spec": {
                    "selector": { "matchLabels": { "app": "a" } },
                    "template": { "metadata": { "labels": { "app": "a" } }, "spec": spec }
                }
            });
            if let Some(replicas) = replicas {
                deployment["spec"]["replicas"] = replicas.into();
            }
            deployment
        }
    }

    fn any_network_object() -> impl Strategy<Value = Value> {
        let cidr =
            prop::sample::select(vec!["0.0.0.0/0", "169.254.0.0/16", "169.254.169.254/32", "10.0.0.0/8", "::/0"]);
        let protocol = prop::option::of(prop::sample::select(vec!["TCP", "udp", "sctp", "ICMP"]));
        let types = prop::option::of(prop::sample::subsequence(vec!["Ingress", "Egress", "egress"], 0..3));
        let policy = (cidr, protocol, types, 0..99_999u32).prop_map(|(cidr, protocol, types, port)| {
            let rule =
                json!({ "to": [{ "ipBlock": { "cidr": cidr } }], "ports": [{ "protocol": protocol, "port": port }] });
            json!({
                "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": { "name": "a" },
                "spec": { "podSelector": {}, "policyTypes": types, "egress": [rule] },
            })
        });
        let amount = || {
            prop::option::of(prop_oneof![
                (0..4u32).prop_map(Value::from),
                prop::sample::select(vec!["0%", "50%", "100%"]).prop_map(Value::from)
            ])
        };
        let budget = (amount(), amount()).prop_map(|(minimum, maximum)| {
            json!({
                "apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": { "name": "a" },
                "spec": {
                    "minAvailable": minimum, "maxUnavailable": maximum, "selector": { "matchLabels": { "app": "a" } }
                },
            })
        });
        let service = prop::sample::select(vec!["ClusterIP", "LoadBalancer"]).prop_map(|kind| {
            json!({
                "apiVersion": "v1", "kind": "Service", "metadata": { "name": "a" },
                "spec": { "type": kind, "selector": { "app": "a" } }
            })
        });
        prop_oneof![policy, budget, service]
    }

    proptest! {
        #[test]
        fn no_fix_makes_anything_worse(
            objects in prop::collection::vec(any_network_object(), 1..4), workload in any_workload()
        ) {
            let manifests: Vec<Manifest> =
                objects.into_iter().chain([workload]).map(|value| Manifest::from_value(value).unwrap()).collect();
            let count = |findings: &[Finding], rule: &str| findings.iter().filter(
                |finding| finding.rule == rule
            ).count();
            let before = review(&manifests, &Context::default(), &settings(), Selection::default()).findings;
            let fixed = fix(&manifests, &Context::default(), &settings(), Selection::default());
            for finding in fixed.report.findings.iter().filter(|finding| finding.severity == crate::Severity::Deny) {
                let (left, there) = (count(&fixed.report.findings, &finding.rule), count(&before, &finding.rule));
                prop_assert!(left <= there, "{finding:#?}");
            }
        }
    }

    proptest! {
        #[test]
        fn after_all_fixes_no_rule_that_had_a_patch_finds_anything(workload in any_workload()) {
            let manifests = [Manifest::from_value(workload).unwrap()];
            let before = review(&manifests, &Context::default(), &settings(), Selection::default());
            let fixable: Vec<String> =
                before.findings.iter().filter(
                    |finding| !finding.patch.is_empty()
                ).map(|finding| finding.rule.clone()).collect();
            let fixed = fix(&manifests, &Context::default(), &settings(), Selection::default());
            let left: Vec<&Finding> = fixed.report.findings.iter().filter(
                |finding| fixable.contains(&finding.rule)
            ).collect();
            prop_assert!(left.is_empty(), "{left:#?}");
            prop_assert!(fixed.report.findings.iter().all(|finding| finding.severity < crate::Severity::Deny));
        }

        #[test]
        fn the_patches_of_one_manifest_in_their_order_make_the_fixed_one(workload in any_workload()) {
            let manifests = [Manifest::from_value(workload.clone()).unwrap()];
            let fixed = fix(&manifests, &Context::default(), &settings(), Selection::default());
            let mut object = workload;
            for patch in &fixed.patches[0] {
                patch.apply(&mut object);
            }
            prop_assert_eq!(&object, fixed.manifests[0].value());
        }
    }
}
