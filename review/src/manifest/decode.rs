//! Decoding manifests the way kubectl does: YAML or JSON text to a JSON value, then typed.

use super::legible::{Legible, without_long_runs_of_comments};
use super::{Content, Manifest, ObjectError, Source, object_of};
use crate::places::{Place, Placed};
use crate::schema::unknown_fields;
use serde_json::Value;
use serde_saphyr::budget::BudgetBreach;
use serde_saphyr::{Error, Options, Spanned};
use std::fmt;
use std::sync::Arc;

/// Largest input accepted, in bytes. An object in Kubernetes cannot exceed 1.5 MiB (etcd's request
/// limit); this leaves room for a few.
pub const MAX_BYTES: usize = 8 * 1024 * 1024;

/// Deepest nesting accepted. The schema of the deepest well-known CustomResourceDefinition is about 40 deep.
const MAX_DEPTH: usize = 64;

/// Most values accepted, aliases counted as often as they are used: what bounds time and memory.
const MAX_VALUES: usize = 500_000;

/// Most values that aliases may stand for, all together. People use a handful; bombs use millions.
const MAX_ALIASED_VALUES: usize = 20_000;

/// Where in an input something is wrong. Written `file:line:column: document n`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    /// The file's name, or `-`.
    pub file: String,
    /// Number of the document, from 1.
    pub document: usize,
    /// Line, from 1.
    pub line: u64,
    /// Column, from 1.
    pub column: u64,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, document, line, column } = self;
        write!(f, "{file}:{line}:{column}: document {document}")
    }
}

/// Why an input could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The input is larger than [`MAX_BYTES`].
    #[error("{file}: larger than {} MiB; split it into several files", MAX_BYTES / 1024 / 1024)]
    TooLarge {
        /// The file's name, or `-`.
        file: String,
    },
    /// Deeper, or with more values, than any manifest needs; alias bombs among them.
    #[error("{position}: {message}")]
    TooComplex {
        /// Where the limit was passed.
        position: Position,
        /// Which limit, and the way out.
        message: &'static str,
    },
    /// Not YAML, or not YAML that kubectl would accept (duplicate keys, unknown anchors, ...).
    #[error("{position}: {message}")]
    Syntax { position: Position, message: String },
    /// Valid YAML, but not a Kubernetes object.
    #[error("{position}: {message}")]
    NotAnObject {
        /// The field that is wrong, or the object in which one is missing.
        position: Position,
        /// What is missing or of the wrong type.
        message: String,
    },
}

/// Reads every object of `text`; `file` is what errors call it.
///
/// Documents that are empty are passed over; the items of a `List` count as objects of their own. Time and memory
/// are bounded whatever the text: see [`DecodeError::TooLarge`] and [`DecodeError::TooComplex`].
///
/// # Errors
/// [`DecodeError`], for the first thing that cannot be read.
pub fn decode(file: &str, text: &str) -> Result<Vec<Manifest>, DecodeError> {
    if text.len() > MAX_BYTES {
        return Err(DecodeError::TooLarge { file: file.to_owned() });
    }
    let legible = Legible::new(text);
    let documents = parse(&legible.text).map_err(|error| refusal(file, &legible, &error))?;
    let mut manifests = Vec::new();
    for (index, document) in documents.into_iter().enumerate() {
        let mut document = Placed::from(document);
        document.places.move_up(legible.moved(index));
        for (pointer, Placed { mut value, places }) in items(String::new(), document) {
            read_nulls_as_text(&mut value);
            let refused = |error: ObjectError| {
                let Place { line, column } = places.find(&value, &error.path);
                let position = Position { file: file.to_owned(), document: index + 1, line, column };
                DecodeError::NotAnObject { position, message: error.message }
            };
            let object = object_of(&value).map_err(refused)?;
            let unknown_fields = unknown_fields(&value).map_err(|wrong| refused(wrong.into()))?;
            let source = Source { file: file.to_owned(), document: index + 1, pointer, places };
            let content = Content { value, object, unknown_fields, source: Some(Arc::new(source)) };
            manifests.push(Manifest(Arc::new(content)));
        }
    }
    Ok(manifests)
}

