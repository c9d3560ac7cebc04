//! The interpreter, in this very process. Nothing limits the memory that a policy takes here, and only the interpreter
//! itself its time: it is for processes that may be killed, and for tests.

use super::{LONGEST_ANSWER, Rego, RegoError, RegoPolicy, RegoSession, RegoVersion, TIME};
use regorus::utils::limits::ExecutionTimerConfig;
use regorus::{Engine, LimitError, PolicyLengthConfig};
use serde_json::Value;
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
        Box::new(Session { loaded: None })
    }
}

struct Session {
    loaded: Option<Loaded>,
}

impl RegoSession for Session {
    fn load(&mut self, policy: &RegoPolicy, inventory: Option<&str>, within: Duration) -> Result<(), RegoError> {
        self.loaded = None;
        self.loaded = Some(caught(|| Loaded::new(policy, inventory, within))?);
        Ok(())
    }

    fn violations(&mut self, input: &Value, within: Duration) -> Result<Vec<String>, RegoError> {
        // Its state cannot be relied on once it broke on an object.
        let mut loaded = self.loaded.take().ok_or(RegoError::Broken)?;
        let found = caught(|| loaded.violations(input, within));
        if found != Err(RegoError::Broken) {
            self.loaded = Some(loaded);
        }
        let found = serde_json::to_value(&found?).map_err(|error| RegoError::Failed(error.to_string()))?;
        let messages: Vec<String> = found.as_array().into_iter().flatten().map(message).collect::<Result<_, _>>()?;
        let answer = serde_json::to_string(&messages).map_err(|error| RegoError::Failed(error.to_string()))?;
        if answer.len() > LONGEST_ANSWER { Err(RegoError::LongAnswer) } else { Ok(messages) }
    }
}

/// A policy, ready to judge.
struct Loaded {
    engine: Engine,
    rule: String,
}

impl Loaded {
    fn new(policy: &RegoPolicy, inventory: Option<&str>, within: Duration) -> anyhow::Result<Self> {
        let mut engine = Engine::new();
        engine.set_rego_v0(policy.version == RegoVersion::V0);
        // As in Gatekeeper, a built-in function that fails makes an expression undefined, and not the policy fail.
        engine.set_strict_builtin_errors(false);
        engine.set_execution_timer_config(timer(within));
        // Messages make long lines; the length of the whole stays limited.
        engine
            .set_policy_length_config(PolicyLengthConfig { max_col: NonZeroU32::MAX, ..PolicyLengthConfig::default() });
        // Gone from Rego since v1, and used by many policies of v0.
        engine.add_extension(
            "any".to_owned(),
            1,
            Box::new(|values| Ok(booleans(&values).any(|value| value).into())),
        )?;
        engine.add_extension(
            "all".to_owned(),
            1,
            Box::new(|values| Ok(booleans(&values).all(|value| value).into())),
        )?;
        for (index, library) in policy.libraries.iter().enumerate() {
            engine.add_policy(format!("library-{index}.rego"), library.clone())?;
        }
        let package = engine.add_policy("template.rego".to_owned(), policy.rego.clone())?;
        if let Some(inventory) = inventory {
            engine.add_data_json(&format!("{{\"inventory\":{inventory}}}"))?;
        }
        Ok(Self { engine, rule: format!("{package}.violation") })
    }

    fn violations(&mut self, input: &Value, within: Duration) -> anyhow::Result<regorus::Value> {
        self.engine.set_execution_timer_config(timer(TIME.min(within)));
        self.engine.set_input(input.clone().into());
        self.engine.eval_rule(self.rule.clone())
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

fn booleans(values: &[regorus::Value]) -> impl Iterator<Item = bool> {
    values.iter().flat_map(|value| {
        let in_list = value.as_array().map(|list| list.iter().cloned().collect::<Vec<_>>());
        let in_set = || value.as_set().map(|set| set.iter().cloned().collect::<Vec<_>>());
        in_list.or_else(|_| in_set()).unwrap_or_default().into_iter().map(|value| value == regorus::Value::from(true))
    })
}

/// The interpreter draws the place of an error over several lines; the last one says what it is.
fn in_one_line(message: &str) -> String {
    match message.trim().lines().last().unwrap_or_default().trim() {
        "not a valid rule path" => "it has no rule named violation".to_owned(),
        line => line.trim_start_matches("error: ").to_owned(),
    }
}

fn message(violation: &Value) -> Result<String, RegoError> {
    let message = violation["msg"].as_str().map(str::to_owned);
    message.ok_or_else(|| RegoError::Failed("it gives a violation without a message".to_owned()))
}
