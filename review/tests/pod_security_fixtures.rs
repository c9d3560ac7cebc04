//! The Kubernetes project's own fixtures for the Pod Security Standards.
#![allow(clippy::unwrap_used, clippy::panic)]

use review::{Context, Profile, Selection, Settings, Verdict, decode, review};
use std::path::PathBuf;

fn verdicts(level: &str, expectation: &str) -> Vec<(String, Verdict)> {
    let profile = if level == "baseline" { Profile::Baseline } else { Profile::Restricted };
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("testdata/pss").join(level).join(expectation);
    let selection = Selection { profile, only_pod_security: true };
    std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let manifests = decode(&name, &std::fs::read_to_string(&path).unwrap()).unwrap();
            (name, review(&manifests, &Context::default(), &Settings::default(), selection).verdict)
        })
        .collect()
}

fn wrong(level: &str, expectation: &str, expected: fn(Verdict) -> bool) -> Vec<String> {
    let verdicts = verdicts(level, expectation);
    assert!(!verdicts.is_empty(), "no fixtures in {level}/{expectation}");
    verdicts.into_iter().filter(|(_, verdict)| !expected(*verdict)).map(|(name, _)| name).collect()
}

#[test]
fn every_passing_fixture_passes_and_every_failing_one_is_denied() {
    for level in ["baseline", "restricted"] {
        assert_eq!(wrong(level, "pass", |verdict| verdict == Verdict::Pass), Vec::<String>::new(), "{level}/pass");
        assert_eq!(wrong(level, "fail", |verdict| verdict == Verdict::Deny), Vec::<String>::new(), "{level}/fail");
    }
}
