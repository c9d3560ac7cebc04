//! The baseline standard: known privilege escalations.

use super::{FAQ, own_context, security_contexts};
use crate::rules::{Check, Problem, Rule, Scope};
use crate::workload::Workload;
use serde_json::Value;

macro_rules! rule {
    ($name:ident, $id:literal, $check:ident) => {
        const $name: Rule = Rule { id: $id, faq: FAQ, check: Check::Workload($check) };
    };
}

rule!(PRIVILEGED, "pss/privileged", privileged);
rule!(HOST_NAMESPACES, "pss/host-namespaces", host_namespaces);
rule!(HOST_PORTS, "pss/host-ports", host_ports);
rule!(HOST_PATH, "pss/host-path", host_path);
rule!(HOST_PROBES, "pss/host-probes", host_probes);
rule!(CAPABILITIES, "pss/capabilities-baseline", capabilities);
rule!(APPARMOR, "pss/apparmor", apparmor);
rule!(SELINUX, "pss/selinux", selinux);
rule!(PROC_MOUNT, "pss/proc-mount", proc_mount);
rule!(SECCOMP, "pss/seccomp-baseline", seccomp);
rule!(SYSCTLS, "pss/sysctls", sysctls);
rule!(WINDOWS_HOST_PROCESS, "pss/windows-host-process", windows_host_process);

pub(crate) const BASELINE: &[&Rule] = &[
    &PRIVILEGED,
    &HOST_NAMESPACES,
    &HOST_PORTS,
    &HOST_PATH,
    &HOST_PROBES,
    &CAPABILITIES,
    &APPARMOR,
    &SELINUX,
    &PROC_MOUNT,
    &SECCOMP,
    &SYSCTLS,
    &WINDOWS_HOST_PROCESS,
];

const ADDABLE: &[&str] = &[
    "AUDIT_WRITE",
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "MKNOD",
    "NET_BIND_SERVICE",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
];

const SAFE_SYSCTLS: &[&str] = &[
    "kernel.shm_rmid_forced",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.ping_group_range",
    "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
    "net.ipv4.tcp_rmem",
    "net.ipv4.tcp_wmem",
];

fn privileged(workload: &Workload<'_>, _: &Scope<'_>) -> Vec<Problem> {
    workload
        .containers()
        .iter()
        .map(|container| (container.name().to_owned(), own_context(container)))
        .filter(|(_, (_, context))| context["privileged"] == true)
        .map(|(name, (path, _))| {
            Problem::deny(
                format!("{path}.privileged"),
                format!("Container {name} is privileged: it controls the whole node."),
                "Remove privileged.",
            )
        })
        .collect()
}

fn host_namespaces(workload: &Workload<'_>, _: &Scope<'_>) -> Vec<Problem> {
    ["hostNetwork", "hostPID", "hostIPC"]
        .into_iter()
        .filter(|field| workload.spec()[field] == true)
        .map(|field| {
            Problem::deny(
                workload.path(field),
                format!("{field} shares the node's own namespace with the pod."),
                format!("Remove {field}."),
            )
        })
        .collect()
}

fn host_ports(workload: &Workload<'_>, _: &Scope<'_>) -> Vec<Problem> {
    let mut problems = Vec::new();
    for container in workload.containers() {
        for (index, port) in container.value["ports"].as_array().into_iter().flatten().enumerate() {
            if port["hostPort"].as_u64().is_some_and(|port| port != 0) {
                problems.push(Problem::deny(
                    format!("{}.ports[{index}].hostPort", container.path),
                    format!("Container {} takes a port of the node.", container.name()),
                    "Remove hostPort and reach the pod through a Service.",
                ));
            }
        }
    }
    problems
}

fn volumes<'a>(workload: &Workload<'a>) -> impl Iterator<Item = (usize, &'a Value)> {
    workload.spec()["volumes"].as_array().into_iter().flatten().enumerate()
}

fn host_path(workload: &Workload<'_>, _: &Scope<'_>) -> Vec<Problem> {
    volumes(workload)
        .filter(|(_, volume)| !volume["hostPath"].is_null())
        .map(|(index, _)| {
            Problem::deny(
                workload.path(&format!("volumes[{index}].hostPath")),
                "The volume is a folder of the node.",
                "Use a persistentVolumeClaim, or emptyDir for scratch space.",
            )
        })
        .collect()
}

/// Probes and lifecycle hooks that name a host could make the kubelet call elsewhere (since 1.34).
fn host_probes(workload: &Workload<'_>, _: &Scope<'_>) -> Vec<Problem> {
    let mut problems = Vec::new();
    for container in workload.containers() {
        for place in ["livenessProbe", "readinessProbe", "startupProbe", "lifecycle.postStart", "lifecycle.preStop"] {
            let handler = place.split('.').fold(container.value, |value, segment| &value[segment]);
            for kind in ["httpGet", "tcpSocket"] {
                if handler[kind]["host"].as_str().is_some_and(|host| !host.is_empty()) {
                    problems.push(Problem::deny(
                        format!("{}.{place}.{kind}.host", container.path),
                        format!(
                            "A probe or hook of container {} names a host, so the node itself would call it.",
                            container.name()
                        ),
                        "Remove host: the probe then calls the pod.",
                    ));
                }
            }
        }
    }
    problems
}

