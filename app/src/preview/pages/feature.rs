//! `/preview-features/{slug}`: a statement to read, confirm point by point, and accept.

use super::features::{EndingSoon, cursor};
use super::{Changes, OptIns, Versions};
use crate::faq::markdown;
use crate::form::{FormErrors, Rejected};
use crate::preview::acceptance::AcceptanceDocument;
use crate::preview::paths;
use crate::preview::service::ScopeChoice;
use crate::preview::service::accepting::{Confirmation, FeatureOffer, OptInForm, load_feature};
use crate::preview::statement::{RiskStatement, Stage};
use crate::preview::{Feature, Version};
use crate::ui::{
    Badge, Breadcrumb, Checkbox, Code, Empty, ErrorSummary, Fact, Notice, Page, Section, Select, Submit, TextArea,
    Tone, page_with,
};
use jiff::Timestamp;
use leptos::prelude::*;

#[component]
pub fn FeaturePage() -> impl IntoView {
    let context = (Rejected::<OptInForm>::on_this_page(), use_context::<Confirmation>());
    page_with(Section::PreviewFeatures, context, |request, (rejected, confirming)| async move {
        let FeatureOffer { feature, earlier, choices, opt_ins } =
            load_feature(&request.state, request.actor()?, &request.param("slug"), cursor(&request)).await?;
        let crumbs = vec![("/preview-features".to_owned(), "Preview features".to_owned())];
        let name = feature.description.name.clone();
        if let Some(confirming) = confirming {
            let profile = &request.actor()?.profile;
            let person = format!("{}, {}", profile.name, profile.email);
            let body = view! {
                <Breadcrumb links=crumbs/>
                <h1>{name.clone()}</h1>
                <Confirm slug=feature.description.slug person=person confirmation=confirming/>
            };
            return Ok(Page::new(name, body));
        }
        let failed = rejected.as_ref().is_some_and(|rejected| !rejected.errors.is_empty());
        let (form, errors) = rejected.map(|rejected| (rejected.form, rejected.errors)).unwrap_or_default();
        let address = paths::feature(&feature.description.slug);
        let body = view! {
            <Breadcrumb links=crumbs/>
            <ErrorSummary errors=errors.clone()/>
            <h1>{name.clone()}</h1>
            <EndingSoon opt_ins=opt_ins.ending.clone()/>
            <About feature=feature.clone()/>
            <Statement feature=feature.clone() before=earlier.first().cloned()/>
            <Accepting feature=feature choices=choices form=form errors=errors/>
            <OptIns opt_ins=opt_ins address=address/>
            <Versions title="Earlier versions" versions=earlier/>
        };
        Ok(Page::new(name, body).with_errors(failed))
    })
}

#[component]
fn About(feature: Feature) -> impl IntoView {
    let description = feature.description;
    let documentation =
        description.documentation_url.map(|url| view! { <p><a href=url rel="noreferrer">"Documentation"</a></p> });
    let stage = (description.stage != Stage::Preview)
        .then(|| view! { <p><Badge tone=Tone::Info text=description.stage.in_words()/></p> });
    let owner = (!description.owner.is_empty()).then(|| view! { <p>"Owner: "{description.owner.clone()}</p> });
    view! {
        <p>{description.purpose}</p>
        {stage}
        {owner}
        {documentation}
    }
}

#[component]
fn Statement(feature: Feature, before: Option<Version>) -> impl IntoView {
    let Feature { description, current } = feature;
    let approvers = current.terms.approvers_in_words();
    let changes = before.map(|before| {
        let RiskStatement { version, changes, renewal, .. } = &current.terms;
        let new = format!("New in version {version}: {changes} {}", renewal.in_words());
        view! {
            <Notice tone=Tone::Info><p>{new}</p></Notice>
            <details>
                <summary>"What changed, line by line"</summary>
                <Changes before=before after=current.clone()/>
            </details>
        }
    });
    let terms = current.terms.clone();
    view! {
        <h2>"Risks"</h2>
        {changes}
        <div class="prose" inner_html=markdown(&terms.body)></div>
        <dl class="facts">
            <Fact term="What approval does">{terms.effect.in_words()}</Fact>
            <Fact term="How long">
                {format!("{} months from approval; then it is accepted again, or ends.", terms.validity_months)}
            </Fact>
            <Fact term="Approved by">{format!("{approvers}, never the person who accepts")}</Fact>
            <Fact term="Statement">
                {format!("Version {}, published on {}. ", terms.version, current.published_at.strftime("%-d %B %Y"))}
                <a href=paths::statement(&description.slug, terms.version)>"Exact text"</a>
                ", SHA-256 "<code>{current.digest.to_string()}</code>
            </Fact>
        </dl>
    }
}

