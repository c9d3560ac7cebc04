//! An answer that browsers save as a file.

use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Download {
    /// Holds nothing that a header or a path could be broken by, such as quotes and slashes.
    pub name: String,
    pub content_type: &'static str,
    pub bytes: Vec<u8>,
}

impl IntoResponse for Download {
    fn into_response(self) -> Response {
        let disposition = format!("attachment; filename=\"{}\"", self.name);
        ([(CONTENT_TYPE, self.content_type.to_owned()), (CONTENT_DISPOSITION, disposition)], self.bytes).into_response()
    }
}
