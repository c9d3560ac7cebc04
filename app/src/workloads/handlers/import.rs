use crate::actor::Actor;
use crate::error::AppError;
use crate::form::decode;
use crate::state::AppState;
use crate::workloads::service::importing::{ImportForm, import};
use axum::extract::{FromRequest, Multipart, Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::response::Response;

/// Begins a draft with manifests that were pasted or uploaded.
pub async fn post(State(state): State<AppState>, actor: Actor, request: Request) -> Result<Response, AppError> {
    let (parts, body) = request.into_parts();
    let form = read_form(&parts, Request::from_parts(parts.clone(), body)).await?;
    let outcome = import(&state, &actor, form).await?;
    Ok(outcome.respond(state, parts).await)
}

/// The form, whether or not it brings a file along. A file that is there counts before what was pasted.
async fn read_form(parts: &Parts, request: Request) -> Result<ImportForm, AppError> {
    let kind = parts.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let broken = || {
        tracing::warn!("an upload that no page of ours sends");
        AppError::NotFound
    };
    if !kind.starts_with("multipart/form-data") {
        let body = String::from_request(request, &()).await.map_err(|_| broken())?;
        return decode(&body);
    }
    let mut form = ImportForm::default();
    let mut fields = Multipart::from_request(request, &()).await.map_err(|_| broken())?;
    while let Some(field) = fields.next_field().await.map_err(|_| broken())? {
        let name = field.name().unwrap_or_default().to_owned();
        let bytes = field.bytes().await.map_err(|_| broken())?;
        let Ok(text) = String::from_utf8(bytes.to_vec()) else {
            form.is_no_text = true;
            continue;
        };
        match name.as_str() {
            "namespace" => form.namespace = text,
            "into" => form.into = text,
            "text" if form.text.is_empty() => form.text = text,
            "file" if !text.trim().is_empty() => form.text = text,
            _ => {}
        }
    }
    Ok(form)
}
