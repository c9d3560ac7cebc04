//! Comparing what second persons said with the record, both ways.

use crate::error::AppError;
use crate::workloads::store;
use sqlx::PgConnection;

/// What does not fit, in sentences; empty where all does. `snapshot` is a transaction that sees one state of all tables,
/// in which the columns of the record were compared with its hashed text.
///
/// # Errors
/// When the database is away.
pub async fn verify_reviews(snapshot: &mut PgConnection) -> Result<Vec<String>, AppError> {
    let unrecorded = store::list_unrecorded_reviews(snapshot).await?.into_iter();
    let unrecorded = unrecorded.map(|id| format!("Review {id} of a workload is not what the record shows."));
    let missing = store::list_missing_reviews(snapshot).await?.into_iter();
    let missing =
        missing.map(|row| format!("Row {row} of the record shows a review of a workload that is not there any more."));
    Ok(unrecorded.chain(missing).collect())
}
