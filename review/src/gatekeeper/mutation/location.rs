//! Where in an object a mutation changes something: paths such as `spec.containers[name:*].image`, and the way along
//! them (Gatekeeper, `pkg/mutation/path/parser` and `pkg/mutation/mutators/core/mutation_function.go`).

use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::iter::Peekable;
use std::str::Chars;

/// The steps from an object to what is changed.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Location(pub(super) Vec<Step>);

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Step {
    /// A field of an object.
    Field(String),
    /// The items of a list whose `key` has a value; all of them where no value is named.
    Items { key: String, value: Option<Value> },
}

/// What `pathTests` ask of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Condition {
    MustExist,
    MustNotExist,
}

/// What happens where a location ends.
pub(super) trait Setter {
    /// Changes a field.
    fn set(&self, object: &mut Map<String, Value>, field: &str) -> Result<(), String>;

    /// What takes the place of an item of a list.
    fn item(&self) -> Result<&Map<String, Value>, String>;
}

/// A location with what its steps must be like.
#[derive(Debug)]
pub(super) struct Way<'a> {
    pub(super) location: &'a Location,
    /// By the number of the step.
    pub(super) conditions: &'a BTreeMap<usize, Condition>,
}

impl Location {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut tokens = Tokens(text.chars().peekable());
        let mut steps = Vec::new();
        loop {
            steps.push(Step::Field(tokens.word()?.ok_or_else(|| format!("a field is missing in `{text}`"))?));
            if tokens.take('[') {
                steps.push(tokens.items(text)?);
            }
            if tokens.is_at_end() {
                return Ok(Self(steps));
            }
            if !tokens.take('.') {
                return Err(format!("`{text}` cannot be read"));
            }
        }
    }

    /// The number of the step that another location ends at, where this one begins with it.
    pub(super) fn step_of(&self, prefix: &Self) -> Option<usize> {
        self.0.starts_with(&prefix.0).then(|| prefix.0.len().checked_sub(1)).flatten()
    }
}

struct Tokens<'a>(Peekable<Chars<'a>>);

impl Tokens<'_> {
    fn skip_spaces(&mut self) {
        while self.0.next_if(|c| matches!(c, ' ' | '\t' | '\r' | '\n')).is_some() {}
    }

    fn take(&mut self, wanted: char) -> bool {
        self.skip_spaces();
        self.0.next_if_eq(&wanted).is_some()
    }

    fn is_at_end(&mut self) -> bool {
        self.skip_spaces();
        self.0.peek().is_none()
    }

    fn run(&mut self, fits: impl Fn(&char) -> bool) -> String {
        let mut run = String::new();
        while let Some(c) = self.0.next_if(&fits) {
            run.push(c);
        }
        run
    }

    /// A name, which begins with no digit, or anything in quotes; nothing where there is something else.
    fn word(&mut self) -> Result<Option<String>, String> {
        self.skip_spaces();
        match self.0.peek() {
            Some(&quote @ ('"' | '\'')) => {
                self.0.next();
                self.quoted(quote).map(Some)
            }
            Some(c) if is_letter(c) && !c.is_ascii_digit() => Ok(Some(self.run(is_letter))),
            _ => Ok(None),
        }
    }

    fn quoted(&mut self, quote: char) -> Result<String, String> {
        let mut text = String::new();
        while let Some(c) = self.0.next() {
            match c {
                c if c == quote => return Ok(text),
                '\\' => text.extend(self.0.next()),
                c => text.push(c),
            }
        }
        Err("a quote is not closed".to_owned())
    }

    /// What stands in brackets.
    fn items(&mut self, text: &str) -> Result<Step, String> {
        let broken = || format!("`{text}` cannot be read");
        let key = self.word()?.ok_or_else(broken)?;
        if !self.take(':') {
            return Err(broken());
        }
        let value = if self.take('*') { None } else { Some(self.value()?.ok_or_else(broken)?) };
        if self.take(']') { Ok(Step::Items { key, value }) } else { Err(broken()) }
    }

    fn value(&mut self) -> Result<Option<Value>, String> {
        if let Some(word) = self.word()? {
            return Ok(Some(word.into()));
        }
        Ok(self.run(char::is_ascii_digit).parse::<i64>().ok().map(Value::from))
    }
}

fn is_letter(c: &char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-')
}

