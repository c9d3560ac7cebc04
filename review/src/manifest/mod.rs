//! Manifests: objects of Kubernetes as JSON values, with where they were read.

mod decode;
mod legible;

pub use decode::{DecodeError, MAX_BYTES, Position, decode};

use crate::field_path::FieldPath;
use crate::finding::ObjectRef;
use crate::patch::Patch;
use crate::places::Places;
use crate::schema::WrongType;
use crate::workload::namespace_or_default;
use serde_json::Value;
use std::sync::Arc;

/// One object of an input, as a JSON value with the fields that every object has. A clone shares what it holds, as the
/// same objects are looked at again and again beside what is new.
#[derive(Debug, Clone)]
pub struct Manifest(Arc<Content>);

#[derive(Debug, Clone)]
struct Content {
    value: Value,
    object: ObjectRef,
    /// Fields that the kind does not have; known only of what was read.
    unknown_fields: Vec<FieldPath>,
    source: Option<Arc<Source>>,
}

/// Where a manifest was read.
#[derive(Debug)]
struct Source {
    file: String,
    /// Number of the document in the file, from 1; empty ones do not count.
    document: usize,
    /// The object's place in the document, as a JSON pointer: empty but for the items of lists.
    pointer: String,
    places: Places,
}

/// Two manifests are the same where they say the same, wherever they were read.
impl PartialEq for Manifest {
    fn eq(&self, other: &Self) -> bool {
        self.0.value == other.0.value
    }
}

/// What makes a value no Kubernetes object.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ObjectError {
    path: FieldPath,
    message: String,
}

impl ObjectError {
    fn new(path: &str, message: impl Into<String>) -> Self {
        Self { path: FieldPath::parse(path), message: message.into() }
    }
}

impl From<WrongType> for ObjectError {
    fn from((path, message): WrongType) -> Self {
        Self { message: format!("`{path}` cannot be read: {message}"), path }
    }
}

impl Manifest {
    /// Takes a JSON value that has `apiVersion`, `kind` and `metadata.name`.
    ///
    /// # Errors
    /// [`ObjectError`], naming what is missing or of the wrong type.
    pub fn from_value(value: Value) -> Result<Self, ObjectError> {
        let object = object_of(&value)?;
        Ok(Self(Arc::new(Content { value, object, unknown_fields: Vec::new(), source: None })))
    }

    /// The file it was read from, or `-`; nothing where it was made otherwise.
    #[must_use]
    pub fn file(&self) -> Option<&str> {
        self.0.source.as_ref().map(|source| source.file.as_str())
    }

    /// The line of a field, from 1; where the field is missing, that of the nearest one around it.
    #[must_use]
    pub fn line_of(&self, path: &str) -> Option<u64> {
        let source = self.0.source.as_ref()?;
        Some(source.places.find(&self.0.value, &FieldPath::parse(path)).line)
    }

    /// Changes the object. It stays where it was read; its name and kind are not for patches to change.
    pub fn patch(&mut self, patch: &Patch) {
        patch.apply(&mut Arc::make_mut(&mut self.0).value);
    }

    /// Where it was read: file, number of the document from 1, and the way from the document to the object, which is
    /// not empty for the items of a list.
    #[must_use]
    pub fn origin(&self) -> Option<(&str, usize, &str)> {
        self.0.source.as_ref().map(|source| (source.file.as_str(), source.document, source.pointer.as_str()))
    }

    /// Fields that its kind does not have.
    pub(crate) fn unknown_fields(&self) -> &[FieldPath] {
        &self.0.unknown_fields
    }

    #[must_use]
    pub fn value(&self) -> &Value {
        &self.0.value
    }

    #[must_use]
    pub fn object(&self) -> &ObjectRef {
        &self.0.object
    }

    /// For example `apps/v1`.
    #[must_use]
    pub fn api_version(&self) -> &str {
        self.0.value["apiVersion"].as_str().unwrap_or_default()
    }

    /// Group and version of the API; the core group is empty.
    #[must_use]
    pub fn group_version(&self) -> (&str, &str) {
        self.api_version().split_once('/').unwrap_or(("", self.api_version()))
    }

