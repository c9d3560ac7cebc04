//! Image references, parsed as the distribution project defines them
//! (github.com/distribution/reference, grammar of `reference.go`).

use std::net::Ipv6Addr;
use std::str::FromStr;

/// A container image reference: `[registry[:port]/]path[:tag][@digest]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageRef {
    /// Registry host with its port, `docker.io` where the reference names none.
    pub registry: String,
    /// Repository path without the registry.
    pub path: String,
    /// The tag, if given.
    pub tag: Option<String>,
    /// The digest, `algorithm:hex`, if given.
    pub digest: Option<String>,
}

/// Why a text is not an image reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ImageRefError {
    #[error("Enter an image, for example harbor.example.com/team/web:1.4.2.")]
    Empty,
    /// The repository part breaks the grammar.
    #[error("The image's name may hold lower-case letters, digits, and single '.', '_', '-' or '/' between them.")]
    Name,
    /// The tag breaks the grammar.
    #[error(
        "The tag after ':' may hold up to 128 letters, digits, '.', '_' and '-', and must not begin with '.' or '-'."
    )]
    Tag,
    /// The digest breaks the grammar.
    #[error("The digest after '@' must look like sha256: followed by 64 hexadecimal digits.")]
    Digest,
}

impl FromStr for ImageRef {
    type Err = ImageRefError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() {
            return Err(ImageRefError::Empty);
        }
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => (rest, Some(parse_digest(digest)?)),
            None => (text, None),
        };
        // A ':' before the last '/' belongs to the registry's port, not to a tag.
        let name_start = rest.rfind('/').map_or(0, |slash| slash + 1);
        let (name, tag) = match rest[name_start..].find(':') {
            Some(colon) => {
                let (name, tag) = rest.split_at(name_start + colon);
                (name, Some(parse_tag(&tag[1..])?))
            }
            None => (rest, None),
        };
        let (registry, path) = split_registry(name);
        if !path.split('/').all(is_path_component) || !is_registry(&registry) {
            return Err(ImageRefError::Name);
        }
        Ok(Self { registry, path, tag, digest })
    }
}

impl ImageRef {
    /// Whether the image lies under `prefix` (a registry, or a registry and leading path), compared
    /// by whole segments: `harbor.example.com` does not cover `harbor.example.com.evil.io`.
    #[must_use]
    pub fn is_under(&self, prefix: &str) -> bool {
        let full = format!("{}/{}", self.registry, self.path);
        let mut own = full.split('/');
        prefix.trim_end_matches('/').split('/').all(|segment| own.next() == Some(segment))
    }
}

/// The first segment is a registry only if it could be a host: it has a dot or a port, or is
/// `localhost`.
fn split_registry(name: &str) -> (String, String) {
    match name.split_once('/') {
        Some(("docker.io" | "index.docker.io", rest)) if rest.contains('/') => {
            ("docker.io".to_owned(), rest.to_owned())
        }
        Some(("docker.io" | "index.docker.io", rest)) => ("docker.io".to_owned(), format!("library/{rest}")),
        // Names of repositories have no capitals, so a first part that has some is a host.
        Some((first, rest)) if first.contains(['.', ':']) || first == "localhost" || first != first.to_lowercase() => {
            (first.to_owned(), rest.to_owned())
        }
        Some(_) => ("docker.io".to_owned(), name.to_owned()),
        None => ("docker.io".to_owned(), format!("library/{name}")),
    }
}

fn is_registry(text: &str) -> bool {
    let end_of_host = text.find(']').map_or_else(|| text.find(':').unwrap_or(text.len()), |bracket| bracket + 1);
    let (host, port) = text.split_at(end_of_host);
    let is_port = |port: &str| !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit());
    is_host(host) && (port.is_empty() || port.strip_prefix(':').is_some_and(is_port))
}

/// A name, or an address of IPv6 in brackets.
fn is_host(text: &str) -> bool {
    if let Some(address) = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return address.parse::<Ipv6Addr>().is_ok();
    }
    let label = |label: &str| {
        !label.is_empty()
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.split('.').all(label)
}

