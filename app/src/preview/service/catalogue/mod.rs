//! Keeping the catalogue: in forms, and as YAML.

mod entry;
mod form;
mod saving;

pub use form::FeatureForm;

use crate::actor::Actor;
use crate::audit::record_event;
use crate::error::AppError;
use crate::form::{FormErrors, FormOutcome};
use crate::preview::statement::{Effect, Stage};
use crate::preview::store;
use crate::preview::{Feature, Version};
use crate::state::AppState;
use entry::Entry;
use jiff::{Timestamp, Unit};
use record::{Event, ExportOf};
use saving::{Plan, carry_out};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// # Errors
/// [`AppError::NotFound`] for everyone but administrators, and where there is no such feature.
pub async fn save_feature(
    state: &AppState,
    actor: &Actor,
    slug: &str,
    form: FeatureForm,
) -> Result<FormOutcome<FeatureForm>, AppError> {
    let administrator = actor.administrator()?;
    let form = if slug == "new" { form } else { FeatureForm { slug: slug.to_owned(), ..form } };
    let entry = form.entry();
    let features = store::list_features(&state.database).await?;
    let known = features.iter().find(|feature| feature.description.slug == entry.slug);
    let mut errors = FormErrors::default();
    if slug == "new" && known.is_some() {
        errors.add("slug", "There is a feature of this name already; open it from the catalogue.");
        return Ok(FormOutcome::again(form, errors));
    }
    if slug != "new" && known.is_none() {
        return Err(AppError::NotFound);
    }
    for (field, message) in entry.clashes(features.iter().filter_map(set_by)) {
        errors.add(field, message);
    }
    let seen = known.map(form::seen).unwrap_or_default();
    if slug != "new" && form.seen != seen {
        errors.add(
            "seen",
            "Somebody else has changed this feature in the meantime. Look at the versions below and at \
            the catalogue, and save again if you still want all of this.",
        );
        return Ok(FormOutcome::again(FeatureForm { seen, ..form }, errors));
    }
    let retires = entry.stage == Stage::Retired && known.is_some_and(|known| known.description.stage != Stage::Retired);
    if retires && form.retire.trim() != entry.slug {
        let current = store::count_current(&state.database, &entry.slug).await?;
        errors.add(
            "retire",
            format!(
                "Retiring ends every opt-in, {current} now, and takes back what they gave on the day that you choose. \
                 Type {} to confirm.",
                entry.slug
            ),
        );
    }
    // Not asked for yet: the page asks with what is usual filled in.
    let form =
        if retires && form.retire.is_empty() && form.retire_days.is_empty() { form.with_usual_days() } else { form };
    let now = Timestamp::now().round(Unit::Second).unwrap_or_default();
    let retires_at = if retires { errors.take("retire_days", form.retires_at(now)).flatten() } else { None };
    if form.stage.parse::<Stage>().is_err() {
        errors.add("stage", "Choose a stage.");
    }
    match Plan::of(state, &entry, known, retires_at) {
        Ok(plan) if errors.is_empty() => match carry_out(&[plan], state, administrator).await {
            Ok(()) => Ok(FormOutcome::Done(format!("/admin/features?saved={}", entry.slug))),
            Err(error @ AppError::Refused(_)) => {
                errors.add("seen", error);
                Ok(FormOutcome::again(form, errors))
            }
            Err(error) => Err(error),
        },
        Ok(_) => Ok(FormOutcome::again(form, errors)),
        Err(mistakes) => {
            mistakes.into_iter().for_each(|(field, message)| errors.add(field, message));
            Ok(FormOutcome::again(form, errors))
        }
    }
}

/// What a feature sets that may still be in the cluster or come there, with its name.
fn set_by(feature: &Feature) -> Option<(&str, &Effect)> {
    let is_over = feature.description.stage == Stage::Retired
        && feature.description.retires_at.is_none_or(|at| at <= Timestamp::now());
    (!is_over).then_some((feature.description.slug.as_str(), &feature.current.terms.effect))
}

/// The catalogue, for administrators.
///
/// # Errors
/// [`AppError::NotFound`] for everyone else.
pub async fn load_catalogue(state: &AppState, actor: &Actor) -> Result<Vec<Feature>, AppError> {
    actor.administrator()?;
    store::list_features(&state.database).await
}

