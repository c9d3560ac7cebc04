//! Form controls: label, hint, value, and the error beside the field.

use crate::form::FormErrors;
use leptos::prelude::*;

fn described_by(name: &str, hint: bool, error: bool) -> Option<String> {
    let ids: Vec<String> = [(hint, "hint"), (error, "error")]
        .into_iter()
        .filter(|(there, _)| *there)
        .map(|(_, part)| format!("{name}-{part}"))
        .collect();
    (!ids.is_empty()).then(|| ids.join(" "))
}

#[component]
fn Hint(name: String, text: String) -> impl IntoView {
    (!text.is_empty()).then(|| view! { <p class="field__hint" id=format!("{name}-hint")>{text}</p> })
}

#[component]
fn Problem(name: String, text: Option<String>) -> impl IntoView {
    text.map(|text| {
        view! {
            <p class="field__error" id=format!("{name}-error")><span class="visually-hidden">"Error: "</span>{text}</p>
        }
    })
}

#[component]
pub fn Field(
    /// Its name, which is also its id.
    #[prop(into)]
    name: String,
    /// Its id, where several share a name.
    #[prop(into, optional)]
    id: Option<String>,
    #[prop(into)] label: String,
    #[prop(into, optional)] hint: String,
    #[prop(into, optional)] value: String,
    /// Id of a list of values to choose from while typing.
    #[prop(optional)]
    list: Option<&'static str>,
    /// Errors of the form.
    #[prop(optional)]
    errors: FormErrors,
    /// `text`, `number`, ...
    #[prop(default = "text")]
    kind: &'static str,
    /// Shown behind the label.
    #[prop(optional)]
    optional: bool,
    /// How wide, for example `short`.
    #[prop(into, optional)]
    width: String,
) -> impl IntoView {
    let id = id.unwrap_or_else(|| name.clone());
    let error = errors.of(&id).map(str::to_owned);
    let class = if error.is_some() { "field field--invalid" } else { "field" };
    let input_mode = (kind == "number").then_some("numeric");
    view! {
        <div class=class>
            <label class="field__label" for=id.clone()>
                {label}{optional.then_some(view! { <span class="quiet">" (optional)"</span> })}
            </label>
            <Hint name=id.clone() text=hint.clone()/>
            <Problem name=id.clone() text=error.clone()/>
            <input
                class=format!("field__input field__input--{width}")
                id=id.clone()
                name=name
                list=list
                type="text"
                inputmode=input_mode
                value=value
                autocomplete="off"
                spellcheck="false"
                aria-invalid=error.is_some().then_some("true")
                aria-describedby=described_by(&id, !hint.is_empty(), error.is_some())
            />
        </div>
    }
}

/// Several lines of text.
#[component]
pub fn TextArea(
    /// Its name, which is also its id.
    #[prop(into)]
    name: String,
    #[prop(into)] label: String,
    #[prop(into)] hint: String,
    #[prop(into)] value: String,
    /// Errors of the form.
    errors: FormErrors,
    /// How many lines are seen at once.
    #[prop(default = "8")]
    rows: &'static str,
) -> impl IntoView {
    let error = errors.of(&name).map(str::to_owned);
    let class = if error.is_some() { "field field--invalid" } else { "field" };
    // leptos writes the text of a textarea as it is; the line break is one that HTML drops.
    let text = format!("\n{}", html_escape::encode_text(&value));
    view! {
        <div class=class>
            <label class="field__label" for=name.clone()>{label}</label>
            <Hint name=name.clone() text=hint/>
            <Problem name=name.clone() text=error.clone()/>
            <textarea
                class="field__input"
                id=name.clone()
                name=name.clone()
                rows=rows
                aria-invalid=error.is_some().then_some("true")
                aria-describedby=described_by(&name, true, error.is_some())
                inner_html=text
            ></textarea>
        </div>
    }
}

