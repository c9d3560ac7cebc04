//! `fairway review --fix`: writing what can be fixed into the files.

use super::{Format, Input, text};
use crate::commands::manifests::{Completeness, Source};
use crate::commands::say;
use anyhow::Context as _;
use review::{Manifest, Patch, Report, Verdict, fix, rewrite};
use std::io::Write;

/// Fixes every file, and reports what is left, with its lines as they are now. A file that cannot be changed in place or
/// written is named, and leaves the others fixed.
///
/// # Errors
/// Where what was written cannot be read again.
pub(super) fn fix_all(
    manifests: &[Manifest],
    input: &Input,
    format: Format,
) -> anyhow::Result<(Verdict, Completeness)> {
    let fixed = fix(manifests, &input.context, &input.settings, input.selection);
    let mut place = 0;
    let mut left = Vec::new();
    let mut completeness = input.completeness;
    for source in &input.sources {
        let here = place..place + source.manifests.len();
        place = here.end;
        let patches = fixed.patches[here.clone()].iter().map(Vec::as_slice);
        let changes: Vec<(&Manifest, &[Patch])> = fixed.manifests[here].iter().zip(patches).collect();
        let written = fixed_text(source, &changes).and_then(|text| write(source, &text).map(|()| text));
        let text = written.unwrap_or_else(|error| {
            eprintln!("fairway: not fixed: {error:#}");
            completeness = Completeness::SomeUnreadable;
            source.text.clone()
        });
        left.extend(review::decode(&source.name, &text)?);
    }
    let report = review::review(&left, &input.context, &input.settings, input.selection);
    say_what_is_left(fixed.fixed_findings, &report, input, format);
    Ok((report.verdict, completeness))
}

/// The text of a file with its patches.
fn fixed_text(source: &Source, changes: &[(&Manifest, &[Patch])]) -> anyhow::Result<String> {
    if changes.iter().all(|(_, patches)| patches.is_empty()) {
        return Ok(source.text.clone());
    }
    rewrite(&source.name, &source.text, changes).with_context(|| source.name.clone())
}

/// Writes beside the file and then puts that in its place, so that it is never half written.
fn write(source: &Source, text: &str) -> anyhow::Result<()> {
    if source.is_standard_input() {
        return Ok(std::io::stdout().write_all(text.as_bytes())?);
    }
    if text == source.text {
        return Ok(());
    }
    // A link stays one: what it leads to is replaced.
    let path = std::fs::canonicalize(&source.name).with_context(|| source.name.clone())?;
    let beside = path.with_extension("fairway-fix");
    let written = std::fs::metadata(&path)
        .and_then(|metadata| {
            std::fs::write(&beside, text)?;
            std::fs::set_permissions(&beside, metadata.permissions())
        })
        .and_then(|()| std::fs::rename(&beside, &path));
    if written.is_err() {
        drop(std::fs::remove_file(&beside));
    }
    written.with_context(|| source.name.clone())
}

/// Where the manifests go to standard output, the report goes where errors go.
fn say_what_is_left(count: usize, report: &Report, input: &Input, format: Format) {
    let done = format!("{count} finding{} fixed.", text::plural(count));
    if input.sources.iter().any(Source::is_standard_input) {
        eprintln!("{done}\n\n{}", format.render(report, text::colours(&std::io::stderr())));
    } else if matches!(format, Format::Text) {
        say(&format!("{done}\n\n{}", format.render(report, text::colours(&std::io::stdout()))));
    } else {
        say(&format.render(report, text::Colours::Off));
    }
}
