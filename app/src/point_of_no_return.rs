//! Whether a request that writes may still be dropped. As long as nothing was announced in the record, nothing has
//! happened outside of a transaction, and a request ends with whoever waits for it; from then on it runs to its end.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

const OPEN: u8 = 0;
const PASSED: u8 = 1;
const DROPPED: u8 = 2;

tokio::task_local! {
    static CURRENT: PointOfNoReturn;
}

/// Of one request.
#[derive(Debug, Clone, Default)]
pub struct PointOfNoReturn(Arc<AtomicU8>);

impl PointOfNoReturn {
    /// Runs a request whose point this is.
    pub async fn of<F: Future>(self, request: F) -> F::Output {
        CURRENT.scope(self, request).await
    }

    /// Passes the point of the request that runs here. False where the request was dropped already: then nothing may be
    /// begun. What runs outside of a request cannot be dropped.
    #[must_use]
    pub fn pass() -> bool {
        CURRENT.try_with(|point| point.turn(PASSED)).unwrap_or(true)
    }

    /// Drops the request; false where the point was passed, so that it must go on.
    #[must_use]
    pub fn drop_request(&self) -> bool {
        self.turn(DROPPED)
    }

    /// Whether it has that state now, because it was open or had it already.
    fn turn(&self, state: u8) -> bool {
        let turned = self.0.compare_exchange(OPEN, state, Ordering::AcqRel, Ordering::Acquire);
        turned.is_ok() || turned == Err(state)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_request_is_dropped_before_the_point_or_never() {
        let point = PointOfNoReturn::default();
        point.clone().of(async { assert!(PointOfNoReturn::pass() && PointOfNoReturn::pass()) }).await;
        assert!(!point.drop_request());
        let dropped = PointOfNoReturn::default();
        assert!(dropped.drop_request());
        dropped.of(async { assert!(!PointOfNoReturn::pass()) }).await;
        assert!(PointOfNoReturn::pass(), "outside of requests");
    }
}
