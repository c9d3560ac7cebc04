//! `/preview-features`, `/preview-features/{slug}`, `/admin/approvals`, `/admin/features`.

use super::api::{
    DecisionForm, FeatureForm, OptInForm, load_catalogue, load_feature, load_features, load_queue, load_scopes,
};
use super::{Acceptance, Feature, Standing};
use crate::faq::markdown;
use crate::form::{FormErrors, Rejected};
use crate::ui::{
    Badge, Breadcrumb, Checkbox, Empty, ErrorSummary, Fact, Field, Notice, OnEnter, Page, Section, Select, Submit,
    Table, TextArea, Time, Tone, page, page_with,
};
use leptos::prelude::*;
use uuid::Uuid;

#[component]
fn StandingBadge(standing: Standing) -> impl IntoView {
    let (tone, word) = match standing {
        Standing::Waiting => (Tone::Info, "Waiting for approval"),
        Standing::Approved => (Tone::Good, "Approved"),
        Standing::Refused => (Tone::Bad, "Refused"),
    };
    view! { <Badge tone=tone text=word/> }
}

/// The list.
#[component]
pub fn FeaturesPage() -> impl IntoView {
    page(Section::PreviewFeatures, |request| async move {
        let (features, acceptances) = load_features(&request.state, request.actor()?).await?;
        let list = if features.is_empty() {
            view! { <Empty title="No preview features at the moment"><p>"When there is one, it is listed here with its risks."</p></Empty> }.into_any()
        } else {
            let cards = features
                .into_iter()
                .map(|feature| view! { <li class="card"><h2><a href=format!("/preview-features/{}", feature.slug)>{feature.name}</a></h2><p>{feature.purpose}</p></li> })
                .collect_view();
            view! { <ul class="cards">{cards}</ul> }.into_any()
        };
        let body = view! {
            <h1>"Preview features"</h1>
            <p>"Features that are newer and riskier than the rest of the platform. To use one, your team accepts its risks, and an administrator approves. "<a href="/faq/preview-features">"What preview features are"</a></p>
            {list}
            <Acceptances acceptances=acceptances/>
        };
        Ok(Page::new("Preview features", body))
    })
}

#[component]
fn Acceptances(acceptances: Vec<Acceptance>) -> impl IntoView {
    (!acceptances.is_empty()).then(|| {
        let rows = acceptances
            .into_iter()
            .map(|acceptance| {
                view! {
                    <tr>
                        <th scope="row"><a href=format!("/preview-features/{}", acceptance.feature_slug)>{acceptance.feature_name}</a></th>
                        <td>{acceptance.namespace}</td>
                        <td>{acceptance.version}</td>
                        <td><Time at=acceptance.accepted_at/></td>
                        <td><StandingBadge standing=acceptance.standing/></td>
                        <td>{acceptance.decided_by}</td>
                        <td>{acceptance.comment}</td>
                    </tr>
                }
            })
            .collect_view();
        view! {
            <h2>"What you accepted"</h2>
            <Table label="What you accepted" columns=&["Feature", "Namespace", "Version", "Accepted", "State", "Decided by", "Comment"]>{rows}</Table>
        }
    })
}

/// One feature: its risks, and the form to accept them.
#[component]
pub fn FeaturePage() -> impl IntoView {
    page_with(Section::PreviewFeatures, Rejected::<OptInForm>::on_this_page(), |request, rejected| async move {
        let actor = request.actor()?;
        let (feature, mine) = load_feature(&request.state, actor, &request.param("slug")).await?;
        let scopes = load_scopes(&request.state, actor).await;
        let failed = rejected.is_some();
        let (form, errors) = rejected.map(|rejected| (rejected.form, rejected.errors)).unwrap_or_default();
        let accepted = request.query("accepted").filter(|id| mine.iter().any(|acceptance| &acceptance.id.to_string() == id)).map(|_| {
            view! { <Notice tone=Tone::Good><p>"Your acceptance is recorded. An administrator decides next; the result appears below and on the list of preview features."</p></Notice> }
        });
        let documentation = feature
            .documentation_url
            .clone()
            .map(|url| view! { <p><a href=url rel="noreferrer">"Documentation"</a></p> });
        let opt_in = match scopes {
            Ok(scopes) if scopes.is_empty() => view! { <Empty title="You cannot opt in yourself"><p>"Opting in needs the role admin in a namespace. "<a href="/access">"See your access"</a>" for whom to ask."</p></Empty> }.into_any(),
            Ok(scopes) => view! { <OptIn feature=feature.clone() scopes=scopes form=form errors=errors.clone()/> }.into_any(),
            Err(error) => view! { <Notice tone=Tone::Bad><p>{error.to_string()}" Until then you can read the risks, but not accept them."</p></Notice> }.into_any(),
        };
        let body = view! {
            <Breadcrumb links=vec![("/preview-features".to_owned(), "Preview features".to_owned())]/>
            <ErrorSummary errors=errors/>
            {accepted}
            <h1>{feature.name.clone()}</h1>
            <p>{feature.purpose.clone()}</p>
            {documentation}
            <h2>"Risks"</h2>
            <div class="prose" inner_html=markdown(&feature.body)></div>
            <p class="quiet">{format!("Version {} of this statement, SHA-256 ", feature.version)}<code>{feature.digest.to_string()}</code></p>
            {opt_in}
            <Acceptances acceptances=mine/>
        };
        Ok(Page::new(feature.name, body).with_errors(failed))
    })
}