/// Parsing recurses, and a thread of a server has room for about 50 levels in a build without optimisation: it is
/// done on a thread whose stack has room for [`MAX_DEPTH`].
fn parse(text: &str) -> Result<Vec<Spanned<Placed>>, Error> {
    const STACK: usize = 16 * 1024 * 1024;
    let parse = || match serde_saphyr::from_multiple_with_options(text, options()) {
        Err(error) if error.to_string().contains("too many buffered comments") => {
            serde_saphyr::from_multiple_with_options(&without_long_runs_of_comments(text), options())
        }
        other => other,
    };
    std::thread::scope(|scope| {
        let parser = std::thread::Builder::new().stack_size(STACK).spawn_scoped(scope, parse);
        let parsed = parser.map(std::thread::ScopedJoinHandle::join);
        match parsed {
            Ok(Ok(parsed)) => parsed,
            Ok(Err(_)) | Err(_) => Err(<Error as serde::de::Error>::custom("the parser could not run")),
        }
    })
}

fn options() -> Options {
    serde_saphyr::options! {
        // kubectl reads YAML 1.1: 0777 is octal, and `yes` is true.
        legacy_octal_numbers: true,
        with_snippet: false,
        budget: serde_saphyr::budget! {
            max_depth: MAX_DEPTH,
            // The scanner's own limit speaks of recursion; ours, which is lower, has a sentence.
            flow_nesting_limit: usize::MAX,
            max_nodes: MAX_VALUES,
            max_documents: MAX_VALUES,
            // What aliases stand for is limited as such, below.
            enforce_alias_anchor_ratio: false,
            max_events: 4 * MAX_VALUES,
            max_recorded_anchor_events: MAX_ALIASED_VALUES,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: MAX_ALIASED_VALUES,
        },
    }
}

fn refusal(file: &str, legible: &Legible<'_>, error: &Error) -> DecodeError {
    let place =
        error.location().map_or(Place { line: 1, column: 1 }, |at| Place { line: at.line(), column: at.column() });
    let document = document_at(&legible.text, place.line);
    let line = place.line.saturating_sub(legible.moved(document - 1)).max(1);
    let position = Position { file: file.to_owned(), document, line, column: place.column };
    match cause(error) {
        Error::Budget { breach: BudgetBreach::Depth { .. }, .. } => {
            DecodeError::TooComplex { position, message: "nested more than 64 levels deep; no manifest needs that" }
        }
        Error::Budget { .. } => DecodeError::TooComplex {
            position,
            message: "more than 500,000 values, or anchors over most of them; split it into several files",
        },
        Error::AliasReplayCounterOverflow { .. }
        | Error::AliasReplayLimitExceeded { .. }
        | Error::AliasExpansionLimitExceeded { .. }
        | Error::AliasReplayStackDepthExceeded { .. } => DecodeError::TooComplex {
            position,
            message: "aliases stand for more than 20,000 values; write the values out or use fewer",
        },
        other => DecodeError::Syntax { position, message: without_place(&other.to_string()) },
    }
}

/// What went wrong, where it did so inside an alias.
fn cause(error: &Error) -> &Error {
    match error {
        Error::AliasError { error, .. } => cause(error),
        error => error,
    }
}

/// The number of the document that holds a line, from 1. Documents are parted by `---`; empty ones do not count.
fn document_at(text: &str, line: u64) -> usize {
    let mut documents = 0;
    let mut is_empty = true;
    for line in text.lines().take(usize::try_from(line).unwrap_or(usize::MAX)) {
        if line == "---" || line.starts_with("--- ") {
            is_empty = true;
        } else if is_empty && !line.trim().is_empty() && !line.starts_with(['#', '%']) {
            is_empty = false;
            documents += 1;
        }
    }
    documents.max(1)
}

/// The parser's sentence without its own way of naming the place, which the position says already.
fn without_place(message: &str) -> String {
    let end = message.rfind(" at line ").or_else(|| message.rfind(" (line ")).unwrap_or(message.len());
    message[..end].to_owned()
}

/// Maps of texts. The API server reads a null in them as the empty text (encoding/json, into `map[string]string`).
const TEXT_MAPS: [&str; 4] = ["labels", "annotations", "matchLabels", "nodeSelector"];

