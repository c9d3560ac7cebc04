//! Reading the manifests that a command is given.

use anyhow::Context as _;
use review::{MAX_BYTES, Manifest};
use std::io::Read;
use std::path::{Path, PathBuf};

/// A file, or standard input, with what it holds.
pub(super) struct Source {
    /// The file's name, or `-`.
    pub(super) name: String,
    pub(super) text: String,
    pub(super) manifests: Vec<Manifest>,
}

impl Source {
    pub(super) fn is_standard_input(&self) -> bool {
        self.name == "-"
    }
}

/// What could be read, and what is wrong with the rest: one file does not silence the others.
pub(super) struct Sources {
    pub(super) sources: Vec<Source>,
    pub(super) mistakes: Vec<String>,
}

impl Sources {
    /// All of them.
    ///
    /// # Errors
    /// Naming everything that cannot be read.
    pub(super) fn all(self) -> anyhow::Result<Vec<Source>> {
        if self.mistakes.is_empty() {
            Ok(self.sources)
        } else {
            Err(anyhow::anyhow!(self.mistakes.join("\nfairway: ")))
        }
    }

    /// Those that could be read, if any could, with what is wrong written to standard error.
    ///
    /// # Errors
    /// Where nothing could be read.
    pub(super) fn readable(self) -> anyhow::Result<(Vec<Source>, Completeness)> {
        if self.mistakes.is_empty() {
            return Ok((self.sources, Completeness::Complete));
        }
        if self.sources.is_empty() {
            return Err(anyhow::anyhow!(self.mistakes.join("\nfairway: ")));
        }
        self.mistakes.iter().for_each(|mistake| eprintln!("fairway: {mistake}"));
        Ok((self.sources, Completeness::SomeUnreadable))
    }
}

/// Whether everything that was named could be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Completeness {
    Complete,
    SomeUnreadable,
}

/// Reads files, folders (recursively, in the order of their names) and `-` for standard input.
pub(super) fn read_all(paths: &[PathBuf]) -> Sources {
    let (mut sources, mut mistakes) = (Vec::new(), Vec::new());
    for path in paths {
        match files_of(path) {
            Ok(files) if files.is_empty() => mistakes.push(format!("{}: no manifests are in it", path.display())),
            Ok(files) => {
                for file in files {
                    match read(&file) {
                        Ok(source) => sources.push(source),
                        Err(error) => mistakes.push(format!("{error:#}")),
                    }
                }
            }
            Err(error) => mistakes.push(format!("{error:#}")),
        }
    }
    Sources { sources, mistakes }
}

/// The path itself, or what a folder holds.
fn files_of(path: &Path) -> anyhow::Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    for path in manifests_in(path)? {
        files.extend(files_of(&path)?);
    }
    Ok(files)
}

fn read(path: &Path) -> anyhow::Result<Source> {
    let name = path.display().to_string();
    let text = if name == "-" { text_of(std::io::stdin()) } else { std::fs::File::open(path).and_then(text_of) };
    let text = text.with_context(|| name.clone())?;
    let manifests = review::decode(&name, &text).map_err(|error| match what_it_is(&text) {
        Some(kind) => anyhow::anyhow!("{name}: {kind}"),
        None => error.into(),
    })?;
    Ok(Source { name, text, manifests })
}

/// One byte more than is accepted is read, so that more is refused and never all in memory.
fn text_of(reader: impl Read) -> std::io::Result<String> {
    let mut bytes = Vec::new();
    reader.take(MAX_BYTES as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > MAX_BYTES {
        // Cut off in the middle of a character, perhaps; it is refused for its length in any case.
        return Ok(String::from_utf8_lossy(&bytes).into_owned());
    }
    let invalid = |message| std::io::Error::new(std::io::ErrorKind::InvalidData, message);
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Err(invalid("a text in UTF-16, which kubectl does not read either; save it as UTF-8"));
    }
    String::from_utf8(bytes).map_err(|_| invalid("not a text in UTF-8"))
}

/// What a text is that lies among manifests and is none, and what to do with it.
fn what_it_is(text: &str) -> Option<&'static str> {
    if text.contains("{{") && text.contains("}}") {
        return Some("a template that was not rendered; review what helm template, or the tool it is for, makes of it");
    }
    let json = serde_json::from_str::<serde_json::Value>(text).ok()?;
    if json["panels"].is_array() && json.get("schemaVersion").is_some() {
        return Some("a dashboard of Grafana, no manifest");
    }
    let is_step = |step: &serde_json::Value| step["op"].is_string() && step["path"].is_string();
    let is_patch = json.as_array().is_some_and(|steps| !steps.is_empty() && steps.iter().all(is_step));
    is_patch.then_some("a JSON patch; review what kustomize build makes of it")
}

/// Folders, and files that look like manifests. Links are not followed: they may lead round in a circle, or out of
/// what was named.
fn manifests_in(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let entry = entry?;
        let (path, kind) = (entry.path(), entry.file_type()?);
        let is_manifest = path.extension().is_some_and(|end| end == "yaml" || end == "yml" || end == "json");
        if kind.is_dir() || (kind.is_file() && is_manifest && !is_for_another_tool(&path)) {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

/// Files that lie among manifests and are none.
fn is_for_another_tool(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    matches!(name, "kustomization.yaml" | "kustomization.yml" | "Chart.yaml" | "values.yaml")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_manifest_is_named_as_what_it_is() {
        for (text, part) in [
            ("metadata:\n  name: {{ .Values.name }}\n", "template that was not rendered"),
            (r#"{"panels": [], "schemaVersion": 36}"#, "dashboard of Grafana"),
            (r#"[{"op": "add", "path": "/spec", "value": 1}]"#, "JSON patch"),
        ] {
            assert!(what_it_is(text).is_some_and(|kind| kind.contains(part)), "{text}");
        }
        assert_eq!(what_it_is("kind: [Pod"), None);
    }
}
