//! Work that takes the processor for longer than a request may hold up others.

use crate::error::AppError;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

/// How long a computation waits for its turn.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// Threads that serve nobody. As many computations run at once as the machine can use, and the others wait: a thread for
/// each would make all of them slow.
#[derive(Clone)]
pub struct ComputePool(Arc<Semaphore>);

impl Default for ComputePool {
    /// Two for each processor, as a computation also waits for the processes that evaluate policies.
    fn default() -> Self {
        let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self(Arc::new(Semaphore::new(2 * processors)))
    }
}

impl ComputePool {
    /// # Errors
    /// [`AppError::Busy`] where too many others are before it; [`AppError::Internal`] where it panics.
    pub async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, AppError> {
        let turn = tokio::time::timeout(LONGEST_WAIT, self.0.clone().acquire_owned()).await;
        let turn = turn.map_err(|_| AppError::Busy)?;
        let computed = tokio::task::spawn_blocking(move || {
            // Held by the computation, which goes on where whoever asked for it is gone.
            let _turn = turn;
            work()
        });
        computed.await.map_err(|error| {
            tracing::error!(%error, "a computation did not end");
            AppError::Internal
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    #[tokio::test]
    async fn a_computation_keeps_its_turn_while_nobody_waits_for_it_any_more() {
        let pool = ComputePool(Arc::new(Semaphore::new(1)));
        let (go_on, waits) = mpsc::channel::<()>();
        let (began, has_begun) = tokio::sync::oneshot::channel();
        let first = tokio::spawn({
            let pool = pool.clone();
            async move {
                pool.run(move || {
                    began.send(()).unwrap();
                    waits.recv().unwrap();
                })
                .await
            }
        });
        has_begun.await.unwrap();
        first.abort();
        assert!(first.await.is_err());
        assert_eq!(pool.0.available_permits(), 0);
        go_on.send(()).unwrap();
        assert_eq!(pool.run(|| 7).await, Ok(7));
    }
}
