//! Decoding manifests the way kubectl does: YAML or JSON text to a JSON value, then typed.

use crate::finding::ObjectRef;
use crate::placed::{Lines, Placed, below};
use serde_json::Value;
use serde_saphyr::Spanned;
use std::sync::Arc;

/// Largest input accepted, in bytes. An object in Kubernetes cannot exceed 1.5 MiB (etcd's request
/// limit); this leaves room for a few.
pub(crate) const MAX_BYTES: usize = 8 * 1024 * 1024;

/// One object of an input, as a JSON value with the fields that every object has.
#[derive(Debug, Clone)]
pub struct Manifest {
    value: Value,
    object: ObjectRef,
    source: Option<Arc<Source>>,
}

/// Where a manifest was read.
#[derive(Debug)]
struct Source {
    file: String,
    /// The line the object begins on.
    line: u64,
    lines: Lines,
}

/// Two manifests are the same where they say the same, wherever they were read.
impl PartialEq for Manifest {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

/// Why an input could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The input is larger than 8 MiB.
    #[error("{source_name}: larger than {MAX_BYTES} bytes; split it into several files")]
    TooLarge {
        /// The file's name, or `-`.
        source_name: String,
    },
    /// Not YAML, or not YAML that kubectl would accept (duplicate keys, alias bombs, ...).
    #[error("{source_name}:{line}:{column}: {message}")]
    Syntax {
        /// The file's name, or `-`.
        source_name: String,
        /// Line, from 1; 0 where it is not known.
        line: u64,
        /// Column, from 1; 0 where it is not known.
        column: u64,
        /// What the parser says.
        message: String,
    },
    /// Valid YAML, but not a Kubernetes object.
    #[error("{source_name}: document {document}: {message}")]
    NotAnObject {
        /// The file's name, or `-`.
        source_name: String,
        /// Number of the document, from 1.
        document: usize,
        /// What is missing or of the wrong type.
        message: String,
    },
}

impl Manifest {
    /// Takes a JSON value that has `apiVersion`, `kind` and `metadata.name`.
    ///
    /// # Errors
    /// A sentence naming what is missing or of the wrong type.
    pub fn from_value(value: Value) -> Result<Self, String> {
        let text = |pointer: &str| value.pointer(pointer).and_then(Value::as_str);
        let required = |pointer: &str, field: &str| {
            text(pointer)
                .filter(|found| !found.is_empty())
                .map(str::to_owned)
                .ok_or_else(|| format!("`{field}` is missing or not a string"))
        };
        required("/apiVersion", "apiVersion")?;
        let object = ObjectRef {
            kind: required("/kind", "kind")?,
            namespace: text("/metadata/namespace").unwrap_or_default().to_owned(),
            name: text("/metadata/name")
                .or_else(|| text("/metadata/generateName"))
                .ok_or_else(|| "`metadata.name` is missing or not a string".to_owned())?
                .to_owned(),
        };
        for field in ["labels", "annotations"] {
            check_string_map(value.pointer(&format!("/metadata/{field}")), field)?;
        }
        Ok(Self { value, object, source: None })
    }

    /// The file it was read from, or `-`; nothing where it was made otherwise.
    #[must_use]
    pub fn file(&self) -> Option<&str> {
        self.source.as_ref().map(|source| source.file.as_str())
    }

    /// The line of a field, from 1; where the field is missing, that of the nearest one around it.
    #[must_use]
    pub fn line_of(&self, path: &str) -> Option<u64> {
        let source = self.source.as_ref()?;
        let mut path = path;
        loop {
            if let Some(line) = source.lines.get(path) {
                return Some(*line);
            }
            match path.rfind(['.', '[']) {
                Some(end) => path = &path[..end],
                None => return Some(source.line),
            }
        }
    }

    /// The whole object.
    #[must_use]
    pub fn value(&self) -> &Value {
        &self.value
    }

    /// The object's address.
    #[must_use]
    pub fn object(&self) -> &ObjectRef {
        &self.object
    }

    /// For example `apps/v1`.
    #[must_use]
    pub fn api_version(&self) -> &str {
        self.value["apiVersion"].as_str().unwrap_or_default()
    }

    /// The value of an annotation.
    #[must_use]
    pub fn annotation(&self, key: &str) -> Option<&str> {
        self.value["metadata"]["annotations"].get(key)?.as_str()
    }
}

/// Labels and annotations hold strings only; YAML turns `yes`, `1` or `on` into something else,
/// which the API server refuses with a message that few people understand.
fn check_string_map(map: Option<&Value>, field: &str) -> Result<(), String> {
    match map {
        None | Some(Value::Null) => Ok(()),
        Some(Value::Object(entries)) => match entries.iter().find(|(_, value)| !value.is_string()) {
            None => Ok(()),
            Some((key, value)) => Err(format!("`metadata.{field}.{key}` is {value}, not a string; write it in quotes")),
        },
        Some(_) => Err(format!("`metadata.{field}` is not a map")),
    }
}