#[component]
fn OptIn(feature: Feature, scopes: Vec<String>, form: OptInForm, errors: FormErrors) -> impl IntoView {
    let points = feature
        .points
        .iter()
        .enumerate()
        .map(|(index, point)| {
            let ticked = form.points.contains(&index.to_string());
            view! { <Checkbox name="points" id=format!("points-{index}") value=index.to_string() label=point.clone() checked=ticked errors=errors.clone()/> }
        })
        .collect_view();
    let scopes = scopes.into_iter().map(|scope| (scope.clone(), scope)).collect();
    view! {
        <h2>"Accept the risks"</h2>
        <form method="post" action=format!("/preview-features/{}", feature.slug) class="form">
            <input type="hidden" id="digest" name="digest" value=feature.digest.to_string()/>
            <Select name="namespace" label="For which namespace" value=form.namespace options=scopes errors=errors.clone()/>
            <fieldset>
                <legend>"Confirm each point"</legend>
                {points}
            </fieldset>
            <Field name="justification" label="Why you need it" optional=true value=form.justification errors=errors/>
            <p class="quiet">"Recorded are: the text above and its digest, the points, your name, e-mail and groups, the namespace, the time, and what you write here."</p>
            <Submit label="Accept risks"/>
        </form>
    }
}

/// The administrators' queue.
#[component]
pub fn ApprovalsPage() -> impl IntoView {
    page_with(Section::Admin, Rejected::<DecisionForm>::on_this_page(), |request, rejected| async move {
        let actor = request.actor()?;
        let (waiting, decided) = load_queue(&request.state, actor).await?;
        let failed = rejected.is_some();
        let (form, errors) = rejected.map(|rejected| (rejected.form, rejected.errors)).unwrap_or_default();
        let notice = request.query("decided").filter(|id| decided.iter().any(|acceptance| &acceptance.id.to_string() == id)).map(|id| view! { <Notice tone=Tone::Good><p>"The decision is recorded. The person sees it on the feature's page. Reference: "<code>{id}</code></p></Notice> });
        let may_decide = actor.administrator().is_ok();
        let items = waiting
            .iter()
            .map(|acceptance| view! { <Waiting acceptance=acceptance.clone() decider=may_decide.then_some(actor.person_id) form=form.clone() errors=errors.clone()/> })
            .collect_view();
        let empty = waiting.is_empty().then(|| view! { <Empty title="Nothing waits for a decision"><p>"New acceptances of risks appear here."</p></Empty> });
        let body = view! {
            <Breadcrumb links=vec![("/admin".to_owned(), "Admin".to_owned())]/>
            <ErrorSummary errors=errors.clone()/>
            {notice}
            <h1>"Approvals"</h1>
            {empty}
            <ul class="cards cards--wide">{items}</ul>
            <Decided acceptances=decided/>
        };
        Ok(Page::new("Approvals", body).with_errors(failed))
    })
}

#[component]
fn Waiting(acceptance: Acceptance, decider: Option<Uuid>, form: DecisionForm, errors: FormErrors) -> impl IntoView {
    let id = acceptance.id.to_string();
    let comment = if form.acceptance == id { form.comment } else { String::new() };
    let decision = match decider {
        None => view! { <p class="quiet">"Administrators decide this."</p> }.into_any(),
        Some(person) if person == acceptance.person_id => {
            view! { <p class="quiet">"You accepted this yourself, so somebody else decides it."</p> }.into_any()
        }
        Some(_) => view! { <DecisionFields id=id comment=comment errors=errors/> }.into_any(),
    };
    view! {
        <li class="card">
            <h2><a href=format!("/preview-features/{}", acceptance.feature_slug)>{acceptance.feature_name}</a>" for "{acceptance.namespace}</h2>
            <dl class="facts">
                <Fact term="Accepted by">{acceptance.person_name}" "<span class="quiet">{acceptance.person_email}</span></Fact>
                <Fact term="When"><Time at=acceptance.accepted_at/></Fact>
                <Fact term="Statement">{format!("version {}, SHA-256 ", acceptance.version)}<code>{acceptance.digest.to_string()}</code></Fact>
                <Fact term="Why">{if acceptance.justification.is_empty() { "no reason given".to_owned() } else { acceptance.justification }}</Fact>
            </dl>
            {decision}
        </li>
    }
}

