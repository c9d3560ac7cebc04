//! Functions of arrays and sets (OPA 1.17: v1/topdown/aggregates.go, casts.go, sets.go).

use super::Answer;
use super::term::{Number, Term};
use std::cmp::Ordering;

/// Of an array or a set.
pub(super) fn items(term: &Term) -> Option<Vec<&Term>> {
    match term {
        Term::Array(items) => Some(items.iter().collect()),
        Term::Set(items) => Some(items.iter().collect()),
        _ => None,
    }
}

/// Gone from Rego since v1, and used by many policies of v0.
pub(super) fn all(arguments: &[Term]) -> Answer {
    Ok(items(&arguments[0]).map(|items| Term::Bool(items.into_iter().all(|item| *item == Term::Bool(true)))))
}

/// See [`all`].
pub(super) fn any(arguments: &[Term]) -> Answer {
    Ok(items(&arguments[0]).map(|items| Term::Bool(items.into_iter().any(|item| *item == Term::Bool(true)))))
}

/// Of a text, its signs.
pub(super) fn count(arguments: &[Term]) -> Answer {
    let count = match &arguments[0] {
        Term::String(text) => text.chars().count(),
        Term::Array(items) => items.len(),
        Term::Set(items) => items.len(),
        Term::Object(fields) => fields.len(),
        Term::Null | Term::Bool(_) | Term::Number(_) => return Ok(None),
    };
    Ok(i128::try_from(count).ok().map(|count| Term::Number(Number::Whole(count))))
}

/// A comparison as a function; the order is OPA's, of values of all kinds.
fn compared(arguments: &[Term], holds: fn(Ordering) -> bool) -> Answer {
    Ok(Some(Term::Bool(holds(arguments[0].cmp(&arguments[1])))))
}

pub(super) fn equal(arguments: &[Term]) -> Answer {
    compared(arguments, Ordering::is_eq)
}

pub(super) fn neq(arguments: &[Term]) -> Answer {
    compared(arguments, Ordering::is_ne)
}

pub(super) fn lt(arguments: &[Term]) -> Answer {
    compared(arguments, Ordering::is_lt)
}

pub(super) fn lte(arguments: &[Term]) -> Answer {
    compared(arguments, Ordering::is_le)
}

pub(super) fn gt(arguments: &[Term]) -> Answer {
    compared(arguments, Ordering::is_gt)
}

pub(super) fn gte(arguments: &[Term]) -> Answer {
    compared(arguments, Ordering::is_ge)
}

pub(super) fn and(arguments: &[Term]) -> Answer {
    match arguments {
        [Term::Set(one), Term::Set(two)] => Ok(Some(Term::Set(one.intersection(two).cloned().collect()))),
        _ => Ok(None),
    }
}

pub(super) fn or(arguments: &[Term]) -> Answer {
    match arguments {
        [Term::Set(one), Term::Set(two)] => Ok(Some(Term::Set(one.union(two).cloned().collect()))),
        _ => Ok(None),
    }
}

pub(super) fn cast_array(arguments: &[Term]) -> Answer {
    Ok(items(&arguments[0]).map(|items| Term::Array(items.into_iter().cloned().collect())))
}

pub(super) fn cast_set(arguments: &[Term]) -> Answer {
    Ok(items(&arguments[0]).map(|items| Term::Set(items.into_iter().cloned().collect())))
}

/// The value itself, where it is of the type.
fn cast(term: &Term, is_of_type: bool) -> Answer {
    Ok(is_of_type.then(|| term.clone()))
}

pub(super) fn cast_boolean(arguments: &[Term]) -> Answer {
    cast(&arguments[0], matches!(arguments[0], Term::Bool(_)))
}

pub(super) fn cast_null(arguments: &[Term]) -> Answer {
    cast(&arguments[0], arguments[0] == Term::Null)
}

pub(super) fn cast_object(arguments: &[Term]) -> Answer {
    cast(&arguments[0], matches!(arguments[0], Term::Object(_)))
}

pub(super) fn cast_string(arguments: &[Term]) -> Answer {
    cast(&arguments[0], matches!(arguments[0], Term::String(_)))
}

pub(super) fn set_diff(arguments: &[Term]) -> Answer {
    match arguments {
        [Term::Set(one), Term::Set(two)] => Ok(Some(Term::Set(one.difference(two).cloned().collect()))),
        _ => Ok(None),
    }
}

pub(super) fn sort(arguments: &[Term]) -> Answer {
    let mut items: Vec<Term> = match items(&arguments[0]) {
        Some(items) => items.into_iter().cloned().collect(),
        None => return Ok(None),
    };
    items.sort();
    Ok(Some(Term::Array(items)))
}
