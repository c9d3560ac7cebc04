use leptos::prelude::*;

/// A button that puts the text of an element on the clipboard; without JavaScript there is none.
#[island]
pub fn CopyButton(
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
        <button type="button" class="button button--secondary" hidden=move || !there.get() on:click=copy>
            {label}
        </button>
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
