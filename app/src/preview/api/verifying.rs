//! Comparing everything that was accepted with the record.

use crate::audit::rows_of_acceptance;
use crate::error::AppError;
use crate::preview::evidence::Evidence;
use crate::preview::store::{self, AcceptanceQuery};
use sqlx::PgConnection;

/// What the comparison shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// How many acceptances were compared.
    pub acceptances: usize,
    /// What does not fit, in sentences; empty where all does.
    pub doubts: Vec<String>,
}

/// Compares every acceptance, step and statement with the record, both ways. Whether the record itself is whole is for
/// the chain to say. `snapshot` is a transaction that sees one state of all tables (repeatable read): what is written
/// meanwhile would look like a difference.
///
/// # Errors
/// When the database is away.
pub async fn verify_acceptances(snapshot: &mut PgConnection) -> Result<Verified, AppError> {
    let query = AcceptanceQuery { is_whole: true, ..AcceptanceQuery::default() };
    let stored = store::read_acceptances(&mut *snapshot, &query).await?;
    let acceptances = stored.len();
    let mut doubts = Vec::new();
    for (id, acceptance) in stored {
        let acceptance = match acceptance {
            Ok(acceptance) => acceptance,
            Err(error) => {
                doubts.push(format!("Acceptance {id} breaks the rules: {error}."));
                continue;
            }
        };
        let evidence = Evidence::of(acceptance, rows_of_acceptance(&mut *snapshot, id).await?);
        doubts
            .extend(evidence.verify().err().map(|error| format!("Acceptance {id} does not fit the record: {error}.")));
    }
    let misattributed = store::list_misattributed(&mut *snapshot).await?;
    doubts.extend(misattributed.into_iter().map(|(id, number)| match number {
        0 => format!("Acceptance {id} is kept under another person than the one who accepted."),
        _ => format!("Step {number} of acceptance {id} names another person than the record."),
    }));
    let missing = store::list_missing_acceptances(&mut *snapshot).await?;
    doubts.extend(
        missing
            .into_iter()
            .map(|(id, object)| format!("Acceptance {id} ({object}) stands in the record and is not there any more.")),
    );
    let unproven = store::list_unproven_statements(&mut *snapshot).await?;
    doubts.extend(unproven.into_iter().map(|(feature, version)| {
        format!("Version {version} of the statement of {feature} is not the one that the record shows.")
    }));
    Ok(Verified { acceptances, doubts })
}