/// A choice from a list.
#[component]
pub fn Select(
    #[prop(into)] name: String,
    /// Its id, where several share a name.
    #[prop(into, optional)]
    id: Option<String>,
    #[prop(into)] label: String,
    #[prop(into, optional)] hint: String,
    #[prop(into, optional)] value: String,
    /// Value and label of each choice.
    options: Vec<(String, String)>,
    /// Errors of the form.
    #[prop(optional)]
    errors: FormErrors,
) -> impl IntoView {
    let id = id.unwrap_or_else(|| name.clone());
    let error = errors.of(&id).map(str::to_owned);
    let class = if error.is_some() { "field field--invalid" } else { "field" };
    let options = options
        .into_iter()
        .map(|(option, label)| {
            let selected = option == value;
            view! { <option value=option selected=selected>{label}</option> }
        })
        .collect_view();
    view! {
        <div class=class>
            <label class="field__label" for=id.clone()>{label}</label>
            <Hint name=id.clone() text=hint.clone()/>
            <Problem name=id.clone() text=error.clone()/>
            <select
                class="field__input"
                id=id.clone()
                name=name
                aria-invalid=error.is_some().then_some("true")
                aria-describedby=described_by(&id, !hint.is_empty(), error.is_some())
            >{options}</select>
        </div>
    }
}

#[component]
pub fn Checkbox(
    #[prop(into)] name: String,
    /// Its id, where several share a name.
    #[prop(into, optional)]
    id: Option<String>,
    #[prop(into)] label: String,
    #[prop(into, optional)] hint: String,
    /// What is sent when ticked.
    #[prop(into, default = "yes".to_owned())]
    value: String,
    /// Whether it is ticked.
    #[prop(optional)]
    checked: bool,
    /// Errors of the form.
    #[prop(optional)]
    errors: FormErrors,
) -> impl IntoView {
    let id = id.unwrap_or_else(|| name.clone());
    let error = errors.of(&id).map(str::to_owned);
    let class = if error.is_some() { "field field--invalid" } else { "field" };
    view! {
        <div class=class>
            <Problem name=id.clone() text=error.clone()/>
            <div class="checkbox">
                <input
                    type="checkbox"
                    id=id.clone()
                    name=name
                    value=value
                    checked=checked
                    aria-invalid=error.is_some().then_some("true")
                    aria-describedby=described_by(&id, !hint.is_empty(), error.is_some())
                />
                <label for=id.clone()>{label}</label>
            </div>
            <Hint name=id text=hint/>
        </div>
    }
}

/// The button that sends a form: verb and object.
#[component]
pub fn Submit(
    /// For example `Create namespace`.
    #[prop(into)]
    label: String,
    /// Not the main action of the page.
    #[prop(optional)]
    secondary: bool,
    /// Name and value to send, where a form has several buttons.
    #[prop(optional)]
    sends: Option<(&'static str, &'static str)>,
    /// Where this button sends the form, if not where the others do.
    #[prop(into, optional)]
    to: Option<String>,
) -> impl IntoView {
    let (name, value) = sends.unzip();
    let class = if secondary { "button button--secondary" } else { "button" };
    view! { <button class=class name=name value=value formaction=to>{label}</button> }
}

/// What Enter does in a form with several buttons. Browsers press the first one (HTML, 4.10.21.2), so this
/// stands before the others, unseen: it sends the form without any button's value, or nothing at all.
#[component]
pub fn OnEnter(
    /// Whether Enter sends the form.
    sends: bool,
) -> impl IntoView {
    view! { <button hidden=true disabled=!sends></button> }
}

/// All errors of a form, on top of the page, each linked to its field.
#[component]
pub fn ErrorSummary(
    /// Errors of the form.
    errors: FormErrors,
) -> impl IntoView {
    (!errors.is_empty()).then(|| {
        let items = errors
            .all()
            .iter()
            .map(|error| view! { <li><a href=format!("#{}", error.field)>{error.message.clone()}</a></li> })
            .collect_view();
        view! {
            <div class="error-summary" role="alert" tabindex="-1" autofocus>
                <h2>"There is a problem"</h2>
                <ul>{items}</ul>
            </div>
        }
    })
}
