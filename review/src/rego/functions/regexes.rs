//! Functions of regular expressions (OPA 1.17, v1/topdown/regex.go), which Go (RE2) and the crate read alike but for what is
//! said here.

use super::term::Term;
use super::{Answer, Unsure};
use regex::Regex;

pub(super) fn matches(arguments: &[Term]) -> Answer {
    let [Term::String(pattern), Term::String(text)] = arguments else { return Ok(None) };
    Ok(read(pattern)?.map(|pattern| Term::Bool(pattern.is_match(text))))
}

pub(super) fn split(arguments: &[Term]) -> Answer {
    let [Term::String(pattern), Term::String(text)] = arguments else { return Ok(None) };
    let Some(pattern) = read(pattern)? else { return Ok(None) };
    if pattern.is_match("") {
        return Err(Unsure("splitting at nothing"));
    }
    Ok(Some(Term::Array(pattern.split(text).map(|part| Term::String(part.to_owned())).collect())))
}

pub(super) fn template_match(_: &[Term]) -> Answer {
    Err(Unsure("regex.template_match"))
}

/// Nothing where Go takes no such expression.
fn read(pattern: &str) -> Result<Option<Regex>, Unsure> {
    if has_large_repetition(pattern) {
        return Ok(None);
    }
    // Set operations and ends of words are the crate's alone.
    if ["&&", "--", "~~", "\\<", "\\>"].iter().any(|part| pattern.contains(part)) {
        return Err(Unsure("an unusual expression"));
    }
    Ok(Regex::new(pattern).ok())
}

/// Go takes no repetition of more than a thousand.
fn has_large_repetition(pattern: &str) -> bool {
    let counts = pattern.split('{').skip(1).filter_map(|rest| rest.split('}').next());
    counts.flat_map(|counts| counts.split(',')).any(|count| count.parse::<u32>().is_ok_and(|count| count > 1_000))
}
