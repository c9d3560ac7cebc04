//! The wizard's live review: what the review page says, while one types.

use leptos::prelude::*;

/// The panel beside the form. Without JavaScript it shows what was saved.
#[island]
pub fn LivePanel(
    /// Where the form as it stands is reviewed.
    address: String,
    children: Children,
) -> impl IntoView {
    let panel = NodeRef::<leptos::html::Div>::new();
    let (headline, tell) = signal(String::new());
    #[cfg(feature = "hydrate")]
    Effect::new(move |_| {
        if let Some(panel) = panel.get() {
            watching::watch_form(&panel, address.clone(), tell);
        }
    });
    #[cfg(not(feature = "hydrate"))]
    let _ = (address, tell);
    view! {
        <aside class="live" aria-label="Review so far">
            <p class="visually-hidden" role="status">{move || headline.get()}</p>
            <div class="live__body" node_ref=panel>{children()}</div>
        </aside>
    }
}

#[cfg(feature = "hydrate")]
mod watching {
    use leptos::prelude::*;
    use leptos::wasm_bindgen::closure::Closure;
    use leptos::wasm_bindgen::{JsCast, JsValue};
    use std::cell::Cell;
    use std::rc::Rc;
    use std::time::Duration;
    use wasm_bindgen_futures::JsFuture;
    use web_sys::{Element, FormData, HtmlFormElement, Request, RequestInit, Response, UrlSearchParams};

    const PAUSE: Duration = Duration::from_millis(100);

    /// Asks for a review after every pause in typing. An answer to an older question is dropped.
    pub(super) fn watch_form(panel: &Element, address: String, tell: WriteSignal<String>) {
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
            let address = address.clone();
            set_timeout(
                move || {
                    if latest.get() == question {
                        ask(form, address, shown, tell, move || latest.get() == question);
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
        address: String,
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
            let answer = post(&address, &fields).await;
            if let (Ok(html), true) = (answer, is_latest()) {
                replace(&panel, &html);
                // Said only when it is another one than before.
                let headline = panel.query_selector(".live__headline").ok().flatten();
                tell.set(headline.and_then(|headline| headline.text_content()).unwrap_or_default());
            }
        });
    }

    /// The text of the answer to a form; an error where it is not 200.
    async fn post(address: &str, fields: &str) -> Result<String, JsValue> {
        let init = RequestInit::new();
        init.set_method("POST");
        init.set_body(&JsValue::from_str(fields));
        let request = Request::new_with_str_and_init(address, &init)?;
        request.headers().set("content-type", "application/x-www-form-urlencoded")?;
        let response: Response = JsFuture::from(window().fetch_with_request(&request)).await?.dyn_into()?;
        if !response.ok() {
            return Err(JsValue::NULL);
        }
        let text = JsFuture::from(response.text()?).await?;
        text.as_string().ok_or(JsValue::NULL)
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
