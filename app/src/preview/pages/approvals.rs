//! `/admin/approvals`: the queue, decided one by one or several at once, each shown in full.

use super::{OptInTable, StatusBadge};
use crate::form::{FormErrors, Rejected};
use crate::preview::acceptance::Acceptance;
use crate::preview::paths;
use crate::preview::service::deciding::DecisionForm;
use crate::preview::service::queue::{Queue, QueueFilter, QueueStatus, load_queue};
use crate::preview::summary::{Cursor, OptInSummary};
use crate::ui::{
    Breadcrumb, Checkbox, Empty, ErrorSummary, Fact, Field, Notice, OnEnter, Page, Section, Select, Submit, Time, Tone,
    page_with,
};
use leptos::prelude::*;
use uuid::Uuid;

#[component]
pub fn ApprovalsPage() -> impl IntoView {
    page_with(Section::Admin, Rejected::<DecisionForm>::on_this_page(), |request, rejected| async move {
        let actor = request.actor()?;
        let value = |name: &str| request.query(name).unwrap_or_default();
        let after = value("after").parse().ok();
        let filter = QueueFilter { after, feature: value("feature"), status: QueueStatus::parse(&value("status")) };
        let query = query_of(&filter, filter.after);
        let Queue { waiting, others, next, features } = load_queue(&request.state, actor, &filter).await?;
        let failed = rejected.is_some();
        let (form, errors) = rejected.map(|rejected| (rejected.form, rejected.errors)).unwrap_or_default();
        let decided = request.query("decided").and_then(|count| count.parse::<u32>().ok()).map(|count| {
            let words = if count == 1 {
                "The decision is recorded.".to_owned()
            } else {
                format!("{count} decisions are recorded.")
            };
            view! { <Notice tone=Tone::Good><p>{words}" The people see it on their pages."</p></Notice> }
        });
        let decider = actor.administrator().is_ok().then_some(actor.person_id);
        let is_empty = waiting.is_empty() && others.is_empty();
        let empty = is_empty.then(|| {
            view! {
                <Empty title="Nothing to show">
                    <p>
                        "Acceptances that fit the filter appear here. "
                        <a href="/admin/approvals?status=all">"Show all acceptances"</a>
                    </p>
                </Empty>
            }
        });
        let others = view! { <Others summaries=others is_queue=filter.status == QueueStatus::NeedsAction/> };
        let more = next.map(|next| {
            let address = format!("{}?{}", paths::APPROVALS, query_of(&filter, Some(next)));
            view! { <p><a class="button button--secondary" href=address>"Show more"</a></p> }
        });
        let body = view! {
            <Breadcrumb links=vec![("/admin".to_owned(), "Admin".to_owned())]/>
            <ErrorSummary errors=errors.clone()/>
            {decided}
            <h1>"Approvals"</h1>
            <Filters filter=filter features=features/>
            {empty}
            <Deciding query=query waiting=waiting decider=decider form=form errors=errors/>
            {others}
            {more}
        };
        Ok(Page::new("Approvals", body).with_errors(failed))
    })
}

/// What is decided: in the queue, what is to be done by hand apart from what went wrong.
#[component]
fn Others(summaries: Vec<OptInSummary>, is_queue: bool) -> impl IntoView {
    if !is_queue {
        return (!summaries.is_empty())
            .then(|| view! { <OptInTable summaries=summaries label="Acceptances"/> })
            .into_any();
    }
    let (manual, failed): (Vec<_>, Vec<_>) = summaries.into_iter().partition(|summary| summary.is_manual);
    let manual = (!manual.is_empty()).then(|| {
        view! {
            <h2>"To do by hand"</h2>
            <p>"Decided, and Fairway cannot do it by itself. Do it, and confirm on the page of the acceptance."</p>
            <OptInTable summaries=manual label="To do by hand"/>
        }
    });
    let failed = (!failed.is_empty()).then(|| view! {
        <h2>"Not as approved"</h2>
        <p>
            "What Fairway could not make or take back, and where the cluster differs from what was approved. The page \
             of the acceptance says why."
        </p>
        <OptInTable summaries=failed label="Not as approved"/>
    });
    view! { {manual}{failed} }.into_any()
}

/// The filter, and a place in the list, for an address.
fn query_of(filter: &QueueFilter, after: Option<Cursor>) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.append_pair("feature", &filter.feature).append_pair("status", filter.status.as_str());
    if let Some(after) = after {
        query.append_pair("after", &after.to_string());
    }
    query.finish()
}