/// Reads what has no value as the API server does, wherever a map of texts is.
fn read_nulls_as_text(object: &mut Value) {
    fill_text_maps(object);
    let own = match object["kind"].as_str() {
        Some("ConfigMap" | "Secret") => ["/data", "/stringData"],
        Some("Service" | "ReplicationController") => ["/spec/selector", ""],
        _ => return,
    };
    for pointer in own.iter().filter(|pointer| !pointer.is_empty()) {
        if let Some(map) = object.pointer_mut(pointer) {
            fill(map);
        }
    }
}

fn fill_text_maps(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(fill_text_maps),
        Value::Object(fields) => {
            for (key, value) in fields {
                if TEXT_MAPS.contains(&key.as_str()) { fill(value) } else { fill_text_maps(value) }
            }
        }
        _ => {}
    }
}

fn fill(map: &mut Value) {
    let values = map.as_object_mut().into_iter().flat_map(|map| map.values_mut());
    values.filter(|value| value.is_null()).for_each(|value| *value = Value::from(""));
}

/// The object of a document, or the objects of its list, each with its place in the document.
fn items(pointer: String, document: Placed) -> Vec<(String, Placed)> {
    let Placed { value, mut places } = document;
    let Some((kind, api_version)) = list_of(&value) else {
        return if value.is_null() { Vec::new() } else { vec![(pointer, Placed { value, places })] };
    };
    let Value::Object(mut fields) = value else { return Vec::new() };
    let position = fields.keys().position(|key| key == "items").unwrap_or_default();
    let places = places.take(position).into_inside();
    let Some(Value::Array(values)) = fields.remove("items") else { return Vec::new() };
    let of_kind = |mut value: Value| {
        // The items of a typed list, such as `PodList`, need not repeat what the list says.
        if let (Some(fields), Some(kind)) = (value.as_object_mut(), &kind) {
            fields.entry("apiVersion").or_insert_with(|| api_version.clone().into());
            fields.entry("kind").or_insert_with(|| kind.clone().into());
        }
        value
    };
    let placed = values.into_iter().zip(places).enumerate();
    placed
        .flat_map(|(index, (value, places))| {
            items(format!("{pointer}/items/{index}"), Placed { value: of_kind(value), places })
        })
        .collect()
}