/// A feature with all versions of its statement, the newest first.
///
/// # Errors
/// [`AppError::NotFound`] for everyone but administrators, and where there is none.
pub async fn load_versions(state: &AppState, actor: &Actor, slug: &str) -> Result<(Feature, Vec<Version>), AppError> {
    actor.administrator()?;
    Ok((store::find_feature(&state.database, slug).await?, store::list_versions(&state.database, slug).await?))
}

/// The catalogue as YAML. That somebody exported it is recorded first.
///
/// # Errors
/// [`AppError::NotFound`] for everyone but administrators.
pub async fn export_catalogue(state: &AppState, actor: &Actor) -> Result<String, AppError> {
    let entries: Vec<Entry> = load_catalogue(state, actor).await?.into_iter().map(Entry::of).collect();
    let yaml = serde_saphyr::to_string(&entries).map_err(|error| {
        tracing::error!(%error, "the catalogue cannot be written");
        AppError::Internal
    })?;
    let rows = u64::try_from(entries.len()).ok();
    let event = Event::RecordExport { of: ExportOf::Catalogue, filter: BTreeMap::new(), rows, database_user: None };
    record_event(state, actor, &event).await?;
    Ok(yaml)
}

/// YAML to be taken into the catalogue, as pasted.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct CatalogueForm {
    pub catalogue: String,
}

/// Takes a catalogue in YAML: all of it, or nothing where anything is wrong.
///
/// # Errors
/// [`AppError::NotFound`] for everyone but administrators.
pub async fn import_catalogue(
    state: &AppState,
    actor: &Actor,
    form: CatalogueForm,
) -> Result<FormOutcome<CatalogueForm>, AppError> {
    let administrator = actor.administrator()?;
    let mut errors = FormErrors::default();
    let mut entries: Vec<Entry> = match serde_saphyr::from_str::<Vec<Entry>>(&form.catalogue) {
        Ok(entries) => entries.into_iter().map(Entry::normalized).collect(),
        Err(error) => {
            // Then comes a picture of the place, which is none in one line.
            let error = error.to_string();
            let what = error.lines().next().unwrap_or_default().trim_start_matches("error: ");
            errors.add("catalogue", format!("This is no catalogue: {what}"));
            return Ok(FormOutcome::again(form, errors));
        }
    };
    if entries.is_empty() {
        errors.add("catalogue", "Paste a catalogue: a list with at least one feature.");
    }
    // Two imports lock features in the same order, and neither waits for the other for ever.
    entries.sort_by(|one, other| one.slug.cmp(&other.slug));
    let features = store::list_features(&state.database).await?;
    let mut seen = BTreeSet::new();
    for entry in entries.iter().filter(|entry| !seen.insert(entry.slug.as_str())) {
        errors.add("catalogue", format!("{} is there twice.", entry.slug));
    }
    let mut plans = Vec::new();
    for entry in &entries {
        let known = features.iter().find(|feature| feature.description.slug == entry.slug);
        // A catalogue that was exported before must neither bring a feature back nor end its opt-ins unseen.
        if known.is_some_and(|known| (known.description.stage == Stage::Retired) != (entry.stage == Stage::Retired)) {
            errors.add(
                "catalogue",
                format!(
                    "{}, stage: a feature is retired, and brought back, in its own form, \
                where what that means is shown.",
                    entry.slug
                ),
            );
        }
        let kept = features.iter().filter(|feature| !seen.contains(feature.description.slug.as_str()));
        let taken_in = entries.iter().filter(|other| other.stage != Stage::Retired);
        let others = kept.filter_map(set_by).chain(taken_in.map(|other| (other.slug.as_str(), &other.effect)));
        for (field, message) in entry.clashes(others) {
            errors.add("catalogue", format!("{}, {field}: {message}", entry.slug));
        }
        match Plan::of(state, entry, known, None) {
            Ok(plan) => plans.push(plan),
            Err(mistakes) => mistakes
                .into_iter()
                .for_each(|(field, message)| errors.add("catalogue", format!("{}, {field}: {message}", entry.slug))),
        }
    }
    if !errors.is_empty() {
        return Ok(FormOutcome::again(form, errors));
    }
    match carry_out(&plans, state, administrator).await {
        Ok(()) => Ok(FormOutcome::Done("/admin/features?saved=catalogue".to_owned())),
        Err(error @ AppError::Refused(_)) => {
            errors.add("catalogue", error);
            Ok(FormOutcome::again(form, errors))
        }
        Err(error) => Err(error),
    }
}
