//! Policies written in Rego. Whoever calls a review says what evaluates them: a policy is a program, and may take any time
//! and memory, or break what runs it.

mod compile;
mod functions;
mod interpreter;

pub use interpreter::Interpreter;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt;
use std::time::Duration;

/// A policy with its libraries.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RegoPolicy {
    pub rego: String,
    pub libraries: Vec<String>,
    pub version: RegoVersion,
}

/// The syntax that a policy is written in; templates say `v1`, or nothing for the older one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum RegoVersion {
    V0,
    V1,
}

/// What evaluates policies.
pub trait Rego: fmt::Debug + Send + Sync {
    /// How long all policies together may take for one review, beside what each evaluation adds.
    fn patience(&self) -> Duration;

    /// The longest that a policy has taken for an object so far; nothing where it was never evaluated. The quickest come
    /// first, so that one that must be stopped does not take the time of those that can be relied on.
    fn slowest(&self, policy: &RegoPolicy) -> Option<Duration>;

    /// Begins the evaluations of one review.
    fn session(&self) -> Box<dyn RegoSession + '_>;
}

/// Evaluates one policy after the other, each for some objects.
pub trait RegoSession {
    /// Makes a policy ready. `inventory` is what policies see in `data.inventory`, as JSON.
    ///
    /// # Errors
    /// When the policy cannot be evaluated.
    fn load(&mut self, policy: &RegoPolicy, inventory: Option<&str>, within: Duration) -> Result<(), RegoError>;

    /// The messages of all violations of the policy that was loaded last.
    ///
    /// # Errors
    /// When the policy gives no answer.
    fn violations(&mut self, input: &Value, within: Duration) -> Result<Vec<String>, RegoError>;
}

/// Longest that one policy may take for one object. The platform's own take less than a millisecond.
pub const TIME: Duration = Duration::from_millis(250);

/// What an evaluation usually takes at most, so that a review of many objects has the time that it needs.
pub const TIME_OF_AN_EVALUATION: Duration = Duration::from_millis(10);

/// The most of that for one review, however many objects there are.
pub const TIME_OF_EVALUATIONS: Duration = Duration::from_secs(5);

/// Longest list of messages that a policy may give about one object, as JSON, in bytes.
pub const LONGEST_ANSWER: usize = 256 * 1024;

/// Why a policy gave no answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum RegoError {
    /// Longer than one evaluation may take.
    #[error("it took longer than {} ms", TIME.as_millis())]
    Time,
    /// Longer than all evaluations of a review may take.
    #[error("all policies together took too long")]
    TimeOfAReview,
    /// The process that evaluated it is gone, mostly because it wanted more memory than it may have.
    #[error("it needs more memory than a policy may have, or breaks the interpreter")]
    Stopped,
    /// It had to be stopped a short while ago, and was not tried again.
    #[error("it had to be stopped a few minutes ago")]
    StoppedBefore,
    /// There is nothing to evaluate it with.
    #[error("nothing was there to evaluate it")]
    NoEvaluator,
    /// The interpreter itself failed on it.
    #[error("the interpreter failed on it")]
    Broken,
    #[error("its messages are longer than {} KiB", LONGEST_ANSWER / 1024)]
    LongAnswer,
    /// By the cluster, with the reason.
    #[error("Gatekeeper does not accept it: {0}")]
    NotAccepted(String),
    /// Whatever the interpreter says.
    #[error("{0}")]
    Failed(String),
}

/// Evaluates nothing: for reviews beside which no cluster stands.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoRego;

impl Rego for NoRego {
    fn patience(&self) -> Duration {
        Duration::MAX
    }

    fn slowest(&self, _: &RegoPolicy) -> Option<Duration> {
        None
    }

    fn session(&self) -> Box<dyn RegoSession + '_> {
        Box::new(Self)
    }
}

impl RegoSession for NoRego {
    fn load(&mut self, _: &RegoPolicy, _: Option<&str>, _: Duration) -> Result<(), RegoError> {
        Err(RegoError::NoEvaluator)
    }

    fn violations(&mut self, _: &Value, _: Duration) -> Result<Vec<String>, RegoError> {
        Err(RegoError::NoEvaluator)
    }
}
