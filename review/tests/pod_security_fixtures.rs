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

/// Rules whose findings cannot be mended without knowing what the volume is for.
const NOT_MENDABLE: &[&str] = &["pss/host-path", "pss/volume-types"];

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
fn every_failing_fixture_is_mended_but_for_volumes() {
    for fixture in fixtures("fail") {
        let manifests = decode(&fixture.name, &fixture.text).unwrap();
        let fixed = fix(&manifests, &Context::default(), &Settings::default(), fixture.selection);
        let left: Vec<&str> = fixed.report.findings.iter().map(|finding| finding.rule.as_str()).collect();
        assert!(left.iter().all(|rule| NOT_MENDABLE.contains(rule)), "{}: {left:?}", fixture.name);
    }
}
