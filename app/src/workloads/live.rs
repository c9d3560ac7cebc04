//! The wizard's live review: the same answers as on the review page, while one types.

// The macros of leptos write public structs of their own, which cannot be documented.
#![allow(missing_docs)]

use leptos::prelude::*;
use serde::{Deserialize, Serialize};

/// What the live review shows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReviewSummary {
    /// The verdict, or that the answers are not complete.
    pub headline: String,
    /// What is to be said, under headings.
    pub groups: Vec<Group>,
}

/// Some lines under a heading.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// The heading.
    pub title: String,
    /// In plain words, a line each.
    pub lines: Vec<String>,
}

/// Reviews the draft as it stands in the browser; stores nothing.
#[server(prefix = "/api", endpoint = "review-live")]
pub async fn review_live(draft: Option<String>, step: String, form: String) -> Result<ReviewSummary, ServerFnError> {
    super::wizard::summary_of(draft, &step, &form).await.map_err(|error| ServerFnError::new(error.to_string()))
}

/// The panel beside the form. Without JavaScript it shows what was saved.
#[island]
pub fn LivePanel(
    /// The draft, once there is one.
    draft: Option<String>,
    /// The step the form belongs to.
    step: String,
    /// What was saved.
    saved: ReviewSummary,
) -> impl IntoView {
    let (shown, set_shown) = signal(saved);
    let panel = NodeRef::<leptos::html::Aside>::new();
    #[cfg(feature = "hydrate")]
    Effect::new(move |_| {
        if let Some(panel) = panel.get() {
            watching::watch_form(&panel, draft.clone(), step.clone(), set_shown);
        }
    });
    #[cfg(not(feature = "hydrate"))]
    let _ = (draft, step, set_shown);
    let groups = move || {
        let list = |group: Group| {
            let lines = group.lines.into_iter().map(|line| view! { <li>{line}</li> }).collect_view();
            view! { <h2>{group.title}</h2><ul>{lines}</ul> }
        };
        shown.get().groups.into_iter().map(list).collect_view()
    };
    view! {
        <aside class="live" node_ref=panel aria-label="Review so far">
            <p class="live__headline" aria-live="polite">{move || shown.get().headline}</p>
            {groups}
        </aside>
    }
}

#[cfg(feature = "hydrate")]
mod watching {
    use super::{ReviewSummary, review_live};
    use leptos::prelude::*;
    use leptos::wasm_bindgen::JsCast;
    use leptos::wasm_bindgen::closure::Closure;
    use std::cell::Cell;
    use std::rc::Rc;
    use std::time::Duration;
    use web_sys::{Element, FormData, HtmlFormElement, UrlSearchParams};

    const PAUSE: Duration = Duration::from_millis(100);

    /// Asks for a review after every pause in typing. An answer to an older question is dropped.
    pub(super) fn watch_form(panel: &Element, draft: Option<String>, step: String, shown: WriteSignal<ReviewSummary>) {
        let Some(form) = document()
            .query_selector("form[data-live]")
            .ok()
            .flatten()
            .and_then(|form| form.dyn_into::<HtmlFormElement>().ok())
        else {
            return;
        };
        let latest = Rc::new(Cell::new(0_u32));
        let source = form.clone();
        let on_input = Closure::<dyn Fn()>::new(move || {
            let question = latest.get().wrapping_add(1);
            latest.set(question);
            let (latest, form, draft, step) = (latest.clone(), source.clone(), draft.clone(), step.clone());
            set_timeout(
                move || {
                    if latest.get() == question {
                        ask(form, draft, step, shown, move || latest.get() == question);
                    }
                },
                PAUSE,
            );
        });
        if form.add_event_listener_with_callback("input", on_input.as_ref().unchecked_ref()).is_ok() {
            panel.set_attribute("data-ready", "").ok();
            // The listener lives as long as the page.
            on_input.forget();
        }
    }

    fn ask(
        form: HtmlFormElement,
        draft: Option<String>,
        step: String,
        shown: WriteSignal<ReviewSummary>,
        is_latest: impl Fn() -> bool + 'static,
    ) {
        let Ok(fields) =
            FormData::new_with_form(&form).and_then(|data| UrlSearchParams::new_with_str_sequence_sequence(&data))
        else {
            return;
        };
        let fields = String::from(fields.to_string());
        leptos::task::spawn_local(async move {
            if let Ok(answer) = review_live(draft, step, fields).await
                && is_latest()
            {
                shown.set(answer);
            }
        });
    }
}
