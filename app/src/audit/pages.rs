//! `/admin/audit`: every write, who made it, and how it ended; and the evidence for a control.

use super::controls::Control;
use super::service::{FilterForm, PAGE_SIZE, TaggedWrite, load_writes};
use super::{Outcome, Write};
use crate::form::FormErrors;
use crate::ui::{
    Badge, Breadcrumb, Empty, ErrorSummary, Field, Page, PageRequest, Section, Select, Submit, Table, Time, Tone, page,
};
use leptos::prelude::*;
use record::{Action, Failure, ObjectKind, ObjectRef};
use serde_json::Value;

fn filter_of(request: &PageRequest) -> FilterForm {
    let value = |name: &str| request.query(name).unwrap_or_default();
    FilterForm {
        person: value("person"),
        action: value("action"),
        object: value("object"),
        reference: value("reference"),
        from: value("from"),
        to: value("to"),
        control: value("control"),
    }
}

#[component]
pub fn AuditPage() -> impl IntoView {
    page(Section::Admin, |request| async move {
        let reader = request.actor()?.record_reader()?;
        let form = filter_of(&request);
        let controls = request.state.policy.controls.clone();
        let (filter, wrong) = form.filter(&controls);
        let mut errors = FormErrors::default();
        wrong.into_iter().for_each(|(field, message)| errors.add(field, message));
        let before = request.query("before").and_then(|text| text.parse().ok());
        let writes = match errors.is_empty() {
            true => load_writes(&request.state, reader, before, &filter).await?,
            false => Vec::new(),
        };
        let is_full = i64::try_from(writes.len()) == Ok(PAGE_SIZE);
        let older = writes.last().filter(|_| is_full).map(|last| {
            let address = format!("/admin/audit?{}&before={}", form.query(), last.write.sequence);
            view! { <p><a class="button button--secondary" href=address>"Show older"</a></p> }
        });
        let control = controls.iter().find(|control| control.id == form.control).cloned();
        let failed = !errors.is_empty();
        let found = (!failed).then(|| {
            view! {
                <Export form=form.clone()/>
                <Writes writes=writes/>
                {older}
            }
        });
        let body = view! {
            <Breadcrumb links=vec![("/admin".to_owned(), "Admin".to_owned())]/>
            <ErrorSummary errors=errors.clone()/>
            <h1>"Audit"</h1>
            <p>
                "Every sign-in, write, decision and export, and every request that was refused, in a chain that shows \
                 any change. "
                <a href="/faq/record">"How to verify it"</a>
            </p>
            <FilterFields form=form controls=controls errors=errors/>
            {control.map(|control| view! { <About control=control/> })}
            {found}
        };
        Ok(Page::new("Audit", body).with_errors(failed))
    })
}

#[component]
fn FilterFields(form: FilterForm, controls: Vec<Control>, errors: FormErrors) -> impl IntoView {
    let any = |words: &str| vec![(String::new(), words.to_owned())];
    let actions = Action::ALL.iter().map(|action| (action.as_str().to_owned(), action.in_words().to_owned()));
    let actions = any("Anything").into_iter().chain(actions).collect();
    let control = (!controls.is_empty()).then(|| {
        let options = controls.iter().map(|control| (control.id.clone(), format!("{}: {}", control.id, control.title)));
        let options = any("Any, or none").into_iter().chain(options).collect();
        view! {
            <Select
                name="control"
                label="Evidence for the control"
                hint="With days, of that period."
                value=form.control.clone()
                options=options
                errors=errors.clone()
            />
        }
    });
    view! {
        <form method="get" action="/admin/audit" class="filter filter--wide" role="search">
            <Field name="person" label="Person" hint="Part of a name or address." value=form.person/>
            <Select
                name="action"
                label="What they did"
                hint="One kind of write."
                value=form.action
                options=actions
                errors=errors.clone()
            />
            <Field name="object" label="Object" hint="As shown, or its namespace or name." value=form.object/>
            <Field name="reference" label="Reference" hint="As a page or a message shows it." value=form.reference/>
            <Field name="from" label="From" hint="A day, in UTC: 2026-11-23." value=form.from errors=errors.clone()/>
            <Field name="to" label="To" hint="That day included." value=form.to errors=errors/>
            {control}
            <Submit label="Filter writes"/>
            <p><a href="/admin/audit">"Clear filter"</a></p>
        </form>
    }
}

