//! Which hosts a workload names: in variables, commands, arguments, and the ConfigMaps that it reads.

use crate::manifest::Manifest;
use crate::workload::{Workload, namespace_or_default};
use serde_json::Value;
use std::collections::HashSet;
use std::net::IpAddr;

/// A host that is named, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mention {
    /// In small letters, as DNS compares names.
    pub(super) host: String,
    pub(super) port: Option<u16>,
    /// For people, like `CART_SERVICE_ADDR`.
    pub(super) place: String,
    /// Whether it is a host in any case, and not only where a Service has this name.
    pub(super) is_sure: bool,
}

/// The most hosts that are looked at of one workload. Who names more has written no manifest for people.
const MOST_MENTIONS: usize = 200;

/// Everything that the containers of a workload name, each host and port once.
pub(super) fn mentions(workload: &Workload<'_>, objects: &[&Manifest]) -> Vec<Mention> {
    let mut read = HashSet::new();
    let data = |name: &Value| {
        let is_it = |object: &&&Manifest| {
            let own = object.object();
            own.kind == "ConfigMap"
                && Some(own.name.as_str()) == name.as_str()
                && namespace_or_default(&own.namespace) == workload.namespace()
        };
        objects.iter().find(is_it).map(|object| &object.value()["data"]).and_then(Value::as_object)
    };
    let mut found = Vec::new();
    let mut seen = HashSet::new();
    let mut look = |place: String, key: &str, text: &Value| {
        if found.len() < MOST_MENTIONS {
            let named = hosts(key, text.as_str().unwrap_or_default()).into_iter();
            let new = named.filter(|named| seen.insert((named.name.clone(), named.port))).take(MOST_MENTIONS);
            found.extend(new.map(|Host { name: host, port, is_sure }| Mention {
                host,
                port,
                place: place.clone(),
                is_sure,
            }));
        }
    };
    for container in workload.containers() {
        for variable in items(&container.value["env"]) {
            let name = variable["name"].as_str().unwrap_or_default();
            look(name.to_owned(), name, &variable["value"]);
            let from = &variable["valueFrom"]["configMapKeyRef"];
            if let Some((text, key)) = data(&from["name"]).zip(from["key"].as_str()) {
                look(name.to_owned(), name, text.get(key).unwrap_or(&Value::Null));
            }
        }
        let sources = items(&container.value["envFrom"]).map(|source| &source["configMapRef"]["name"]);
        for name in sources.filter(|name| read.insert((true, name.as_str().unwrap_or_default()))) {
            for (key, text) in data(name).into_iter().flatten() {
                look(format!("{key} of ConfigMap {}", name.as_str().unwrap_or_default()), key, text);
            }
        }
        for (field, place) in [("command", "its command"), ("args", "its arguments")] {
            items(&container.value[field]).for_each(|text| look(place.to_owned(), "", text));
        }
    }
    let volumes = workload.volumes().map(|(_, volume)| &volume["configMap"]["name"]);
    for name in volumes.filter(|name| read.insert((false, name.as_str().unwrap_or_default()))) {
        for (key, text) in data(name).into_iter().flatten() {
            look(format!("{key} of ConfigMap {}", name.as_str().unwrap_or_default()), "", text);
        }
    }
    found
}

fn items(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}

/// What variables are called that hold nothing but a host, and what those that hold something else.
const HOST_WORDS: [&str; 10] =
    ["HOST", "ADDR", "URL", "URI", "ENDPOINT", "SERVER", "SERVICE", "BROKER", "UPSTREAM", "BACKEND"];
const OTHER_WORDS: [&str; 9] = ["NAME", "VERSION", "TOKEN", "PASSWORD", "SECRET", "KEY", "ACCOUNT", "USER", "TYPE"];

#[derive(Debug, Clone, PartialEq, Eq)]
struct Host {
    name: String,
    port: Option<u16>,
    is_sure: bool,
}

