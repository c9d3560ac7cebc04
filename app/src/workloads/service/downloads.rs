//! Files to download: the reviewed bytes, and a folder for kustomize.

use super::drafts::load_draft;
use super::reviewing::{Depth, Reviewed, review_draft};
use crate::actor::Actor;
use crate::download::{Download, FileName};
use crate::error::AppError;
use crate::state::AppState;
use crate::workloads::bundle::ManifestBundle;
use review::{ObjectRef, Picture};
use std::collections::HashSet;
use std::io::{Cursor, Write};
use uuid::Uuid;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

/// The reviewed bytes.
///
/// # Errors
/// [`AppError::NotFound`] for a draft that is not there to see, or is not complete.
pub async fn download_manifest(state: &AppState, actor: &Actor, id: Uuid) -> Result<Download, AppError> {
    let reviewed = complete(state, actor, id).await?;
    let body = reviewed.bundle.text().to_owned().into();
    Ok(Download { name: FileName::new(name(&reviewed), "yaml"), content_type: "application/yaml", body })
}

/// The name of a draft's workload, and its picture.
///
/// # Errors
/// [`AppError::NotFound`] for a draft that is not there to see, is not complete, or has no picture.
pub async fn load_picture(state: &AppState, actor: &Actor, id: Uuid) -> Result<(String, Picture), AppError> {
    let reviewed = complete(state, actor, id).await?;
    let name = name(&reviewed).to_owned();
    Ok((name, reviewed.picture.ok_or(AppError::NotFound)?))
}

/// A folder with a file for each object and a `kustomization.yaml`.
///
/// # Errors
/// [`AppError::NotFound`] for a draft that is not there to see, or is not complete.
pub async fn download_kustomize(state: &AppState, actor: &Actor, id: Uuid) -> Result<Download, AppError> {
    let reviewed = complete(state, actor, id).await?;
    let name = name(&reviewed);
    let archive = kustomize(&FileName::of_folder(name), &reviewed.bundle).map_err(|error| {
        tracing::error!(%error, "an archive could not be written");
        AppError::Internal
    })?;
    Ok(Download { name: FileName::new(name, "zip"), content_type: "application/zip", body: archive.into() })
}

async fn complete(state: &AppState, actor: &Actor, id: Uuid) -> Result<Reviewed, AppError> {
    let form = load_draft(state, actor, id).await?.form;
    review_draft(state, actor, &form, Depth::Live).await?.map_err(|_| AppError::NotFound)
}

fn name(reviewed: &Reviewed) -> &str {
    reviewed.answers.as_ref().map_or("manifests", |answers| &answers.name)
}

fn kustomize(folder: &FileName, bundle: &ManifestBundle) -> zip::result::ZipResult<Vec<u8>> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    let mut resources = String::new();
    let mut taken = HashSet::new();
    for (manifest, document) in bundle.documents() {
        let file = free_name(manifest.object(), &mut taken);
        archive.start_file(format!("{folder}/{file}"), options)?;
        archive.write_all(document.as_bytes())?;
        resources.push_str(&format!("- {file}\n"));
    }
    archive.start_file(format!("{folder}/kustomization.yaml"), options)?;
    let kustomization =
        format!("apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources:\n{resources}");
    archive.write_all(kustomization.as_bytes())?;
    Ok(archive.finish()?.into_inner())
}

/// A file for an object. Names that differ only in what no file can be called, and kinds of different groups, would
/// otherwise take each other's.
fn free_name(object: &ObjectRef, taken: &mut HashSet<FileName>) -> FileName {
    let name = format!("{}-{}", object.kind.to_lowercase(), object.name);
    let numbered = (2..).map(|number| FileName::new(&format!("{number}-{name}"), "yaml"));
    let mut names = std::iter::once(FileName::new(&name, "yaml")).chain(numbered);
    names.find(|name| taken.insert(name.clone())).unwrap_or_else(|| FileName::new("object", "yaml"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    /// The files of the archive, and what its kustomization says.
    fn unpacked(text: &str) -> (Vec<String>, String) {
        let bundle = ManifestBundle::write(&review::decode("a", text).unwrap()).unwrap();
        let archive = kustomize(&FileName::of_folder("web"), &bundle).unwrap();
        let mut archive = zip::ZipArchive::new(Cursor::new(archive)).unwrap();
        let mut names: Vec<String> = archive.file_names().map(str::to_owned).collect();
        names.sort();
        let mut text = String::new();
        archive.by_name("web/kustomization.yaml").unwrap().read_to_string(&mut text).unwrap();
        (names, text)
    }

    #[test]
    fn the_folder_holds_every_object_and_says_so() {
        let (names, text) = unpacked("{apiVersion: v1, kind: Pod, metadata: {name: a}}");
        assert_eq!(names, ["web/kustomization.yaml", "web/pod-a.yaml"]);
        assert!(text.ends_with("resources:\n- pod-a.yaml\n"), "{text}");
    }

    #[test]
    fn no_name_of_an_object_leaves_the_folder_or_adds_a_resource() {
        let (names, text) = unpacked(
            "{apiVersion: v1, kind: Pod, metadata: {name: ../../etc/cron}}\n---\n\
             {apiVersion: v1, kind: \"Pod\\n- https://evil.example.com\", metadata: {name: a}}\n---\n\
             {apiVersion: v1, kind: Pod, metadata: {name: 'a b'}}\n---\n\
             {apiVersion: v1, kind: Pod, metadata: {name: a-b}}",
        );
        let files = names.iter().map(|name| name.strip_prefix("web/").unwrap());
        assert!(files.clone().all(|file| !file.contains(['/', '\n'])), "{names:?}");
        assert_eq!(names.len(), 5, "{names:?}");
        assert_eq!(text.matches("\n- ").count(), 4, "{text}");
        assert!(text.contains("\n- pod-a-b.yaml\n") && text.contains("\n- 2-pod-a-b.yaml\n"), "{text}");
    }
}
