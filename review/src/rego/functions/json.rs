//! JSON as OPA reads and writes it (OPA 1.17, v1/topdown/encoding.go; Go's encoding/json).

use super::numbers::plain;
use super::term::Term;
use super::{Answer, Unsure};
use serde_json::Value;
use serde_json::value::RawValue;

pub(super) fn marshal(arguments: &[Term]) -> Answer {
    let mut text = String::new();
    write(&arguments[0], &mut text)?;
    Ok(Some(Term::String(text)))
}

fn write(term: &Term, text: &mut String) -> Result<(), Unsure> {
    match term {
        Term::Null | Term::Bool(_) | Term::Number(_) => text.push_str(&term.text()?),
        Term::String(content) => write_string(content, text),
        Term::Array(items) => write_items(items, text)?,
        Term::Set(items) => write_items(items, text)?,
        Term::Object(fields) => {
            text.push('{');
            for (index, (key, value)) in fields.iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                let Term::String(key) = key else { return Err(Unsure("an object with keys that are no texts")) };
                write_string(key, text);
                text.push(':');
                write(value, text)?;
            }
            text.push('}');
        }
    }
    Ok(())
}

fn write_items<'a>(items: impl IntoIterator<Item = &'a Term>, text: &mut String) -> Result<(), Unsure> {
    text.push('[');
    for (index, item) in items.into_iter().enumerate() {
        if index > 0 {
            text.push(',');
        }
        write(item, text)?;
    }
    text.push(']');
    Ok(())
}

/// Go also escapes what HTML could take for its own.
fn write_string(content: &str, text: &mut String) {
    text.push('"');
    for sign in content.chars() {
        match sign {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            '\x08' => text.push_str("\\b"),
            '\x0c' => text.push_str("\\f"),
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' | '\0'..='\x1f' => {
                text.push_str(&format!("\\u{:04x}", u32::from(sign)));
            }
            sign => text.push(sign),
        }
    }
    text.push('"');
}

pub(super) fn is_valid(arguments: &[Term]) -> Answer {
    let Term::String(text) = &arguments[0] else { return Ok(Some(Term::Bool(false))) };
    Ok(Some(Term::Bool(is_json(text))))
}

pub(super) fn unmarshal(arguments: &[Term]) -> Answer {
    let Term::String(text) = &arguments[0] else { return Ok(None) };
    match serde_json::from_str::<Value>(text) {
        Ok(_) if !numbers(text).all(|number| plain(number).is_some()) => {
            Err(Unsure("a number that is written in an unusual way"))
        }
        Ok(value) => Term::try_from(&regorus::Value::from(value)).map(Some),
        // Go takes deeper nesting, larger numbers and halves of surrogates.
        Err(_) if is_json(text) => Err(Unsure("unusual JSON")),
        Err(_) => Ok(None),
    }
}

fn is_json(text: &str) -> bool {
    serde_json::from_str::<&RawValue>(text).is_ok()
}

/// The numbers of a text that is JSON.
fn numbers(text: &str) -> impl Iterator<Item = &str> {
    let mut is_string = false;
    let mut is_escaped = false;
    let outside = move |sign: char| {
        let was_string = is_string;
        match sign {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            '"' => is_string = !is_string,
            _ => {}
        }
        was_string || !(sign.is_ascii_digit() || matches!(sign, '-' | '+' | '.' | 'e' | 'E'))
    };
    text.split(outside).filter(|part| part.starts_with(|sign: char| sign.is_ascii_digit() || sign == '-'))
}
