//! Rows of other ends, and picking them from what runs.

use super::fields::{RemoveRow, choices};
use super::step_form::StepForm;
use crate::error::AppError;
use crate::form::FormErrors;
use crate::ui::{Field, Select, Submit};
use crate::workloads::forms::PeerRows;
use crate::workloads::service::{Found, MOST_SEARCHED};
use leptos::prelude::*;

const KINDS: &[(&str, &str)] = &[
    ("workload", "A workload"),
    ("same-namespace", "Every pod of this namespace"),
    ("namespace", "Every pod of a namespace"),
    ("pods", "Pods with labels"),
    ("addresses", "Addresses"),
];

/// The most namespaces offered while typing; others can be typed all the same.
const MOST_NAMES: usize = 300;

/// Rows to fill in; there is always an empty one at the end.
#[component]
pub fn PeerRowsFields(
    place: StepForm,
    legend: &'static str,
    one: &'static str,
    rows: PeerRows,
    ports_hint: &'static str,
    names: Vec<String>,
    errors: FormErrors,
) -> impl IntoView {
    let count = rows.len().max(1);
    let items = (0..count)
        .map(|row| {
            let (kind, value, ports) = rows.row(row);
            let peer = [kind, value, ports].map(str::to_owned);
            let is_there = row < rows.len();
            view! {
                <PeerRow
                    place=place
                    peer=peer
                    is_there=is_there
                    row=row
                    one=one
                    ports_hint=ports_hint
                    errors=errors.clone()
                />
            }
        })
        .collect_view();
    let offered = names.into_iter().take(MOST_NAMES).map(|name| view! { <option value=name></option> }).collect_view();
    view! {
        <fieldset id="rows">
            <legend>{legend}</legend>
            {items}
            <datalist id="namespaces">{offered}</datalist>
            <Submit label=format!("Add another {}", one.to_lowercase()) secondary=true to=place.action("add-row")/>
        </fieldset>
    }
}

#[component]
fn PeerRow(
    place: StepForm,
    /// Kind, value and ports.
    peer: [String; 3],
    /// Whether it is more than the empty row at the end.
    is_there: bool,
    row: usize,
    one: &'static str,
    ports_hint: &'static str,
    errors: FormErrors,
) -> impl IntoView {
    let [kind, value, ports] = peer;
    let number = row + 1;
    let hint = match kind.as_str() {
        "namespace" => "The name of a namespace.",
        "same-namespace" => "Not needed.",
        "pods" => "Labels like app=web, here, or app=web in shop.",
        "addresses" => "Like 203.0.113.0/24; several with commas.",
        _ => "Like web here, or shop/web elsewhere.",
    };
    view! {
        <div class="row row--removable">
            <Select
                name="kind"
                id=format!("kind-{row}")
                label=format!("{one} {number}")
                value=kind
                options=choices(KINDS)
            />
            <Field
                name="value"
                id=format!("value-{row}")
                label="Which"
                hint=hint
                value=value
                list="namespaces"
                errors=errors.clone()
            />
            <Field name="ports" id=format!("ports-{row}") label="On ports" hint=ports_hint value=ports errors=errors/>
            {is_there.then(|| view! {
                <RemoveRow place=place row=row what=format!("{} {number}", one.to_lowercase())/>
            })}
        </div>
    }
}

/// Looks for workloads that run, and adds them as rows.
#[component]
pub fn Picker(
    place: StepForm,
    legend: &'static str,
    found: Result<Found, AppError>,
    search: Option<String>,
) -> impl IntoView {
    let away = found.as_ref().err().map(ToString::to_string);
    let Found { workloads, all } = found.unwrap_or_default();
    let more = all.saturating_sub(workloads.len());
    let looked = search.clone().unwrap_or_default();
    let nothing = workloads.is_empty();
    let items = workloads
        .into_iter()
        .map(|workload| {
            let ports = workload.ports.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            let told = if ports.is_empty() { "no ports named".to_owned() } else { format!("ports {ports}") };
            let reference = workload.reference();
            view! {
                <li>
                    <button
                        class="button button--quiet"
                        formaction=place.action("add-workload")
                        name="pick"
                        value=reference.clone()
                    >{format!("Add {reference}")}</button>
                    <span class="quiet">" "{told}</span>
                </li>
            }
        })
        .collect_view();
    let told = match (nothing, looked.is_empty()) {
        _ if away.is_some() => away.unwrap_or_default(),
        (true, true) => "Nothing that you can see runs in this namespace yet.".to_owned(),
        (true, false) => format!(
            "No workload that you can see has {looked} in its name, in this namespace or in the first {MOST_SEARCHED} \
             that you reach."
        ),
        (false, _) if more > 0 => format!("And {more} more: search for a part of the name."),
        (false, _) => String::new(),
    };
    view! {
        <fieldset id="find">
            <legend>{legend}</legend>
            <div class="filter">
                <Field
                    name="search"
                    label="Search what runs"
                    hint="A part of a name, in all namespaces you reach."
                    value=looked
                />
                <Submit label="Search workloads" secondary=true to=place.action("search")/>
            </div>
            <ul class="picks">{items}</ul>
            {(!told.is_empty()).then(|| view! { <p class="quiet">{told}</p> })}
        </fieldset>
    }
}
