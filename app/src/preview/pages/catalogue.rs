//! `/admin/features` and `/admin/features/{slug}`: keeping the catalogue.

use super::Versions;
use crate::form::{FormErrors, Rejected};
use crate::preview::paths;
use crate::preview::service::catalogue::{CatalogueForm, FeatureForm, load_catalogue, load_versions};
use crate::preview::statement::{ScopeKind, Stage};
use crate::ui::{
    Breadcrumb, Checkbox, Empty, ErrorSummary, Field, Notice, Page, Section, Select, Submit, Table, TextArea, Tone,
    page_with,
};
use leptos::prelude::*;

fn crumbs() -> Vec<(String, String)> {
    vec![("/admin".to_owned(), "Admin".to_owned())]
}

/// The list, and YAML in and out.
#[component]
pub fn CataloguePage() -> impl IntoView {
    page_with(Section::Admin, Rejected::<CatalogueForm>::on_this_page(), |request, rejected| async move {
        let features = load_catalogue(&request.state, request.actor()?).await?;
        let failed = rejected.is_some();
        let (form, errors) = rejected.map(|rejected| (rejected.form, rejected.errors)).unwrap_or_default();
        let saved =
            request.query("saved").map(|_| view! { <Notice tone=Tone::Good><p>"Saved and recorded."</p></Notice> });
        let rows = features
            .iter()
            .map(|feature| {
                let (description, terms) = (feature.description.clone(), feature.current.terms.clone());
                let retires = description.retires_at.map(|at| format!(", ends on {}", at.strftime("%-d %B %Y")));
                view! {
                    <tr>
                        <th scope="row"><a href=paths::catalogue_entry(&description.slug)>{description.name}</a></th>
                        <td data-label="Stage">{description.stage.in_words()}{retires}</td>
                        <td data-label="Owner">{description.owner}</td>
                        <td data-label="Version">{terms.version}</td>
                        <td data-label="What approval does">{terms.effect.in_words()}</td>
                    </tr>
                }
            })
            .collect_view();
        let list = match features.is_empty() {
            true => view! {
                <Empty title="No features yet"><p>"Add the first one, or paste a catalogue below."</p></Empty>
            }
            .into_any(),
            false => view! {
                <Table label="Catalogue" columns=&["Feature", "Stage", "Owner", "Version", "What approval does"]>
                    {rows}
                </Table>
            }
            .into_any(),
        };
        let body = view! {
            <Breadcrumb links=crumbs()/>
            <ErrorSummary errors=errors.clone()/>
            {saved}
            <h1>"Preview feature catalogue"</h1>
            <form method="post" action="/admin/features/catalogue.yaml">
                <div class="buttons">
                    <a class="button" href="/admin/features/new">"Add feature"</a>
                    <Submit label="Export as YAML" secondary=true/>
                </div>
            </form>
            {list}
            <h2>"Import"</h2>
            <form method="post" action="/admin/features" class="form">
                <TextArea
                    name="catalogue"
                    label="Catalogue in YAML"
                    hint="As the export gives it. What is new or says something else is published as the next \
                        version; all of it, or nothing if anything is wrong."
                    value=form.catalogue
                    errors=errors
                />
                <Submit label="Import catalogue" secondary=true/>
            </form>
        };
        Ok(Page::new("Preview feature catalogue", body).with_errors(failed))
    })
}

/// One feature: its description and the next version of its statement.
#[component]
pub fn EditFeaturePage() -> impl IntoView {
    page_with(Section::Admin, Rejected::<FeatureForm>::on_this_page(), |request, rejected| async move {
        let actor = request.actor()?;
        actor.administrator()?;
        let slug = request.param("slug");
        let (stored, versions) = match slug.as_str() {
            "new" => (FeatureForm::empty(), Vec::new()),
            slug => {
                let (feature, versions) = load_versions(&request.state, actor, slug).await?;
                (FeatureForm::of(&feature), versions)
            }
        };
        let failed = rejected.is_some();
        let (form, errors) =
            rejected.map_or((stored, FormErrors::default()), |rejected| (rejected.form, rejected.errors));
        let title = if slug == "new" { "Add feature".to_owned() } else { form.name.clone() };
        let roles = request.state.policy.effects.cluster_roles.clone();
        let prefix = request.state.policy.effects.prefix.clone();
        let crumbs = crumbs().into_iter().chain([("/admin/features".to_owned(), "Catalogue".to_owned())]).collect();
        let body = view! {
            <Breadcrumb links=crumbs/>
            <ErrorSummary errors=errors.clone()/>
            <h1>{title.clone()}</h1>
            <form method="post" action=paths::catalogue_entry(&slug) class="form">
                <input type="hidden" id="seen" name="seen" value=form.seen.clone()/>
                <Described form=form.clone() is_new=slug == "new" errors=errors.clone()/>
                <Retiring form=form.clone() errors=errors.clone()/>
                <Stated form=form.clone() errors=errors.clone()/>
                <Given form=form roles=roles prefix=prefix errors=errors.clone()/>
                <Submit label="Save feature"/>
            </form>
            <Versions title="Versions of the statement" versions=versions/>
        };
        Ok(Page::new(title, body).with_errors(failed))
    })
}

