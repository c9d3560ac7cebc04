//! Carrying out what an administrator wants of the catalogue.

use super::entry::Entry;
use crate::actor::Administrator;
use crate::audit::{Action, audited_in};
use crate::error::AppError;
use crate::preview::terms::{Mistakes, Terms};
use crate::preview::{Description, Feature, store};
use crate::state::AppState;
use serde_json::json;

/// What saving an entry would do.
pub(super) struct Plan {
    /// What is said about it now, if it is there.
    before: Option<Description>,
    description: Option<Description>,
    terms: Option<Terms>,
}

impl Plan {
    /// For an entry, or what is wrong with it, by the field of the form.
    pub(super) fn of(state: &AppState, entry: &Entry, known: Option<&Feature>) -> Result<Self, Mistakes> {
        let before = known.map(|known| known.description.clone());
        let description = Some(entry.description()).filter(|new| before.as_ref() != Some(new));
        let terms = entry.next_terms(known.map(|known| &known.current.terms));
        let mut mistakes = entry.mistakes();
        mistakes.extend(terms.iter().flat_map(|terms| state.policy.effects.mistakes(terms)));
        if mistakes.is_empty() { Ok(Self { before, description, terms }) } else { Err(mistakes) }
    }

    /// Describes and publishes, each a write of its own in the record.
    pub(super) async fn carry_out(self, state: &AppState, administrator: Administrator<'_>) -> Result<(), AppError> {
        let actor = administrator.actor();
        if let Some(description) = self.description {
            let object = format!("PreviewFeature//{}", description.slug);
            let detail = json!({ "stage": description.stage, "owner": description.owner, "name": description.name });
            audited_in(state, actor, Action::FeatureDescribe, &object, detail, || async {
                let mut transaction = state.database.begin().await?;
                store::describe_feature(&mut transaction, &description, self.before.as_ref()).await?;
                Ok(((), transaction))
            })
            .await?;
        }
        if let Some(terms) = self.terms {
            let object = format!("PreviewFeature//{}", terms.feature);
            let detail =
                json!({ "version": terms.version.to_string(), "digest": terms.digest(), "renewal": terms.renewal });
            audited_in(state, actor, Action::StatementPublish, &object, detail, || async {
                let mut transaction = state.database.begin().await?;
                store::publish(&mut transaction, &terms).await?;
                Ok(((), transaction))
            })
            .await?;
        }
        Ok(())
    }
}