#[component]
fn DecisionFields(id: String, comment: String, errors: FormErrors) -> impl IntoView {
    let field = format!("comment-{id}");
    let error = errors.of(&field).map(str::to_owned);
    view! {
        <form method="post" action="/admin/approvals" class="form">
            // A decision is made with a button, never by the way.
            <OnEnter sends=false/>
            <input type="hidden" name="acceptance" value=id/>
            <div class=if error.is_some() { "field field--invalid" } else { "field" }>
                <label class="field__label" for=field.clone()>"Comment"<span class="quiet">" (needed to refuse)"</span></label>
                {error.clone().map(|text| view! { <p class="field__error" id=format!("{field}-error")>{text}</p> })}
                <input class="field__input" id=field.clone() name="comment" type="text" value=comment aria-invalid=error.is_some().then_some("true")
                    aria-describedby=error.is_some().then(|| format!("{field}-error")) autocomplete="off"/>
            </div>
            <div class="buttons">
                <Submit label="Approve" sends=("verdict", "approve")/>
                <Submit label="Refuse" secondary=true sends=("verdict", "refuse")/>
            </div>
        </form>
    }
}

#[component]
fn Decided(acceptances: Vec<Acceptance>) -> impl IntoView {
    (!acceptances.is_empty()).then(|| {
        let rows = acceptances
            .into_iter()
            .map(|acceptance| {
                view! {
                    <tr>
                        <th scope="row">{acceptance.feature_name}</th><td>{acceptance.namespace}</td><td>{acceptance.person_name}</td>
                        <td><StandingBadge standing=acceptance.standing/></td><td>{acceptance.decided_by}</td><td>{acceptance.comment}</td>
                        <td>{acceptance.decided_at.map(|at| view! { <Time at=at/> })}</td>
                    </tr>
                }
            })
            .collect_view();
        view! {
            <h2>"Decided"</h2>
            <Table label="Decided" columns=&["Feature", "Namespace", "Accepted by", "State", "Decided by", "Comment", "When"]>{rows}</Table>
        }
    })
}

/// The catalogue, and the form to publish into it.
#[component]
pub fn CataloguePage() -> impl IntoView {
    page_with(Section::Admin, Rejected::<FeatureForm>::on_this_page(), |request, rejected| async move {
        let features = load_catalogue(&request.state, request.actor()?).await?;
        let failed = rejected.is_some();
        let (form, errors) = rejected.map(|rejected| (rejected.form, rejected.errors)).unwrap_or_default();
        let notice = request.query("published").filter(|slug| features.iter().any(|feature| &feature.slug == slug)).map(|slug| view! { <Notice tone=Tone::Good><p>"Published: "<a href=format!("/preview-features/{slug}")>{slug.clone()}</a></p></Notice> });
        let rows = features
            .into_iter()
            .map(|feature| view! { <tr><th scope="row"><a href=format!("/preview-features/{}", feature.slug)>{feature.name}</a></th><td><code>{feature.slug.clone()}</code></td><td>{feature.version}</td><td>{feature.points.len()}</td></tr> })
            .collect_view();
        let points = (0..4)
            .map(|index| {
                let label = format!("Point {} to confirm", index + 1);
                view! { <Point index=index label=label value=form.points.get(index).cloned().unwrap_or_default() errors=errors.clone()/> }
            })
            .collect_view();
        let body = view! {
            <Breadcrumb links=vec![("/admin".to_owned(), "Admin".to_owned())]/>
            <ErrorSummary errors=errors.clone()/>
            {notice}
            <h1>"Preview feature catalogue"</h1>
            <Table label="Catalogue" columns=&["Feature", "Short name", "Version", "Points"]>{rows}</Table>
            <h2>"Publish a feature or a new version of its risks"</h2>
            <form method="post" action="/admin/features" class="form">
                <Field name="slug" label="Short name" hint="Of an existing feature for a new version." value=form.slug errors=errors.clone()/>
                <Field name="name" label="Name" value=form.name errors=errors.clone()/>
                <Field name="purpose" label="What it is for" value=form.purpose errors=errors.clone()/>
                <Field name="documentation_url" label="Documentation" optional=true value=form.documentation_url errors=errors.clone()/>
                <TextArea name="body" label="What may go wrong" hint="Markdown. People accept exactly these words; they cannot be changed later, only replaced." value=form.body errors=errors.clone()/>
                {points}
                <Submit label="Publish feature"/>
            </form>
        };
        Ok(Page::new("Preview feature catalogue", body).with_errors(failed))
    })
}

#[component]
fn Point(index: usize, label: String, value: String, errors: FormErrors) -> impl IntoView {
    let id = format!("points-{index}");
    let error = errors.of(&id).map(str::to_owned);
    view! {
        <div class=if error.is_some() { "field field--invalid" } else { "field" }>
            <label class="field__label" for=id.clone()>{label}</label>
            {error.clone().map(|text| view! { <p class="field__error" id=format!("{id}-error")>{text}</p> })}
            <input class="field__input" id=id name="points" type="text" value=value autocomplete="off" aria-invalid=error.is_some().then_some("true")/>
        </div>
    }
}
