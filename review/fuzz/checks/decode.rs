//! What must hold for any text. Used by the fuzz target, and by a test that goes through its corpus.

use review::{Context, Manifest, Patch, Selection, Settings, World, connections, decode, fix, rewrite, to_yaml};

/// Panics where something does not hold.
pub fn check(text: &str) {
    let Ok(manifests) = decode("fuzz", text) else { return };
    let written = to_yaml(&manifests);
    assert_eq!(decode("written", &written).as_ref(), Ok(&manifests), "what is written reads back the same");
    // A carriage return alone ends a line, too (YAML 1.2.2, section 5.4).
    let lines = text.matches(['\n', '\r']).count() as u64 + 1;
    let context = Context { every_workload: true, ..Context::default() };
    let fixed = fix(&manifests, &context, &Settings::default(), Selection::default());
    for finding in &fixed.report.findings {
        assert!(finding.line.is_none_or(|line| (1..=lines).contains(&line)), "{finding:?} is not in the text");
    }
    let changes: Vec<(&Manifest, &[Patch])> =
        fixed.manifests.iter().zip(fixed.patches.iter().map(Vec::as_slice)).collect();
    if let Ok(rewritten) = rewrite("fuzz", text, &changes) {
        let read = decode("rewritten", &rewritten);
        assert_eq!(read.as_ref(), Ok(&fixed.manifests), "what is rewritten means what the patches say");
    }
    // Who may talk to whom grows with the square of the workloads; a text of this size has few.
    if manifests.len() < 50 {
        drop(connections(&World::new(&manifests)));
    }
}
