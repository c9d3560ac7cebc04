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
/// new, and could otherwise decide on what they accepted, or approve twice. Gives how many were ended.
///
/// # Errors
/// When the database refuses or is away.
pub async fn end_what_waits(transaction: &mut PgConnection, issuer: &str, subject: &str) -> Result<usize, AppError> {
    let waiting = store::list_waiting_with(transaction, issuer, subject).await?;
    let (fairway, request_id) = (Profile::fairway(), Uuid::now_v7().to_string());
    let comment = "Somebody who took part in it was blanked. Whoever needs it accepts it again.";
    for id in &waiting {
        let acceptance = store::find_acceptance(&mut *transaction, *id).await?;
        let new = NewStep {
            acceptance: *id,
            number: acceptance.steps.len() + 1,
            step: Step::End(End::Revoked),
            person_id: None,
            comment,
            request_id: &request_id,
        };
        let who = Acting { profile: &fairway, request_id: &request_id };
        let detail = detail_of(&acceptance, comment);
        let object = acceptance.object();
        store::take_step(transaction, new).await?;
        recorded_within(transaction, who, Action::RiskRevoke, &object, detail).await?;
    }
    Ok(waiting.len())
}
