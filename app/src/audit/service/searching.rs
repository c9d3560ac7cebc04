//! Finding rows, and what the record names people by.

use crate::actor::{Profile, RecordReader};
use crate::audit::controls::{Control, covering};
use crate::audit::{Filter, Write, store};
use crate::error::AppError;
use crate::state::AppState;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use record::{Action, Digest, ExportedRow, Identity};
use serde::{Deserialize, Serialize};
use sqlx::{PgConnection, PgExecutor};
use std::collections::BTreeMap;
use uuid::Uuid;

/// What the record commits to of somebody who acts.
#[must_use]
pub fn details_of(profile: &Profile) -> String {
    Identity::details(&profile.issuer, &profile.subject, &profile.name, &profile.email)
}

/// What the record names somebody by.
///
/// # Errors
/// When the database is unavailable.
pub async fn commitment_to(state: &AppState, who: &Profile) -> Result<Digest, AppError> {
    commitment_within(&mut *state.database.acquire().await?, who).await
}

/// What the record names whoever has, or had, an address by; nothing where it knows nobody of that address.
///
/// # Errors
/// When the database is unavailable.
pub async fn commitments_of(state: &AppState, address: &str) -> Result<Vec<Digest>, AppError> {
    Ok(store::list_commitments(&state.database, address).await?)
}

/// As [`commitment_to`], within a transaction.
///
/// # Errors
/// When the database is unavailable.
pub async fn commitment_within(transaction: &mut PgConnection, who: &Profile) -> Result<Digest, AppError> {
    Ok(store::commit_to(transaction, &details_of(who)).await?)
}

/// The rows of the record about an acceptance, as they are exported.
///
/// # Errors
/// When the database is unavailable.
pub async fn rows_of_acceptance(database: impl PgExecutor<'_>, acceptance: Uuid) -> Result<Vec<ExportedRow>, AppError> {
    Ok(store::list_rows_of_acceptance(database, acceptance).await?)
}

/// How many writes a page shows.
pub const PAGE_SIZE: i64 = 50;

/// What is looked for in the record, as typed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct FilterForm {
    /// Part of a name or address.
    pub person: String,
    /// An [`Action`] by its name.
    pub action: String,
    /// The name or id of an object, or what it belongs to.
    pub object: String,
    /// The reference of a request.
    pub reference: String,
    /// The first day, as `2026-11-23`.
    pub from: String,
    pub to: String,
    /// A control, by its id.
    pub control: String,
}

impl FilterForm {
    /// What it asks for, and what is wrong with it: a day that is none asks for nothing, and is said to be wrong.
    #[must_use]
    pub fn filter(&self, controls: &[Control]) -> (Filter, Vec<(&'static str, &'static str)>) {
        let mut wrong = Vec::new();
        let mut day = |field, text: &str, days_later: i64| {
            let text = text.trim();
            if text.is_empty() {
                return None;
            }
            let begins = text
                .parse::<Date>()
                .ok()
                .and_then(|date| date.checked_add(jiff::Span::new().days(days_later)).ok())
                .and_then(|date| date.to_zoned(TimeZone::UTC).ok());
            if begins.is_none() {
                wrong.push((field, "Enter a day like 2026-11-23."));
            }
            begins.map(|begins| begins.timestamp())
        };
        let evidence = controls.iter().find(|control| control.id == self.control).map(Control::evidence);
        let action = self.action.parse::<Action>().ok();
        let filter = Filter {
            person: self.person.trim().to_owned(),
            object: self.object.trim().to_owned(),
            reference: self.reference.trim().to_owned(),
            from: day("from", &self.from, 0),
            until: day("to", &self.to, 1),
            action,
            evidence,
        };
        if matches!((filter.from, filter.until), (Some(from), Some(until)) if from >= until) {
            wrong.push(("to", "Enter a day that is not before the first."));
        }
        if action.is_none() && !self.action.is_empty() {
            wrong.push(("action", "Choose what they did from the list."));
        }
        if filter.evidence.is_none() && !self.control.is_empty() {
            wrong.push(("control", "Choose a control from the list."));
        }
        (filter, wrong)
    }

