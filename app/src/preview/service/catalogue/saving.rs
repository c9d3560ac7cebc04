//! Carrying out what an administrator wants of the catalogue.

use super::entry::Entry;
use crate::actor::Administrator;
use crate::audit::{RecordActor, record_event_in, record_refusal};
use crate::error::AppError;
use crate::preview::statement::{Mistakes, RiskStatement, Stage};
use crate::preview::{Description, Feature, store};
use crate::state::AppState;
use jiff::Timestamp;
use record::{Event, Failure};
use sqlx::PgConnection;

/// What saving an entry would do.
pub(super) struct Plan {
    /// What is said about it now, if it is there.
    before: Option<Description>,
    description: Option<Description>,
    terms: Option<RiskStatement>,
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

    fn events(&self) -> Vec<Event> {
        let described = self.description.as_ref().map(|description| Event::FeatureDescribe {
            feature: description.slug.clone(),
            name: description.name.clone(),
            stage: description.stage,
            retires_at: description.retires_at,
            digest: description.digest(),
        });
        let published = self.terms.as_ref().map(|terms| Event::StatementPublish {
            feature: terms.feature.clone(),
            version: terms.version,
            digest: terms.digest(),
            renewal: terms.renewal,
        });
        described.into_iter().chain(published).collect()
    }
}

/// Carries out all plans, or none of them.
///
/// # Errors
/// [`PreviewError`](crate::preview::errors::PreviewError) where somebody else was faster; the database's.
pub(super) async fn carry_out(
    plans: &[Plan],
    state: &AppState,
    administrator: Administrator<'_>,
) -> Result<(), AppError> {
    let actor = RecordActor::from(administrator.actor());
    let mut transaction = state.database.begin().await?;
    for plan in plans {
        if let Err(error) = plan.store(&mut transaction).await {
            transaction.rollback().await?;
            let failure = Failure { code: error.code().to_owned(), message: error.to_string() };
            for event in plan.events() {
                record_refusal(state, actor.clone(), &event, failure.clone()).await?;
            }
            return Err(error);
        }
    }
    for event in plans.iter().flat_map(Plan::events) {
        record_event_in(&mut transaction, &actor, &event).await?;
    }
    Ok(transaction.commit().await?)
}
