//! The interpreter, in this very process. Nothing limits the memory that a policy takes here, and only the interpreter
//! itself its time: it is for processes that may be killed, and for tests.

use super::compile::{Compiled, compile};
use super::functions::{self, Doubt};
use super::{LONGEST_ANSWER, Rego, RegoError, RegoPolicy, RegoSession, RegoVersion, TIME};
use regorus::utils::limits::ExecutionTimerConfig;
use regorus::{Engine, LimitError, PolicyLengthConfig};
use serde_json::Value;
use std::cell::RefCell;
use std::collections::HashMap;
use std::num::NonZeroU32;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

/// See the module.
#[derive(Debug, Clone, Copy, Default)]
pub struct Interpreter;

impl Rego for Interpreter {
    fn patience(&self) -> Duration {
        Duration::from_secs(5)
    }

    fn slowest(&self, _: &RegoPolicy) -> Option<Duration> {
        None
    }

    fn session(&self) -> Box<dyn RegoSession + '_> {
        Box::new(Session { policy: None, loaded: None })
    }
}

/// The most policies that a thread keeps ready: a cluster has fewer.
const MOST_READY: usize = 100;

thread_local! {
    /// Policies that no session uses at the moment. Reading one takes longer than evaluating it.
    static READY: RefCell<HashMap<RegoPolicy, Loaded>> = RefCell::default();
}

struct Session {
    /// With what it sees in `data.inventory`.
    policy: Option<(RegoPolicy, Option<String>)>,
    loaded: Option<Loaded>,
}

impl Session {
    /// Leaves the policy for the next session, without what it saw.
    fn unload(&mut self) {
        let (Some((policy, _)), Some(mut loaded)) = (self.policy.take(), self.loaded.take()) else { return };
        loaded.engine.clear_data();
        READY.with_borrow_mut(|ready| {
            if ready.len() >= MOST_READY {
                ready.clear();
            }
            ready.insert(policy, loaded);
        });
    }

    /// The policy that was loaded, read again where its state could not be relied on.
    fn take(&mut self, within: Duration) -> Result<Loaded, RegoError> {
        if let Some(loaded) = self.loaded.take() {
            return Ok(loaded);
        }
        let (policy, inventory) = self.policy.as_ref().ok_or(RegoError::Broken)?;
        let mut loaded = match READY.with_borrow_mut(|ready| ready.remove(policy)) {
            Some(loaded) => loaded,
            None => {
                let compiled = caught(|| Ok(compile(policy)))??;
                caught(|| Loaded::new(policy.version, compiled, within))?
            }
        };
        caught(|| loaded.show(inventory.as_deref()))?;
        Ok(loaded)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.unload();
    }
}

impl RegoSession for Session {
    fn load(&mut self, policy: &RegoPolicy, inventory: Option<&str>, within: Duration) -> Result<(), RegoError> {
        self.unload();
        self.policy = Some((policy.clone(), inventory.map(str::to_owned)));
        self.loaded = Some(self.take(within)?);
        Ok(())
    }

    fn violations(&mut self, input: &Value, within: Duration) -> Result<Vec<String>, RegoError> {
        let mut loaded = self.take(within)?;
        let found = caught(|| loaded.violations(input, within))?;
        self.loaded = Some(loaded);
        let found = serde_json::to_value(&found).map_err(|error| RegoError::Failed(error.to_string()))?;
        let messages: Vec<String> = found.as_array().into_iter().flatten().map(message).collect::<Result<_, _>>()?;
        let answer = serde_json::to_string(&messages).map_err(|error| RegoError::Failed(error.to_string()))?;
        if answer.len() > LONGEST_ANSWER { Err(RegoError::LongAnswer) } else { Ok(messages) }
    }
}

/// A policy, ready to judge.
struct Loaded {
    engine: Engine,
    rule: String,
    /// Whether it has operators of arithmetic.
    calculates: bool,
    /// Of the functions, about the object that is judged.
    doubt: Doubt,
}

