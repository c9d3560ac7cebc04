//! What is handed to a container: environment variables and volumes.

use crate::names::{is_config_key, is_subdomain};
use serde_json::{Value, json};
use std::fmt;
use std::str::FromStr;

/// An environment variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variable {
    pub name: String,
    /// Where its value comes from.
    pub value: VariableValue,
}

/// Where the value of a variable comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VariableValue {
    /// It stands in the manifest.
    Text(String),
    /// From a key of a Secret or ConfigMap.
    Key {
        /// Of which kind.
        object: KeyedObject,
        name: String,
        key: String,
    },
}

/// Objects that hold values under keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyedObject {
    /// For what nobody else may read.
    Secret,
    /// For everything else.
    ConfigMap,
}

impl KeyedObject {
    fn word(self) -> &'static str {
        match self {
            Self::Secret => "secret",
            Self::ConfigMap => "configmap",
        }
    }

    fn field(self) -> &'static str {
        match self {
            Self::Secret => "secretKeyRef",
            Self::ConfigMap => "configMapKeyRef",
        }
    }
}

/// Why a line is no variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum VariableError {
    /// Neither form.
    #[error("Write NAME=value, or NAME from secret db/password, or NAME from configmap settings/level.")]
    Form,
    /// Kubernetes API, EnvVar v1 core: a C identifier that may also hold `-` and `.`.
    #[error("A variable's name holds letters, digits, '_', '-' and '.', and does not begin with a digit.")]
    Name,
    /// Not the name of an object and one of its keys.
    #[error("Write the name of the object and one of its keys with '/' between them, for example db/password.")]
    Key,
}

impl FromStr for Variable {
    type Err = VariableError;

    /// One line of what people keep in `.env` files: a leading `export` and quotes around the value are dropped.
    fn from_str(line: &str) -> Result<Self, Self::Err> {
        let line = line.trim();
        let line = line.strip_prefix("export ").unwrap_or(line);
        let (name, value) = match line.split_once(" from ") {
            Some((name, source)) if !name.contains('=') => (name, from_key(source)?),
            _ => {
                let (name, text) = line.split_once('=').ok_or(VariableError::Form)?;
                (name, VariableValue::Text(without_quotes(text.trim()).to_owned()))
            }
        };
        let name = name.trim();
        if !is_variable_name(name) {
            return Err(VariableError::Name);
        }
        Ok(Self { name: name.to_owned(), value })
    }
}

fn from_key(source: &str) -> Result<VariableValue, VariableError> {
    let (word, rest) = source.trim().split_once(' ').ok_or(VariableError::Form)?;
    let object = match word.to_ascii_lowercase().as_str() {
        "secret" => KeyedObject::Secret,
        "configmap" => KeyedObject::ConfigMap,
        _ => return Err(VariableError::Form),
    };
    let (name, key) = rest.trim().split_once('/').ok_or(VariableError::Key)?;
    if !is_subdomain(name) || !is_config_key(key) {
        return Err(VariableError::Key);
    }
    Ok(VariableValue::Key { object, name: name.to_owned(), key: key.to_owned() })
}

fn without_quotes(text: &str) -> &str {
    ['"', '\''].iter().find_map(|quote| text.strip_prefix(*quote)?.strip_suffix(*quote)).unwrap_or(text)
}

fn is_variable_name(name: &str) -> bool {
    let word = |b: u8| b.is_ascii_alphanumeric() || b"_-.".contains(&b);
    !name.is_empty() && name.bytes().all(word) && !name.starts_with(|c: char| c.is_ascii_digit())
}

impl fmt::Display for Variable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            VariableValue::Text(text) => write!(f, "{}={text}", self.name),
            VariableValue::Key { object, name, key } => write!(f, "{} from {} {name}/{key}", self.name, object.word()),
        }
    }
}