#[component]
fn Filters(filter: QueueFilter, features: Vec<(String, String)>) -> impl IntoView {
    let statuses = [
        ("", "Waiting for somebody"),
        ("approved", "Approved, not yet effective"),
        ("effective", "Effective"),
        ("ending", "Being taken back"),
        ("ended", "Ended"),
        ("refused", "Refused"),
        ("withdrawn", "Withdrawn"),
        ("all", "All"),
    ];
    let statuses = statuses.map(|(value, words)| (value.to_owned(), words.to_owned())).to_vec();
    let features = std::iter::once((String::new(), "All features".to_owned())).chain(features).collect();
    view! {
        <form method="get" action="/admin/approvals" class="filter" role="search">
            <Select name="feature" label="Feature" value=filter.feature options=features/>
            <Select name="status" label="Status" value=filter.status.as_str() options=statuses/>
            <Submit label="Filter acceptances" secondary=true/>
        </form>
    }
}

/// The form over everything that waits; whoever decides nothing sees the same without the form.
#[component]
fn Deciding(
    query: String,
    waiting: Vec<Acceptance>,
    decider: Option<Uuid>,
    form: DecisionForm,
    errors: FormErrors,
) -> impl IntoView {
    if waiting.is_empty() {
        return ().into_any();
    }
    let several = waiting.len() > 1;
    let items = waiting
        .into_iter()
        .map(|acceptance| {
            let chosen = form.acceptance.contains(&acceptance.accepted.id.to_string()) || !several;
            view! { <Waiting acceptance=acceptance decider=decider chosen=chosen errors=errors.clone()/> }
        })
        .collect_view();
    let list = view! { <ul class="cards cards--wide">{items}</ul> };
    match decider {
        None => view! { <p class="quiet">"Administrators decide these."</p>{list} }.into_any(),
        Some(_) => view! {
            <form method="post" action=format!("{}/approve?{query}", paths::APPROVALS) class="form form--wide">
                // A decision is made with a button, never by the way.
                <OnEnter sends=false/>
                {list}
                <div id="acceptance"></div>
                <Field
                    name="comment"
                    label="Comment"
                    hint="Needed to refuse. It is recorded with each decision."
                    value=form.comment
                    errors=errors
                />
                <div class="buttons">
                    <Submit label="Approve chosen"/>
                    <Submit label="Refuse chosen" secondary=true to=format!("{}/refuse?{query}", paths::APPROVALS)/>
                </div>
            </form>
        }
        .into_any(),
    }
}

#[component]
fn Waiting(acceptance: Acceptance, decider: Option<Uuid>, chosen: bool, errors: FormErrors) -> impl IntoView {
    let id = acceptance.accepted.id.to_string();
    let (name, email) = acceptance.person();
    let title = format!("{} for {}", acceptance.feature_name, acceptance.accepted.scope);
    let has_approved = |person: Uuid| acceptance.steps.iter().any(|taken| taken.person_id == Some(person));
    let choice = match decider {
        None => ().into_any(),
        Some(person) if person == acceptance.person_id => {
            view! { <p class="quiet">"You accepted this yourself, so somebody else decides it."</p> }.into_any()
        }
        Some(person) if has_approved(person) => {
            view! { <p class="quiet">"You have approved this; a second administrator decides next."</p> }.into_any()
        }
        Some(_) => view! {
            <Checkbox
                name="acceptance"
                id=format!("acceptance-{id}")
                value=id.clone()
                label=format!("Decide on {title}")
                checked=chosen
                errors=errors
            />
        }
        .into_any(),
    };
    let status = acceptance.status().clone();
    let effect = acceptance.terms.effect.in_words();
    let why = match acceptance.accepted.justification.as_str() {
        "" => "no reason given".to_owned(),
        reason => reason.to_owned(),
    };
    let outdated = (!acceptance.lifecycle.is_in_force()).then(|| {
        view! {
            <Notice tone=Tone::Warn>
                <p>"The statement has changed since, or the feature was retired. This can only be refused."</p>
            </Notice>
        }
    });
    view! {
        <li class="card">
            <h2><a href=paths::acceptance(acceptance.accepted.id)>{title}</a></h2>
            {outdated}
            <dl class="facts">
                <Fact term="Status"><StatusBadge status=status.kind() words=status.in_words()/></Fact>
                <Fact term="Accepted by">{name}" "<span class="quiet">{email}</span></Fact>
                <Fact term="When"><Time at=acceptance.accepted.accepted_at/></Fact>
                <Fact term="Namespaces">{acceptance.accepted.namespaces.join(", ")}</Fact>
                <Fact term="Groups that get it">
                    {
                        match acceptance.accepted.groups.as_slice() {
                            [] => "none".to_owned(), groups => groups.join(", ")
                        }
                    }
                </Fact>
                <Fact term="Statement">
                    {format!("version {}, ", acceptance.accepted.statement_version)}
                    <a href=paths::acceptance(acceptance.accepted.id)>"read it as it was accepted"</a>
                </Fact>
                <Fact term="What approval does">{effect}</Fact>
                <Fact term="Why">{why}</Fact>
            </dl>
            {choice}
        </li>
    }
    .into_any()
}
