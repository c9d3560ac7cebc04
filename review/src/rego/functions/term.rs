//! Values as Rego knows them, ordered and written as OPA does (OPA 1.17: v1/ast/compare.go, v1/ast/term.go).

use super::Unsure;
use regorus::Value;
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

/// Longest text of a number that is surely the same in OPA.
const MOST_DIGITS: usize = 15;

/// The order of the variants is the order that values of different kinds have.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Term {
    Null,
    Bool(bool),
    Number(Number),
    String(String),
    Array(Vec<Term>),
    Object(BTreeMap<Term, Term>),
    Set(BTreeSet<Term>),
}

/// OPA keeps the digits of a number; here one that is whole and one that is not.
#[derive(Debug, Clone, Copy)]
pub(super) enum Number {
    Whole(i128),
    /// Never a whole one.
    Fraction(f64),
}

impl Number {
    fn value(self) -> f64 {
        match self {
            Self::Whole(number) => number as f64,
            Self::Fraction(number) => number,
        }
    }
}

impl Ord for Number {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Whole(one), Self::Whole(two)) => one.cmp(two),
            _ => self.value().total_cmp(&other.value()),
        }
    }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Number {}

impl TryFrom<&Value> for Term {
    type Error = Unsure;

    fn try_from(value: &Value) -> Result<Self, Unsure> {
        Ok(match value {
            Value::Null => Self::Null,
            Value::Bool(value) => Self::Bool(*value),
            Value::Number(_) => Self::Number(number(value)?),
            Value::String(text) => Self::String(text.to_string()),
            Value::Array(items) => Self::Array(items.iter().map(Self::try_from).collect::<Result<_, _>>()?),
            Value::Set(items) => Self::Set(items.iter().map(Self::try_from).collect::<Result<_, _>>()?),
            Value::Object(fields) => Self::Object(
                fields.iter().map(|(key, value)| Ok((Self::try_from(key)?, Self::try_from(value)?))).collect::<Result<
                    _,
                    Unsure,
                >>(
                )?,
            ),
            Value::Undefined => return Err(Unsure("a value that is not there")),
        })
    }
}

/// Larger ones lose digits on the way.
fn number(value: &Value) -> Result<Number, Unsure> {
    match (value.as_i128(), value.as_f64()) {
        (Ok(number), _) => Ok(Number::Whole(number)),
        (_, Ok(number)) if number.is_finite() => Ok(Number::Fraction(number)),
        _ => Err(Unsure("a very large number")),
    }
}

impl From<Term> for Value {
    fn from(term: Term) -> Self {
        match term {
            Term::Null => Self::Null,
            Term::Bool(value) => value.into(),
            Term::Number(Number::Whole(number)) => number.into(),
            Term::Number(Number::Fraction(number)) => number.into(),
            Term::String(text) => text.into(),
            Term::Array(items) => items.into_iter().map(Self::from).collect::<Vec<_>>().into(),
            Term::Set(items) => items.into_iter().map(Self::from).collect::<BTreeSet<_>>().into(),
            Term::Object(fields) => fields
                .into_iter()
                .map(|(key, value)| (key.into(), value.into()))
                .collect::<BTreeMap<Self, Self>>()
                .into(),
        }
    }
}

impl Term {
    /// Whether one of these numbers is in it.
    pub(super) fn holds_number(&self, numbers: &BTreeSet<i128>) -> bool {
        match self {
            Self::Number(Number::Whole(number)) => numbers.contains(number),
            Self::Array(items) => items.iter().any(|item| item.holds_number(numbers)),
            Self::Set(items) => items.iter().any(|item| item.holds_number(numbers)),
            Self::Object(fields) => {
                fields.iter().any(|(key, value)| key.holds_number(numbers) || value.holds_number(numbers))
            }
            Self::Null | Self::Bool(_) | Self::Number(Number::Fraction(_)) | Self::String(_) => false,
        }
    }

    /// As `%v` writes what is neither a text nor a number.
    pub(super) fn text(&self) -> Result<String, Unsure> {
        Ok(match self {
            Self::Null => "null".to_owned(),
            Self::Bool(value) => value.to_string(),
            Self::Number(number) => number.text()?,
            Self::String(text) => quoted(text)?,
            Self::Array(items) => format!("[{}]", joined(items)?),
            Self::Set(items) if items.is_empty() => "set()".to_owned(),
            Self::Set(items) => format!("{{{}}}", joined(items)?),
            Self::Object(fields) => {
                let field = |(key, value): (&Self, &Self)| Ok(format!("{}: {}", key.text()?, value.text()?));
                let fields = fields.iter().map(field).collect::<Result<Vec<_>, Unsure>>()?;
                format!("{{{}}}", fields.join(", "))
            }
        })
    }
}

fn joined<'a>(items: impl IntoIterator<Item = &'a Term>) -> Result<String, Unsure> {
    let items = items.into_iter().map(Term::text).collect::<Result<Vec<_>, _>>()?;
    Ok(items.join(", "))
}

impl Number {
    pub(super) fn text(self) -> Result<String, Unsure> {
        match self {
            Self::Whole(number) => Ok(number.to_string()),
            // OPA calculates with more digits, which shows where they do not come out even.
            Self::Fraction(number) => Some(super::format::shortest(number))
                .filter(|text| text.len() <= MOST_DIGITS)
                .ok_or(Unsure("a number with many digits")),
        }
    }
}

/// As Go's `strconv.Quote`.
pub(super) fn quoted(text: &str) -> Result<String, Unsure> {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for character in text.chars() {
        match character {
            '"' => quoted.push_str("\\\""),
            other => push_escaped(&mut quoted, other)?,
        }
    }
    quoted.push('"');
    Ok(quoted)
}

/// As it stands between quotes, but for the quotes themselves.
pub(super) fn push_escaped(text: &mut String, character: char) -> Result<(), Unsure> {
    match character {
        '\\' => text.push_str("\\\\"),
        '\x07' => text.push_str("\\a"),
        '\x08' => text.push_str("\\b"),
        '\x0c' => text.push_str("\\f"),
        '\n' => text.push_str("\\n"),
        '\r' => text.push_str("\\r"),
        '\t' => text.push_str("\\t"),
        '\x0b' => text.push_str("\\v"),
        '\0'..='\x1f' | '\x7f' => text.push_str(&format!("\\x{:02x}", u32::from(character))),
        ' '..='~' => text.push(character),
        // What may be printed is a table in Go, and another one here: they agree on what has a shape of its own.
        other if other.escape_debug().count() == 1 => text.push(other),
        _ => return Err(Unsure("a sign that may not be printable")),
    }
    Ok(())
}