impl Variable {
    pub(super) fn written(&self) -> Value {
        match &self.value {
            VariableValue::Text(text) => json!({ "name": self.name, "value": text }),
            VariableValue::Key { object, name, key } => {
                json!({ "name": self.name, "valueFrom": { object.field(): { "name": name, "key": key } } })
            }
        }
    }
}

/// Something mounted into the container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Volume {
    /// Its name in the pod.
    pub name: String,
    /// Where, from the root.
    pub path: MountPath,
    pub source: VolumeSource,
}

/// What is mounted: the types that the restricted standard allows and people need most.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VolumeSource {
    /// An empty folder that lives as long as the pod.
    Scratch,
    /// The keys of a ConfigMap as files.
    ConfigMap(String),
    /// The keys of a Secret as files.
    Secret(String),
    Claim(String),
}

/// Where a volume is mounted: an absolute path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MountPath(String);

/// Why a path cannot be mounted at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("Enter a path from the root, without ':' and '..', for example /var/cache.")]
pub struct MountPathError;

impl FromStr for MountPath {
    type Err = MountPathError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        let climbs = text.split('/').any(|part| part == "..");
        let below_root = text.len() > 1 && text.starts_with('/');
        let is_path = below_root && !climbs && !text.contains(':') && !text.contains(char::is_control);
        if is_path { Ok(Self(text.to_owned())) } else { Err(MountPathError) }
    }
}

impl fmt::Display for MountPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Volume {
    pub(super) fn written(&self) -> Value {
        let name = &self.name;
        match &self.source {
            VolumeSource::Scratch => json!({ "name": name, "emptyDir": {} }),
            VolumeSource::ConfigMap(of) => json!({ "name": name, "configMap": { "name": of } }),
            VolumeSource::Secret(of) => json!({ "name": name, "secret": { "secretName": of } }),
            VolumeSource::Claim(of) => json!({ "name": name, "persistentVolumeClaim": { "claimName": of } }),
        }
    }

    pub(super) fn mount(&self) -> Value {
        let read_only = matches!(self.source, VolumeSource::ConfigMap(_) | VolumeSource::Secret(_));
        let mut mount = json!({ "name": self.name, "mountPath": self.path.to_string() });
        if read_only {
            mount["readOnly"] = true.into();
        }
        mount
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_an_env_file_is_a_variable() {
        let read = |line: &str| line.parse::<Variable>().map(|variable| variable.to_string());
        assert_eq!(read("LEVEL=info").unwrap(), "LEVEL=info");
        assert_eq!(read("export GREETING=\"hello there\"").unwrap(), "GREETING=hello there");
        assert_eq!(read("QUERY=a=b from c").unwrap(), "QUERY=a=b from c");
        assert_eq!(read("EMPTY=").unwrap(), "EMPTY=");
        assert_eq!(read("PASSWORD from secret db/password").unwrap(), "PASSWORD from secret db/password");
        assert_eq!(read("LEVEL from ConfigMap settings/log.level").unwrap(), "LEVEL from configmap settings/log.level");
    }

    #[test]
    fn what_is_no_variable_is_said_to_be_none() {
        let error = |line: &str| line.parse::<Variable>().unwrap_err();
        assert_eq!(error("LEVEL"), VariableError::Form);
        assert_eq!(error("1A=b"), VariableError::Name);
        assert_eq!(error("A B=c"), VariableError::Name);
        assert_eq!(error("A from vault b/c"), VariableError::Form);
        assert_eq!(error("A from secret db"), VariableError::Key);
        assert_eq!(error("A from secret Db/x"), VariableError::Key);
    }

    #[test]
    fn a_mount_path_begins_at_the_root_and_does_not_climb() {
        for path in ["/var/cache", "/a b", "/tmp/"] {
            assert!(path.parse::<MountPath>().is_ok(), "{path}");
        }
        for path in ["", "/", "cache", "/a/../b", "/a:b", "/a\nb"] {
            assert!(path.parse::<MountPath>().is_err(), "{path}");
        }
    }
}
