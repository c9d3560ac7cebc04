//! Carrying out what an administrator wants of the catalogue.

use super::entry::Entry;
use crate::actor::Administrator;
use crate::audit::{Action, Phase, recorded, recorded_within};
use crate::error::AppError;
use crate::preview::terms::{Mistakes, Stage, Terms};
use crate::preview::{Description, Feature, store};
use crate::state::AppState;
use jiff::Timestamp;
use serde_json::{Value, json};
use sqlx::PgConnection;

/// What saving an entry would do.
pub(super) struct Plan {
    /// What is said about it now, if it is there.
    before: Option<Description>,
    description: Option<Description>,
    terms: Option<Terms>,
}

impl Plan {
    /// For an entry, or what is wrong with it, by the field of the form. What is retired keeps its day; what is being
    /// retired gets this one.
    pub(super) fn of(
        state: &AppState,
        entry: &Entry,
        known: Option<&Feature>,
        retires_at: Option<Timestamp>,
    ) -> Result<Self, Mistakes> {
        let retired = known.filter(|known| known.description.stage == Stage::Retired);
        let retires_at = retired.map_or(retires_at, |known| known.description.retires_at);
        let before = known.map(|known| known.description.clone());
        let description = Some(entry.description(retires_at)).filter(|new| before.as_ref() != Some(new));
        let terms = entry.next_terms(known.map(|known| &known.current.terms));
        let mut mistakes = entry.mistakes();
        mistakes.extend(terms.iter().flat_map(|terms| state.policy.effects.mistakes(terms)));
        if mistakes.is_empty() { Ok(Self { before, description, terms }) } else { Err(mistakes) }
    }

    async fn store(&self, transaction: &mut PgConnection) -> Result<(), AppError> {
        if let Some(description) = &self.description {
            store::describe_feature(transaction, description, self.before.as_ref()).await?;
        }
        if let Some(terms) = &self.terms {
            store::publish(transaction, terms).await?;
        }
        Ok(())
    }

    /// What the record says of it: what was done, to what, and more.
    fn writes(&self) -> Vec<(Action, String, Value)> {
        let described = self.description.as_ref().map(|description| {
            let Description { stage, name, retires_at, .. } = description;
            let retires_at = retires_at.map(|at| at.to_string()).unwrap_or_default();
            let digest = description.digest();
            let detail = json!({ "stage": stage, "name": name, "retires_at": retires_at, "digest": digest });
            (Action::FeatureDescribe, format!("PreviewFeature//{}", description.slug), detail)
        });
        let published = self.terms.as_ref().map(|terms| {
            let detail =
                json!({ "version": terms.version.to_string(), "digest": terms.digest(), "renewal": terms.renewal });
            (Action::StatementPublish, format!("PreviewFeature//{}", terms.feature), detail)
        });
        described.into_iter().chain(published).collect()
    }
}

/// Carries out all plans, or none of them.
///
/// # Errors
/// [`AppError::Conflict`] where somebody else was faster; the database's.
pub(super) async fn carry_out(
    plans: &[Plan],
    state: &AppState,
    administrator: Administrator<'_>,
) -> Result<(), AppError> {
    let actor = administrator.actor();
    let mut transaction = state.database.begin().await?;
    for plan in plans {
        if let Err(error) = plan.store(&mut transaction).await {
            transaction.rollback().await?;
            let detail = json!({ "code": error.code(), "message": error.to_string() });
            for (action, object, _) in plan.writes() {
                recorded(state, actor, action, Phase::Refused, &object, detail.clone()).await?;
            }
            return Err(error);
        }
    }
    for (action, object, detail) in plans.iter().flat_map(Plan::writes) {
        recorded_within(&mut transaction, actor.into(), action, &object, detail).await?;
    }
    Ok(transaction.commit().await?)
}
