//! Passwords, tokens and keys that stand in a manifest.

use super::{Check, Problem, Rule, RuleSet, Scope};
use crate::manifest::Manifest;
use crate::workload::{Container, Workload};

pub(super) const RULE: Rule = Rule {
    id: "credentials/in-plain-text",
    meaning: "Everyone who can read the object, its history or the repository it is kept in can read the credential.",
    source: "OWASP Kubernetes Top Ten 2022, K08 Secrets Management Failures; Kubernetes, Good practices for Secrets",
    faq: Some("secrets"),
    set: RuleSet::Platform,
    check: Check::Object(check),
};

const FIX: &str = "Put it into a Secret, and refer to it with valueFrom.secretKeyRef. If anyone else may have seen it, replace it with a new one.";

/// What a name ends with whose value is a credential, in words. A name that goes on, such as `PASSWORD_FILE` or
/// `TOKEN_URL`, says where one is or how long one lives.
const NAMES: &[&[&str]] = &[
    &["pass"],
    &["passphrase"],
    &["pwd"],
    &["secret"],
    &["token"],
    &["credentials"],
    &["apikey"],
    &["api", "key"],
    &["access", "key"],
    &["private", "key"],
    &["secret", "key"],
    &["signing", "key"],
    &["encryption", "key"],
];

/// What the value of a known kind of credential begins with, or holds.
const BEGINNINGS: &[&str] =
    &["ghp_", "gho_", "ghs_", "github_pat_", "glpat-", "xoxb-", "xoxp-", "AKIA", "ASIA", "sk_live_"];

fn check(manifest: &Manifest, _: &Scope<'_>) -> Vec<Problem> {
    match Workload::of(manifest) {
        Some(workload) => workload.containers().flat_map(|container| in_container(&container)).collect(),
        None if manifest.api_version() == "v1" && manifest.object().kind == "ConfigMap" => in_config_map(manifest),
        None => Vec::new(),
    }
}

/// Messages never quote a value: they are stored, and shown to others.
fn in_container(container: &Container<'_>) -> Vec<Problem> {
    let variables = container.value["env"].as_array().into_iter().flatten().enumerate();
    let variables = variables.filter_map(|(index, variable)| {
        let name = variable["name"].as_str()?;
        let is_credential = looks_like_credential(name, variable["value"].as_str()?);
        is_credential.then(|| {
            let path = format!("{}.env[{index}].value", container.path);
            let message = format!("The variable {name} of container {} looks like a credential.", container.name());
            Problem::warn(path, message, FIX)
        })
    });
    let lists = ["command", "args"].into_iter().flat_map(|list| {
        let words = container.value[list].as_array().into_iter().flatten().enumerate();
        words.filter_map(move |(index, word)| is_credential_argument(word.as_str()?).then_some((list, index)))
    });
    let arguments = lists.map(|(list, index)| {
        let message = format!("An argument of container {} looks like a credential.", container.name());
        Problem::warn(format!("{}.{list}[{index}]", container.path), message, FIX)
    });
    variables.chain(arguments).collect()
}

fn in_config_map(manifest: &Manifest) -> Vec<Problem> {
    let entries = manifest.value()["data"].as_object().into_iter().flatten();
    entries
        .filter(|(key, value)| value.as_str().is_some_and(|value| looks_like_credential(key, value)))
        .map(|(key, _)| Problem::warn(format!("data.{key}"), format!("The entry {key} looks like a credential."), FIX))
        .collect()
}

fn looks_like_credential(name: &str, value: &str) -> bool {
    has_form_of_credential(value) || (is_name_of_credential(name) && is_literal(value))
}

/// `--password=hunter2`.
fn is_credential_argument(word: &str) -> bool {
    let named = word.trim_start_matches('-').split_once('=').filter(|_| word.starts_with('-'));
    named.is_some_and(|(name, value)| looks_like_credential(name, value)) || has_form_of_credential(word)
}

fn is_name_of_credential(name: &str) -> bool {
    let words = words(name);
    // `PGPASSWORD` is one word.
    if words.last().is_some_and(|word| word.ends_with("password") || word.ends_with("passwd")) {
        return true;
    }
    NAMES.iter().any(|ending| words.len() >= ending.len() && words[words.len() - ending.len()..] == **ending)
}

