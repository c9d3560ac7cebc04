//! Writing patches into the text that manifests were read from, so that comments and layout stay.

use crate::manifest::{Manifest, decode};
use crate::patch::{Operation, Patch, unescaped};
use serde_json::{Value, json};
use yaml_edit::{Document, Mapping, Sequence, YamlFile, YamlNode};

/// Why a text is not rewritten.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RewriteError {
    /// The text holds something, such as an anchor, that cannot be edited in place without changing what it means.
    #[error("it cannot be changed in place; apply the patches by hand (--format json shows them)")]
    NotInPlace,
    /// A change at the anchor would change every place that refers to it.
    #[error(
        "it has an anchor (&) that other places refer to (*), so a change would be made there as well; write these places \
         out, or apply the patches by hand (--format json shows them)"
    )]
    Anchor,
}

/// Writes the patches of each manifest of a file into the file's text. What comes out is read again, and must mean
/// exactly what the patches say.
///
/// `changes` holds every manifest of the file as it is afterwards, in order, with its patches.
///
/// # Errors
/// [`RewriteError`], and then nothing of the text may be changed.
pub fn rewrite(file: &str, text: &str, changes: &[(&Manifest, &[Patch])]) -> Result<String, RewriteError> {
    let (mark, body) = match text.strip_prefix(BYTE_ORDER_MARK) {
        Some(body) => (BYTE_ORDER_MARK, body),
        None => ("", text),
    };
    let written = match json_documents(body) {
        Some(documents) => as_json(documents, changes, body),
        None => as_yaml(body, changes).ok_or_else(|| refusal(body))?,
    };
    let rewritten = format!("{mark}{written}");
    let read = decode(file, &rewritten).map_err(|_| refusal(body))?;
    let same = read.len() == changes.len() && read.iter().zip(changes).all(|(read, (wanted, _))| read == *wanted);
    if same { Ok(rewritten) } else { Err(refusal(body)) }
}

fn refusal(text: &str) -> RewriteError {
    let has_alias = text.split_whitespace().any(|word| {
        let name = word.trim_start_matches(['[', '{', ',']).strip_prefix('*');
        name.is_some_and(|name| name.starts_with(|c: char| c.is_alphanumeric() || c == '_'))
    });
    if has_alias { RewriteError::Anchor } else { RewriteError::NotInPlace }
}

const BYTE_ORDER_MARK: &str = "\u{feff}";

/// The objects of a text that is JSON: one, or several one after another.
fn json_documents(text: &str) -> Option<Vec<Value>> {
    let documents = serde_json::Deserializer::from_str(text).into_iter().collect::<Result<Vec<Value>, _>>().ok()?;
    documents.iter().all(Value::is_object).then_some(documents).filter(|documents| !documents.is_empty())
}

/// JSON has no comments to keep; it is written with the usual layout, and the line ends that it has.
fn as_json(mut documents: Vec<Value>, changes: &[(&Manifest, &[Patch])], before: &str) -> String {
    for (manifest, patches) in changes {
        let Some((_, document, pointer)) = manifest.origin() else { continue };
        let document = document.checked_sub(1).and_then(|index| documents.get_mut(index));
        if let Some(object) = document.and_then(|document| document.pointer_mut(pointer)) {
            patches.iter().for_each(|patch| patch.apply(object));
        }
    }
    let written: String = documents.iter().map(|document| format!("{document:#}\n")).collect();
    if before.contains("\r\n") { written.replace('\n', "\r\n") } else { written }
}

fn as_yaml(text: &str, changes: &[(&Manifest, &[Patch])]) -> Option<String> {
    let (file, problems) = YamlFile::from_str_relaxed(text);
    if !problems.is_empty() {
        return None;
    }
    // Empty documents are passed over in decoding, too.
    let documents: Vec<Document> = file.documents().filter(|document| document.as_mapping().is_some()).collect();
    for (manifest, patches) in changes {
        let (_, document, pointer) = manifest.origin()?;
        let document = documents.get(document.checked_sub(1)?)?;
        for operation in patches.iter().flat_map(Patch::operations) {
            change(document, &format!("{pointer}{}", operation.path()), operation)?;
        }
    }
    Some(file.to_string())
}

fn change(document: &Document, path: &str, operation: &Operation) -> Option<()> {
    let tokens: Vec<String> = path.split('/').skip(1).map(unescaped).collect();
    let (last, way) = tokens.split_last()?;
    let root = YamlNode::Mapping(document.as_mapping()?);
    let parent = way.iter().try_fold(root, |node, token| match &node {
        YamlNode::Mapping(mapping) => mapping.get(token),
        YamlNode::Sequence(list) => list.get(token.parse().ok()?),
        _ => None,
    })?;
    match parent {
        YamlNode::Mapping(mapping) => change_mapping(&mapping, last, operation),
        YamlNode::Sequence(list) => change_list(&list, last.parse().ok()?, operation),
        _ => None,
    }
}

fn change_mapping(mapping: &Mapping, key: &str, operation: &Operation) -> Option<()> {
    match operation {
        Operation::Add { value, .. } | Operation::Replace { value, .. } => mapping.set(key, node(value)?),
        Operation::Remove { .. } => drop(mapping.remove(key)?),
    }
    Some(())
}

fn change_list(list: &Sequence, index: usize, operation: &Operation) -> Option<()> {
    match operation {
        Operation::Add { value, .. } if index == list.len() => list.push(node(value)?),
        Operation::Add { value, .. } => list.insert(index, node(value)?),
        Operation::Replace { value, .. } => list.set(index, node(value)?).then_some(())?,
        Operation::Remove { .. } => drop(list.remove(index)?),
    }
    Some(())
}

