//! `/faq` and `/faq/{slug}`, readable signed out.

use super::{ARTICLES, Article, diagnose, find, markdown};
use crate::audit::controls::Control;
use crate::error::AppError;
use crate::ui::{Breadcrumb, Field, Notice, Page, Section, Submit, Tone, page};
use leptos::prelude::*;

/// The questions, and a box for a message one does not understand.
#[component]
pub fn FaqPage() -> impl IntoView {
    page(Section::Faq, |request| async move {
        let message = request.query("message").unwrap_or_default();
        let body = view! {
            <h1>"Questions and answers"</h1>
            <form method="get" action="/faq" class="filter" role="search">
                <Field
                    name="message"
                    label="Paste a message you do not understand"
                    hint="From kubectl, from the cluster, or from an event."
                    value=message.clone()
                />
                <Submit label="Explain message"/>
            </form>
            <Diagnosis message=message/>
            <Questions articles=ARTICLES.iter().collect()/>
        };
        Ok(Page::new("FAQ", body))
    })
}

#[component]
fn Diagnosis(message: String) -> impl IntoView {
    (!message.trim().is_empty()).then(|| match diagnose(&message) {
        found if found.is_empty() => view! {
            <Notice tone=Tone::Info>
                <p>
                    "No answer fits this message yet. Look through the questions below, or send the message to your \
                     platform administrator."
                </p>
            </Notice>
        }
        .into_any(),
        found => view! { <h2>"This explains it"</h2><Questions articles=found/><h2>"All questions"</h2> }.into_any(),
    })
}

#[component]
fn Questions(articles: Vec<&'static Article>) -> impl IntoView {
    let items = articles
        .into_iter()
        .map(|article| view! { <li><a href=format!("/faq/{}", article.slug)>{article.title}</a></li> })
        .collect_view();
    view! { <ul class="questions">{items}</ul> }
}

#[component]
pub fn ArticlePage() -> impl IntoView {
    page(Section::Faq, |request| async move {
        let article = find(&request.param("slug")).ok_or(AppError::NotFound)?;
        let tagged = |control: &&Control| control.articles.iter().any(|slug| slug == article.slug);
        let controls = request.state.policy.controls.iter().filter(tagged).cloned().collect();
        let body = view! {
            <Breadcrumb links=vec![("/faq".to_owned(), "FAQ".to_owned())]/>
            <article class="prose"><h1>{article.title}</h1><div inner_html=markdown(article.text)></div></article>
            <EvidenceFor controls=controls/>
        };
        Ok(Page::new(article.title, body))
    })
}

/// The controls that an article is evidence for, for those who have to show it.
#[component]
fn EvidenceFor(controls: Vec<Control>) -> impl IntoView {
    (!controls.is_empty()).then(|| {
        let items =
            controls.into_iter().map(|control| view! { <li>{control.id}": "{control.title}</li> }).collect_view();
        view! {
            <aside aria-labelledby="evidence">
                <h2 id="evidence">"Says how these controls are met"</h2>
                <ul>{items}</ul>
            </aside>
        }
    })
}
