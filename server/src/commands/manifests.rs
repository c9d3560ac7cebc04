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
/// For the first that cannot be read, naming it.
pub(super) fn read_all(paths: &[PathBuf]) -> anyhow::Result<Vec<Source>> {
    let read = paths.iter().map(|path| read(path)).collect::<anyhow::Result<Vec<_>>>()?;
    Ok(read.into_iter().flatten().collect())
}

fn read(path: &Path) -> anyhow::Result<Vec<Source>> {
    if path.is_dir() {
        return read_all(&manifests_in(path)?);
    }
    let name = path.display().to_string();
    let text = if name == "-" { text_of(std::io::stdin()) } else { std::fs::File::open(path).and_then(text_of) };
    let text = text.with_context(|| name.clone())?;
    let manifests = review::decode(&name, &text)?;
    Ok(vec![Source { name, text, manifests }])
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

/// Folders, and files that look like manifests.
fn manifests_in(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder).with_context(|| folder.display().to_string())?;
    let mut paths = entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>()?;
    let is_manifest = |path: &PathBuf| {
        path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml" || extension == "json")
    };
    paths.retain(|path| path.is_dir() || is_manifest(path));
    paths.sort();
    Ok(paths)
}
