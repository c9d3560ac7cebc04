//! Evaluates policies in processes of their own, which are started ahead, limited in memory by the kernel, killed at a
//! deadline, and replaced. A policy is a program: whoever may write one into the cluster could otherwise stop the portal
//! with it.

mod protocol;
mod worker;
mod worker_process;

pub use worker::run as run_worker;

use record::Digest;
use review::{Rego, RegoError, RegoPolicy, RegoSession, TIME};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use worker_process::{AskError, WorkerProcess};

/// How long a policy that had to be stopped is not tried again.
const PAUSE: Duration = Duration::from_secs(600);

/// What an answer may take beyond the time of the evaluation itself, on a busy machine.
const LEEWAY: Duration = Duration::from_millis(100);

/// How many policies are remembered; a cluster has some dozens.
const MOST_REMEMBERED: usize = 4096;

/// See the module. Cheap to clone.
#[derive(Debug, Clone)]
pub struct RegoWorkers(Arc<Pool>);

#[derive(Debug)]
struct Pool {
    program: PathBuf,
    patience: Duration,
    idle: Mutex<Vec<WorkerProcess>>,
    freed: Condvar,
    memory: Mutex<Memory>,
}

/// What is known of policies.
#[derive(Debug, Default)]
struct Memory {
    /// By the digests of their texts, the longest that each took for an object.
    slowest: HashMap<Digest, Duration>,
    /// What had to be stopped: a policy by its text; or, where it has answered about other objects before, what exactly
    /// it was asked, as then it may be the object that makes it slow.
    stopped: HashMap<Digest, Instant>,
}

impl RegoWorkers {
    /// Starts `number` workers: `program` with the argument `rego-worker`. All policies together may take `patience` for
    /// a review.
    ///
    /// # Errors
    /// When a worker cannot be started.
    pub fn start(program: impl Into<PathBuf>, number: usize, patience: Duration) -> std::io::Result<Self> {
        let program = program.into();
        let idle = (0..number).map(|_| WorkerProcess::start(&program)).collect::<Result<_, _>>()?;
        let (idle, freed, memory) = (Mutex::new(idle), Condvar::new(), Mutex::default());
        Ok(Self(Arc::new(Pool { program, patience, idle, freed, memory })))
    }

    /// The processes that wait for something to evaluate.
    #[must_use]
    pub fn idle_processes(&self) -> Vec<u32> {
        locked(&self.0.idle).iter().map(WorkerProcess::id).collect()
    }
}

impl Rego for RegoWorkers {
    fn patience(&self) -> Duration {
        self.0.patience
    }

    fn slowest(&self, policy: &RegoPolicy) -> Option<Duration> {
        locked(&self.0.memory).slowest.get(&digest_of(policy)).copied()
    }

    fn session(&self) -> Box<dyn RegoSession + '_> {
        Box::new(Session { pool: &self.0, worker: None, loaded: Err(RegoError::NoEvaluator) })
    }
}

/// The evaluations of one review, one policy after the other.
struct Session<'a> {
    pool: &'a Arc<Pool>,
    worker: Option<WorkerProcess>,
    /// The policy that was loaded last, or why there is none.
    loaded: Result<Digest, RegoError>,
}

impl RegoSession for Session<'_> {
    fn load(&mut self, policy: &RegoPolicy, inventory: Option<&str>, within: Duration) -> Result<(), RegoError> {
        let digest = digest_of(policy);
        self.loaded = Ok(digest);
        // Between two policies others have their turn.
        if let Some(worker) = self.worker.take() {
            self.pool.give_back(worker);
        }
        self.ask(digest, &protocol::load(policy, inventory, within), within)
    }

    fn violations(&mut self, input: &Value, within: Duration) -> Result<Vec<String>, RegoError> {
        let digest = self.loaded.clone()?;
        let began = Instant::now();
        let messages = self.ask(digest, &protocol::judge(input, within), within);
        if messages.is_ok() {
            self.pool.remember_time(digest, began.elapsed());
        }
        messages
    }
}

