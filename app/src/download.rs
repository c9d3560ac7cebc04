//! An answer that browsers save as a file.

use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use std::fmt;

pub struct Download {
    pub name: FileName,
    pub content_type: &'static str,
    pub body: Body,
}

impl IntoResponse for Download {
    fn into_response(self) -> Response {
        let disposition = format!("attachment; filename=\"{}\"", self.name);
        let headers = [
            (CONTENT_TYPE, self.content_type.to_owned()),
            (CONTENT_DISPOSITION, disposition),
            // What it holds is one person's to see.
            (CACHE_CONTROL, "no-store".to_owned()),
        ];
        (headers, self.body).into_response()
    }
}

/// The name of a file. It can stand in a header, in a path, in an archive and as a plain scalar of YAML: letters, digits,
/// `-`, `_` and `.`, and a letter or digit first.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct FileName(String);

/// Shorter than what file systems take (255 bytes), with room for a folder's own ending.
const LONGEST: usize = 200;

impl FileName {
    /// A name as much like the text as a name can be, with an ending such as `yaml`. Texts that differ may get the same.
    #[must_use]
    pub fn new(text: &str, ending: &str) -> Self {
        Self(format!("{}.{ending}", Self::of_folder(text)))
    }

    /// The same without an ending.
    #[must_use]
    pub fn of_folder(text: &str) -> Self {
        let kept = |c: char| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '-' };
        let name: String = text.chars().map(kept).skip_while(|c| !c.is_ascii_alphanumeric()).take(LONGEST).collect();
        Self(if name.is_empty() { "file".to_owned() } else { name })
    }
}

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_name_stays_as_it_is_where_it_can() {
        for (text, name) in [
            ("networkpolicy-web", "networkpolicy-web.yaml"),
            ("clusterrole-system:node", "clusterrole-system-node.yaml"),
            ("../../etc/passwd", "etc-passwd.yaml"),
            ("a\n- https://evil.example.com", "a---https---evil.example.com.yaml"),
            ("..", "file.yaml"),
            ("", "file.yaml"),
        ] {
            assert_eq!(FileName::new(text, "yaml").to_string(), name);
        }
    }

    proptest! {
        #[test]
        fn whatever_it_is_made_of_a_name_stays_in_its_folder_and_on_its_line(text in any::<String>()) {
            let name = FileName::new(&text, "yaml").to_string();
            let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
            prop_assert!(name.chars().all(is_plain) && name.starts_with(|c: char| c.is_ascii_alphanumeric()));
            prop_assert!(name.len() <= LONGEST + 5);
        }
    }
}
