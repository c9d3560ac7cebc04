//! Reading the manifests that a command is given.

use review::Manifest;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Reads files, folders (recursively, in the order of their names) and `-` for standard input.
///
/// # Errors
/// For the first that cannot be read, naming it.
pub(super) fn read_all(paths: &[PathBuf]) -> anyhow::Result<Vec<Manifest>> {
    Ok(paths.iter().map(|path| read(path)).collect::<anyhow::Result<Vec<_>>>()?.concat())
}

fn read(path: &Path) -> anyhow::Result<Vec<Manifest>> {
    if path == Path::new("-") {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text)?;
        return Ok(review::decode("-", &text)?);
    }
    if path.is_dir() {
        return read_all(&manifests_in(path)?);
    }
    let text = std::fs::read_to_string(path).map_err(|error| anyhow::anyhow!("{}: {error}", path.display()))?;
    Ok(review::decode(&path.display().to_string(), &text)?)
}

/// Folders, and files that look like manifests.
fn manifests_in(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut entries =
        std::fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>()?;
    let is_manifest = |path: &PathBuf| {
        path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml" || extension == "json")
    };
    entries.retain(|path| path.is_dir() || is_manifest(path));
    entries.sort();
    Ok(entries)
}
