//! Functions that the interpreter has otherwise than OPA, or not at all. They stand in front of its own.

mod collections;
mod format;
mod json;
mod network;
mod numbers;
mod regexes;
mod strings;
mod term;
mod versions;

use self::term::Term;
use regorus::{Engine, Value};
use std::sync::{Arc, Mutex, PoisonError};

/// What keeps a function from giving OPA's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it depends on {0}, which Fairway may handle differently from Gatekeeper")]
pub(super) struct Unsure(&'static str);

/// What a function gives; nothing where OPA's fails, which makes an expression undefined.
type Answer = Result<Option<Term>, Unsure>;

type Function = fn(&[Term]) -> Answer;

const FUNCTIONS: &[(&str, u8, Function)] = &[
    ("all", 1, collections::all),
    ("any", 1, collections::any),
    ("cast_array", 1, collections::cast_array),
    ("cast_boolean", 1, collections::cast_boolean),
    ("cast_null", 1, collections::cast_null),
    ("cast_object", 1, collections::cast_object),
    ("cast_set", 1, collections::cast_set),
    ("cast_string", 1, collections::cast_string),
    ("indexof", 2, strings::indexof),
    ("json.is_valid", 1, json::is_valid),
    ("json.marshal", 1, json::marshal),
    ("json.unmarshal", 1, json::unmarshal),
    ("lower", 1, strings::lower),
    ("net.cidr_contains", 2, network::cidr_contains),
    ("net.cidr_expand", 1, network::cidr_expand),
    ("net.cidr_intersects", 2, network::cidr_intersects),
    ("net.cidr_merge", 1, network::cidr_merge),
    ("net.cidr_overlap", 2, network::cidr_contains),
    ("re_match", 2, regexes::matches),
    ("regex.match", 2, regexes::matches),
    ("regex.split", 2, regexes::split),
    ("regex.template_match", 4, regexes::template_match),
    ("semver.compare", 2, versions::compare),
    ("semver.is_valid", 1, versions::is_valid),
    ("set_diff", 2, collections::set_diff),
    ("sort", 1, collections::sort),
    ("sprintf", 2, strings::sprintf),
    ("strings.replace_n", 2, strings::replace_n),
    ("time.parse_duration_ns", 1, numbers::parse_duration_ns),
    ("to_number", 1, numbers::to_number),
    ("trace", 1, strings::trace),
    ("upper", 1, strings::upper),
];

/// The first doubt of an evaluation. An error within a function is not enough: what else defines the same rule may hide it.
#[derive(Debug, Clone, Default)]
pub(super) struct Doubt(Arc<Mutex<Option<Unsure>>>);

impl Doubt {
    /// Takes it out, so that the next evaluation begins without.
    pub(super) fn take(&self) -> Option<Unsure> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn note(&self, unsure: Unsure) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(unsure);
    }
}

/// Whether a number is written as OPA writes it, so that nothing is lost where it is read.
pub(super) fn is_plain_number(text: &str) -> bool {
    numbers::plain(text).is_some()
}

/// Puts the functions in front of the interpreter's own.
pub(super) fn add_to(engine: &mut Engine, doubt: &Doubt) -> anyhow::Result<()> {
    for (name, arguments, function) in FUNCTIONS {
        let doubt = doubt.clone();
        let call = move |values: Vec<Value>| {
            let terms = values.iter().map(Term::try_from).collect::<Result<Vec<_>, _>>();
            let answer = terms.and_then(|terms| function(&terms));
            let answer = answer.inspect_err(|unsure| doubt.note(*unsure))?;
            Ok(answer.map_or(Value::Undefined, Value::from))
        };
        engine.add_extension((*name).to_owned(), *arguments, Box::new(call))?;
    }
    Ok(())
}
