//! The wizard's live review: what the review page says, while one types.

// The macros of leptos write public structs of their own, which cannot be documented.
#![allow(missing_docs)]

use leptos::prelude::*;

/// Reviews the draft as it stands in the browser and gives the panel as HTML, written by the same components as on the
/// page; stores nothing.
#[server(prefix = "/api", endpoint = "review-live")]
pub async fn review_live(draft: String, step: String, form: String) -> Result<String, ServerFnError> {
    super::page::live_panel(&draft, &step, &form).await.map_err(|error| {
        let response = expect_context::<leptos_axum::ResponseOptions>();
        response.set_status(axum::http::StatusCode::from_u16(error.status()).unwrap_or_default());
        ServerFnError::new(error.to_string())
    })
}

/// The panel beside the form. Without JavaScript it shows what was saved.
#[island]
pub fn LivePanel(
    /// The draft.
    draft: String,
    /// The step the form belongs to.
    step: String,
    /// What was saved.
    children: Children,
) -> impl IntoView {
    let panel = NodeRef::<leptos::html::Div>::new();
    let (headline, tell) = signal(String::new());
    #[cfg(feature = "hydrate")]
    Effect::new(move |_| {
        if let Some(panel) = panel.get() {
            watching::watch_form(&panel, draft.clone(), step.clone(), tell);
        }
    });
    #[cfg(not(feature = "hydrate"))]
    let _ = (draft, step, tell);
    view! {
        <aside class="live" aria-label="Review so far">
            <p class="visually-hidden" role="status">{move || headline.get()}</p>
            <div class="live__body" node_ref=panel>{children()}</div>
        </aside>
    }
}

/// A button that puts the text of an element on the clipboard; without JavaScript there is none.
#[island]
pub fn CopyButton(
    /// The element's id.
    target: String,
    /// What is copied: `Copy YAML`.
    label: String,
) -> impl IntoView {
    let (there, set_there) = signal(false);
    let (said, say) = signal("");
    Effect::new(move |_| set_there.set(true));
    let copy = move |_| {
        #[cfg(feature = "hydrate")]
        copying::copy(&target, say);
        #[cfg(not(feature = "hydrate"))]
        let _ = (&target, say);
    };
    view! {
        <button type="button" class="button button--secondary" hidden=move || !there.get() on:click=copy>{label}</button>
        <span role="status">{move || said.get()}</span>
    }
}

#[cfg(feature = "hydrate")]
mod copying {
    use leptos::prelude::*;

    /// What is said between lines of YAML is not part of it.
    fn text_of(element: &web_sys::Element) -> String {
        let lines = element.query_selector_all(".yaml__line").ok();
        let lines =
            lines.map(|lines| (0..lines.length()).filter_map(|at| lines.item(at)?.text_content()).collect::<String>());
        lines.filter(|text| !text.is_empty()).or_else(|| element.text_content()).unwrap_or_default()
    }

    pub(super) fn copy(target: &str, say: WriteSignal<&'static str>) {
        let Some(text) = document().get_element_by_id(target).map(|element| text_of(&element)) else { return };
        let copied = window().navigator().clipboard().write_text(&text);
        leptos::task::spawn_local(async move {
            let done = wasm_bindgen_futures::JsFuture::from(copied).await.is_ok();
            say.set(if done { "Copied." } else { "The browser does not let this page copy." });
        });
    }
}

#[cfg(feature = "hydrate")]
mod watching {
    use super::review_live;
    use leptos::prelude::*;
    use leptos::wasm_bindgen::JsCast;
    use leptos::wasm_bindgen::closure::Closure;
    use std::cell::Cell;
    use std::rc::Rc;
    use std::time::Duration;
    use web_sys::{Element, FormData, HtmlFormElement, UrlSearchParams};

    const PAUSE: Duration = Duration::from_millis(100);

    /// Asks for a review after every pause in typing. An answer to an older question is dropped.
    pub(super) fn watch_form(panel: &Element, draft: String, step: String, tell: WriteSignal<String>) {
        let Some(form) = document()
            .query_selector("form[data-live]")
            .ok()
            .flatten()
            .and_then(|form| form.dyn_into::<HtmlFormElement>().ok())
        else {
            return;
        };
        let latest = Rc::new(Cell::new(0_u32));
        let (source, shown) = (form.clone(), panel.clone());
        let on_input = Closure::<dyn Fn()>::new(move || {
            let question = latest.get().wrapping_add(1);
            latest.set(question);
            let (latest, form, shown) = (latest.clone(), source.clone(), shown.clone());
            let (draft, step) = (draft.clone(), step.clone());
            set_timeout(
                move || {
                    if latest.get() == question {
                        ask(form, draft, step, shown, tell, move || latest.get() == question);
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
        draft: String,
        step: String,
        panel: Element,
        tell: WriteSignal<String>,
        is_latest: impl Fn() -> bool + 'static,
    ) {
        let Ok(fields) =
            FormData::new_with_form(&form).and_then(|data| UrlSearchParams::new_with_str_sequence_sequence(&data))
        else {
            return;
        };
        let fields = String::from(fields.to_string());
        leptos::task::spawn_local(async move {
            let answer = review_live(draft, step, fields).await;
            if let (Ok(html), true) = (answer, is_latest()) {
                replace(&panel, &html);
                // Said only when it is another one than before.
                let headline = panel.query_selector(".live__headline").ok().flatten();
                tell.set(headline.and_then(|headline| headline.text_content()).unwrap_or_default());
            }
        });
    }

    /// Puts new content into the panel; what the person opened stays open.
    fn replace(panel: &Element, html: &str) {
        let is_open = |id: &str| panel.query_selector(&format!("details[open]#{id}")).ok().flatten().is_some();
        let open: Vec<&str> = ["live-yaml", "picture-table"].into_iter().filter(|id| is_open(id)).collect();
        panel.set_inner_html(html);
        for id in open {
            if let Ok(Some(details)) = panel.query_selector(&format!("details#{id}")) {
                details.set_attribute("open", "").ok();
            }
        }
    }
}