/// The evidence for a control that is no row of the record.
#[component]
fn About(control: Control) -> impl IntoView {
    let articles = control
        .articles
        .iter()
        .map(|slug| view! { <li><a href=format!("/faq/{slug}")>{format!("/faq/{slug}")}</a></li> })
        .collect_view();
    let articles =
        (!control.articles.is_empty()).then(|| view! { <p>"These articles say how it is met:"</p><ul>{articles}</ul> });
    view! {
        <section class="card">
            <h2>{format!("Evidence for {}", control.id)}</h2>
            <p>{control.title}</p>
            {articles}
            <p>
                "The records in the period are listed below. Export them to hand them on: as JSON Lines they can be \
                 verified without Fairway."
            </p>
        </section>
    }
}

#[component]
fn Export(form: FilterForm) -> impl IntoView {
    let fields = form
        .fields()
        .into_iter()
        .map(|(name, value)| view! { <input type="hidden" name=name value=value.to_owned()/> })
        .collect_view();
    view! {
        <form method="post" action="/admin/audit/export">
            {fields}
            <div class="buttons">
                <Submit label="Export as CSV" secondary=true sends=("format", "csv")/>
                <Submit label="Export as JSON Lines" secondary=true sends=("format", "jsonl")/>
            </div>
        </form>
    }
}

#[component]
fn Writes(writes: Vec<TaggedWrite>) -> impl IntoView {
    if writes.is_empty() {
        return view! {
            <Empty title="No writes found">
                <p>"Nothing was recorded that fits. "<a href="/admin/audit">"Show all writes"</a></p>
            </Empty>
        }
        .into_any();
    }
    let rows = writes.into_iter().map(|tagged| view! { <Row tagged=tagged/> }).collect_view();
    view! {
        <Table label="Writes" columns=&["When", "Who", "What", "Outcome", "Object"]>{rows}</Table>
    }
    .into_any()
}

#[component]
fn Row(tagged: TaggedWrite) -> impl IntoView {
    let TaggedWrite { write, controls } = tagged;
    let Write { sequence, actor, action, object, outcome, detail, failure, request_id, occurred_at } = write;
    let tone = match outcome {
        Outcome::Succeeded => Tone::Good,
        Outcome::Refused => Tone::Warn,
        Outcome::Failed | Outcome::Unknown => Tone::Bad,
    };
    let who = match actor {
        Some(person) => view! { {person.name}<span class="quiet">" "{person.email}</span> }.into_any(),
        None => view! { <span class="quiet">"(erased)"</span> }.into_any(),
    };
    let words = action.parse::<Action>().map_or("", Action::in_words);
    let controls =
        controls.into_iter().map(|control| view! { <Badge tone=Tone::Info text=control/>" " }).collect_view();
    let failure = failure.map(|Failure { code, message }| {
        view! { <p class="quiet">{message}" "<code>{code}</code></p> }
    });
    view! {
        <tr id=format!("row-{sequence}")>
            <td data-label="When"><Time at=occurred_at/></td>
            <td data-label="Who">{who}</td>
            <td data-label="What">{words}<br/><code class="quiet">{action}</code></td>
            <td data-label="Outcome"><Badge tone=tone text=outcome.in_words()/>{failure}</td>
            <td data-label="Object">
                <Object object=object/>" "{controls}
                <details><summary>"Details"</summary><Detail detail=detail reference=request_id/></details>
            </td>
        </tr>
    }
    .into_any()
}

/// What it is about, with a link to where that is shown.
#[component]
fn Object(object: ObjectRef) -> impl IntoView {
    let text = object.to_string();
    let address = object.id.and_then(|id| match object.kind {
        ObjectKind::OptIn => Some(format!("/preview-features/acceptances/{id}")),
        ObjectKind::Submission => Some(format!("/workloads/{id}")),
        _ => None,
    });
    match address {
        Some(address) => view! { <a href=address>{text}</a> }.into_any(),
        None => text.into_any(),
    }
}

/// The fields of the event, each on a line; those of fields within fields by their path.
#[component]
fn Detail(detail: Value, reference: String) -> impl IntoView {
    let mut fields = Vec::new();
    flatten("", detail, &mut fields);
    let lines =
        fields.into_iter().map(|(name, value)| view! { <li>{name}": "<code>{value}</code></li> }).collect::<Vec<_>>();
    view! { <ul class="detail">{lines}<li>"reference: "<code>{reference}</code></li></ul> }
}

fn flatten(path: &str, value: Value, fields: &mut Vec<(String, String)>) {
    match value {
        Value::Object(inner) => {
            for (name, value) in inner {
                flatten(&if path.is_empty() { name } else { format!("{path}.{name}") }, value, fields);
            }
        }
        Value::Null => {}
        value => fields.push((path.to_owned(), words(value))),
    }
}

fn words(value: Value) -> String {
    match value {
        Value::String(text) => text,
        other => other.to_string(),
    }
}