/// For a list, the kind of its items where the list says it, and its API version.
fn list_of(value: &Value) -> Option<(Option<String>, String)> {
    let kind = value["kind"].as_str()?.strip_suffix("List").filter(|_| value["items"].is_array())?;
    let api_version = value["apiVersion"].as_str().unwrap_or_default();
    Some(((!kind.is_empty()).then(|| kind.to_owned()), api_version.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const POD: &str = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: web\n  namespace: shop\n";

    #[test]
    fn several_documents_and_lists_become_objects_of_their_own() {
        let list = format!(
            "{POD}---\n---\napiVersion: v1\nkind: List\nitems:\n- {{apiVersion: v1, kind: Service, \
             metadata: {{name: a}}}}\n- {{apiVersion: v1, kind: Service, metadata: {{name: b}}}}\n"
        );
        let names: Vec<_> = decode("x", &list).unwrap().iter().map(|m| m.object().to_string()).collect();
        assert_eq!(names, ["Pod/shop/web", "Service/a", "Service/b"]);
    }

    #[test]
    fn json_is_read_as_well() {
        let json = r#"{"apiVersion":"v1","kind":"Pod","metadata":{"name":"web"}}"#;
        assert_eq!(decode("x", json).unwrap()[0].object().to_string(), "Pod/web");
    }

    #[test]
    fn a_syntax_error_names_line_and_column() {
        let error = decode("bad.yaml", "apiVersion: v1\nkind: [Pod\n").unwrap_err();
        let DecodeError::Syntax { position, .. } = &error else { panic!("{error:?}") };
        assert!(position.line >= 2, "{error}");
        assert!(error.to_string().starts_with("bad.yaml:"));
    }

    #[test]
    fn an_error_names_the_document_it_is_in() {
        for (text, start) in [
            (format!("# a comment\n---\n{POD}---\n{POD}---\nkind: [\n"), "x:15:7: document 3"),
            (format!("---\n{POD}---\n{POD}  labels:\n    app: 1\n"), "x:14:10: document 2: `metadata.labels.app` is 1"),
            ("apiVersion: v1\nkind: Pod\nmetadata:\n  name: 7\n".to_owned(), "x:4:9: document 1: `metadata.name` is 7"),
            ("apiVersion: v1\nmetadata: {name: a}\n".to_owned(), "x:1:1: document 1: `kind` is missing"),
            (
                format!("{POD}spec:\n  containers:\n  - name: c\n    tty: 'yes'\n"),
                "x:9:10: document 1: `spec.containers[0].tty` cannot be read: invalid type: string \"yes\", expected \
                 a boolean",
            ),
            ("just text".to_owned(), "x:1:1: document 1: `apiVersion` is missing"),
        ] {
            let error = decode("x", &text).unwrap_err().to_string();
            assert!(error.starts_with(start), "{error:?} instead of {start:?}");
        }
    }

    #[test]
    fn yaml_is_read_as_version_1_1_as_kubectl_does() {
        let text = format!("{POD}spec: {{a: yes, b: 'yes', c: 0777, d: off, e: 1e3, f: ~}}\n");
        let manifests = decode("x", &text).unwrap();
        assert_eq!(
            manifests[0].value()["spec"].to_string(),
            r#"{"a":true,"b":"yes","c":511,"d":false,"e":1000.0,"f":null}"#
        );
    }

    #[test]
    fn the_items_of_a_typed_list_are_what_the_list_says() {
        let list = r#"{"apiVersion": "v1", "kind": "PodList", "items": [{"metadata": {"name": "a"}}, {"metadata":
            {"name": "b"}, "kind": "Pod", "apiVersion": "v1"}]}"#;
        let names: Vec<_> = decode("x", list).unwrap().iter().map(|m| m.object().to_string()).collect();
        assert_eq!(names, ["Pod/a", "Pod/b"]);
    }

    #[test]
    fn nesting_is_refused_before_it_fills_the_stack() {
        let other = POD.replace("Pod", "Other");
        let nested = |depth: usize| format!("{other}spec: {}{}\n", "[".repeat(depth), "]".repeat(depth));
        // On a stack as small as that of any thread that calls this.
        let read =
            move |text: String| std::thread::Builder::new().stack_size(2 << 20).spawn(move || decode("x", &text));
        assert!(read(nested(MAX_DEPTH - 2)).unwrap().join().unwrap().is_ok());
        for depth in [MAX_DEPTH, 5_000, 1_000_000] {
            let error = read(nested(depth)).unwrap().join().unwrap().unwrap_err();
            assert!(error.to_string().contains("levels deep"), "{error}");
        }
    }

    #[test]
    fn long_keys_over_many_values_take_no_more_memory_than_the_text() {
        let text = format!("{POD}{}:\n{}", "k".repeat(1000), "- 1\n".repeat(100_000));
        assert_eq!(decode("x", &text).unwrap()[0].line_of(&format!("{}[99999]", "k".repeat(1000))), Some(100_006));
    }

    #[test]
    fn many_documents_and_one_anchor_used_often_are_no_bomb() {
        let documents = format!("---\n{POD}").repeat(5_000);
        assert_eq!(decode("x", &documents).unwrap().len(), 5_000);
        let often = format!("{}list: [&a {{b: c}}{}]\n", POD.replace("Pod", "Other"), ", *a".repeat(500));
        assert_eq!(decode("x", &often).unwrap().len(), 1);
    }

    #[test]
    fn more_than_the_limits_is_refused_with_a_sentence() {
        assert!(matches!(decode("x", &" ".repeat(MAX_BYTES + 1)), Err(DecodeError::TooLarge { .. })));
        assert!(matches!(decode("x", &"- 1\n".repeat(MAX_VALUES + 1)), Err(DecodeError::TooComplex { .. })));
    }

    #[test]
    fn a_field_is_found_on_its_line_and_a_missing_one_at_what_is_around_it() {
        let text = "# first\n---\napiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: Pod\n  metadata:\n    \
            name: a\n  spec:\n    containers:\n    - name: c\n      image: x\n";
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
        let error = decode("x", &bomb).unwrap_err();
        assert!(matches!(error, DecodeError::TooComplex { .. }), "{error}");
    }
}
