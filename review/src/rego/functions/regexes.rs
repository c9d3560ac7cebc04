//! Functions of regular expressions (OPA 1.17, v1/topdown/regex.go). Go (RE2) and the crate read what is common alike; the
//! rest is left to the cluster.

use super::term::{Number, Term};
use super::{Answer, Unsure};
use regex::Regex;

pub(super) fn matches(arguments: &[Term]) -> Answer {
    let [Term::String(pattern), Term::String(text)] = arguments else { return Ok(None) };
    Ok(read(pattern, text)?.map(|pattern| Term::Bool(pattern.is_match(text))))
}

pub(super) fn split(arguments: &[Term]) -> Answer {
    let [Term::String(pattern), Term::String(text)] = arguments else { return Ok(None) };
    let Some(pattern) = read(pattern, text)? else { return Ok(None) };
    if pattern.is_match("") {
        return Err(Unsure("splitting at nothing"));
    }
    Ok(Some(Term::Array(pattern.split(text).map(|part| Term::String(part.to_owned())).collect())))
}

pub(super) fn template_match(_: &[Term]) -> Answer {
    Err(Unsure("regex.template_match"))
}

pub(super) fn is_valid(arguments: &[Term]) -> Answer {
    let Term::String(pattern) = &arguments[0] else { return Ok(Some(Term::Bool(false))) };
    Ok(Some(Term::Bool(read(pattern, "")?.is_some())))
}

pub(super) fn replace(arguments: &[Term]) -> Answer {
    let [Term::String(text), Term::String(pattern), Term::String(value)] = arguments else { return Ok(None) };
    let Some(pattern) = read(pattern, text)? else { return Ok(None) };
    if pattern.is_match("") {
        return Err(Unsure("replacing nothing"));
    }
    Ok(Some(Term::String(pattern.replace_all(text, value.as_str()).into_owned())))
}

/// So many matches; all, where the number is negative.
pub(super) fn find_n(arguments: &[Term]) -> Answer {
    let [Term::String(pattern), Term::String(text), Term::Number(Number::Whole(most))] = arguments else {
        return Ok(None);
    };
    let Some(pattern) = read(pattern, text)? else { return Ok(None) };
    let most = usize::try_from(*most).unwrap_or(usize::MAX);
    Ok(Some(Term::Array(pattern.find_iter(text).take(most).map(|found| string(found.as_str())).collect())))
}

/// Each match with its groups; an empty text for a group that took no part.
pub(super) fn find_all_string_submatch_n(arguments: &[Term]) -> Answer {
    let [Term::String(pattern), Term::String(text), Term::Number(Number::Whole(most))] = arguments else {
        return Ok(None);
    };
    let Some(pattern) = read(pattern, text)? else { return Ok(None) };
    let most = usize::try_from(*most).unwrap_or(usize::MAX);
    let groups = |found: regex::Captures<'_>| {
        Term::Array(found.iter().map(|group| string(group.map_or("", |group| group.as_str()))).collect())
    };
    Ok(Some(Term::Array(pattern.captures_iter(text).take(most).map(groups).collect())))
}

fn string(text: &str) -> Term {
    Term::String(text.to_owned())
}

/// Nothing where Go takes no such expression.
fn read(pattern: &str, text: &str) -> Result<Option<Regex>, Unsure> {
    let unusual = Unsure("an expression that may be read in two ways");
    match of(pattern) {
        Reading::NotGo => Ok(None),
        Reading::Unusual => Err(unusual),
        // Go's classes are those of ASCII.
        Reading::Alike { has_classes } if has_classes && !text.is_ascii() => Err(unusual),
        Reading::Alike { .. } => Regex::new(pattern).map(Some).map_err(|_| unusual),
    }
}

/// How Go and the crate read an expression.
enum Reading {
    /// Go does not take it.
    NotGo,
    Alike {
        has_classes: bool,
    },
    Unusual,
}

/// Only what is common is alike: the two differ in classes within classes, escapes, flags and doubled quantifiers.
fn of(pattern: &str) -> Reading {
    let mut reading = Reading::Alike { has_classes: false };
    let mut signs = pattern.chars().peekable();
    let (mut is_class, mut begins_class, mut before, mut depth) = (false, false, ' ', 0_i32);
    while let Some(sign) = signs.next() {
        let begins = std::mem::take(&mut begins_class);
        match sign {
            '\\' => match signs.next() {
                Some('d' | 'D' | 'w' | 'W' | 's' | 'S' | 'b' | 'B') => reading = Reading::Alike { has_classes: true },
                Some(escaped) if escaped.is_ascii_punctuation() && !matches!(escaped, '<' | '>') => {}
                Some('n' | 'r' | 't' | 'z') => {}
                // A category of Unicode by its letter.
                Some('p' | 'P') if signs.next().is_some_and(|sign| "LMNPSZ".contains(sign)) => {}
                None => return Reading::NotGo,
                _ => return Reading::Unusual,
            },
            '[' if is_class => return Reading::Unusual,
            '[' => {
                (is_class, begins_class) = (true, true);
                signs.next_if_eq(&'^');
            }
            ']' if begins => return Reading::Unusual,
            ']' => is_class = false,
            '&' | '~' | '-' if is_class && signs.peek() == Some(&sign) => return Reading::Unusual,
            _ if is_class => {}
            '(' => {
                depth += 1;
                if signs.next_if_eq(&'?').is_some() {
                    match signs.next() {
                        Some(':' | 'P') => {}
                        Some('=' | '!') => return Reading::NotGo,
                        Some(flag @ ('i' | 'm' | 's' | 'U')) if signs.peek() == Some(&')') && pattern.is_ascii() => {
                            // Go folds letters by rules of its own.
                            if flag == 'i' {
                                reading = Reading::Alike { has_classes: true };
                            }
                        }
                        _ => return Reading::Unusual,
                    }
                }
            }
            ')' => depth -= 1,
            // A question mark makes what stands before it take as little as it can.
            '*' | '+' | '{' if matches!(before, '*' | '+' | '?' | '}') => return Reading::Unusual,
            '{' => match counts(&mut signs) {
                Some(counts) if counts.iter().any(|count| *count > 1_000) => return Reading::NotGo,
                // What is repeated more often is limited by its size, in two ways.
                Some(counts) if counts.iter().all(|count| *count <= 100) => {
                    before = '}';
                    continue;
                }
                _ => return Reading::Unusual,
            },
            '}' => return Reading::Unusual,
            _ => {}
        }
        before = sign;
    }
    if is_class || depth != 0 { Reading::NotGo } else { reading }
}

/// The numbers up to the brace; nothing where it is no repetition.
fn counts(signs: &mut impl Iterator<Item = char>) -> Option<Vec<u32>> {
    let text: String = signs.take_while(|sign| *sign != '}').collect();
    let (first, last) = text.split_once(',').map_or((text.as_str(), None), |(first, last)| (first, Some(last)));
    let first = first.parse().ok()?;
    match last {
        None | Some("") => Some(vec![first]),
        Some(last) => Some(vec![first, last.parse().ok()?]),
    }
}