#[component]
fn Accepting(
    feature: Feature,
    choices: Result<Vec<ScopeChoice>, crate::error::AppError>,
    form: OptInForm,
    errors: FormErrors,
) -> impl IntoView {
    match choices {
        _ if feature.description.stage == Stage::General => view! {
            <Empty title="Nothing to accept"><p>"This feature is part of the platform now."</p></Empty>
        }
        .into_any(),
        _ if feature.description.stage == Stage::Retired => {
            let until = feature.description.retires_at.filter(|at| *at > Timestamp::now());
            let words = match until.map(|at| at.strftime("%-d %B %Y").to_string()) {
                Some(day) => format!("Nobody can opt in any more, and what it gave is taken back on {day}."),
                None => "Nobody can opt in any more, and what it gave is taken back.".to_owned(),
            };
            view! { <Empty title="Retired"><p>"This feature is withdrawn. "{words}</p></Empty> }.into_any()
        }
        Err(error) => view! {
            <Notice tone=Tone::Bad>
                <p>{error.to_string()}" Until then you can read the risks, but not accept them."</p>
            </Notice>
        }
        .into_any(),
        Ok(choices) if choices.is_empty() => view! {
            <Empty title="You cannot opt in yourself">
                <p>
                    "Opting in needs somebody who may act for what it is for: an administrator of the namespace, or a \
                     lead of the team. "
                    <a href="/access">"See your access"</a>" for whom to ask."
                </p>
            </Empty>
        }
        .into_any(),
        Ok(choices) => view! { <OptIn feature=feature choices=choices form=form errors=errors/> }.into_any(),
    }
}

#[component]
fn OptIn(feature: Feature, choices: Vec<ScopeChoice>, form: OptInForm, errors: FormErrors) -> impl IntoView {
    let points = feature
        .current
        .terms
        .points
        .iter()
        .enumerate()
        .map(|(index, point)| {
            // Only what was ticked beside these very words.
            let ticked = form.digest == feature.current.digest.to_string() && form.points.contains(&index.to_string());
            view! {
                <Checkbox
                    name="points"
                    id=format!("points-{index}")
                    value=index.to_string()
                    label=point.clone()
                    checked=ticked
                    errors=errors.clone()
                />
            }
        })
        .collect_view();
    let scopes = choices.into_iter().map(|choice| (choice.scope.form_value(), choice.scope.to_string())).collect();
    view! {
        <h2>"Accept the risks"</h2>
        <form method="post" action=paths::feature(&feature.description.slug) class="form">
            <input type="hidden" id="digest" name="digest" value=feature.current.digest.to_string()/>
            <Select
                name="scope"
                label="For what"
                hint="A team or an environment stands for the namespaces that it has now; the next page lists them."
                value=form.scope
                options=scopes
                errors=errors.clone()
            />
            <fieldset>
                <legend>"Confirm each point"</legend>
                {points}
            </fieldset>
            <TextArea
                name="justification"
                label="Why you need it (optional)"
                rows="3"
                hint="Administrators and auditors read it. Leave out personal details: this text stays in the record."
                value=form.justification
                errors=errors
            />
            <p class="quiet">"Nothing is recorded yet: the next page shows exactly what will be."</p>
            <Submit label="Review acceptance"/>
        </form>
    }
}

/// Exactly what will be recorded, before it is.
#[component]
fn Confirm(slug: String, person: String, confirmation: Confirmation) -> impl IntoView {
    let Confirmation { form, document, is_changed } = confirmation;
    let changed = is_changed.then(|| view! {
        <Notice tone=Tone::Warn>
            <p>
                "Your groups, or what this is for, changed while you read it. Nothing was recorded; look at it once \
                 more."
            </p>
        </Notice>
    });
    let points = form
        .points
        .iter()
        .map(|point| view! { <input type="hidden" name="points" value=point.clone()/> })
        .collect_view();
    view! {
        <h2>"What will be recorded"</h2>
        {changed}
        <p>"By accepting you put this on record, under your name. It cannot be changed or removed later."</p>
        <dl class="facts"><Fact term="Accepted by">{person}</Fact></dl>
        <DocumentFacts document=document.clone()/>
        <details>
            <summary>"As the record holds it"</summary>
            <p>
                "The id, the time and the reference are set when you accept; you stand in it as a commitment, which \
                 only your details and a random number can open."
            </p>
            <Code label="Record" text=document.document()/>
        </details>
        <form method="post" action=format!("{}/accept", paths::feature(&slug)) class="form">
            <input type="hidden" name="digest" value=form.digest/>
            <input type="hidden" name="shown" value=document.digest_as_shown().to_string()/>
            <input type="hidden" name="scope" value=form.scope/>
            <input type="hidden" name="justification" value=form.justification/>
            {points}
            <div class="buttons">
                <Submit label="Accept risks"/>
                <Submit label="Change answers" secondary=true to=format!("{}/edit", paths::feature(&slug))/>
            </div>
        </form>
    }
}

/// What an acceptance says, for people.
#[component]
pub(super) fn DocumentFacts(document: AcceptanceDocument) -> impl IntoView {
    let points = document.points.iter().map(|point| view! { <li>{point.clone()}</li> }).collect_view();
    let list = |items: &[String]| if items.is_empty() { "none".to_owned() } else { items.join(", ") };
    let why = match document.justification.as_str() {
        "" => "no reason given".to_owned(),
        reason => reason.to_owned(),
    };
    view! {
        <dl class="facts">
            <Fact term="Feature">{document.feature.clone()}</Fact>
            <Fact term="For">{document.scope.to_string()}</Fact>
            <Fact term="Namespaces">{list(&document.namespaces)}</Fact>
            <Fact term="Groups that get it">{list(&document.groups)}</Fact>
            <Fact term="Statement">
                {format!("version {}, SHA-256 ", document.statement_version)}
                <code>{document.statement_digest.to_string()}</code>
            </Fact>
            <Fact term="Confirmed"><ul>{points}</ul></Fact>
            <Fact term="Why">{why}</Fact>
            <Fact term="Groups of the person">{list(&document.person_groups)}</Fact>
        </dl>
    }
    .into_any()
}
