//! What erasing a person means for what waits for a decision.

use crate::audit::{RecordActor, record_event_in};
use crate::error::AppError;
use crate::preview::opt_in::{EndReason, Step};
use crate::preview::store::{self, NewStep};
use record::Event;
use sqlx::PgConnection;

/// Ends what waits and was accepted or approved by somebody who is about to be erased: whoever comes back is somebody
/// new, and could otherwise decide on what they accepted, or approve twice. Gives how many were ended. The person must
/// be held, so that nothing of theirs is added meanwhile.
///
/// # Errors
/// When the database refuses or is unavailable.
pub async fn end_waiting_of(transaction: &mut PgConnection, issuer: &str, subject: &str) -> Result<usize, AppError> {
    let waiting = store::list_waiting_ids_with(transaction, issuer, subject).await?;
    let actor = RecordActor::fairway();
    let comment = "Somebody who took part in it was erased. Whoever needs it accepts it again.";
    let mut ended = Vec::new();
    for id in &waiting {
        let acceptance = store::find_acceptance(transaction, *id).await?;
        let new = NewStep {
            acceptance: *id,
            number: acceptance.steps.len() + 1,
            step: Step::End(EndReason::Revoked),
            by: None,
            comment,
            request_id: &actor.request_id,
        };
        store::take_step(transaction, new).await?;
        ended.push(acceptance);
    }
    for acceptance in &ended {
        record_event_in(transaction, &actor, &Event::RiskRevoke(acceptance.next_step(comment))).await?;
    }
    Ok(waiting.len())
}
