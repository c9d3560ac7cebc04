//! `fairway review --fix`: writing what can be mended into the files.

use super::{Format, Input, text};
use crate::commands::manifests::Source;
use crate::commands::say;
use anyhow::Context as _;
use review::{Fixed, Manifest, Patch, Verdict, fix, rewrite};
use std::io::Write;

/// Mends every file, and reports what is left.
///
/// # Errors
/// For a file that cannot be changed in place or written; files before it are written by then, each of them whole.
pub(super) fn fix_all(manifests: &[Manifest], input: &Input, format: Format) -> anyhow::Result<Verdict> {
    let fixed = fix(manifests, &input.context, &input.settings, input.selection);
    let mut place = 0;
    for source in &input.sources {
        let here = place..place + source.manifests.len();
        place = here.end;
        let patches = fixed.patches[here.clone()].iter().map(Vec::as_slice);
        let changes: Vec<(&Manifest, &[Patch])> = fixed.manifests[here].iter().zip(patches).collect();
        write(source, &changes)?;
    }
    report(&fixed, input, format);
    Ok(fixed.report.verdict)
}

fn write(source: &Source, changes: &[(&Manifest, &[Patch])]) -> anyhow::Result<()> {
    let is_changed = changes.iter().any(|(_, patches)| !patches.is_empty());
    if source.is_standard_input() {
        let rewritten = if is_changed { rewrite(&source.name, &source.text, changes)? } else { source.text.clone() };
        std::io::stdout().write_all(rewritten.as_bytes())?;
    } else if is_changed {
        let rewritten = rewrite(&source.name, &source.text, changes).with_context(|| source.name.clone())?;
        std::fs::write(&source.name, rewritten).with_context(|| source.name.clone())?;
    }
    Ok(())
}

/// Where the manifests go to standard output, the report goes where errors go.
fn report(fixed: &Fixed, input: &Input, format: Format) {
    let done = format!("{} finding{} mended.", fixed.mended, text::plural(fixed.mended));
    if input.sources.iter().any(Source::is_standard_input) {
        eprintln!("{done}\n\n{}", format.render(&fixed.report, text::colours(&std::io::stderr())));
    } else if matches!(format, Format::Text) {
        say(&format!("{done}\n\n{}", format.render(&fixed.report, text::colours(&std::io::stdout()))));
    } else {
        say(&format.render(&fixed.report, text::Colours::Off));
    }
}
