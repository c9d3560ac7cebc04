//! Keeping the catalogue: in forms, and as YAML.

use crate::actor::{Actor, Administrator};
use crate::audit::{Action, audited_in};
use crate::error::AppError;
use crate::form::{FormErrors, FormOutcome, decode};
use crate::namespaces::is_dns_label;
use crate::preview::store;
use crate::preview::terms::{Effect, Renewal, ScopeKind, Stage, Terms};
use crate::preview::{Description, Feature, Version};
use crate::state::AppState;
use axum::extract::{Path, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

/// A feature, as an administrator types it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct FeatureForm {
    /// In the address.
    pub slug: String,
    /// Its name.
    pub name: String,
    /// What it is for.
    pub purpose: String,
    /// Who answers for it.
    pub owner: String,
    /// Where it is documented.
    pub documentation_url: String,
    /// How far it has come.
    pub stage: String,
    /// The risk statement.
    pub body: String,
    /// What is confirmed, one a line.
    pub points: String,
    /// Kinds of scopes.
    pub scopes: Vec<String>,
    /// How long an approval lasts.
    pub validity_months: String,
    /// How many approve.
    pub approvals: String,
    /// `by_hand`, `metadata` or `role_binding`.
    pub effect: String,
    /// `key=value`, one a line.
    pub labels: String,
    /// The same.
    pub annotations: String,
    /// What a RoleBinding gives.
    pub cluster_role: String,
    /// What changed.
    pub changes: String,
    /// Days until earlier acceptances end; empty where they go on.
    pub renewal_days: String,
    /// The version that was there when the form was opened.
    pub version: String,
}

impl FeatureForm {
    /// The form of a feature as it is.
    #[must_use]
    pub fn of(feature: &Feature) -> Self {
        let Feature { description, current } = feature.clone();
        let terms = current.terms;
        let lines = |pairs: &BTreeMap<String, String>| {
            pairs.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join("\n")
        };
        let (effect, labels, annotations, cluster_role) = match &terms.effect {
            Effect::ByHand => ("by_hand", String::new(), String::new(), String::new()),
            Effect::Metadata { labels, annotations } => ("metadata", lines(labels), lines(annotations), String::new()),
            Effect::RoleBinding { cluster_role } => {
                ("role_binding", String::new(), String::new(), cluster_role.clone())
            }
        };
        Self {
            slug: description.slug,
            name: description.name,
            purpose: description.purpose,
            owner: description.owner,
            documentation_url: description.documentation_url.unwrap_or_default(),
            stage: description.stage.stored().to_owned(),
            body: terms.body,
            points: terms.points.join("\n"),
            scopes: terms.scopes.iter().map(|scope| scope.stored().to_owned()).collect(),
            validity_months: terms.validity_months.to_string(),
            approvals: terms.approvals.to_string(),
            effect: effect.to_owned(),
            labels,
            annotations,
            cluster_role,
            changes: String::new(),
            renewal_days: String::new(),
            version: terms.version.to_string(),
        }
    }

    /// An empty form with what is usual.
    #[must_use]
    pub fn empty() -> Self {
        Self {
            stage: Stage::Preview.stored().to_owned(),
            scopes: vec![ScopeKind::Namespace.stored().to_owned()],
            validity_months: "12".to_owned(),
            approvals: "1".to_owned(),
            effect: "by_hand".to_owned(),
            version: "0".to_owned(),
            ..Self::default()
        }
    }

    fn entry(&self) -> Entry {
        let text = |text: &str| text.trim().replace("\r\n", "\n");
        let effect = match self.effect.as_str() {
            "metadata" => Effect::Metadata { labels: pairs(&self.labels), annotations: pairs(&self.annotations) },
            "role_binding" => Effect::RoleBinding { cluster_role: self.cluster_role.trim().to_owned() },
            _ => Effect::ByHand,
        };
        let renewal = match self.renewal_days.trim() {
            "" => Renewal::NotNeeded,
            // What is no number is no number of days either, and said to be wrong.
            days => Renewal::WithinDays(days.parse().unwrap_or(0)),
        };
        Entry {
            slug: text(&self.slug),
            name: text(&self.name),
            purpose: text(&self.purpose),
            owner: text(&self.owner),
            documentation_url: Some(text(&self.documentation_url)).filter(|url| !url.is_empty()),
            stage: Stage::from_stored(&self.stage).unwrap_or_default(),
            body: text(&self.body),
            points: self.points.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect(),
            scopes: ScopeKind::ALL
                .into_iter()
                .filter(|kind| self.scopes.iter().any(|sent| sent == kind.stored()))
                .collect(),
            validity_months: self.validity_months.trim().parse().unwrap_or(0),
            approvals: self.approvals.trim().parse().unwrap_or(0),
            effect,
            renewal,
            changes: text(&self.changes),
        }
    }
}

