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

/// What was in a form.
#[derive(Debug, Clone)]
pub struct SentFields {
    /// Names and values, in their order.
    pub fields: Vec<(String, String)>,
    /// Whether there were files, which are left out.
    pub has_files: bool,
}

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

    /// What was in it. Nothing where it is none that a page of ours sends.
    pub async fn fields(&self) -> Option<SentFields> {
        let sent = match self.content_type.to_str().ok()?.starts_with("multipart/") {
            true => self.parts().await?,
            false => {
                let fields = form_urlencoded::parse(&self.body).into_owned().take(MOST_FIELDS + 1).collect();
                SentFields { fields, has_files: false }
            }
        };
        (sent.fields.len() <= MOST_FIELDS).then_some(sent)
    }

    async fn parts(&self) -> Option<SentFields> {
        let request = Request::builder().header(CONTENT_TYPE, &self.content_type).body(Body::from(self.body.clone()));
        let mut parts: Multipart = request.ok()?.extract().await.ok()?;
        let (mut fields, mut has_files) = (Vec::new(), false);
        while let Some(part) = parts.next_field().await.ok()? {
            match (part.name().map(str::to_owned), part.file_name()) {
                (Some(name), None) => fields.push((name, part.text().await.ok()?)),
                // A browser sends an empty name where no file was chosen.
                (_, Some(file)) => has_files |= !file.is_empty(),
                (None, None) => {}
            }
            if fields.len() > MOST_FIELDS {
                return None;
            }
        }
        Some(SentFields { fields, has_files })
    }
}