fn capabilities(workload: &Workload<'_>, _: &Scope<'_>) -> Vec<Problem> {
    let mut problems = Vec::new();
    for container in workload.containers() {
        let (path, context) = own_context(&container);
        for added in context["capabilities"]["add"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            if !ADDABLE.contains(&added) {
                problems.push(Problem::deny(
                    format!("{path}.capabilities.add"),
                    format!("Container {} adds the capability {added}.", container.name()),
                    format!("Remove {added}."),
                ));
            }
        }
    }
    problems
}

fn apparmor(workload: &Workload<'_>, _: &Scope<'_>) -> Vec<Problem> {
    let fix = "Use the profile RuntimeDefault, or none.";
    let fields = security_contexts(workload)
        .into_iter()
        .filter(|(_, context)| context["appArmorProfile"]["type"] == "Unconfined")
        .map(|(path, _)| Problem::deny(format!("{path}.appArmorProfile.type"), "AppArmor is switched off.", fix));
    let annotations = workload.annotations();
    let annotations = annotations
        .iter()
        .filter(|(key, _)| key.starts_with("container.apparmor.security.beta.kubernetes.io/"))
        .filter(|(_, value)| !value.is_empty() && *value != "runtime/default" && !value.starts_with("localhost/"))
        .map(|(key, value)| {
            Problem::deny(
                "metadata.annotations",
                format!("The annotation {key} asks for the AppArmor profile {value}."),
                fix,
            )
        });
    fields.chain(annotations).collect()
}

fn selinux(workload: &Workload<'_>, _: &Scope<'_>) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (path, context) in security_contexts(workload) {
        let options = &context["seLinuxOptions"];
        let kind = options["type"].as_str().unwrap_or_default();
        if !["", "container_t", "container_init_t", "container_kvm_t", "container_engine_t"].contains(&kind) {
            problems.push(Problem::deny(
                format!("{path}.seLinuxOptions.type"),
                format!("SELinux type {kind} is not one of the container types."),
                "Remove it.",
            ));
        }
        for field in ["user", "role"] {
            if options[field].as_str().is_some_and(|value| !value.is_empty()) {
                problems.push(Problem::deny(
                    format!("{path}.seLinuxOptions.{field}"),
                    format!("A custom SELinux {field} is set."),
                    "Remove it.",
                ));
            }
        }
    }
    problems
}

/// In a user namespace of its own (`hostUsers: false`), what is unmasked is the pod's (1.35).
fn proc_mount(workload: &Workload<'_>, _: &Scope<'_>) -> Vec<Problem> {
    if workload.has_user_namespace() { Vec::new() } else { unmasked_proc(workload) }
}

pub(super) fn unmasked_proc(workload: &Workload<'_>) -> Vec<Problem> {
    workload
        .containers()
        .iter()
        .map(own_context)
        .filter(|(_, context)| context["procMount"].as_str().is_some_and(|kind| kind != "Default"))
        .map(|(path, _)| {
            Problem::deny(format!("{path}.procMount"), "The masks over /proc are taken away.", "Remove procMount.")
        })
        .collect()
}

fn seccomp(workload: &Workload<'_>, _: &Scope<'_>) -> Vec<Problem> {
    security_contexts(workload)
        .into_iter()
        .filter(|(_, context)| context["seccompProfile"]["type"] == "Unconfined")
        .map(|(path, _)| {
            Problem::deny(
                format!("{path}.seccompProfile.type"),
                "The filter on system calls is switched off.",
                "Use RuntimeDefault.",
            )
        })
        .collect()
}

fn sysctls(workload: &Workload<'_>, _: &Scope<'_>) -> Vec<Problem> {
    let context = &workload.spec()["securityContext"];
    context["sysctls"]
        .as_array()
        .into_iter()
        .flatten()
        .enumerate()
        .filter_map(|(index, sysctl)| {
            let name = sysctl["name"].as_str().unwrap_or_default();
            (!SAFE_SYSCTLS.contains(&name)).then(|| {
                Problem::deny(
                    workload.path(&format!("securityContext.sysctls[{index}]")),
                    format!("The kernel setting {name} affects the whole node."),
                    "Remove it.",
                )
            })
        })
        .collect()
}

fn windows_host_process(workload: &Workload<'_>, _: &Scope<'_>) -> Vec<Problem> {
    security_contexts(workload)
        .into_iter()
        .filter(|(_, context)| context["windowsOptions"]["hostProcess"] == true)
        .map(|(path, _)| {
            Problem::deny(
                format!("{path}.windowsOptions.hostProcess"),
                "The container runs as a process of the Windows node.",
                "Remove hostProcess.",
            )
        })
        .collect()
}
