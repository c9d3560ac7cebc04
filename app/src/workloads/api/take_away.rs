//! Files to take away: the reviewed bytes, and a folder for kustomize.

use super::drafts::load_draft;
use super::review::{Depth, Reviewed, document, review_draft};
use crate::actor::Actor;
use crate::error::AppError;
use crate::state::AppState;
use axum::extract::{Path, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use review::{Manifest, Picture};
use std::io::{Cursor, Write};
use uuid::Uuid;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

/// `GET /workloads/drafts/{id}/manifest.yaml`: the reviewed bytes.
///
/// # Errors
/// [`AppError::NotFound`] for a draft that is not there to see, or is not complete.
pub async fn get_manifest(
    State(state): State<AppState>,
    actor: Actor,
    Path(id): Path<Uuid>,
) -> Result<Response, AppError> {
    let reviewed = complete(&state, &actor, id).await?;
    Ok(file(&format!("{}.yaml", name(&reviewed)), "application/yaml", reviewed.manifest.into_bytes()))
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

/// `GET /workloads/drafts/{id}/kustomize.zip`: a folder with a file for each object and a `kustomization.yaml`.
///
/// # Errors
/// [`AppError::NotFound`] for a draft that is not there to see, or is not complete.
pub async fn get_kustomize(
    State(state): State<AppState>,
    actor: Actor,
    Path(id): Path<Uuid>,
) -> Result<Response, AppError> {
    let reviewed = complete(&state, &actor, id).await?;
    let name = name(&reviewed);
    let archive = kustomize(&name, &reviewed.manifests).map_err(|error| {
        tracing::error!(%error, "an archive could not be written");
        AppError::Internal
    })?;
    Ok(file(&format!("{name}.zip"), "application/zip", archive))
}

async fn complete(state: &AppState, actor: &Actor, id: Uuid) -> Result<Reviewed, AppError> {
    let form = load_draft(state, actor, id).await?.form;
    review_draft(state, actor, &form, Depth::Live).await?.map_err(|_| AppError::NotFound)
}

/// A name for files: names of objects hold nothing that a header or a path could be broken by.
fn name(reviewed: &Reviewed) -> String {
    reviewed.answers.as_ref().map_or_else(|| "manifests".to_owned(), |answers| answers.name.clone())
}

/// An answer that browsers save.
pub fn file(name: &str, content_type: &'static str, bytes: Vec<u8>) -> Response {
    let disposition = format!("attachment; filename=\"{name}\"");
    ([(CONTENT_TYPE, content_type.to_owned()), (CONTENT_DISPOSITION, disposition)], bytes).into_response()
}

fn kustomize(folder: &str, manifests: &[Manifest]) -> zip::result::ZipResult<Vec<u8>> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    let mut resources = String::new();
    for manifest in manifests {
        let object = manifest.object();
        let file = format!("{}-{}.yaml", object.kind.to_lowercase(), object.name);
        archive.start_file(format!("{folder}/{file}"), options)?;
        archive.write_all(document(manifest).as_bytes())?;
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
        let mut archive = zip::ZipArchive::new(Cursor::new(kustomize("web", &pod).unwrap())).unwrap();
        let names: Vec<String> = archive.file_names().map(str::to_owned).collect();
        assert!(names.contains(&"web/pod-a.yaml".to_owned()), "{names:?}");
        let mut text = String::new();
        archive.by_name("web/kustomization.yaml").unwrap().read_to_string(&mut text).unwrap();
        assert!(text.ends_with("resources:\n- pod-a.yaml\n"), "{text}");
    }
}