/// A value as a piece of YAML, its fields in their own order.
fn node(value: &Value) -> Option<YamlNode> {
    let text = serde_saphyr::to_string(&json!({ "value": value })).ok()?;
    text.parse::<Document>().ok()?.get("value")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Context, Selection, Settings, fix};
    use proptest::prelude::*;

    fn rewritten(text: &str) -> Result<String, RewriteError> {
        let manifests = decode("test", text).unwrap();
        let fixed = fix(&manifests, &Context::default(), &Settings::default(), Selection::default());
        let changes: Vec<(&Manifest, &[Patch])> =
            fixed.manifests.iter().zip(fixed.patches.iter().map(Vec::as_slice)).collect();
        rewrite("test", text, &changes)
    }

    #[test]
    fn comments_and_layout_stay() {
        let text = "\
# The shop's front.
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web   # as in the address
spec:
  replicas: 1 # for now

  template:
    spec:
      containers:
        # The one container.
        - name: web
          image: 'harbor.example.com/shop/web:1'
          securityContext: {privileged: true} # to be looked at
      volumes: []
# The end.
";
        let rewritten = rewritten(text).unwrap();
        for comment in [
            "# The shop's front.",
            "name: web   # as in the address",
            "replicas: 1 # for now",
            "        # The one container.",
            "# to be looked at",
            "# The end.",
        ] {
            assert!(rewritten.contains(comment), "{comment} is not in\n{rewritten}");
        }
    }

    #[test]
    fn each_document_and_each_item_of_a_list_is_changed_in_its_place() {
        let pod = |name: &str| {
            format!("apiVersion: v1\nkind: Pod\nmetadata:\n  name: {name}\nspec:\n  hostPID: true # {name}\n")
        };
        let item = |name: &str| format!("- {}", pod(name).trim_end().replace('\n', "\n  "));
        let text = format!(
            "# nothing yet\n---\n{}---\n---\n{}---\napiVersion: v1\nkind: List\nitems:\n{}\n{}\n",
            pod("a"),
            pod("b"),
            item("c"),
            item("d")
        );
        let rewritten = rewritten(&text).unwrap();
        for name in ["a", "b", "c", "d"] {
            assert!(rewritten.contains(&format!("hostPID: false # {name}")), "{rewritten}");
        }
    }

    #[test]
    fn json_stays_json() {
        let rewritten =
            rewritten(r#"{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": {"hostPID": true}}"#)
                .unwrap();
        assert!(rewritten.contains("\"hostPID\": false") && rewritten.starts_with("{\n"), "{rewritten}");
    }

    #[test]
    fn a_byte_order_mark_line_ends_and_objects_one_after_another_stay() {
        let pod = |name: &str| {
            format!(
                "{{\"apiVersion\": \"v1\", \"kind\": \"Pod\", \"metadata\": {{\"name\": \"{name}\"}},\r\n\"spec\": {{\"hostPID\": true}}}}\r\n"
            )
        };
        let json = rewritten(&format!("\u{feff}{}{}", pod("a"), pod("b"))).unwrap();
        assert!(json.starts_with("\u{feff}{\r\n"), "{json:?}");
        assert_eq!(json.matches("\"hostPID\": false,\r\n").count() + json.matches("\"hostPID\": false\r\n").count(), 2);
        let yaml =
            "\u{feff}apiVersion: v1\r\nkind: Pod\r\nmetadata:\r\n  name: a\r\nspec:\r\n  hostPID: true # why\r\n";
        let rewritten = rewritten(yaml).unwrap();
        assert!(
            rewritten.starts_with("\u{feff}apiVersion: v1\r\n") && rewritten.contains("hostPID: false # why\r\n"),
            "{rewritten:?}"
        );
    }

    #[test]
    fn what_would_change_elsewhere_too_is_left_alone() {
        let text = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec:\n  containers:\n  - &c {name: c, \
            image: 'harbor.example.com/a:1', securityContext: {privileged: true}}\n  initContainers: [*c]\n";
        assert_eq!(rewritten(text), Err(RewriteError::Anchor));
    }

    proptest! {
        /// However a manifest is laid out, what comes out means what the patches say, or nothing comes out.
        #[test]
        fn rewriting_means_what_the_patches_say(
            flow in any::<bool>(), indent in 1..5usize, context in any::<bool>(), comment in "[ -~]{0,9}"
        ) {
            let pad = " ".repeat(indent);
            let container = match (flow, context) {
                (true, true) => format!("{pad}- {{name: c, image: 'harbor.example.com/a:1', securityContext: \
                    {{runAsUser: 0}}}} # {comment}"),
                (true, false) => format!("{pad}- {{name: c, image: 'harbor.example.com/a:1'}} # {comment}"),
                (false, true) => format!("{pad}- name: c # {comment}\n{pad}  securityContext:\n{pad}   \
                    {pad}runAsUser: 0\n{pad}  image: harbor.example.com/a:1"),
                (false, false) => format!("{pad}- name: c # {comment}\n{pad}  image: harbor.example.com/a:1"),
            };
            let text = format!("apiVersion: v1\nkind: Pod\nmetadata: {{name: \
                a}}\nspec:\n{pad}containers:\n{container}\n");
            let rewritten = rewritten(&text).unwrap();
            prop_assert!(rewritten.contains(comment.trim_end()), "{rewritten}");
        }
    }
}