    /// What makes it the same object as another: group, kind, namespace and name.
    #[must_use]
    pub fn key(&self) -> (&str, &str, &str, &str) {
        let ObjectRef { kind, namespace, name } = &self.0.object;
        (self.group_version().0, kind, namespace_or_default(namespace), name)
    }

    /// The value of an annotation.
    #[must_use]
    pub fn annotation(&self, key: &str) -> Option<&str> {
        self.0.value["metadata"]["annotations"].get(key)?.as_str()
    }
}

/// The address of an object, once all that every object has is there.
fn object_of(value: &Value) -> Result<ObjectRef, ObjectError> {
    required(value, "apiVersion")?;
    let name = match optional(value, "metadata.name")? {
        Some(name) => Some(name),
        None => optional(value, "metadata.generateName")?,
    };
    for field in ["metadata.labels", "metadata.annotations"] {
        check_string_map(value, field)?;
    }
    Ok(ObjectRef {
        kind: required(value, "kind")?.to_owned(),
        namespace: optional(value, "metadata.namespace")?.unwrap_or_default().to_owned(),
        name: name.ok_or_else(|| ObjectError::new("metadata", "`metadata.name` is missing"))?.to_owned(),
    })
}

/// The text at `path`, if there is anything.
fn optional<'a>(value: &'a Value, path: &str) -> Result<Option<&'a str>, ObjectError> {
    match FieldPath::parse(path).of(value) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(other) => {
            let other = shortened(other);
            Err(ObjectError::new(path, format!("`{path}` is {other}, not a string; write it in quotes")))
        }
    }
}

fn required<'a>(value: &'a Value, path: &str) -> Result<&'a str, ObjectError> {
    optional(value, path)?
        .filter(|text| !text.is_empty())
        .ok_or_else(|| ObjectError::new("", format!("`{path}` is missing")))
}

/// Labels and annotations hold strings only; YAML turns `yes`, `1` or `on` into something else,
/// which the API server refuses with a message that few people understand.
fn check_string_map(value: &Value, field: &str) -> Result<(), ObjectError> {
    let path = FieldPath::parse(field);
    match path.of(value) {
        None | Some(Value::Null) => Ok(()),
        Some(Value::Object(entries)) => match entries.iter().find(|(_, value)| !value.is_string()) {
            None => Ok(()),
            Some((key, value)) => Err(ObjectError {
                message: format!("`{field}.{key}` is {}, not a string; write it in quotes", shortened(value)),
                path: path.key(key),
            }),
        },
        Some(_) => Err(ObjectError::new(field, format!("`{field}` is not a map"))),
    }
}

/// A value for a message; lists and maps would fill the screen.
fn shortened(value: &Value) -> String {
    match value {
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "a map".to_owned(),
        other => other.to_string(),
    }
}

/// Writes manifests as one YAML stream, documents parted by `---`.
#[must_use]
pub fn to_yaml(manifests: &[Manifest]) -> String {
    manifests.iter().map(|manifest| document(manifest.value())).collect::<Vec<_>>().join("---\n")
}

/// Spaces and empty lines at the end may be those of a block of text: nothing is trimmed.
fn document(value: &Value) -> String {
    let mut document = serde_saphyr::to_string(value).unwrap_or_default();
    if !document.ends_with('\n') {
        document.push('\n');
    }
    document
}

#[cfg(test)]
mod tests {
    use super::*;

    const POD: &str = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: web\n  namespace: shop\n";

    #[test]
    fn a_stream_is_its_documents_and_what_parts_them() {
        let manifests = decode("x", &format!("{POD}---\n{POD}  labels: {{app: web}}\n")).unwrap();
        let documents: Vec<String> = manifests.iter().map(|one| to_yaml(std::slice::from_ref(one))).collect();
        assert_eq!(to_yaml(&manifests), documents.join("---\n"));
    }

    #[test]
    fn what_is_written_as_yaml_reads_back_the_same() {
        let block = format!("{POD}  annotations:\n    note: \"two lines, \\n the second \\n\\n\"\n");
        let manifests =
            decode("x", &format!("{POD}  labels: {{app: 'on', n: '1'}}\n---\n{block}---\n{block}")).unwrap();
        assert_eq!(decode("y", &to_yaml(&manifests)).unwrap(), manifests);
    }
}