#[component]
fn Described(form: FeatureForm, is_new: bool, errors: FormErrors) -> impl IntoView {
    let slug = is_new.then(|| {
        view! {
            <Field
                name="slug"
                label="Short name"
                hint="Part of the address; it never changes."
                value=form.slug
                errors=errors.clone()
            />
        }
    });
    let stages = Stage::ALL.iter().map(|stage| (stage.as_str().to_owned(), stage.in_words().to_owned())).collect();
    view! {
        <h2>"What it is"</h2>
        {slug}
        <Field name="name" label="Name" value=form.name errors=errors.clone()/>
        <Field name="purpose" label="What it is for" value=form.purpose errors=errors.clone()/>
        <Field name="owner" label="Who answers for it" value=form.owner errors=errors.clone()/>
        <Field
            name="documentation_url"
            label="Documentation"
            optional=true
            value=form.documentation_url
            errors=errors.clone()
        />
        <Select
            name="stage"
            label="Stage"
            hint="Retiring it takes back what it gave, on a day that is asked for next."
            value=form.stage
            options=stages
            errors=errors
        />
    }
    .into_any()
}

/// What cannot be undone is confirmed by typing its name. Asked for once it is clear that it is wanted.
#[component]
fn Retiring(form: FeatureForm, errors: FormErrors) -> impl IntoView {
    let is_asked = ["retire", "retire_days"].iter().any(|field| errors.of(field).is_some());
    (is_asked || !form.retire.is_empty()).then(|| {
        view! {
            <Field
                name="retire_days"
                label="Days until what it gave is taken back"
                kind="number"
                width="short"
                hint="0: at once, without a notice. People are told 30, 7 and 1 days before."
                value=form.retire_days
                errors=errors.clone()
            />
            <Field name="retire" label="Short name, to confirm that it is retired" value=form.retire errors=errors/>
        }
    })
}

#[component]
fn Stated(form: FeatureForm, errors: FormErrors) -> impl IntoView {
    let renewal = (!form.seen.is_empty()).then(|| {
        view! {
            <Field
                name="changes"
                label="What changed"
                hint="For those who accepted the version before. Needed where anything below or the name changes."
                value=form.changes
                errors=errors.clone()
            />
            <Field
                name="renewal_days"
                label="Days until it must be accepted again"
                optional=true
                kind="number"
                width="short"
                hint="Empty: what was accepted goes on until it expires."
                value=form.renewal_days
                errors=errors.clone()
            />
        }
    });
    let scopes = ScopeKind::ALL
        .iter()
        .map(|kind| {
            let chosen = form.scopes.iter().any(|sent| sent == kind.as_str());
            view! {
                <Checkbox
                    name="scopes"
                    id=format!("scopes-{}", kind.as_str())
                    value=kind.as_str()
                    label=format!("One {}", kind.as_str())
                    checked=chosen
                />
            }
        })
        .collect_view();
    let scope_error = errors.of("scopes").map(|text| view! { <p class="field__error">{text.to_owned()}</p> });
    let approvals =
        vec![("1".to_owned(), "One administrator".to_owned()), ("2".to_owned(), "Two administrators".to_owned())];
    view! {
        <h2>"What people accept"</h2>
        <p class="quiet">"Published texts never change. Whatever you change here is published as the next version."</p>
        {renewal}
        <TextArea
            name="body"
            label="What may go wrong"
            hint="Markdown. People accept exactly these words."
            value=form.body
            errors=errors.clone()
        />
        <TextArea
            name="points"
            label="Points to confirm"
            rows="5"
            hint="One a line: downtime, withdrawal, loss of data, and what else this feature asks for."
            value=form.points
            errors=errors.clone()
        />
        <fieldset id="scopes">
            <legend>"It can be enabled for"</legend>
            {scope_error}
            {scopes}
        </fieldset>
        <Field
            name="validity_months"
            label="Months that an approval lasts"
            kind="number"
            width="short"
            value=form.validity_months
            errors=errors.clone()
        />
        <Select name="approvals" label="Who must approve" value=form.approvals options=approvals errors=errors/>
    }
    .into_any()
}

#[component]
fn Given(form: FeatureForm, roles: Vec<String>, prefix: String, errors: FormErrors) -> impl IntoView {
    let effects = [
        ("manual", "Nothing: an administrator acts by hand and confirms"),
        ("metadata", "Labels and annotations on the namespaces"),
        ("role_binding", "A RoleBinding for the team's groups"),
    ];
    let effects = effects.map(|(value, words)| (value.to_owned(), words.to_owned())).to_vec();
    let role = (!roles.is_empty()).then(|| {
        let options = std::iter::once(String::new()).chain(roles).map(|role| (role.clone(), role)).collect();
        view! {
            <div class="only-role-binding">
                <Select
                    name="cluster_role"
                    label="ClusterRole"
                    value=form.cluster_role
                    options=options
                    errors=errors.clone()
                />
            </div>
        }
    });
    let hint = format!("One a line, as {prefix}name=value.");
    view! {
        <h2>"What approval does"</h2>
        <Select name="effect" label="Effect" value=form.effect options=effects errors=errors.clone()/>
        <div class="only-metadata">
            <TextArea name="labels" label="Labels" rows="3" hint=hint.clone() value=form.labels errors=errors.clone()/>
            <TextArea
                name="annotations"
                label="Annotations"
                rows="3"
                hint=hint
                value=form.annotations
                errors=errors.clone()
            />
        </div>
        {role}
    }
    .into_any()
}
