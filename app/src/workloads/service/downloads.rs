//! Files to download: the reviewed bytes, and a folder for kustomize.

use super::drafts::load_draft;
use super::reviewing::{Depth, Reviewed, review_draft};
use crate::actor::Actor;
use crate::download::Download;
use crate::error::AppError;
use crate::state::AppState;
use crate::workloads::bundle::ManifestBundle;
use review::Picture;
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
    let bytes = reviewed.bundle.text().as_bytes().to_vec();
    Ok(Download { name: format!("{}.yaml", name(&reviewed)), content_type: "application/yaml", bytes })
}

/// The name of a draft's workload, and its picture.
///
/// # Errors
/// [`AppError::NotFound`] for a draft that is not there to see, is not complete, or has no picture.
pub async fn load_picture(state: &AppState, actor: &Actor, id: Uuid) -> Result<(String, Picture), AppError> {
    let reviewed = complete(state, actor, id).await?;
    let name = name(&reviewed);
    Ok((name, reviewed.picture.ok_or(AppError::NotFound)?))
}

/// A folder with a file for each object and a `kustomization.yaml`.
///
/// # Errors
/// [`AppError::NotFound`] for a draft that is not there to see, or is not complete.
pub async fn download_kustomize(state: &AppState, actor: &Actor, id: Uuid) -> Result<Download, AppError> {
    let reviewed = complete(state, actor, id).await?;
    let name = name(&reviewed);
    let archive = kustomize(&name, &reviewed.bundle).map_err(|error| {
        tracing::error!(%error, "an archive could not be written");
        AppError::Internal
    })?;
    Ok(Download { name: format!("{name}.zip"), content_type: "application/zip", bytes: archive })
}

async fn complete(state: &AppState, actor: &Actor, id: Uuid) -> Result<Reviewed, AppError> {
    let form = load_draft(state, actor, id).await?.form;
    review_draft(state, actor, &form, Depth::Live).await?.map_err(|_| AppError::NotFound)
}

/// A name for files: names of objects hold nothing that a header or a path could be broken by.
fn name(reviewed: &Reviewed) -> String {
    reviewed.answers.as_ref().map_or_else(|| "manifests".to_owned(), |answers| answers.name.clone())
}

fn kustomize(folder: &str, bundle: &ManifestBundle) -> zip::result::ZipResult<Vec<u8>> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    let mut resources = String::new();
    for (manifest, document) in bundle.documents() {
        let object = manifest.object();
        let file = format!("{}-{}.yaml", object.kind.to_lowercase(), object.name);
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    #[test]
    fn the_folder_holds_every_object_and_says_so() {
        let pod = review::decode("a", "{apiVersion: v1, kind: Pod, metadata: {name: a}}").unwrap();
        let mut archive =
            zip::ZipArchive::new(Cursor::new(kustomize("web", &ManifestBundle::write(&pod).unwrap()).unwrap()))
                .unwrap();
        let names: Vec<String> = archive.file_names().map(str::to_owned).collect();
        assert!(names.contains(&"web/pod-a.yaml".to_owned()), "{names:?}");
        let mut text = String::new();
        archive.by_name("web/kustomization.yaml").unwrap().read_to_string(&mut text).unwrap();
        assert!(text.ends_with("resources:\n- pod-a.yaml\n"), "{text}");
    }
}
