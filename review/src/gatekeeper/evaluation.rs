//! Evaluating Rego, in bounded time and memory.

use super::inventory::Inventory;
use super::template::{RegoVersion, Template, TemplateError};
use regorus::utils::limits::{
    ExecutionTimerConfig, check_global_memory_limit, flush_thread_memory_counters, set_global_memory_limit,
};
use regorus::{Engine, LimitError, PolicyLengthConfig};
use serde_json::Value;
use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Longest that one policy may take for one object. The platform's own take less than a millisecond.
const TIME: Duration = Duration::from_millis(250);

/// Longest that all policies may take for one review, and more for each object that each of them looks at.
const TIME_OF_A_REVIEW: Duration = Duration::from_secs(5);
const TIME_OF_AN_EVALUATION: Duration = Duration::from_millis(10);

/// Most that one evaluation may allocate beyond what the process held when it began.
const MEMORY: u64 = 128 * 1024 * 1024;

/// The interpreter's limit on memory is that of the whole process, so one evaluation goes after the other.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// The time that is left for a review.
pub(super) struct Budget {
    end: Instant,
}

impl Budget {
    pub(super) fn for_evaluations(number: usize) -> Self {
        let number = u32::try_from(number).unwrap_or(u32::MAX);
        Self { end: Instant::now() + TIME_OF_A_REVIEW + TIME_OF_AN_EVALUATION.saturating_mul(number) }
    }
}

/// Why a policy gave no answer.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum EvaluationError {
    /// Longer than one evaluation may take.
    #[error("it took longer than {} ms", TIME.as_millis())]
    Time,
    /// Longer than all evaluations of a review may take.
    #[error("all policies together took too long")]
    TimeOfAReview,
    /// More memory than one evaluation may have.
    #[error("it took more than {} MiB of memory", MEMORY / 1024 / 1024)]
    Memory,
    /// Whatever the interpreter says.
    #[error("{0}")]
    Failed(String),
}

/// A template's policy, ready to judge.
pub(super) struct Evaluator {
    engine: Engine,
    rule: String,
}

impl Evaluator {
    /// Parses the policy and gives it the inventory, if it looks at that.
    pub(super) fn new(template: &Template, inventory: &Inventory<'_>) -> Result<Self, TemplateError> {
        // Made outside of what one evaluation may allocate, as all of them share it.
        let data = template.looks_at_inventory().then(|| inventory.as_data());
        bounded(|| Self::parse(template, data)).map_err(|error| TemplateError::Invalid(error.to_string()))
    }

    fn parse(template: &Template, data: Option<regorus::Value>) -> anyhow::Result<Self> {
        let mut engine = Engine::new();
        engine.set_rego_v0(template.version == RegoVersion::V0);
        // As in Gatekeeper, a built-in function that fails makes an expression undefined, and not the policy fail.
        engine.set_strict_builtin_errors(false);
        engine.set_execution_timer_config(timer(TIME));
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
        for (index, library) in template.libraries.iter().enumerate() {
            engine.add_policy(format!("library-{index}.rego"), library.clone())?;
        }
        let package = engine.add_policy("template.rego".to_owned(), template.rego.clone())?;
        if let Some(data) = data {
            engine.add_data(data)?;
        }
        Ok(Self { engine, rule: format!("{package}.violation") })
    }

    /// The messages of all violations.
    pub(super) fn violations(&mut self, input: &Value, budget: &mut Budget) -> Result<Vec<String>, EvaluationError> {
        let left = budget.end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(EvaluationError::TimeOfAReview);
        }
        self.engine.set_execution_timer_config(timer(TIME.min(left)));
        let found = bounded(|| {
            self.engine.set_input(input.clone().into());
            self.engine.eval_rule(self.rule.clone())
        })?;
        let found = serde_json::to_value(&found).map_err(|error| EvaluationError::Failed(error.to_string()))?;
        found.as_array().into_iter().flatten().map(message).collect()
    }
}

fn timer(limit: Duration) -> ExecutionTimerConfig {
    const CHECK_EVERY: NonZeroU32 = NonZeroU32::MIN.saturating_add(63);
    ExecutionTimerConfig { limit, check_interval: CHECK_EVERY }
}

/// Runs something of the interpreter with its limit on memory in force.
fn bounded<T>(run: impl FnOnce() -> anyhow::Result<T>) -> Result<T, EvaluationError> {
    let _one = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    set_global_memory_limit(Some(allocated() + MEMORY));
    let result = run();
    set_global_memory_limit(None);
    result.map_err(|error| match error.downcast_ref::<LimitError>() {
        Some(LimitError::TimeLimitExceeded { .. }) => EvaluationError::Time,
        Some(LimitError::MemoryLimitExceeded { .. }) => EvaluationError::Memory,
        _ => EvaluationError::Failed(in_one_line(&error.to_string())),
    })
}

/// What the process holds now. The interpreter tells only when a limit is passed.
fn allocated() -> u64 {
    flush_thread_memory_counters();
    set_global_memory_limit(Some(0));
    match check_global_memory_limit() {
        Err(LimitError::MemoryLimitExceeded { usage, .. }) => usage,
        _ => 0,
    }
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

fn message(violation: &Value) -> Result<String, EvaluationError> {
    let message = violation["msg"].as_str().map(str::to_owned);
    message.ok_or_else(|| EvaluationError::Failed("it gives a violation without a message".to_owned()))
}
