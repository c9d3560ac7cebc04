//! Where a session was begun, so that people can tell theirs apart. Only names from closed lists: what a browser says of
//! itself is anybody's text.

use crate::client_address::ClientAddress;
use axum::extract::Request;
use axum::http::HeaderMap;
use axum::http::header::USER_AGENT;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Device {
    /// Such as "Firefox on Linux".
    pub(super) browser: String,
    /// Of the client, as far as trusted proxies vouch for it; of IPv6, the network.
    pub(super) address: Option<String>,
}

/// What stands in a `User-Agent`, and whose it is. Browsers name those that they descend from as well, so the first that
/// is found counts.
const BROWSERS: [(&str, &str); 6] = [
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox/", "Firefox"),
    ("Chrome/", "Chrome"),
    ("CriOS/", "Chrome"),
    ("Safari/", "Safari"),
];

const SYSTEMS: [(&str, &str); 7] = [
    ("Windows", "Windows"),
    ("Android", "Android"),
    ("iPhone", "iOS"),
    ("iPad", "iPadOS"),
    ("Mac OS X", "macOS"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
];

impl Device {
    pub(super) fn of(headers: &HeaderMap, address: Option<ClientAddress>) -> Self {
        let agent = headers.get(USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or_default();
        let address = address.map(|ClientAddress(address)| address.to_string());
        Self { browser: browser(agent), address }
    }
}

fn browser(agent: &str) -> String {
    let first =
        |names: &[(&str, &'static str)]| names.iter().find(|(part, _)| agent.contains(part)).map(|(_, name)| *name);
    match (first(&BROWSERS), first(&SYSTEMS)) {
        (Some(browser), Some(system)) => format!("{browser} on {system}"),
        (Some(browser), None) => browser.to_owned(),
        (None, Some(system)) => format!("Another browser on {system}"),
        (None, None) => "Another browser".to_owned(),
    }
}

/// Whether the browser is about to show what comes: only then can it be sent elsewhere (Fetch Metadata Request Headers).
pub(super) fn is_navigation(request: &Request) -> bool {
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    request.method() == axum::http::Method::GET
        && match header("sec-fetch-mode") {
            Some(mode) => mode == "navigate",
            None => header("accept").is_some_and(|accept| accept.contains("text/html")),
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn browsers_are_told_apart_and_nothing_else_is_kept() {
        let firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
        let edge = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0 \
                    Safari/537.36 Edg/138.0";
        let safari = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 Version/18.5 \
                      Mobile/15E148 Safari/604.1";
        assert_eq!(browser(firefox), "Firefox on Linux");
        assert_eq!(browser(edge), "Edge on Windows");
        assert_eq!(browser(safari), "Safari on iOS");
        assert_eq!(browser("<script>alert(1)</script>"), "Another browser");
    }
}
