//! Functions of texts (OPA 1.17: v1/topdown/strings.go, trace.go).

use super::term::{Number, Term};
use super::{Answer, Unsure, format};

pub(super) fn sprintf(arguments: &[Term]) -> Answer {
    match arguments {
        [Term::String(format), Term::Array(values)] => Ok(Some(Term::String(format::sprintf(format, values)?))),
        _ => Ok(None),
    }
}

/// Go maps each sign to one sign, never to several.
pub(super) fn lower(arguments: &[Term]) -> Answer {
    mapped(arguments, |sign| match sign {
        'İ' => Ok('i'),
        sign => one(sign.to_lowercase()),
    })
}

pub(super) fn upper(arguments: &[Term]) -> Answer {
    mapped(arguments, |sign| match sign {
        'ß' | 'ŉ' | 'ǰ' | 'ΐ' | 'ΰ' | 'և' | 'ẖ' | 'ẗ' | 'ẘ' | 'ẙ' | 'ẚ' | 'ﬀ'..='ﬆ' => Ok(sign),
        sign => one(sign.to_uppercase()),
    })
}

fn one(mut signs: impl Iterator<Item = char>) -> Result<char, Unsure> {
    match (signs.next(), signs.next()) {
        (Some(sign), None) => Ok(sign),
        _ => Err(Unsure("the case of an unusual letter")),
    }
}

fn mapped(arguments: &[Term], map: impl Fn(char) -> Result<char, Unsure>) -> Answer {
    match arguments {
        [Term::String(text)] => Ok(Some(Term::String(text.chars().map(map).collect::<Result<_, _>>()?))),
        _ => Ok(None),
    }
}

/// Where a text stands in another, in signs; -1 where it does not.
pub(super) fn indexof(arguments: &[Term]) -> Answer {
    match arguments {
        [Term::String(_), Term::String(search)] if search.is_empty() => Ok(None),
        [Term::String(text), Term::String(search)] => {
            let place = text.find(search).map(|place| text[..place].chars().count());
            let place = place.and_then(|place| i128::try_from(place).ok()).unwrap_or(-1);
            Ok(Some(Term::Number(Number::Whole(place))))
        }
        _ => Ok(None),
    }
}

/// Everything at once, where two fit the one that comes first in order (Go's `strings.NewReplacer`).
pub(super) fn replace_n(arguments: &[Term]) -> Answer {
    let [Term::Object(patterns), Term::String(text)] = arguments else { return Ok(None) };
    let mut pairs = Vec::new();
    for (old, new) in patterns {
        match (old, new) {
            (Term::String(old), Term::String(new)) if !old.is_empty() => pairs.push((old, new)),
            (Term::String(_), Term::String(_)) => return Err(Unsure("replacing an empty text")),
            _ => return Ok(None),
        }
    }
    let mut replaced = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some(sign) = rest.chars().next() {
        match pairs.iter().find(|(old, _)| rest.starts_with(old.as_str())) {
            Some((old, new)) => {
                replaced.push_str(new);
                rest = &rest[old.len()..];
            }
            None => {
                replaced.push(sign);
                rest = &rest[sign.len_utf8()..];
            }
        }
    }
    Ok(Some(Term::String(replaced)))
}

pub(super) fn trace(_: &[Term]) -> Answer {
    Ok(Some(Term::Bool(true)))
}
