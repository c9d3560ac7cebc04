//! The restricted standard: hardening on top of baseline.

use super::{FAQ, own_context};
use crate::rules::{Check, Problem, Rule, Scope};
use crate::workload::{Container, Workload};
use serde_json::Value;

const VOLUMES: Rule = Rule { id: "pss/volume-types", faq: FAQ, check: Check::Workload(volume_types) };
const ESCALATION: Rule =
    Rule { id: "pss/allow-privilege-escalation", faq: FAQ, check: Check::Workload(allow_privilege_escalation) };
const NON_ROOT: Rule = Rule {
    id: "pss/run-as-non-root",
    faq: Some("container-has-runasnonroot"),
    check: Check::Workload(run_as_non_root),
};
const USER: Rule =
    Rule { id: "pss/run-as-user", faq: Some("container-has-runasnonroot"), check: Check::Workload(run_as_user) };
const SECCOMP: Rule = Rule { id: "pss/seccomp-restricted", faq: FAQ, check: Check::Workload(seccomp) };
const CAPABILITIES: Rule = Rule { id: "pss/capabilities-restricted", faq: FAQ, check: Check::Workload(capabilities) };

const PROC_MOUNT: Rule = Rule { id: "pss/proc-mount-restricted", faq: FAQ, check: Check::Workload(proc_mount) };

pub(crate) const RESTRICTED: &[&Rule] =
    &[&VOLUMES, &ESCALATION, &NON_ROOT, &USER, &SECCOMP, &CAPABILITIES, &PROC_MOUNT];

const VOLUME_TYPES: &[&str] =
    &["configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"];

fn volume_types(workload: &Workload<'_>, _: &Scope<'_>) -> Vec<Problem> {
    let volumes = workload.spec()["volumes"].as_array().map(Vec::as_slice).unwrap_or_default();
    volumes
        .iter()
        .enumerate()
        .filter_map(|(index, volume)| {
            // A volume without a source is an emptyDir (API reference, Volume v1 core).
            let source = volume.as_object()?.keys().find(|key| *key != "name")?;
            (!VOLUME_TYPES.contains(&source.as_str())).then(|| {
                Problem::deny(
                    workload.path(&format!("volumes[{index}]")),
                    format!("Volumes of type {source} are not allowed."),
                    format!("Use one of {}.", VOLUME_TYPES.join(", ")),
                )
            })
        })
        .collect()
}

/// Containers for which the check on `context` fails, as problems at `field`.
fn on_containers(
    workload: &Workload<'_>,
    field: &str,
    fails: impl Fn(&Value) -> bool,
    message: impl Fn(&Container<'_>) -> String,
    fix: &str,
) -> Vec<Problem> {
    workload
        .containers()
        .iter()
        .map(|container| (container, own_context(container)))
        .filter(|(_, (_, context))| fails(context))
        .map(|(container, (path, _))| Problem::deny(format!("{path}.{field}"), message(container), fix))
        .collect()
}

fn allow_privilege_escalation(workload: &Workload<'_>, _: &Scope<'_>) -> Vec<Problem> {
    if workload.is_windows() {
        return Vec::new();
    }
    on_containers(
        workload,
        "allowPrivilegeEscalation",
        |context| context["allowPrivilegeEscalation"] != false,
        |container| format!("Processes in container {} may gain more rights than they start with.", container.name()),
        "Set allowPrivilegeEscalation: false.",
    )
}

/// Baseline allows it in a user namespace; restricted does not, and baseline has spoken otherwise.
fn proc_mount(workload: &Workload<'_>, _: &Scope<'_>) -> Vec<Problem> {
    if workload.has_user_namespace() { super::baseline::unmasked_proc(workload) } else { Vec::new() }
}

// `hostUsers: false` relaxes the two checks on users (1.35): root inside is nobody outside.
fn run_as_non_root(workload: &Workload<'_>, _: &Scope<'_>) -> Vec<Problem> {
    if workload.has_user_namespace() {
        return Vec::new();
    }
    let pod = workload.spec()["securityContext"]["runAsNonRoot"] == true;
    on_containers(
        workload,
        "runAsNonRoot",
        |context| match &context["runAsNonRoot"] {
            Value::Null => !pod,
            own => *own != true,
        },
        |container| format!("Container {} is not kept from running as root.", container.name()),
        "Set runAsNonRoot: true, for the pod or for the container.",
    )
}

fn run_as_user(workload: &Workload<'_>, _: &Scope<'_>) -> Vec<Problem> {
    if workload.has_user_namespace() {
        return Vec::new();
    }
    super::security_contexts(workload)
        .into_iter()
        .filter(|(_, context)| context["runAsUser"] == 0)
        .map(|(path, _)| Problem::deny(format!("{path}.runAsUser"), "User 0 is root.", "Use a number above 10000."))
        .collect()
}

fn seccomp(workload: &Workload<'_>, _: &Scope<'_>) -> Vec<Problem> {
    if workload.is_windows() {
        return Vec::new();
    }
    let confined =
        |context: &Value| matches!(context["seccompProfile"]["type"].as_str(), Some("RuntimeDefault" | "Localhost"));
    let pod = confined(&workload.spec()["securityContext"]);
    on_containers(
        workload,
        "seccompProfile.type",
        |context| if context["seccompProfile"].is_null() { !pod } else { !confined(context) },
        |container| format!("Container {} runs without a filter on system calls.", container.name()),
        "Set seccompProfile.type: RuntimeDefault, for the pod or for the container.",
    )
}

fn capabilities(workload: &Workload<'_>, _: &Scope<'_>) -> Vec<Problem> {
    if workload.is_windows() {
        return Vec::new();
    }
    let names = |list: &Value| {
        list.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect::<Vec<_>>()
    };
    let mut problems = Vec::new();
    for container in workload.containers() {
        let (path, context) = own_context(&container);
        if !names(&context["capabilities"]["drop"]).iter().any(|name| name == "ALL") {
            problems.push(Problem::deny(
                format!("{path}.capabilities.drop"),
                format!("Container {} keeps rights over the kernel that it does not need.", container.name()),
                "Set capabilities.drop: [ALL].",
            ));
        }
        for added in names(&context["capabilities"]["add"]).iter().filter(|name| *name != "NET_BIND_SERVICE") {
            problems.push(Problem::deny(
                format!("{path}.capabilities.add"),
                format!(
                    "Container {} adds the capability {added}; only NET_BIND_SERVICE is allowed.",
                    container.name()
                ),
                format!("Remove {added}."),
            ));
        }
    }
    problems
}
