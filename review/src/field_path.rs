//! Paths to fields, written as people and kubectl write them, and as JSON pointers.

use serde_json::Value;
use std::fmt;

/// One step into a value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Step {
    Key(String),
    Index(usize),
}

impl Step {
    /// What lies behind this step.
    pub(crate) fn of<'a>(&self, value: &'a Value) -> Option<&'a Value> {
        match self {
            Self::Key(key) => value.get(key),
            Self::Index(index) => value.get(index),
        }
    }
}

/// A path from an object to one of its fields, written `spec.containers[0].image`; a key that holds a dot or a
/// bracket is written `metadata.labels["app.kubernetes.io/name"]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct FieldPath(Vec<Step>);

impl FieldPath {
    /// Reads a path as it is written. What cannot be read as a number between brackets is taken as a key.
    pub(crate) fn parse(text: &str) -> Self {
        let mut steps = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            let (step, after) = if let Some(quoted) = rest.strip_prefix("[\"") {
                let (key, after) = quoted.split_once("\"]").unwrap_or((quoted, ""));
                (Step::Key(key.to_owned()), after)
            } else if let Some(bracketed) = rest.strip_prefix('[') {
                let (index, after) = bracketed.split_once(']').unwrap_or((bracketed, ""));
                (index.parse().map_or_else(|_| Step::Key(index.to_owned()), Step::Index), after)
            } else {
                let key = rest.strip_prefix('.').unwrap_or(rest);
                let end = key.find(['.', '[']).unwrap_or(key.len());
                (Step::Key(key[..end].to_owned()), &key[end..])
            };
            steps.push(step);
            rest = after;
        }
        Self(steps)
    }

    pub(crate) fn steps(&self) -> &[Step] {
        &self.0
    }

    /// The path to a key below this one.
    #[must_use]
    pub(crate) fn key(mut self, key: &str) -> Self {
        self.0.push(Step::Key(key.to_owned()));
        self
    }

    /// What lies at this path.
    pub(crate) fn of<'a>(&self, value: &'a Value) -> Option<&'a Value> {
        self.0.iter().try_fold(value, |value, step| step.of(value))
    }

    /// The same path as a JSON pointer (RFC 6901).
    pub(crate) fn pointer(&self) -> String {
        let token = |step: &Step| match step {
            Step::Key(key) => format!("/{}", key.replace('~', "~0").replace('/', "~1")),
            Step::Index(index) => format!("/{index}"),
        };
        self.0.iter().map(token).collect()
    }
}

impl From<Vec<Step>> for FieldPath {
    fn from(steps: Vec<Step>) -> Self {
        Self(steps)
    }
}

/// Whether a key can stand in a path as it is.
fn is_plain(key: &str) -> bool {
    !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_/".contains(&byte))
}

impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, step) in self.0.iter().enumerate() {
            match step {
                Step::Index(index) => write!(f, "[{index}]")?,
                Step::Key(key) if !is_plain(key) => write!(f, "[\"{key}\"]")?,
                Step::Key(key) if place == 0 => f.write_str(key)?,
                Step::Key(key) => write!(f, ".{key}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_path_is_read_as_it_is_written_and_becomes_a_pointer() {
        for (text, pointer) in [
            ("", ""),
            ("kind", "/kind"),
            ("spec.containers[0].image", "/spec/containers/0/image"),
            ("metadata.labels[\"a.b/c\"]", "/metadata/labels/a.b~1c"),
        ] {
            let path = FieldPath::parse(text);
            assert_eq!((path.to_string().as_str(), path.pointer().as_str()), (text, pointer));
        }
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back_the_same(
            keys in prop::collection::vec("[a-z./\\[\\]0-9]{0,6}", 0..5), index in 0..9usize
        ) {
            let mut steps: Vec<Step> = keys.into_iter().map(Step::Key).collect();
            steps.push(Step::Index(index));
            let path = FieldPath::from(steps);
            prop_assert_eq!(FieldPath::parse(&path.to_string()), path);
        }
    }
}
