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
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What keeps a function from giving OPA's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it depends on {0}, which Fairway may handle differently from Gatekeeper")]
pub(super) struct Unsure(&'static str);

/// What a function gives; nothing where OPA's fails, which makes an expression undefined.
type Answer = Result<Option<Term>, Unsure>;

type Function = fn(&[Term]) -> Answer;

const FUNCTIONS: &[(&str, u8, Function)] = &[
    ("all", 1, collections::all),
    ("and", 2, collections::and),
    ("any", 1, collections::any),
    ("cast_array", 1, collections::cast_array),
    ("cast_boolean", 1, collections::cast_boolean),
    ("cast_null", 1, collections::cast_null),
    ("cast_object", 1, collections::cast_object),
    ("cast_set", 1, collections::cast_set),
    ("cast_string", 1, collections::cast_string),
    ("count", 1, collections::count),
    ("equal", 2, collections::equal),
    ("gt", 2, collections::gt),
    ("gte", 2, collections::gte),
    ("indexof", 2, strings::indexof),
    ("json.is_valid", 1, json::is_valid),
    ("json.marshal", 1, json::marshal),
    ("json.unmarshal", 1, json::unmarshal),
    ("lower", 1, strings::lower),
    ("lt", 2, collections::lt),
    ("lte", 2, collections::lte),
    ("neq", 2, collections::neq),
    ("net.cidr_contains", 2, network::cidr_contains),
    ("net.cidr_expand", 1, network::cidr_expand),
    ("net.cidr_intersects", 2, network::cidr_intersects),
    ("net.cidr_merge", 1, network::cidr_merge),
    ("net.cidr_overlap", 2, network::cidr_contains),
    ("or", 2, collections::or),
    ("re_match", 2, regexes::matches),
    ("regex.find_all_string_submatch_n", 3, regexes::find_all_string_submatch_n),
    ("regex.find_n", 3, regexes::find_n),
    ("regex.is_valid", 1, regexes::is_valid),
    ("regex.match", 2, regexes::matches),
    ("regex.replace", 3, regexes::replace),
    ("regex.split", 2, regexes::split),
    ("regex.template_match", 4, regexes::template_match),
    ("semver.compare", 2, versions::compare),
    ("semver.is_valid", 1, versions::is_valid),
    ("set_diff", 2, collections::set_diff),
    ("sort", 1, collections::sort),
    ("product", 1, numbers::product),
    ("sprintf", 2, strings::sprintf),
    ("strings.replace_n", 2, strings::replace_n),
    ("sum", 1, numbers::sum),
    ("time.parse_duration_ns", 1, numbers::parse_duration_ns),
    ("to_number", 1, numbers::to_number),
    ("trace", 1, strings::trace),
    ("upper", 1, strings::upper),
];

/// Functions that write numbers.
const WRITES_NUMBERS: [&str; 2] = ["json.marshal", "sprintf"];

/// From here on Gatekeeper writes whole numbers of an object with an exponent, having read them as float64
/// (constraint framework, pkg/client/drivers/rego/driver.go, `toInterfaceMap`).
const LARGE: i64 = 1_000_000;

/// The first doubt of an evaluation. An error within a function is not enough: what else defines the same rule may hide it.
#[derive(Debug, Clone, Default)]
pub(super) struct Doubt(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    first: Option<Unsure>,
    /// Large whole numbers of the object that is judged.
    large: BTreeSet<i128>,
}

impl Doubt {
    /// Begins an evaluation about an object.
    pub(super) fn begin(&self, object: &serde_json::Value) {
        let mut large = BTreeSet::new();
        collect_large(object, &mut large);
        *self.state() = State { first: None, large };
    }

    pub(super) fn take(&self) -> Option<Unsure> {
        self.state().first.take()
    }

    fn note(&self, unsure: Unsure) {
        self.state().first.get_or_insert(unsure);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn check_written(&self, terms: &[Term]) -> Result<(), Unsure> {
        let state = self.state();
        match !state.large.is_empty() && terms.iter().any(|term| term.holds_number(&state.large)) {
            true => Err(Unsure("a large number of the object in a text")),
            false => Ok(()),
        }
    }
}

fn collect_large(value: &serde_json::Value, large: &mut BTreeSet<i128>) {
    match value {
        serde_json::Value::Number(number) => {
            let whole = number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from));
            large.extend(whole.filter(|whole| whole.unsigned_abs() >= u128::from(LARGE.unsigned_abs())));
        }
        serde_json::Value::Array(items) => items.iter().for_each(|item| collect_large(item, large)),
        serde_json::Value::Object(fields) => fields.values().for_each(|value| collect_large(value, large)),
        serde_json::Value::Null | serde_json::Value::Bool(_) | serde_json::Value::String(_) => {}
    }
}

/// Whether a number is written as OPA writes it, so that nothing is lost where it is read.
pub(super) fn is_plain_number(text: &str) -> bool {
    numbers::plain(text).is_some()
}

/// Puts the functions in front of the interpreter's own. `calculates` says that the policy has operators of arithmetic.
pub(super) fn add_to(engine: &mut Engine, doubt: &Doubt, calculates: bool) -> anyhow::Result<()> {
    for (name, arguments, function) in FUNCTIONS {
        let doubt = doubt.clone();
        let function = if calculates && *name == "to_number" { numbers::to_whole_number } else { *function };
        let writes = WRITES_NUMBERS.contains(name);
        let call = move |values: Vec<Value>| {
            let terms = values.iter().map(Term::try_from).collect::<Result<Vec<_>, _>>();
            let checked =
                terms.and_then(|terms| if writes { doubt.check_written(&terms).map(|()| terms) } else { Ok(terms) });
            let answer = checked.and_then(|terms| function(&terms));
            let answer = answer.inspect_err(|unsure| doubt.note(*unsure))?;
            Ok(answer.map_or(Value::Undefined, Value::from))
        };
        engine.add_extension((*name).to_owned(), *arguments, Box::new(call))?;
    }
    Ok(())
}
