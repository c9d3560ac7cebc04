//! The functions that are built in, with what they take and give (OPA 1.17, capabilities.json). Gatekeeper knows no others.

use serde::Deserialize;
use std::collections::{BTreeMap, HashMap};
use std::sync::LazyLock;

/// Written by `e2e/stack/gatekeeper/signatures.mjs`.
const FILE: &str = include_str!("signatures.json");

#[derive(Debug, Deserialize)]
pub(super) struct Signature {
    pub(super) arguments: Vec<Type>,
    pub(super) result: Type,
}

/// The type of a value, as far as it is known before anything is evaluated.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Type {
    Any,
    Null,
    Boolean,
    Number,
    String,
    /// Items of these types, and then more of one type, or none.
    Array {
        first: Vec<Type>,
        rest: Option<Box<Type>>,
    },
    /// These fields, and others of one type, or none.
    Object {
        fields: BTreeMap<String, Type>,
        rest: Option<Box<Type>>,
    },
    Set(Box<Type>),
    OneOf(Vec<Type>),
}

pub(super) fn of(function: &str) -> Option<&'static Signature> {
    static SIGNATURES: LazyLock<HashMap<String, Signature>> =
        LazyLock::new(|| serde_json::from_str(FILE).unwrap_or_default());
    SIGNATURES.get(function)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_of_signatures_is_read() {
        assert_eq!(of("startswith").map(|signature| signature.arguments.len()), Some(2));
        assert_eq!(of("http.send").map(|_| ()), None, "Gatekeeper turns it off");
    }
}
