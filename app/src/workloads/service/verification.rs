//! Comparing what second persons said, and what was applied, with the record, both ways.

use crate::error::AppError;
use crate::workloads::store;
use sqlx::PgConnection;

/// What does not fit, in sentences; empty where all does. `snapshot` is a transaction that sees one state of all
/// tables, in which the columns of the record were compared with its hashed text.
///
/// # Errors
/// When the database is unavailable.
pub async fn verify_submissions(snapshot: &mut PgConnection) -> Result<Vec<String>, AppError> {
    let mut mismatches = Vec::new();
    let reviews = store::list_unrecorded_reviews(snapshot).await?;
    mismatches.extend(reviews.into_iter().map(|id| format!("Review {id} of a workload is not what the record shows.")));
    let missing = store::list_missing_reviews(snapshot).await?;
    mismatches.extend(
        missing
            .into_iter()
            .map(|row| format!("Row {row} of the record shows a review of a workload that is not there any more.")),
    );
    let applies = store::list_unrecorded_applies(snapshot).await?;
    mismatches.extend(applies.into_iter().map(|id| format!("Apply {id} of a workload is not what the record shows.")));
    let missing = store::list_missing_applies(snapshot).await?;
    mismatches.extend(
        missing
            .into_iter()
            .map(|row| format!("Row {row} of the record shows an apply of a workload that is not there any more.")),
    );
    Ok(mismatches)
}