/// `key=value`, one a line. A line without `=` is a key without a value, which the rules then name.
fn pairs(lines: &str) -> BTreeMap<String, String> {
    lines
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .map(|line| line.split_once('=').unwrap_or((line, "\u{0}")))
        .map(|(key, value)| (key.trim().to_owned(), value.trim().to_owned()))
        .collect()
}

/// A feature in the catalogue's YAML.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    slug: String,
    name: String,
    purpose: String,
    owner: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    documentation_url: Option<String>,
    stage: Stage,
    body: String,
    points: Vec<String>,
    scopes: Vec<ScopeKind>,
    validity_months: u16,
    approvals: u8,
    #[serde(default)]
    effect: Effect,
    #[serde(default)]
    renewal: Renewal,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    changes: String,
}

impl Entry {
    fn of(feature: Feature) -> Self {
        let Feature { description, current: Version { terms, .. } } = feature;
        Self {
            slug: description.slug,
            name: description.name,
            purpose: description.purpose,
            owner: description.owner,
            documentation_url: description.documentation_url,
            stage: description.stage,
            body: terms.body,
            points: terms.points,
            scopes: terms.scopes,
            validity_months: terms.validity_months,
            approvals: terms.approvals,
            effect: terms.effect,
            renewal: terms.renewal,
            changes: terms.changes,
        }
    }

    fn description(&self) -> Description {
        Description {
            slug: self.slug.clone(),
            name: self.name.clone(),
            purpose: self.purpose.clone(),
            owner: self.owner.clone(),
            documentation_url: self.documentation_url.clone(),
            stage: self.stage,
        }
    }

    /// The terms it would publish after those there are; none where they say the same.
    fn next_terms(&self, current: Option<&Terms>) -> Option<Terms> {
        let terms = Terms {
            feature: self.slug.clone(),
            name: self.name.clone(),
            version: current.map_or(1, |current| current.version + 1),
            body: self.body.clone(),
            points: self.points.clone(),
            scopes: self.scopes.clone(),
            validity_months: self.validity_months,
            approvals: self.approvals,
            effect: self.effect.clone(),
            renewal: self.renewal,
            changes: self.changes.clone(),
        };
        Some(terms).filter(|terms| current.is_none_or(|current| !terms.says_the_same_as(current)))
    }

    /// What is wrong with the description, by the field of the form.
    fn mistakes(&self) -> Vec<(&'static str, String)> {
        let mut mistakes = Vec::new();
        let mut wrong = |field, message: &str| mistakes.push((field, message.to_owned()));
        if !is_dns_label(&self.slug)
            || self.slug.len() > LONGEST_SLUG
            || ["new", "acceptances"].contains(&self.slug.as_str())
        {
            wrong(
                "slug",
                "Enter a short name of lower-case letters, digits and '-'; it becomes part of the address. It cannot be new or acceptances.",
            );
        }
        if self.purpose.is_empty() {
            wrong("purpose", "Say in a sentence what it is for.");
        }
        if self.owner.is_empty() {
            wrong("owner", "Say who answers for it: a team, or an address.");
        }
        let is_address = |url: &String| url::Url::parse(url).is_ok_and(|url| matches!(url.scheme(), "http" | "https"));
        if self.documentation_url.as_ref().is_some_and(|url| !is_address(url)) {
            wrong("documentation_url", "Enter an address that begins with https://, or leave it empty.");
        }
        mistakes
    }
}

/// The slug is part of a name in the cluster that has 63 characters at most.
const LONGEST_SLUG: usize = 40;

/// What saving an entry would do.
struct Plan {
    description: Option<Description>,
    terms: Option<Terms>,
}