/// `dbPassword`, `DB_PASSWORD` and `db.password` are the same words.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut after_small = false;
    for c in name.chars() {
        if !c.is_ascii_alphanumeric() || (after_small && c.is_ascii_uppercase()) {
            words.push(String::new());
        }
        after_small = c.is_ascii_lowercase() || c.is_ascii_digit();
        if let Some(word) = words.last_mut().filter(|_| c.is_ascii_alphanumeric()) {
            word.push(c.to_ascii_lowercase());
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// Whether a value says something by itself: not what another variable holds, a file, an address, a switch or a number
/// that is too short for a credential.
fn is_literal(value: &str) -> bool {
    let value = value.trim();
    let is_reference = value.starts_with("$(") || value.starts_with("${") || value.starts_with('/');
    let is_switch = ["true", "false", "yes", "no", "none", "null"].contains(&value.to_ascii_lowercase().as_str());
    let is_small_number = value.len() < 4 && value.bytes().all(|byte| byte.is_ascii_digit());
    let is_address = value.contains("://");
    !(value.is_empty() || is_reference || is_switch || is_small_number || is_address)
}

fn has_form_of_credential(value: &str) -> bool {
    let is_known =
        |word: &str| BEGINNINGS.iter().any(|begin| word.starts_with(begin) && word.len() >= begin.len() + 12);
    value.contains("PRIVATE KEY-----")
        || has_password_in_address(value)
        || value.split(char::is_whitespace).any(is_known)
}

/// `postgres://user:password@host`.
fn has_password_in_address(value: &str) -> bool {
    value.match_indices("://").any(|(at, mark)| {
        let authority = value[at + mark.len()..].split(['/', '?', '#', ' ', '\n']).next().unwrap_or_default();
        let user = authority.rsplit_once('@').map_or("", |(user, _)| user);
        user.split_once(':').is_some_and(|(_, password)| is_literal(password))
    })
}

#[cfg(test)]
mod tests {
    use crate::rules::testing::{paths_of, pod, reviewed};

    fn variable(name: &str, value: &str) -> bool {
        let env = format!("env: [{{name: {name}, value: '{value}'}}]");
        !paths_of("credentials/in-plain-text", &pod("", &env)).is_empty()
    }

    #[test]
    fn a_value_that_is_called_a_credential_or_looks_like_one_is_named_and_not_quoted() {
        for (name, value) in [
            ("PASSWORD", "hunter2"),
            ("dbPassword", "hunter2"),
            ("PGPASSWORD", "hunter2"),
            ("MYSQL_PASS", "hunter2"),
            ("STRIPE_API_KEY", "abcdef"),
            ("APP_TOKEN", "t0k3n"),
            ("DATABASE_URL", "postgres://app:hunter2@db/shop"),
            ("ANYTHING", "ghp_0123456789abcdef0123"),
            ("CERT", "-----BEGIN RSA PRIVATE KEY-----"),
        ] {
            assert!(variable(name, value), "{name}");
        }
        let report = reviewed(&pod("", "env: [{name: PASSWORD, value: hunter2}]"));
        assert!(!serde_json::to_string(&report).unwrap().contains("hunter2"));
    }

    #[test]
    fn what_only_speaks_of_a_credential_is_none() {
        for (name, value) in [
            ("PASSWORD_FILE", "/run/secrets/db"),
            ("PASSWORD", "$(FROM_SECRET)"),
            ("PASSWORD", ""),
            ("TOKEN_URL", "https://idp.example.com/token"),
            ("TOKEN", "https://idp.example.com/token"),
            ("TOKEN_TTL", "3600"),
            ("SHOW_PASSWORD", "true"),
            ("MAX_TOKEN", "100"),
            ("SECRETARY", "kim"),
            ("CACHE_KEY", "web"),
            ("DATABASE_URL", "postgres://app@db/shop"),
            ("DATABASE_URL", "postgres://app:$(PASSWORD)@db/shop"),
        ] {
            assert!(!variable(name, value), "{name}={value}");
        }
    }

    #[test]
    fn arguments_and_config_maps_are_looked_at_too() {
        let found = |text: &str| paths_of("credentials/in-plain-text", text);
        assert_eq!(found(&pod("", "args: [--port=80, --db-password=hunter2]")), ["spec.containers[0].args[1]"]);
        assert!(found(&pod("", "args: [--password-file=/run/secrets/db]")).is_empty());
        let config = "{apiVersion: v1, kind: ConfigMap, metadata: {name: a}, data: {password: hunter2, color: red}}";
        assert_eq!(found(config), ["data.password"]);
    }
}
