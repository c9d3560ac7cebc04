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

/// Reads files, folders (recursively, in the order of their names) and `-` for standard input.
///
/// # Errors
/// Naming everything that cannot be read, and where nothing is found.
pub(super) fn read_all(paths: &[PathBuf]) -> anyhow::Result<Vec<Source>> {
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
    if mistakes.is_empty() { Ok(sources) } else { Err(anyhow::anyhow!(mistakes.join("\nfairway: "))) }
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
    let manifests = review::decode(&name, &text)?;
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
    String::from_utf8(bytes).map_err(|_| std::io::Error::new(std::io::ErrorKind::InvalidData, "not a text in UTF-8"))
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