impl Plan {
    fn of(state: &AppState, entry: &Entry, known: Option<&Feature>) -> Result<Self, Vec<(&'static str, String)>> {
        let description = Some(entry.description()).filter(|new| known.is_none_or(|known| known.description != *new));
        let terms = entry.next_terms(known.map(|known| &known.current.terms));
        let mut mistakes = entry.mistakes();
        mistakes.extend(terms.iter().flat_map(|terms| state.policy.effects.mistakes(terms)));
        if mistakes.is_empty() { Ok(Self { description, terms }) } else { Err(mistakes) }
    }

    /// Describes and publishes, each a write of its own in the record.
    async fn carry_out(self, state: &AppState, administrator: Administrator<'_>) -> Result<(), AppError> {
        let actor = administrator.actor();
        if let Some(description) = self.description {
            let object = format!("PreviewFeature//{}", description.slug);
            let detail = json!({ "stage": description.stage, "owner": description.owner, "name": description.name });
            audited_in(state, actor, Action::FeatureDescribe, &object, detail, || async {
                let mut transaction = state.database.begin().await?;
                store::describe_feature(&mut transaction, &description).await?;
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

/// `POST /admin/features/{slug}`, where `new` is a new one.
///
/// # Errors
/// Whatever is not the form's fault.
pub async fn post_feature(
    State(state): State<AppState>,
    actor: Actor,
    Path(slug): Path<String>,
    parts: Parts,
    body: String,
) -> Result<Response, AppError> {
    actor.administrator()?;
    let form: FeatureForm = decode(&body)?;
    let outcome = save_feature(&state, &actor, &slug, form).await?;
    Ok(outcome.respond(state, parts).await)
}

async fn save_feature(
    state: &AppState,
    actor: &Actor,
    slug: &str,
    form: FeatureForm,
) -> Result<FormOutcome<FeatureForm>, AppError> {
    let administrator = actor.administrator()?;
    let form = if slug == "new" { form } else { FeatureForm { slug: slug.to_owned(), ..form } };
    let entry = form.entry();
    let known = match store::find_feature(&state.database, &entry.slug).await {
        Ok(feature) => Some(feature),
        Err(AppError::NotFound) if slug == "new" => None,
        Err(error) => return Err(error),
    };
    let mut errors = FormErrors::default();
    if slug == "new" && known.is_some() {
        errors.add("slug", "There is a feature of this name already; open it from the catalogue.");
    }
    let seen = known.as_ref().map_or("0".to_owned(), |known| known.current.terms.version.to_string());
    if slug != "new" && form.version != seen {
        errors.add("version", "Somebody else has published a version in the meantime. Look at it below, and save again if you still want to.");
        return Ok(FormOutcome::again(FeatureForm { version: seen, ..form }, errors));
    }
    if Stage::from_stored(&form.stage).is_none() {
        errors.add("stage", "Choose a stage.");
    }
    match Plan::of(state, &entry, known.as_ref()) {
        Ok(plan) if errors.is_empty() => {
            plan.carry_out(state, administrator).await?;
            Ok(FormOutcome::Done(format!("/admin/features?saved={}", entry.slug)))
        }
        Ok(_) => Ok(FormOutcome::again(form, errors)),
        Err(mistakes) => {
            mistakes.into_iter().for_each(|(field, message)| errors.add(field, message));
            Ok(FormOutcome::again(form, errors))
        }
    }
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
/// [`AppError::NotFound`] for everyone but administrators and auditors, and where there is none.
pub async fn load_versions(state: &AppState, actor: &Actor, slug: &str) -> Result<(Feature, Vec<Version>), AppError> {
    actor.administrator()?;
    Ok((store::find_feature(&state.database, slug).await?, store::list_versions(&state.database, slug).await?))
}

/// `GET /admin/features/catalogue.yaml`.
///
/// # Errors
/// [`AppError::NotFound`] for everyone but administrators.
pub async fn get_catalogue(State(state): State<AppState>, actor: Actor) -> Result<Response, AppError> {
    let entries: Vec<Entry> = load_catalogue(&state, &actor).await?.into_iter().map(Entry::of).collect();
    let yaml = serde_saphyr::to_string(&entries).map_err(|error| {
        tracing::error!(%error, "the catalogue cannot be written");
        AppError::Internal
    })?;
    let headers =
        [(CONTENT_TYPE, "application/yaml"), (CONTENT_DISPOSITION, "attachment; filename=\"preview-features.yaml\"")];
    Ok((headers, yaml).into_response())
}

/// YAML to be taken into the catalogue, as pasted.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct CatalogueForm {
    /// A list of features.
    pub catalogue: String,
}

/// `POST /admin/features`: takes a catalogue in YAML: all of it, or nothing where anything is wrong.
///
/// # Errors
/// Whatever is not the form's fault.
pub async fn post_catalogue(
    State(state): State<AppState>,
    actor: Actor,
    parts: Parts,
    body: String,
) -> Result<Response, AppError> {
    actor.administrator()?;
    let form: CatalogueForm = decode(&body)?;
    let outcome = import(&state, &actor, form).await?;
    Ok(outcome.respond(state, parts).await)
}

async fn import(state: &AppState, actor: &Actor, form: CatalogueForm) -> Result<FormOutcome<CatalogueForm>, AppError> {
    let administrator = actor.administrator()?;
    let mut errors = FormErrors::default();
    let entries: Vec<Entry> = match serde_saphyr::from_str(&form.catalogue) {
        Ok(entries) => entries,
        Err(error) => {
            errors.add("catalogue", format!("This is no catalogue: {error}"));
            return Ok(FormOutcome::again(form, errors));
        }
    };
    if entries.is_empty() {
        errors.add("catalogue", "Paste a catalogue: a list with at least one feature.");
    }
    let known = store::list_features(&state.database).await?;
    let mut seen = BTreeSet::new();
    for entry in entries.iter().filter(|entry| !seen.insert(entry.slug.as_str())) {
        errors.add("catalogue", format!("{} is there twice.", entry.slug));
    }
    let mut plans = Vec::new();
    for entry in &entries {
        let known = known.iter().find(|feature| feature.description.slug == entry.slug);
        match Plan::of(state, entry, known) {
            Ok(plan) => plans.push(plan),
            Err(mistakes) => mistakes
                .into_iter()
                .for_each(|(field, message)| errors.add("catalogue", format!("{}, {field}: {message}", entry.slug))),
        }
    }
    if !errors.is_empty() {
        return Ok(FormOutcome::again(form, errors));
    }
    for plan in plans {
        plan.carry_out(state, administrator).await?;
    }
    Ok(FormOutcome::Done("/admin/features?saved=catalogue".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Digest;
    use jiff::Timestamp;

    fn feature(effect: Effect) -> Feature {
        let form = FeatureForm {
            slug: "snippets".into(),
            name: "Snippets: \"quoted\"".into(),
            purpose: "Rewrites".into(),
            owner: "platform".into(),
            body: "Risky.\n\n- one\n- two".into(),
            points: "First\nSecond".into(),
            ..FeatureForm::empty()
        };
        let entry = Entry { effect, ..form.entry() };
        let terms = entry.next_terms(None).unwrap();
        let current =
            Version { document: terms.document(), digest: Digest::ZERO, published_at: Timestamp::UNIX_EPOCH, terms };
        Feature { description: entry.description(), current }
    }

    #[test]
    fn a_feature_reads_back_from_its_form_and_from_yaml() {
        let labels = BTreeMap::from([("preview.fairway.dev/a".to_owned(), "on".to_owned())]);
        for effect in [
            Effect::ByHand,
            Effect::Metadata { labels, annotations: BTreeMap::new() },
            Effect::RoleBinding { cluster_role: "editor".into() },
        ] {
            let feature = feature(effect);
            let entry = Entry::of(feature.clone());
            assert_eq!(FeatureForm::of(&feature).entry(), entry);
            let yaml = serde_saphyr::to_string(&vec![entry.clone()]).unwrap();
            assert_eq!(serde_saphyr::from_str::<Vec<Entry>>(&yaml).unwrap(), std::slice::from_ref(&entry), "{yaml}");
            // Taking the same once more publishes nothing.
            assert_eq!(entry.next_terms(Some(&feature.current.terms)), None);
        }
    }

    #[test]
    fn a_line_without_a_value_is_not_taken_for_a_label() {
        assert_eq!(
            pairs("a=b\n\n c = d \nwrong"),
            BTreeMap::from([
                ("a".to_owned(), "b".to_owned()),
                ("c".to_owned(), "d".to_owned()),
                ("wrong".to_owned(), "\u{0}".to_owned()),
            ])
        );
    }
}