fn is_path_component(text: &str) -> bool {
    let alphanumeric = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let bytes = text.as_bytes();
    let (Some(first), Some(last)) = (bytes.first(), bytes.last()) else { return false };
    if !alphanumeric(*first) || !alphanumeric(*last) {
        return false;
    }
    text.split(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
        .filter(|separator| !separator.is_empty())
        .all(|separator| matches!(separator, "." | "_" | "__") || separator.bytes().all(|b| b == b'-'))
}

fn parse_tag(text: &str) -> Result<String, ImageRefError> {
    let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    let valid = text.len() <= 128
        && text.bytes().next().is_some_and(word)
        && text.bytes().all(|b| word(b) || b == b'.' || b == b'-');
    if valid { Ok(text.to_owned()) } else { Err(ImageRefError::Tag) }
}

fn parse_digest(text: &str) -> Result<String, ImageRefError> {
    match text.split_once(':') {
        Some((algorithm, hex))
            if !algorithm.is_empty()
                && algorithm.bytes().all(|b| b.is_ascii_alphanumeric() || b"+.-_".contains(&b))
                && hex.len() >= 32
                && hex.bytes().all(|b| b.is_ascii_hexdigit()) =>
        {
            Ok(text.to_owned())
        }
        _ => Err(ImageRefError::Digest),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> (String, String, Option<String>, bool) {
        let image: ImageRef = text.parse().unwrap();
        (image.registry, image.path, image.tag, image.digest.is_some())
    }

    #[test]
    fn a_port_is_not_a_tag() {
        assert_eq!(parsed("registry:5000/x"), ("registry:5000".into(), "x".into(), None, false));
    }

    #[test]
    fn references_of_every_shape_are_read() {
        let digest = "a".repeat(64);
        for text in [
            "nginx:1",
            "nginx",
            "library/nginx:1.27-alpine",
            "localhost:5000/a/b:v1",
            "harbor.example.com/a__b/c-d.e:1_2.3-4",
            &format!("registry.example.com:443/a:1@sha256:{digest}"),
            "[2001:db8::1]:5000/a:1",
            "[::1]/a",
            &format!("{}:1", "a".repeat(200)),
            &format!("a:{}", "x".repeat(128)),
        ] {
            assert!(text.parse::<ImageRef>().is_ok(), "{text}");
        }
        assert_eq!(parsed("[2001:db8::1]:5000/a:1").0, "[2001:db8::1]:5000");
    }

    #[test]
    fn a_tag_beside_a_digest_is_seen() {
        let digest = "a".repeat(64);
        let (.., tag, digested) = parsed(&format!("x:latest@sha256:{digest}"));
        assert_eq!((tag.as_deref(), digested), (Some("latest"), true));
    }

    #[test]
    fn short_names_come_from_docker_io() {
        assert_eq!(parsed("nginx:1").0, "docker.io");
        assert_eq!(parsed("index.docker.io/nginx:1"), parsed("nginx:1"));
        assert_eq!(parsed("Host/nginx:1").0, "Host");
        assert_eq!(parsed("bitnami/nginx:1").1, "bitnami/nginx");
    }

    #[test]
    fn trusted_registries_are_compared_by_whole_segments() {
        let image = |text: &str| text.parse::<ImageRef>().unwrap();
        assert!(image("harbor.example.com/shop/web:1").is_under("harbor.example.com"));
        assert!(image("harbor.example.com/shop/web:1").is_under("harbor.example.com/shop/"));
        assert!(!image("harbor.example.com.evil.io/x:1").is_under("harbor.example.com"));
        assert!(!image("harbor.example.com/shopping/web:1").is_under("harbor.example.com/shop"));
    }

    #[test]
    fn texts_that_are_no_references_are_refused_by_part() {
        for (text, error) in [
            ("", ImageRefError::Empty),
            ("upper/Case:1", ImageRefError::Name),
            ("a//b", ImageRefError::Name),
            ("a b", ImageRefError::Name),
            ("x:", ImageRefError::Tag),
            ("x:-a", ImageRefError::Tag),
            ("-a:1", ImageRefError::Name),
            ("https://a/b:1", ImageRefError::Name),
            ("[2001:db8]/a", ImageRefError::Name),
            ("[::1]5000/a", ImageRefError::Name),
            ("[::1]:/a", ImageRefError::Name),
            ("a:5000:1/a", ImageRefError::Name),
            ("x@sha256:zz", ImageRefError::Digest),
            ("x@sha256:12", ImageRefError::Digest),
        ] {
            assert_eq!(text.parse::<ImageRef>(), Err(error), "{text}");
        }
        assert_eq!(format!("a:{}", "x".repeat(129)).parse::<ImageRef>(), Err(ImageRefError::Tag));
    }
}