/// The hosts in a text. A plain word is one only where something says so: `//` or `@` before it, a port after it, the
/// suffix of Services, or the name of the variable whose whole value it is.
fn hosts(key: &str, text: &str) -> Vec<Host> {
    let key = key.to_ascii_uppercase();
    let holds = |words: &[&str]| words.iter().any(|word| key.contains(word));
    let is_for_hosts = holds(&HOST_WORDS) && !holds(&OTHER_WORDS);
    let whole = text.trim();
    let is_of_name = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
    let mut found = Vec::new();
    let mut rest = 0;
    while let Some(begin) = text[rest..].find(is_of_name).map(|at| rest + at) {
        let end = text[begin..].find(|c| !is_of_name(c)).map_or(text.len(), |at| begin + at);
        rest = end;
        let (before, word, after) = (&text[..begin], text[begin..end].trim_end_matches('.'), &text[end..]);
        let port = port_after(after);
        // What stands before @ is a user, perhaps with a password.
        let authority =
            &after[..after.find(|c: char| c.is_whitespace() || "/,;\"'".contains(c)).unwrap_or(after.len())];
        let is_address = (before.ends_with("//") || before.ends_with('@')) && !authority.contains('@');
        let is_all = is_for_hosts && word == whole;
        let is_name = !word.contains('_') && (word.contains(|c: char| c.is_ascii_alphabetic()) || is_ip(word));
        let is_sure =
            is_address || is_all || word.contains(".svc") || (port.is_some() && (is_for_hosts || word.contains('.')));
        if is_name && (is_sure || port.is_some()) {
            found.push(Host { name: word.to_ascii_lowercase(), port, is_sure });
        }
    }
    found
}

fn is_ip(word: &str) -> bool {
    word.parse::<IpAddr>().is_ok()
}

/// The port with which a text goes on, like `:8080`. A number before @ is a password, and one that goes on, like
/// `:1.25`, a version.
fn port_after(text: &str) -> Option<u16> {
    let text = text.strip_prefix(':')?;
    let digits = &text[..text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len())];
    let goes_on = text[digits.len()..].starts_with(|c: char| c.is_alphanumeric() || "@._-:".contains(c));
    digits.parse().ok().filter(|port| *port > 0 && !goes_on)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(key: &str, text: &str) -> Vec<String> {
        let written = |host: Host| match host.port {
            Some(port) => format!("{}:{port}", host.name),
            None => host.name,
        };
        hosts(key, text).into_iter().map(written).collect()
    }

    #[test]
    fn a_host_is_found_in_every_usual_way_of_writing_it() {
        for (key, text, expected) in [
            ("CART_SERVICE_ADDR", "cartservice:7070", "cartservice:7070"),
            ("DB_HOST", "Ledger-DB", "ledger-db"),
            ("X", "postgresql://admin:s3cret@accounts-db:5432/accounts", "accounts-db:5432"),
            ("X", "postgresql://admin:123@accounts-db/accounts", "accounts-db"),
            ("X", "jdbc:postgresql://ledger-db:5432/postgresdb", "ledger-db:5432"),
            ("ZIPKIN", "zipkin.jaeger.svc.cluster.local", "zipkin.jaeger.svc.cluster.local"),
            ("", "--store=redis.pay:6379", "redis.pay:6379"),
            ("", "https://api.example.com/v1", "api.example.com"),
            ("", "url: http://cart/\ncontact: me/me@", "cart"),
            ("DB_HOST", "10.0.0.5", "10.0.0.5"),
        ] {
            assert_eq!(named(key, text), [expected], "{text}");
        }
        assert_eq!(named("", "kafka-0.kafka:9092,kafka-1.kafka:9092"), ["kafka-0.kafka:9092", "kafka-1.kafka:9092"]);
    }

    #[test]
    fn what_only_looks_like_a_host_is_none() {
        for (key, text) in [
            ("POSTGRES_USER", "postgres"),
            ("OTEL_SERVICE_NAME", "cart"),
            ("SERVICE_TOKEN", "abc.def.ghi"),
            ("", "nginx:1.25"),
            ("JAVA_OPTS", "-Xms64m -Djava.security.egd=file:/dev/urandom"),
            ("", "http://${FRONTEND_ADDR}"),
            ("TIME", "12:30:00"),
            ("", "20000:30000"),
            ("PATH", "/usr/local/bin:/usr/bin"),
        ] {
            assert_eq!(named(key, text), Vec::<String>::new(), "{text}");
        }
    }
}
