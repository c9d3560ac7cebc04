//! What blanking a person means for what waits for a decision.

use super::detail_of;
use crate::actor::Profile;
use crate::audit::{Acting, Action, recorded_within};
use crate::error::AppError;
use crate::preview::opt_in::{End, Step};
use crate::preview::store::{self, NewStep};
use sqlx::PgConnection;
use uuid::Uuid;

/// Ends what waits and was accepted or approved by somebody who is about to be blanked: whoever comes back is somebody
/// new, and could otherwise decide on what they accepted, or approve twice. Gives how many were ended. The person must
/// be held, so that nothing of theirs is added meanwhile.
///
/// # Errors
/// When the database refuses or is away.
pub async fn end_what_waits(transaction: &mut PgConnection, issuer: &str, subject: &str) -> Result<usize, AppError> {
    let waiting = store::list_waiting_with(transaction, issuer, subject).await?;
    let (fairway, request_id) = (Profile::fairway(), Uuid::now_v7().to_string());
    let comment = "Somebody who took part in it was blanked. Whoever needs it accepts it again.";
    let mut ended = Vec::new();
    for id in &waiting {
        let acceptance = store::find_acceptance(&mut *transaction, *id).await?;
        let new = NewStep {
            acceptance: *id,
            number: acceptance.steps.len() + 1,
            step: Step::End(End::Revoked),
            by: None,
            comment,
            request_id: &request_id,
        };
        store::take_step(transaction, new).await?;
        ended.push(acceptance);
    }
    let who = Acting { profile: &fairway, request_id: &request_id };
    for acceptance in &ended {
        let detail = detail_of(acceptance, comment);
        recorded_within(transaction, who, Action::RiskRevoke, &acceptance.object(), detail).await?;
    }
    Ok(waiting.len())
}
