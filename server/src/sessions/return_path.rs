//! Where to go after signing in: a path of this site, parsed and not matched.

use serde::{Deserialize, Serialize};
use url::Url;

/// A path and query on this site.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReturnPath(String);

impl Default for ReturnPath {
    fn default() -> Self {
        Self("/".to_owned())
    }
}

impl ReturnPath {
    /// Takes what the browser sent; anything that could lead elsewhere becomes the front page.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        Self::checked(text).unwrap_or_default()
    }

    fn checked(text: &str) -> Option<Self> {
        // Browsers drop tabs and line ends and read `\` as `/` before they look at an address.
        let plain = text.starts_with('/')
            && text.len() <= 2048
            && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
        if !plain {
            return None;
        }
        let base = Url::parse("https://fairway.invalid").ok()?;
        let url = base.join(text).ok()?;
        // Signing in again right after signing in would be a loop.
        if url.origin() != base.origin() || url.path().starts_with("//") || url.path().starts_with("/sign-") {
            return None;
        }
        Some(Self(match url.query() {
            Some(query) => format!("{}?{query}", url.path()),
            None => url.path().to_owned(),
        }))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_this_site_are_kept() {
        for path in ["/", "/access", "/workloads/new?namespace=shop", "/faq?message=a%20b", "/namespaces/a..b"] {
            assert_eq!(ReturnPath::parse(path).as_str(), path);
        }
    }

    #[test]
    fn everything_that_leads_elsewhere_becomes_the_front_page() {
        let hostile = [
            "",
            "evil",
            "//evil",
            "///evil",
            "////evil",
            "/\\evil",
            "\\/evil",
            "\\\\evil",
            "/\\/evil",
            "//evil/..",
            "/./\\evil",
            "https://evil",
            "http:evil",
            "HTTPS://evil",
            "https:/evil",
            "javascript:alert(1)",
            "data:text/html,x",
            "mailto:a@b",
            "/\t/evil",
            "/\n/evil",
            "/\r/evil",
            " //evil",
            "\t//evil",
            "/ /evil",
            "//evil@localhost",
            "//localhost@evil",
            "/%09\\/evil\u{9}",
            "\u{0}/x",
            "/\u{0}",
            "/ü",
            "//\u{ff0f}evil",
            "/.//evil",
            "/x/..//evil",
            "/a/../..//evil",
            "/sign-in?return=/",
            "/sign-out",
        ];
        for text in hostile {
            assert_eq!(ReturnPath::parse(text).as_str(), "/", "{text:?}");
        }
        assert_eq!(ReturnPath::parse(&format!("/{}", "a".repeat(3000))).as_str(), "/");
    }
}
