//! Semantic versions (OPA 1.17, v1/topdown/semver.go; Semantic Versioning 2.0.0), with a `v` before them if one likes.

use super::term::{Number, Term};
use super::{Answer, Unsure};
use std::cmp::Ordering;

struct Version<'a> {
    core: Vec<i64>,
    pre: Option<Vec<&'a str>>,
}

pub(super) fn is_valid(arguments: &[Term]) -> Answer {
    match &arguments[0] {
        Term::String(text) => Ok(Some(Term::Bool(read(text)?.is_some()))),
        _ => Ok(Some(Term::Bool(false))),
    }
}

pub(super) fn compare(arguments: &[Term]) -> Answer {
    let [Term::String(one), Term::String(two)] = arguments else { return Ok(None) };
    let (Some(one), Some(two)) = (read(one)?, read(two)?) else { return Ok(None) };
    let order = one.core.cmp(&two.core).then_with(|| match (&one.pre, &two.pre) {
        (None, None) => Ordering::Equal,
        (None, Some(_)) => Ordering::Greater,
        (Some(_), None) => Ordering::Less,
        (Some(one), Some(two)) => one.iter().map(|part| Part::of(part)).cmp(two.iter().map(|part| Part::of(part))),
    });
    Ok(Some(Term::Number(Number::Whole(order as i128))))
}

/// Numbers come before words.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Part<'a> {
    Number(u64),
    Word(&'a str),
}

impl<'a> Part<'a> {
    fn of(text: &'a str) -> Self {
        text.parse().map_or(Self::Word(text), Self::Number)
    }
}

fn read(text: &str) -> Result<Option<Version<'_>>, Unsure> {
    let version = text.strip_prefix('v').unwrap_or(text);
    let (version, build) = version.split_once('+').map_or((version, None), |(version, build)| (version, Some(build)));
    let (core, pre) = version.split_once('-').map_or((version, None), |(core, pre)| (core, Some(pre)));
    if [pre, build].contains(&Some("")) {
        return Err(Unsure("a version with nothing behind its sign"));
    }
    let parts = |text: Option<&'_ str>| text.into_iter().flat_map(|text| text.split('.')).all(is_part);
    let has_zero =
        |part: &str| part.len() > 1 && part.starts_with('0') && part.bytes().all(|byte| byte.is_ascii_digit());
    if core.split('.').any(has_zero) || pre.is_some_and(|pre| pre.split('.').any(has_zero)) {
        return Err(Unsure("a version with zeros before a number"));
    }
    let is_number = |part: &&str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let numbers: Option<Vec<i64>> = core.split('.').map(|part| Some(part).filter(is_number)?.parse().ok()).collect();
    let numbers = numbers.filter(|numbers| numbers.len() == 3 && parts(pre) && parts(build));
    Ok(numbers.map(|core| Version { core, pre: pre.map(|pre| pre.split('.').collect()) }))
}

fn is_part(part: &str) -> bool {
    !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}
