//! A JSON value that remembers on which line of the text each field was.

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use serde_saphyr::Spanned;
use std::collections::BTreeMap;
use std::fmt;

/// Lines by path, for example `spec.containers[0].image`; the object itself is the empty path.
pub(crate) type Lines = BTreeMap<String, u64>;

/// A value with the lines of what is in it, by paths that begin at it.
#[derive(Debug, Default)]
pub(crate) struct Placed {
    pub(crate) value: Value,
    pub(crate) lines: Lines,
}

impl Placed {
    fn leaf(value: impl Into<Value>) -> Self {
        Self { value: value.into(), lines: Lines::new() }
    }

    /// Takes in what was found under `step`, a key or a place in a list.
    fn adopt(lines: &mut Lines, step: &str, child: Spanned<Self>) -> Value {
        lines.insert(step.to_owned(), child.referenced.line());
        lines.extend(child.value.lines.into_iter().map(|(path, line)| (join(step, &path), line)));
        child.value.value
    }
}

/// One path below another: lists follow directly, keys after a dot.
fn join(step: &str, path: &str) -> String {
    if path.starts_with('[') || path.is_empty() { format!("{step}{path}") } else { format!("{step}.{path}") }
}

/// The lines below one path, as paths that begin there.
pub(crate) fn below(lines: &Lines, place: &str) -> Lines {
    let inside = |(path, line): (&String, &u64)| {
        let rest = path.strip_prefix(place)?;
        // `items[1]` is not around `items[10]`, and `spec` not around `special`.
        let apart = rest.is_empty() || rest.starts_with(['.', '[']);
        apart.then(|| (rest.strip_prefix('.').unwrap_or(rest).to_owned(), *line))
    };
    lines.iter().filter_map(inside).collect()
}

impl<'de> Deserialize<'de> for Placed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PlacedVisitor)
    }
}

struct PlacedVisitor;

impl<'de> Visitor<'de> for PlacedVisitor {
    type Value = Placed;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value that JSON can hold")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Placed, E> {
        Ok(Placed::leaf(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Placed, E> {
        Ok(Placed::leaf(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Placed, E> {
        Ok(Placed::leaf(value))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Placed, E> {
        let number = Number::from_f64(value).ok_or_else(|| E::custom("JSON has no such number"))?;
        Ok(Placed::leaf(Value::Number(number)))
    }

    fn visit_str<E>(self, value: &str) -> Result<Placed, E> {
        Ok(Placed::leaf(value))
    }

    fn visit_unit<E>(self) -> Result<Placed, E> {
        Ok(Placed::default())
    }

    fn visit_none<E>(self) -> Result<Placed, E> {
        Ok(Placed::default())
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Placed, D::Error> {
        Placed::deserialize(deserializer)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Placed, A::Error> {
        let (mut values, mut lines) = (Vec::new(), Lines::new());
        while let Some(child) = list.next_element::<Spanned<Placed>>()? {
            let step = format!("[{}]", values.len());
            values.push(Placed::adopt(&mut lines, &step, child));
        }
        Ok(Placed { value: Value::Array(values), lines })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Placed, A::Error> {
        let (mut fields, mut lines) = (Map::new(), Lines::new());
        while let Some((key, child)) = map.next_entry::<String, Spanned<Placed>>()? {
            let value = Placed::adopt(&mut lines, &key, child);
            fields.insert(key, value);
        }
        Ok(Placed { value: Value::Object(fields), lines })
    }
}