impl Loaded {
    fn new(version: RegoVersion, compiled: Compiled, within: Duration) -> anyhow::Result<Self> {
        let mut engine = Engine::new();
        engine.set_rego_v0(version == RegoVersion::V0);
        // As in Gatekeeper, a built-in function that fails makes an expression undefined, and not the policy fail.
        engine.set_strict_builtin_errors(false);
        engine.set_execution_timer_config(timer(within));
        // Messages make long lines; the length of the whole stays limited.
        engine
            .set_policy_length_config(PolicyLengthConfig { max_col: NonZeroU32::MAX, ..PolicyLengthConfig::default() });
        let doubt = Doubt::default();
        functions::add_to(&mut engine, &doubt, compiled.calculates)?;
        for (index, library) in compiled.libraries.into_iter().enumerate() {
            engine.add_policy(format!("library-{index}.rego"), library)?;
        }
        let package = engine.add_policy("template.rego".to_owned(), compiled.rego)?;
        Ok(Self { engine, rule: format!("{package}.violation"), calculates: compiled.calculates, doubt })
    }

    /// Makes objects visible as `data.inventory`.
    fn show(&mut self, inventory: Option<&str>) -> anyhow::Result<()> {
        let Some(inventory) = inventory else { return Ok(()) };
        self.engine.add_data_json(&format!("{{\"inventory\":{inventory}}}"))
    }

    fn violations(&mut self, input: &Value, within: Duration) -> anyhow::Result<regorus::Value> {
        self.engine.set_execution_timer_config(timer(TIME.min(within)));
        if self.calculates && holds_fraction(input) {
            anyhow::bail!("it calculates with fractions");
        }
        self.doubt.begin(&input["review"]);
        self.engine.set_input(input.clone().into());
        let found = self.engine.eval_rule(self.rule.clone());
        match self.doubt.take() {
            Some(unsure) => Err(unsure.into()),
            None => found,
        }
    }
}

fn holds_fraction(value: &Value) -> bool {
    match value {
        Value::Number(number) => !number.is_i64() && !number.is_u64(),
        Value::Array(items) => items.iter().any(holds_fraction),
        Value::Object(fields) => fields.values().any(holds_fraction),
        Value::Null | Value::Bool(_) | Value::String(_) => false,
    }
}

fn timer(limit: Duration) -> ExecutionTimerConfig {
    const CHECK_EVERY: NonZeroU32 = NonZeroU32::MIN.saturating_add(63);
    ExecutionTimerConfig { limit, check_interval: CHECK_EVERY }
}

/// Runs something of the interpreter, which panics on some policies, for example where a step of a range is 0.
fn caught<T>(run: impl FnOnce() -> anyhow::Result<T>) -> Result<T, RegoError> {
    let Ok(result) = catch_unwind(AssertUnwindSafe(run)) else { return Err(RegoError::Broken) };
    result.map_err(|error| match error.downcast_ref::<LimitError>() {
        Some(LimitError::TimeLimitExceeded { .. }) => RegoError::Time,
        _ => RegoError::Failed(in_one_line(&error.to_string())),
    })
}

/// The interpreter draws the place of an error over several lines; the last one says what it is.
pub(super) fn in_one_line(message: &str) -> String {
    match message.trim().lines().last().unwrap_or_default().trim() {
        "not a valid rule path" => "it has no rule named violation".to_owned(),
        line => line.trim_start_matches("error: ").to_owned(),
    }
}

fn message(violation: &Value) -> Result<String, RegoError> {
    let message = violation["msg"].as_str().map(str::to_owned);
    message.ok_or_else(|| RegoError::Failed("it gives a violation without a message".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_policy_that_is_ready_sees_nothing_of_the_objects_of_the_review_before() {
        let rego = "package test\nviolation[{\"msg\": name}] { data.inventory.cluster.v1.Namespace[name] }";
        let policy = RegoPolicy { rego: rego.to_owned(), libraries: Vec::new(), version: RegoVersion::V0 };
        let seen = |inventory: Option<&str>| {
            let mut session = Interpreter.session();
            session.load(&policy, inventory, TIME).unwrap();
            session.violations(&json!({ "review": {} }), TIME).unwrap()
        };
        let inventory = |name: &str| json!({ "cluster": { "v1": { "Namespace": { name: {} } } } }).to_string();
        assert_eq!(seen(Some(&inventory("shop"))), ["shop"]);
        assert_eq!(READY.with_borrow(HashMap::len), 1);
        assert_eq!(seen(Some(&inventory("pay"))), ["pay"]);
        assert!(seen(None).is_empty());
    }
}