/// Reads every object of `text`; `source_name` is what errors call it.
///
/// Documents that are empty are passed over; the items of a `List` count as objects of their own.
///
/// # Errors
/// [`DecodeError`], for the first thing that cannot be read.
pub fn decode(source_name: &str, text: &str) -> Result<Vec<Manifest>, DecodeError> {
    if text.len() > MAX_BYTES {
        return Err(DecodeError::TooLarge { source_name: source_name.to_owned() });
    }
    let options = serde_saphyr::options! {
        legacy_octal_numbers: true,
        with_snippet: false,
    };
    let documents: Vec<Spanned<Placed>> = serde_saphyr::from_multiple_with_options(text, options).map_err(|error| {
        let location = error.location();
        DecodeError::Syntax {
            source_name: source_name.to_owned(),
            line: location.map_or(0, |at| at.line()),
            column: location.map_or(0, |at| at.column()),
            message: error.to_string(),
        }
    })?;
    let mut manifests = Vec::new();
    for (index, document) in documents.into_iter().enumerate() {
        for (line, item) in items(document) {
            let mut manifest = Manifest::from_value(item.value).map_err(|message| DecodeError::NotAnObject {
                source_name: source_name.to_owned(),
                document: index + 1,
                message,
            })?;
            manifest.source = Some(Arc::new(Source { file: source_name.to_owned(), line, lines: item.lines }));
            manifests.push(manifest);
        }
    }
    Ok(manifests)
}

/// The object of a document, or the objects of its list, each with the line it begins on.
fn items(document: Spanned<Placed>) -> Vec<(u64, Placed)> {
    let line = document.referenced.line();
    let Placed { value, lines } = document.value;
    let is_list = value["kind"].as_str().is_some_and(|kind| kind.ends_with("List"));
    match value {
        Value::Null => Vec::new(),
        Value::Object(mut fields) if is_list => {
            let items = fields.remove("items").and_then(|items| items.as_array().cloned()).unwrap_or_default();
            let item = |(index, value)| {
                let lines = below(&lines, &format!("items[{index}]"));
                (lines.get("").copied().unwrap_or(line), Placed { value, lines })
            };
            items.into_iter().enumerate().map(item).collect()
        }
        value => vec![(line, Placed { value, lines })],
    }
}

/// Writes manifests as one YAML stream, documents parted by `---`.
#[must_use]
pub fn to_yaml(manifests: &[Manifest]) -> String {
    manifests
        .iter()
        .map(|manifest| serde_saphyr::to_string(manifest.value()).unwrap_or_default())
        .map(|document| format!("{}\n", document.trim_end()))
        .collect::<Vec<_>>()
        .join("---\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    const POD: &str = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: web\n  namespace: shop\n";

    #[test]
    fn several_documents_and_lists_become_objects_of_their_own() {
        let list = format!(
            "{POD}---\n---\napiVersion: v1\nkind: List\nitems:\n- {{apiVersion: v1, kind: Service, metadata: {{name: a}}}}\n- {{apiVersion: v1, kind: Service, metadata: {{name: b}}}}\n"
        );
        let names: Vec<_> = decode("x", &list).unwrap().iter().map(|m| m.object().to_string()).collect();
        assert_eq!(names, ["Pod/shop/web", "Service//a", "Service//b"]);
    }

    #[test]
    fn json_is_read_as_well() {
        let json = r#"{"apiVersion":"v1","kind":"Pod","metadata":{"name":"web"}}"#;
        assert_eq!(decode("x", json).unwrap()[0].object().to_string(), "Pod//web");
    }

    #[test]
    fn a_syntax_error_names_line_and_column() {
        let error = decode("bad.yaml", "apiVersion: v1\nkind: [Pod\n").unwrap_err();
        let DecodeError::Syntax { line, .. } = &error else { panic!("{error:?}") };
        assert!(*line >= 2, "{error}");
        assert!(error.to_string().starts_with("bad.yaml:"));
    }

    #[test]
    fn a_field_is_found_on_its_line_and_a_missing_one_at_what_is_around_it() {
        let text = "# first\n---\napiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: Pod\n  metadata:\n    name: a\n  spec:\n    containers:\n    - name: c\n      image: x\n";
        let pod = &decode("x.yaml", text).unwrap()[0];
        assert_eq!(pod.file(), Some("x.yaml"));
        for (path, line) in [
            ("", 6),
            ("kind", 7),
            ("spec.containers[0].image", 13),
            ("spec.containers[0].resources.requests.cpu", 12),
            ("status", 6),
        ] {
            assert_eq!(pod.line_of(path), Some(line), "{path}");
        }
    }

    #[test]
    fn duplicate_keys_are_refused() {
        assert!(decode("x", &format!("{POD}kind: Job\n")).is_err());
    }

    #[test]
    fn a_label_that_yaml_turns_into_a_boolean_is_refused_with_the_way_out() {
        let error = decode("x", &format!("{POD}  labels:\n    debug: true\n")).unwrap_err();
        assert!(error.to_string().contains("write it in quotes"), "{error}");
    }

    #[test]
    fn an_alias_bomb_is_refused() {
        let mut bomb = String::from("a0: &a0 [x,x,x,x,x,x,x,x,x]\n");
        for n in 1..12 {
            let refs = vec![format!("*a{}", n - 1); 9].join(",");
            bomb.push_str(&format!("a{n}: &a{n} [{refs}]\n"));
        }
        assert!(decode("x", &bomb).is_err());
    }

    #[test]
    fn a_stream_is_its_documents_and_what_parts_them() {
        let manifests = decode("x", &format!("{POD}---\n{POD}  labels: {{app: web}}\n")).unwrap();
        let documents: Vec<String> = manifests.iter().map(|one| to_yaml(std::slice::from_ref(one))).collect();
        assert_eq!(to_yaml(&manifests), documents.join("---\n"));
    }

    #[test]
    fn what_is_written_as_yaml_reads_back_the_same() {
        let manifests = decode("x", &format!("{POD}  labels: {{app: 'on', n: '1'}}\n---\n{POD}")).unwrap();
        assert_eq!(decode("y", &to_yaml(&manifests)).unwrap(), manifests);
    }
}
