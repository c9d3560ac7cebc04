//! A JSON value that remembers where in the text each part of it was.

use crate::field_path::{FieldPath, Step};
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use serde_saphyr::Spanned;
use std::fmt;

/// A place in a text, both numbers from 1; 0 where it is not known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) line: u64,
    pub(crate) column: u64,
}

/// Where a value begins, and where what is in it begins, in the value's own order.
///
/// A tree beside the value, and not a map from paths: what it takes grows with the text alone, however long the
/// keys are and however deep they lie.
#[derive(Debug, Clone, Default)]
pub(crate) struct Places {
    pub(crate) place: Place,
    inside: Vec<Self>,
}

impl Places {
    /// The place of the field at `path` of `value`, or of the nearest one around it.
    pub(crate) fn find(&self, value: &Value, path: &FieldPath) -> Place {
        let (mut places, mut value) = (self, value);
        for step in path.steps() {
            let position = match (step, value) {
                (Step::Key(key), Value::Object(fields)) => fields.keys().position(|own| own == key),
                (Step::Index(index), Value::Array(_)) => Some(*index),
                _ => None,
            };
            let Some((next, inside)) = position.and_then(|at| Some((places.inside.get(at)?, step.of(value)?))) else {
                break;
            };
            (places, value) = (next, inside);
        }
        places.place
    }

    /// Says that all of it was read so many lines further up.
    pub(crate) fn move_up(&mut self, lines: u64) {
        if lines > 0 {
            self.place.line = self.place.line.saturating_sub(lines);
            self.inside.iter_mut().for_each(|inside| inside.move_up(lines));
        }
    }

    /// The places of what is in this value, in its order.
    pub(crate) fn into_inside(self) -> Vec<Self> {
        self.inside
    }

    /// The places of the part at `position`.
    pub(crate) fn take(&mut self, position: usize) -> Self {
        self.inside.get_mut(position).map(std::mem::take).unwrap_or_default()
    }
}

/// A value and its places.
#[derive(Debug, Default)]
pub(crate) struct Placed {
    pub(crate) value: Value,
    pub(crate) places: Places,
}

impl Placed {
    fn leaf(value: impl Into<Value>) -> Self {
        Self { value: value.into(), places: Places::default() }
    }
}

impl From<Spanned<Self>> for Placed {
    fn from(spanned: Spanned<Self>) -> Self {
        let at = spanned.referenced;
        let mut placed = spanned.value;
        placed.places.place = Place { line: at.line(), column: at.column() };
        placed
    }
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
        let (mut values, mut inside) = (Vec::new(), Vec::new());
        while let Some(child) = list.next_element::<Spanned<Placed>>()? {
            let child = Placed::from(child);
            values.push(child.value);
            inside.push(child.places);
        }
        Ok(Placed { value: Value::Array(values), places: Places { place: Place::default(), inside } })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Placed, A::Error> {
        let (mut fields, mut inside) = (Map::new(), Vec::new());
        while let Some((key, child)) = map.next_entry::<String, Spanned<Placed>>()? {
            let child = Placed::from(child);
            fields.insert(key, child.value);
            inside.push(child.places);
        }
        Ok(Placed { value: Value::Object(fields), places: Places { place: Place::default(), inside } })
    }
}
