//! How names and labels may be written (kubernetes.io/docs/concepts/overview/working-with-objects/names and /labels).

/// A DNS subdomain (RFC 1123) of at most 253 characters: what most objects are called.
pub(crate) fn is_subdomain(text: &str) -> bool {
    text.len() <= 253 && text.split('.').all(is_dns_label)
}

/// A DNS label (RFC 1123) of at most 63 characters.
pub(crate) fn is_dns_label(text: &str) -> bool {
    let bytes = text.as_bytes();
    let edge = |b: Option<&u8>| b.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    text.len() <= 63
        && edge(bytes.first())
        && edge(bytes.last())
        && bytes.iter().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'-')
}

/// `[prefix/]name`, the prefix a DNS subdomain.
pub(crate) fn is_label_key(key: &str) -> bool {
    match key.split_once('/') {
        Some((prefix, name)) => is_subdomain(prefix) && is_qualified_name(name),
        None => is_qualified_name(key),
    }
}

/// Empty, or a name of at most 63 characters.
pub(crate) fn is_label_value(value: &str) -> bool {
    value.is_empty() || is_qualified_name(value)
}

fn is_qualified_name(text: &str) -> bool {
    let bytes = text.as_bytes();
    let edge = |b: Option<&u8>| b.is_some_and(u8::is_ascii_alphanumeric);
    text.len() <= 63
        && edge(bytes.first())
        && edge(bytes.last())
        && bytes.iter().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(b))
}

/// The name of a port: at most 15 small letters, digits and single hyphens, at least one of them a letter (IANA service
/// names, RFC 6335, section 5.1).
pub(crate) fn is_port_name(text: &str) -> bool {
    text.len() <= 15 && is_dns_label(text) && !text.contains("--") && text.bytes().any(|b| b.is_ascii_lowercase())
}

/// A key of a ConfigMap or Secret (Kubernetes API, ConfigMap v1 core, data).
pub(crate) fn is_config_key(text: &str) -> bool {
    let word = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
    (1..=253).contains(&text.len()) && text.bytes().all(word) && !matches!(text, "." | "..")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_what_the_api_server_takes() {
        assert!(is_subdomain("a.b-1") && !is_subdomain("A") && !is_subdomain("a..b") && !is_subdomain(""));
        assert!(is_label_key("app.kubernetes.io/name") && !is_label_key("a/b/c") && !is_label_key("-a"));
        assert!(
            is_label_value("") && is_label_value("A_b.c") && !is_label_value("a b") && !is_label_value(&"a".repeat(64))
        );
        assert!(
            is_port_name("http-2")
                && !is_port_name("80")
                && !is_port_name("a--b")
                && !is_port_name("sixteen-letters-x")
        );
    }
}
