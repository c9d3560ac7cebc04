use super::{GrantPlan, check_every, list_open_around};
use crate::audit::{Intent, RecordActor};
use crate::clock;
use crate::error::AppError;
use crate::leader_lock::LeaderLock;
use crate::preview::acceptance::Acceptance;
use crate::preview::errors::PreviewError;
use crate::preview::opt_in::{Status, StepError};
use crate::preview::store::{self, EffectNote};
use crate::state::AppState;
use record::Event;

/// Makes what an opt-in gives once more, for an administrator who has seen that the cluster differs. Not while the
/// reconciler is at it, and only if it is still effective then.
///
/// # Errors
/// [`PreviewError`] where it is not, or where the cluster still differs afterwards; the cluster's, or the database's.
pub async fn repair(state: &AppState, actor: impl Into<RecordActor>, acceptance: &Acceptance) -> Result<(), AppError> {
    let event = Event::EffectRepair { opt_in: acceptance.opt_in_ref(), digest: acceptance.digest };
    let intent = Intent::announce(&state.database, actor, event).await?;
    let drift = intent.conclude(&state.database, make_again(state, acceptance).await).await?;
    match drift.is_empty() {
        true => Ok(()),
        false => Err(PreviewError::StillDrifting { drift }.into()),
    }
}

/// How the cluster differs afterwards; empty where it does not.
async fn make_again(state: &AppState, acceptance: &Acceptance) -> Result<String, AppError> {
    let id = acceptance.accepted.id;
    let mut lock = state.database.begin().await?;
    LeaderLock::OptIns.wait(&mut lock).await?;
    let open = list_open_around(state, acceptance).await?;
    let current = open.iter().find(|open| open.accepted.id == id);
    let current = current.filter(|current| *current.status() == Status::Effective);
    let current = current.ok_or(PreviewError::Step(StepError::TooLate))?;
    let plan = GrantPlan::seen(state, &open)?;
    plan.make(current).await?;
    let drift = plan.drift(current).await?;
    let note = EffectNote { problem: String::new(), drift: drift.clone() };
    let now = clock::now(&state.database).await?;
    store::note_effect(&state.database, id, current.steps.len(), &note, check_every(state), now).await?;
    lock.commit().await?;
    Ok(drift)
}