    /// The fields that are filled in, for an address.
    #[must_use]
    pub fn query(&self) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        for (name, value) in self.fields().into_iter().filter(|(_, value)| !value.is_empty()) {
            query.append_pair(name, value);
        }
        query.finish()
    }

    /// What the record keeps of it. Whom it was about is left out: it could not be erased.
    #[must_use]
    pub fn recorded(&self) -> BTreeMap<String, String> {
        let given = self.fields().into_iter().filter(|(_, value)| !value.is_empty());
        let shown = |name: &str, value: &str| if name == "person" { "(somebody)".to_owned() } else { value.to_owned() };
        given.map(|(name, value)| (name.to_owned(), shown(name, value))).collect()
    }

    /// Every field with its value.
    #[must_use]
    pub fn fields(&self) -> [(&'static str, &str); 7] {
        [
            ("person", &self.person),
            ("action", &self.action),
            ("object", &self.object),
            ("reference", &self.reference),
            ("from", &self.from),
            ("to", &self.to),
            ("control", &self.control),
        ]
    }
}

/// A write with the controls that it is evidence for.
pub struct TaggedWrite {
    pub write: Write,
    /// Ids of controls.
    pub controls: Vec<String>,
}

/// A page of the record, the newest first.
///
/// # Errors
/// When the database is unavailable.
pub async fn load_writes(
    state: &AppState,
    _: RecordReader,
    before: Option<i64>,
    filter: &Filter,
) -> Result<Vec<TaggedWrite>, AppError> {
    let writes = store::list_writes(&state.database, before.unwrap_or(i64::MAX), filter, PAGE_SIZE).await?;
    let with_controls = |write: Write| {
        let controls = covering(&state.policy.controls, &write.action, &write.object);
        TaggedWrite { controls: controls.map(|control| control.id.clone()).collect(), write }
    };
    Ok(writes.into_iter().map(with_controls).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_whole_and_in_utc() {
        let form = FilterForm { from: "2026-11-01".into(), to: " 2026-11-30 ".into(), ..FilterForm::default() };
        let (filter, wrong) = form.filter(&[]);
        assert_eq!(wrong, []);
        assert_eq!(filter.from.map(|at| at.to_string()).as_deref(), Some("2026-11-01T00:00:00Z"));
        assert_eq!(filter.until.map(|at| at.to_string()).as_deref(), Some("2026-12-01T00:00:00Z"));
    }

    #[test]
    fn a_day_that_is_none_is_said_to_be_wrong() {
        let form = FilterForm { from: "yesterday".into(), to: "2026-02-30".into(), ..FilterForm::default() };
        let (filter, wrong) = form.filter(&[]);
        assert_eq!(wrong.iter().map(|(field, _)| *field).collect::<Vec<_>>(), ["from", "to"]);
        assert_eq!((filter.from, filter.until), (None, None));
    }

    #[test]
    fn an_action_beside_a_control_asks_for_what_is_both() {
        let actions = vec![Action::SignIn, Action::SignOut];
        let control = Control { id: "A.1".into(), actions: actions.clone(), ..Control::default() };
        let form = FilterForm { control: "A.1".into(), action: "workload.apply".into(), ..FilterForm::default() };
        let (filter, wrong) = form.filter(&[control]);
        assert_eq!((filter.action, wrong), (Some(Action::WorkloadApply), Vec::new()));
        assert_eq!(filter.evidence, Some(crate::audit::EvidenceFilter { actions, names: Vec::new() }));
    }

    #[test]
    fn the_address_of_a_filter_reads_back() {
        let form = FilterForm { person: "a&b".into(), control: "ISO 27001 A.8.32".into(), ..FilterForm::default() };
        assert_eq!(serde_html_form::from_str::<FilterForm>(&form.query()).ok(), Some(form));
    }
}
