//! Counting sign-ins that fail. Anybody can have one fail, so they are counted in memory and stored once in a while.

use super::store;
use crate::error::AppError;
use sqlx::PgPool;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Those that are not stored yet, by code; each replica counts its own.
#[derive(Debug, Clone, Default)]
pub struct SignInFailures(Arc<Mutex<BTreeMap<&'static str, i64>>>);

impl SignInFailures {
    pub fn count(&self, code: &'static str) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(code).or_default() += 1;
    }

    /// Stores what was counted since the last time. Where that fails, it is kept for the next.
    ///
    /// # Errors
    /// When the database is unavailable.
    pub async fn store(&self, database: &PgPool) -> Result<(), AppError> {
        let counted = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        for (code, count) in counted {
            if let Err(error) = store::add_failures(database, code, count).await {
                *self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(code).or_default() += count;
                return Err(error);
            }
        }
        store::delete_old_failures(database).await
    }
}
