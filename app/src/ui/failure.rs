//! What a person sees when something went wrong: what, what now, and a reference for the log.

use super::page::{Page, page_with};
use super::{Notice, Section, Tone};
use crate::error::AppError;
use crate::sent_form::SentFields;
use leptos::prelude::*;

/// The body of a failure page.
pub fn failure_body(error: &AppError, request_id: &str, support: &str, sent: Option<SentAgain>) -> AnyView {
    let error = error.clone();
    let needs_sign_in = error == AppError::SignInRequired;
    let message = match &sent {
        Some(_) if needs_sign_in => "You are signed out, so nothing was changed.".to_owned(),
        _ => error.to_string(),
    };
    let faq =
        error.faq().map(|slug| view! { <p><a href=format!("/faq/{slug}")>"What this means, and what to do"</a></p> });
    let way_out = match &error {
        AppError::SignInRequired if sent.is_some() => ().into_any(),
        AppError::SignInRequired => view! { <p><a class="button" href="/sign-in">"Sign in"</a></p> }.into_any(),
        AppError::NotFound => view! {
            <p>
                "Perhaps the address is mistyped, or it belongs to a namespace that your groups do not reach. These \
                 are good places to go on from:"
            </p>
            <ul>
                <li><a href="/access">"Access"</a>": what your groups give you, and why"</li>
                <li><a href="/namespaces">"Namespaces"</a></li>
                <li><a href="/faq">"FAQ"</a></li>
            </ul>
        }
        .into_any(),
        _ => view! {
            <p>"If it stays like this, tell " {support.to_owned()} " and give them the reference."</p>
        }
        .into_any(),
    };
    let reference = (!request_id.is_empty())
        .then(|| view! { <p class="quiet">"Reference: " <code>{request_id.to_owned()}</code></p> });
    view! {
        <h1>{error.title()}</h1>
        <Notice
            tone=if
            matches!(error, AppError::NotFound | AppError::SignInRequired)
            { Tone::Info }
            else
            { Tone::Bad }
        >
            <p>{message}</p>
        </Notice>
        {faq}
        {sent.map(|sent| view! { <SendAgain sent=sent needs_sign_in=needs_sign_in/> })}
        {way_out}
        {reference}
    }
    .into_any()
}

/// A form that could not be taken.
pub struct SentAgain {
    /// Where it was sent.
    pub address: String,
    pub sent: SentFields,
}

/// Offers the form again. Nobody need type anything twice.
#[component]
fn SendAgain(sent: SentAgain, needs_sign_in: bool) -> impl IntoView {
    let SentAgain { address, sent: SentFields { fields, has_files } } = sent;
    let fields =
        fields.into_iter().map(|(name, value)| view! { <input type="hidden" name=name value=value/> }).collect_view();
    let sign_in = needs_sign_in.then(|| {
        view! {
            <p>
                <a class="button" href="/sign-in" target="_blank" rel="noopener">"Open sign-in in a new tab"</a>
            </p>
        }
    });
    let words = match needs_sign_in {
        true => {
            "What you entered is still here. Open sign-in in a new tab, then come back to this one and send it again."
        }
        false => "What you entered is still here.",
    };
    let files = has_files.then_some(" Files are not kept; you will be asked for yours again.");
    view! {
        <p>{words}{files}</p>
        {sign_in}
        <form method="post" action=address>{fields}<button class="button">"Send again"</button></form>
    }
}

/// Says that a page shows what the cluster last said, where it does not answer now.
#[component]
pub fn MayBeOld(
    /// Whether the cluster is.
    unavailable: bool,
) -> impl IntoView {
    unavailable.then(|| {
        view! {
            <Notice tone=Tone::Warn>
                <p>
                    "Fairway cannot reach the cluster at the moment. What you see here was true when the cluster last \
                     answered."
                </p>
            </Notice>
        }
    })
}

/// A page that only says what went wrong, for failures that happen outside a page.
#[component]
pub fn FailurePage(error: AppError) -> impl IntoView {
    page_with(Section::None, error, |_, error| async move { Err::<Page, _>(error) })
}

/// The page for failures that happen outside a page, as a view.
pub fn failure_page(error: AppError) -> AnyView {
    view! { <FailurePage error=error/> }.into_any()
}
