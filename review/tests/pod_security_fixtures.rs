//! The Kubernetes project's own fixtures for the Pod Security Standards.
#![allow(clippy::unwrap_used, clippy::panic)]

use review::{Context, Finding, Profile, Selection, Settings, decode, fix, review};
use std::path::PathBuf;

/// The rule that each kind of fixture is named after.
const RULES: &[(&str, &str)] = &[
    ("allowprivilegeescalation", "pss/allow-privilege-escalation"),
    ("apparmorprofile", "pss/apparmor"),
    ("capabilities_baseline", "pss/capabilities-baseline"),
    ("capabilities_restricted", "pss/capabilities-restricted"),
    ("hostnamespaces", "pss/host-namespaces"),
    ("hostpathvolumes", "pss/host-path"),
    ("hostports", "pss/host-ports"),
    ("hostprobesandhostlifecycle", "pss/host-probes"),
    ("privileged", "pss/privileged"),
    ("procmount", "pss/proc-mount"),
    ("procmount_restricted", "pss/proc-mount-restricted"),
    ("restrictedvolumes", "pss/volume-types"),
    ("runasnonroot", "pss/run-as-non-root"),
    ("runasuser", "pss/run-as-user"),
    ("seccompprofile_baseline", "pss/seccomp-baseline"),
    ("seccompprofile_restricted", "pss/seccomp-restricted"),
    ("selinuxoptions", "pss/selinux"),
    ("sysctls", "pss/sysctls"),
    ("windowshostprocess", "pss/windows-host-process"),
];

/// Rules whose findings cannot be fixed without knowing what the volume is for.
const NOT_FIXABLE: &[&str] = &["pss/host-path", "pss/volume-types"];

struct Fixture {
    name: String,
    text: String,
    selection: Selection,
}

impl Fixture {
    fn findings(&self) -> Vec<Finding> {
        let manifests = decode(&self.name, &self.text).unwrap();
        review(&manifests, &Context::default(), &Settings::default(), self.selection).findings
    }

    fn rule(&self) -> &'static str {
        let kind = self.name.trim_end_matches(".yaml").trim_end_matches(|c: char| c.is_ascii_digit());
        RULES.iter().find(|(name, _)| *name == kind).unwrap_or_else(|| panic!("no rule for {kind}")).1
    }
}

fn fixtures(expectation: &str) -> Vec<Fixture> {
    let mut fixtures = Vec::new();
    for (level, profile) in [("baseline", Profile::Baseline), ("restricted", Profile::Restricted)] {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("testdata/pss").join(level).join(expectation);
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            fixtures.push(Fixture {
                name: path.file_name().unwrap().to_string_lossy().into_owned(),
                text: std::fs::read_to_string(&path).unwrap(),
                selection: Selection {
                    profile,
                    pod_security_version: "v1.35".parse().unwrap(),
                    only_pod_security: true,
                },
            });
        }
    }
    assert!(fixtures.len() > 30, "only {} fixtures", fixtures.len());
    fixtures
}

#[test]
fn every_passing_fixture_passes() {
    for fixture in fixtures("pass") {
        assert_eq!(fixture.findings(), [], "{}", fixture.name);
    }
}

#[test]
fn every_failing_fixture_is_denied_by_the_rule_it_is_named_after() {
    for fixture in fixtures("fail") {
        let rules: Vec<String> = fixture.findings().into_iter().map(|finding| finding.rule).collect();
        assert!(rules.contains(&fixture.rule().to_owned()), "{}: {rules:?}", fixture.name);
    }
}

#[test]
fn what_a_version_changed_is_judged_as_it_was_before_and_as_it_is_since() {
    let sysctl = |name: &str| format!("securityContext: {{sysctls: [{{name: {name}, value: '1'}}]}}");
    let finds = |spec: &str, rule: &str, version: &str| {
        let pod = format!(
            "{{apiVersion: v1, kind: Pod, metadata: {{name: a}}, spec: {{containers: [{{name: c, image: a}}], \
             {spec}}}}}"
        );
        let selection = Selection {
            pod_security_version: version.parse().unwrap(),
            only_pod_security: true,
            ..Selection::default()
        };
        let report = review(&decode("x", &pod).unwrap(), &Context::default(), &Settings::default(), selection);
        report.findings.iter().any(|finding| finding.rule == rule)
    };
    for (spec, rule, before, since) in [
        (sysctl("net.ipv4.ip_local_reserved_ports"), "pss/sysctls", "v1.26", "v1.27"),
        (sysctl("net.ipv4.tcp_keepalive_time"), "pss/sysctls", "v1.28", "v1.29"),
        (sysctl("net.ipv4.tcp_rmem"), "pss/sysctls", "v1.31", "v1.32"),
        ("securityContext: {seLinuxOptions: {type: container_engine_t}}".to_owned(), "pss/selinux", "v1.30", "v1.31"),
        ("volumes: [{name: v, image: {reference: a}}]".to_owned(), "pss/volume-types", "v1.32", "v1.33"),
        ("hostUsers: false".to_owned(), "pss/run-as-non-root", "v1.34", "v1.35"),
        ("hostUsers: false, securityContext: {runAsUser: 0}".to_owned(), "pss/run-as-user", "v1.34", "v1.35"),
    ] {
        assert!(finds(&spec, rule, before) && !finds(&spec, rule, since), "{spec}");
    }
}

#[test]
fn every_failing_fixture_is_fixed_but_for_volumes() {
    for fixture in fixtures("fail") {
        let manifests = decode(&fixture.name, &fixture.text).unwrap();
        let fixed = fix(&manifests, &Context::default(), &Settings::default(), fixture.selection);
        let left: Vec<&str> = fixed.report.findings.iter().map(|finding| finding.rule.as_str()).collect();
        assert!(left.iter().all(|rule| NOT_FIXABLE.contains(rule)), "{}: {left:?}", fixture.name);
    }
}
