//! Which hosts a workload names: in variables, commands, arguments, and the ConfigMaps that it reads.

use crate::manifest::Manifest;
use crate::workload::{Workload, namespace_or_default};
use serde_json::Value;

/// A host that is named, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mention {
    /// In small letters, as DNS compares names.
    pub(super) host: String,
    pub(super) port: Option<u16>,
    /// For people, like `CART_SERVICE_ADDR`.
    pub(super) place: String,
}

/// Everything that the containers of a workload name.
pub(super) fn mentions(workload: &Workload<'_>, objects: &[&Manifest]) -> Vec<Mention> {
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
    let mut look = |place: String, key: &str, text: &Value| {
        let text = text.as_str().unwrap_or_default();
        let named = hosts(key, text).into_iter();
        found.extend(named.map(|(host, port)| Mention { host, port, place: place.clone() }));
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
        for name in items(&container.value["envFrom"]).map(|source| &source["configMapRef"]["name"]) {
            for (key, text) in data(name).into_iter().flatten() {
                look(format!("{key} of ConfigMap {}", name.as_str().unwrap_or_default()), key, text);
            }
        }
        for (field, place) in [("command", "its command"), ("args", "its arguments")] {
            items(&container.value[field]).for_each(|text| look(place.to_owned(), "", text));
        }
    }
    for name in workload.volumes().map(|(_, volume)| &volume["configMap"]["name"]) {
        for (key, text) in data(name).into_iter().flatten() {
            look(format!("{key} of ConfigMap {}", name.as_str().unwrap_or_default()), "", text);
        }
    }
    found
}

fn items(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}

/// What variables are called that hold nothing but a host.
const HOST_WORDS: [&str; 10] =
    ["HOST", "ADDR", "URL", "URI", "ENDPOINT", "SERVER", "SERVICE", "BROKER", "UPSTREAM", "BACKEND"];

/// The hosts in a text. A plain word is one only where something says so: `//` or `@` before it, a port after it, the
/// suffix of Services, or the name of the variable whose whole value it is.
fn hosts(key: &str, text: &str) -> Vec<(String, Option<u16>)> {
    let key = key.to_ascii_uppercase();
    let is_for_hosts = HOST_WORDS.iter().any(|word| key.contains(word));
    let is_of_name = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
    let mut found = Vec::new();
    let mut rest = 0;
    while let Some(begin) = text[rest..].find(is_of_name).map(|at| rest + at) {
        let end = text[begin..].find(|c| !is_of_name(c)).map_or(text.len(), |at| begin + at);
        rest = end;
        let (before, word, after) = (&text[..begin], text[begin..end].trim_end_matches('.'), &text[end..]);
        let digits = after
            .strip_prefix(':')
            .map_or("", |after| &after[..after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len())]);
        // What is followed by a number and @ is a user with a password.
        let is_user = !digits.is_empty() && after[1 + digits.len()..].starts_with('@');
        let port = digits.parse().ok().filter(|port| *port > 0 && !is_user);
        let is_address = before.ends_with("//") || before.ends_with('@');
        let is_all = is_for_hosts && word == text.trim();
        let is_name = word.chars().any(|c| c.is_ascii_alphabetic()) && !word.contains('_');
        if is_name && (is_address && !after.contains('@') || port.is_some() || is_all || word.contains(".svc")) {
            found.push((word.to_ascii_lowercase(), port));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(key: &str, text: &str) -> Vec<String> {
        let written =
            |(host, port): (String, Option<u16>)| port.map_or_else(|| host.clone(), |port| format!("{host}:{port}"));
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
        ] {
            assert_eq!(named(key, text), [expected], "{text}");
        }
        assert_eq!(named("", "kafka-0.kafka:9092,kafka-1.kafka:9092"), ["kafka-0.kafka:9092", "kafka-1.kafka:9092"]);
    }

    #[test]
    fn what_only_looks_like_a_host_is_none() {
        for (key, text) in [
            ("POSTGRES_USER", "postgres"),
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
