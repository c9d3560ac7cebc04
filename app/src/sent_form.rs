//! What a browser sent and Fairway could not take: offered again, so that nothing typed is lost. It is kept nowhere but on
//! the page that says what went wrong.

use axum::RequestExt;
use axum::body::Body;
use axum::body::Bytes;
use axum::extract::{Multipart, Request};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderValue};
use url::form_urlencoded;

/// The most fields that are offered again: more than any page has.
const MOST_FIELDS: usize = 2_000;

/// A form as it came.
#[derive(Debug, Clone)]
pub struct SentForm {
    content_type: HeaderValue,
    body: Bytes,
}

impl SentForm {
    /// The form of a request, where it has one and a person sent it: what scripts send, they send again.
    #[must_use]
    pub fn of(headers: &HeaderMap, body: &Bytes) -> Option<Self> {
        let content_type = headers.get(CONTENT_TYPE)?;
        let is_form = content_type.to_str().is_ok_and(|text| {
            text.starts_with("application/x-www-form-urlencoded") || text.starts_with("multipart/form-data")
        });
        let is_persons = headers.get("sec-fetch-mode").is_none_or(|mode| mode == "navigate");
        (is_form && is_persons).then(|| Self { content_type: content_type.clone(), body: body.clone() })
    }

    /// Names and values, in their order; files are left out. Nothing where it is none that a page of ours sends.
    pub async fn fields(&self) -> Option<Vec<(String, String)>> {
        let fields = match self.content_type.to_str().ok()?.starts_with("multipart/") {
            true => self.parts().await?,
            false => form_urlencoded::parse(&self.body).into_owned().take(MOST_FIELDS + 1).collect(),
        };
        (fields.len() <= MOST_FIELDS).then_some(fields)
    }

    async fn parts(&self) -> Option<Vec<(String, String)>> {
        let request = Request::builder().header(CONTENT_TYPE, &self.content_type).body(Body::from(self.body.clone()));
        let mut parts: Multipart = request.ok()?.extract().await.ok()?;
        let mut fields = Vec::new();
        while let Some(part) = parts.next_field().await.ok()? {
            let name = part.name().map(str::to_owned);
            if let (Some(name), None) = (name, part.file_name()) {
                fields.push((name, part.text().await.ok()?));
            }
            if fields.len() > MOST_FIELDS {
                return None;
            }
        }
        Some(fields)
    }
}