impl Session<'_> {
    /// Sends a line to the worker and reads its answer. A worker that does not answer in time, or is gone, is killed and
    /// replaced.
    fn ask<T: DeserializeOwned>(&mut self, policy: Digest, line: &str, within: Duration) -> Result<T, RegoError> {
        let question = Digest::of([policy.to_string().as_bytes(), line.as_bytes()].concat());
        if self.pool.was_stopped(&[policy, question]) {
            return Err(self.unload(RegoError::StoppedBefore));
        }
        let (mut worker, within) = match self.worker.take() {
            Some(worker) => (worker, within),
            None => self.pool.take(within)?,
        };
        let answer: Result<T, RegoError> = match worker.ask(line, TIME.min(within) + LEEWAY + time_to_read(line)) {
            Ok(answer) => {
                self.worker = Some(worker);
                answer
            }
            Err(error) => {
                drop(worker);
                self.pool.replace();
                Err(match error {
                    AskError::NotSent => RegoError::NoEvaluator,
                    AskError::Stopped(error) => error,
                })
            }
        };
        answer.map_err(|error| match error {
            // Where the review ran out of time nothing is known of the policy.
            RegoError::Time if within < TIME => self.unload(RegoError::TimeOfAReview),
            RegoError::Time | RegoError::Stopped => {
                self.pool.remember_stopped(policy, question);
                self.unload(error)
            }
            _ if self.worker.is_none() => self.unload(error),
            _ => error,
        })
    }

    /// Whoever asks about another object hears the same until a policy is loaded.
    fn unload(&mut self, error: RegoError) -> RegoError {
        self.loaded = Err(error.clone());
        error
    }
}

impl Drop for Session<'_> {
    fn drop(&mut self) {
        if let Some(worker) = self.worker.take() {
            self.pool.give_back(worker);
        }
    }
}

impl Pool {
    /// A worker that nobody else has, and the time that is left then; waits for one for as long as there is time.
    fn take(self: &Arc<Self>, within: Duration) -> Result<(WorkerProcess, Duration), RegoError> {
        let began = Instant::now();
        let idle = locked(&self.idle);
        let waited = self.freed.wait_timeout_while(idle, within, |idle| idle.is_empty());
        let mut worker = waited.unwrap_or_else(PoisonError::into_inner).0.pop().ok_or(RegoError::NoEvaluator)?;
        if !worker.is_alive() {
            // Killed from outside, such as by the kernel where the machine ran out of memory.
            worker = WorkerProcess::start(&self.program).map_err(|error| {
                tracing::error!(%error, "no process for policies could be started");
                self.replace();
                RegoError::NoEvaluator
            })?;
        }
        Ok((worker, within.saturating_sub(began.elapsed())))
    }

    fn give_back(&self, worker: WorkerProcess) {
        locked(&self.idle).push(worker);
        self.freed.notify_one();
    }

    /// Starts another worker in the place of one that is gone, without anybody waiting for it.
    fn replace(self: &Arc<Self>) {
        let pool = Arc::downgrade(self);
        std::thread::spawn(move || {
            while let Some(pool) = pool.upgrade() {
                match WorkerProcess::start(&pool.program) {
                    Ok(worker) => return pool.give_back(worker),
                    Err(error) => tracing::error!(%error, "no process for policies could be started"),
                }
                drop(pool);
                std::thread::sleep(Duration::from_secs(1));
            }
        });
    }

    fn was_stopped(&self, questions: &[Digest]) -> bool {
        let memory = locked(&self.memory);
        questions.iter().any(|question| memory.stopped.get(question).is_some_and(|at| at.elapsed() < PAUSE))
    }

    fn remember_stopped(&self, policy: Digest, question: Digest) {
        tracing::warn!(%policy, "a policy of the cluster had to be stopped, and is left alone for a while");
        metrics::counter!("fairway_policies_stopped_total").increment(1);
        let mut memory = locked(&self.memory);
        let stopped = match memory.slowest.get_mut(&policy) {
            Some(slowest) => {
                // From now on it comes behind those that were never stopped.
                *slowest = Duration::MAX;
                question
            }
            None => policy,
        };
        memory.stopped.retain(|_, at| at.elapsed() < PAUSE);
        if memory.stopped.len() < MOST_REMEMBERED {
            memory.stopped.insert(stopped, Instant::now());
        }
    }

    fn remember_time(&self, policy: Digest, took: Duration) {
        let slowest = &mut locked(&self.memory).slowest;
        if slowest.len() >= MOST_REMEMBERED {
            slowest.clear();
        }
        let known = slowest.entry(policy).or_default();
        *known = took.max(*known);
    }
}

/// What reading a request takes at most: there may be a large inventory in it.
fn time_to_read(line: &str) -> Duration {
    const BYTES_IN_A_MILLISECOND: usize = 8 * 1024;
    Duration::from_millis(u64::try_from(line.len() / BYTES_IN_A_MILLISECOND).unwrap_or(u64::MAX))
}

fn digest_of(policy: &RegoPolicy) -> Digest {
    // A struct of texts always has a text.
    Digest::of(serde_json::to_string(policy).unwrap_or_default())
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
