//! Functions of numbers (OPA 1.17: v1/topdown/casts.go, time.go).

use super::collections::items;
use super::term::{Number, Term};
use super::{Answer, Unsure, format};

pub(super) fn to_number(arguments: &[Term]) -> Answer {
    match &arguments[0] {
        Term::Null => Ok(Some(Term::Number(Number::Whole(0)))),
        Term::Bool(value) => Ok(Some(Term::Number(Number::Whole(i128::from(*value))))),
        Term::Number(number) => Ok(Some(Term::Number(*number))),
        Term::String(text) => read(text),
        Term::Array(_) | Term::Object(_) | Term::Set(_) => Ok(None),
    }
}

/// Where the policy calculates on with it, OPA does so with more digits.
pub(super) fn to_whole_number(arguments: &[Term]) -> Answer {
    match to_number(arguments)? {
        Some(Term::Number(Number::Fraction(_))) => Err(Unsure("calculating with fractions")),
        other => Ok(other),
    }
}

/// OPA keeps the text of the number; here one is read that has the same text again.
fn read(text: &str) -> Answer {
    if let Some(number) = plain(text) {
        return Ok(Some(Term::Number(number)));
    }
    // What Go reads as well: signs, exponents, other bases, infinity.
    let may_be_one = text.parse::<f64>().is_ok() || text.contains(['x', 'X', '_', 'p', 'P']);
    if may_be_one { Err(Unsure("a number that is written in an unusual way")) } else { Ok(None) }
}

/// A number that is written as OPA writes it.
pub(super) fn plain(text: &str) -> Option<Number> {
    if let Ok(number) = text.parse::<i128>() {
        // Larger ones lose digits where OPA calculates with them, unless they end with zeros (of the binary system).
        let digits = 128_u32.saturating_sub(number.unsigned_abs().leading_zeros() + number.trailing_zeros());
        return (number.to_string() == text && digits <= 53).then_some(Number::Whole(number));
    }
    let number = text.parse::<f64>().ok().filter(|number| number.is_finite() && number.fract() != 0.0)?;
    (format::shortest(number) == text).then_some(Number::Fraction(number))
}

pub(super) fn sum(arguments: &[Term]) -> Answer {
    folded(&arguments[0], 0, i128::checked_add)
}

pub(super) fn product(arguments: &[Term]) -> Answer {
    folded(&arguments[0], 1, i128::checked_mul)
}

/// Of whole numbers: of others, OPA calculates with more digits.
fn folded(term: &Term, first: i128, join: fn(i128, i128) -> Option<i128>) -> Answer {
    let Some(items) = items(term) else { return Ok(None) };
    let mut result = first;
    for item in items {
        match item {
            Term::Number(Number::Whole(number)) => {
                result = join(result, *number).ok_or(Unsure("a very large number"))?;
            }
            Term::Number(Number::Fraction(_)) => return Err(Unsure("calculating with fractions")),
            _ => return Ok(None),
        }
    }
    Ok(Some(Term::Number(Number::Whole(result))))
}

/// Days are OPA's, the other units Go's (`time.ParseDuration`).
const UNITS: [(&str, i128); 9] = [
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000),
    ("μs", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
    ("d", 86_400_000_000_000),
];

pub(super) fn parse_duration_ns(arguments: &[Term]) -> Answer {
    let Term::String(text) = &arguments[0] else { return Ok(None) };
    let unusual = Err(Unsure("a duration that is written in an unusual way"));
    let mut rest = text.as_str();
    let mut sum = 0_i128;
    while !rest.is_empty() {
        let digits = rest.len() - rest.trim_start_matches(|sign: char| sign.is_ascii_digit()).len();
        let (number, after) = rest.split_at(digits);
        let (unit, after) = after.split_at(after.find(|sign: char| sign.is_ascii_digit()).unwrap_or(after.len()));
        let (Ok(number), Some((_, size))) = (number.parse::<u32>(), UNITS.iter().find(|(name, _)| *name == unit))
        else {
            return unusual;
        };
        sum += i128::from(number) * size;
        rest = after;
    }
    if text.is_empty() || sum > i128::from(i64::MAX) { unusual } else { Ok(Some(Term::Number(Number::Whole(sum)))) }
}