impl Way<'_> {
    /// Changes an object; says whether it did.
    pub(super) fn follow(&self, object: &mut Value, setter: &dyn Setter) -> Result<bool, String> {
        self.from(0, object, setter)
    }

    fn may_exist(&self, step: usize) -> bool {
        self.conditions.get(&step) != Some(&Condition::MustNotExist)
    }

    fn may_be_missing(&self, step: usize) -> bool {
        self.conditions.get(&step) != Some(&Condition::MustExist)
    }

    fn is_last(&self, step: usize) -> bool {
        step + 1 == self.location.0.len()
    }

    fn from(&self, step: usize, current: &mut Value, setter: &dyn Setter) -> Result<bool, String> {
        match (&self.location.0[step], current) {
            (Step::Field(name), Value::Object(object)) => self.field(step, name, object, setter),
            (Step::Items { key, value }, Value::Array(list)) if self.is_last(step) => {
                let value = value.as_ref().ok_or("all items of a list cannot be set at once")?;
                self.item(step, (key, value), list, setter)
            }
            (Step::Items { key, value: Some(value) }, Value::Array(list)) => {
                self.some_items(step, (key, value), list, setter)
            }
            (Step::Items { value: None, .. }, Value::Array(list)) => self.all_items(step, list, setter),
            (Step::Field(name), _) => Err(format!("what should have a field {name} is no object")),
            (Step::Items { key, .. }, _) => Err(format!("what should have items by {key} is no list")),
        }
    }

    fn field(
        &self,
        step: usize,
        name: &str,
        object: &mut Map<String, Value>,
        setter: &dyn Setter,
    ) -> Result<bool, String> {
        // What is null, or an empty list, is left out by the API server before anything is changed.
        let exists = object
            .get(name)
            .is_some_and(|value| !value.is_null() && value.as_array().is_none_or(|list| !list.is_empty()));
        if exists && !self.may_exist(step) || !exists && !self.may_be_missing(step) {
            return Ok(false);
        }
        if self.is_last(step) {
            if !exists {
                object.remove(name);
            }
            return setter.set(object, name).map(|()| true);
        }
        if let (true, Some(next)) = (exists, object.get_mut(name)) {
            return self.from(step + 1, next, setter);
        }
        let mut next = match self.location.0[step + 1] {
            Step::Field(_) => Value::Object(Map::new()),
            Step::Items { .. } => Value::Array(Vec::new()),
        };
        let is_changed = self.from(step + 1, &mut next, setter)?;
        if is_changed {
            object.insert(name.to_owned(), next);
        }
        Ok(is_changed)
    }

    /// Puts an item into a list where the location ends.
    fn item(
        &self,
        step: usize,
        (key, value): (&str, &Value),
        list: &mut Vec<Value>,
        setter: &dyn Setter,
    ) -> Result<bool, String> {
        let new = setter.item()?;
        let Some(place) = list.iter().position(|item| item.get(key) == Some(value)) else {
            if !self.may_be_missing(step) {
                return Ok(false);
            }
            list.push(new.clone().into());
            return Ok(true);
        };
        if new.get(key) != Some(value) {
            return Err(format!("the {key} of an item must stay the same"));
        }
        if !self.may_exist(step) {
            return Ok(false);
        }
        list[place] = new.clone().into();
        Ok(true)
    }

    fn all_items(&self, step: usize, list: &mut [Value], setter: &dyn Setter) -> Result<bool, String> {
        if !self.may_exist(step) {
            return Ok(false);
        }
        list.iter_mut().try_fold(false, |is_changed, item| Ok(self.from(step + 1, item, setter)? || is_changed))
    }

    fn some_items(
        &self,
        step: usize,
        (key, value): (&str, &Value),
        list: &mut Vec<Value>,
        setter: &dyn Setter,
    ) -> Result<bool, String> {
        let mut meant = list.iter_mut().filter(|item| item.get(key) == Some(value)).peekable();
        if meant.peek().is_some() {
            if !self.may_exist(step) {
                return Ok(false);
            }
            return meant.try_fold(false, |is_changed, item| Ok(self.from(step + 1, item, setter)? || is_changed));
        }
        drop(meant);
        if !self.may_be_missing(step) {
            return Ok(false);
        }
        let mut next = Value::Object(Map::from_iter([(key.to_owned(), value.clone())]));
        let is_changed = self.from(step + 1, &mut next, setter)?;
        if is_changed {
            list.push(next);
        }
        Ok(is_changed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locations_are_read_as_gatekeeper_does() {
        let field = |name: &str| Step::Field(name.to_owned());
        let items = |key: &str, value: Option<Value>| Step::Items { key: key.to_owned(), value };
        let read = |text: &str| Location::parse(text).map(|location| location.0);
        assert_eq!(
            read("spec.containers[name:*].image").unwrap(),
            [field("spec"), field("containers"), items("name", None), field("image")]
        );
        let quoted = read("metadata.labels.\"a.b/c\"").unwrap();
        assert_eq!(quoted, [field("metadata"), field("labels"), field("a.b/c")]);
        assert_eq!(read("spec.ports[port: 80]").unwrap()[2], items("port", Some(80.into())));
        assert_eq!(read("a['x y': \"it's\"]").unwrap()[1], items("x y", Some("it's".into())));
        for broken in ["", ".", "a.", "a..b", "a[b]", "a[b:]", "a[b:*", "a[b:*]c", "1a", "a[b:*][c:*]", "a\"b", "a b"] {
            assert!(read(broken).is_err(), "{broken}");
        }
    }
}
