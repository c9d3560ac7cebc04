//! The fields of the wizard's steps.

use super::peers::{PeerRowsFields, Picker};
use super::step_form::StepForm;
use crate::error::AppError;
use crate::form::FormErrors;
use crate::ui::{Checkbox, Field, Select, Submit, TextArea};
use crate::workloads::forms::{DestinationsForm, ManifestsForm, ResourcesForm, SourcesForm, WorkloadForm};
use crate::workloads::places::{Place, PlaceDirection};
use crate::workloads::service::Found;
use leptos::prelude::*;
use review::Operation;

pub(super) fn choices(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(value, label)| ((*value).to_owned(), (*label).to_owned())).collect()
}

#[component]
pub fn WorkloadFields(
    place: StepForm,
    form: WorkloadForm,
    targets: Vec<String>,
    running: Found,
    errors: FormErrors,
) -> impl IntoView {
    let namespaces = targets.into_iter().map(|name| (name.clone(), name)).collect();
    let kinds = choices(&[
        ("deployment", "Deployment: runs all the time"),
        ("job", "Job: runs until it is done"),
        ("pod", "Pod: runs once, by itself"),
        ("running", "It runs already: write only its policy"),
    ]);
    let runs_already = form.runs_already();
    let known =
        running.workloads.iter().map(|workload| view! { <option value=workload.reference()></option> }).collect_view();
    let name_hint = if runs_already {
        "The workload that runs, as in shop/web[Deployment], or its name alone."
    } else {
        "Lower-case letters, digits and '-', for example web."
    };
    let pods = (!runs_already).then(|| view! { <PodFields place=place form=form.clone() errors=errors.clone()/> });
    view! {
        <Select name="namespace" label="Namespace" value=form.namespace options=namespaces errors=errors.clone()/>
        <Select name="kind" label="Kind" value=form.kind options=kinds errors=errors.clone()/>
        <Field name="name" label="Name" hint=name_hint value=form.name list="running" errors=errors.clone()/>
        <datalist id="running">{known}</datalist>
        <Field
            name="ports"
            label="Ports it listens on"
            optional=true
            hint="Separated by commas, for example 8080 or 8080, UDP 5353."
            value=form.ports
            errors=errors
        />
        {pods}
    }
}

/// What only a new workload has.
#[component]
fn PodFields(place: StepForm, form: WorkloadForm, errors: FormErrors) -> impl IntoView {
    let more = errors.of("labels").is_some() || !form.labels.is_empty();
    let handed = !form.environment.is_empty() || !form.volume_kind.is_empty() || errors.of("environment").is_some();
    let volumes = (0..form.volume_kind.len())
        .map(|row| {
            let (kind, source, path, name) = form.volume(row);
            let volume = [kind, source, path, name].map(str::to_owned);
            view! { <VolumeRow place=place volume=volume row=row errors=errors.clone()/> }
        })
        .collect_view();
    view! {
        <Checkbox
            name="service"
            label="Give it a name in the cluster (Service)"
            hint="Others then reach it by its name, on the same ports. Without a port there is none."
            checked=form.service == "yes"
        />
        <Field
            name="replicas"
            label="Copies"
            hint="For a Deployment. Two or more survive a node being rebooted."
            value=form.replicas
            kind="number"
            width="short"
            errors=errors.clone()
        />
        <Field
            name="image"
            label="Image"
            hint="With its registry and a version, for example harbor.example.com/shop/web:1.4.2."
            value=form.image
            errors=errors.clone()
        />
        <Field
            name="command"
            label="Command"
            optional=true
            hint="Only where the image's own is not wanted. Quote words that hold spaces."
            value=form.command
            errors=errors.clone()
        />
        <details open=handed id="volumes">
            <summary>"Environment and volumes"</summary>
            <TextArea
                name="environment"
                label="Environment variables"
                hint="A line each, as in an .env file: LEVEL=info, or PASSWORD from secret db/password, or LEVEL from \
                    configmap settings/level. What stands here is in the manifest for everyone to read: passwords \
                    belong in a Secret."
                value=form.environment
                errors=errors.clone()
            />
            {volumes}
            <Submit label="Add volume" secondary=true to=place.action("add-row")/>
        </details>
        <details open=more>
            <summary>"Labels"</summary>
            <Field
                name="labels"
                label="Labels of its pods"
                optional=true
                hint="The policy selects the pods by them. Empty: app.kubernetes.io/name and the name above."
                value=form.labels
                errors=errors
            />
        </details>
    }
}

#[component]
fn VolumeRow(
    place: StepForm,
    /// Kind, source, path and name.
    volume: [String; 4],
    row: usize,
    errors: FormErrors,
) -> impl IntoView {
    let [kind, source, path, name] = volume;
    let kinds = choices(&[
        ("scratch", "Empty folder"),
        ("configmap", "ConfigMap"),
        ("secret", "Secret"),
        ("claim", "PersistentVolumeClaim"),
    ]);
    let number = row + 1;
    view! {
        <div class="row row--removable">
            <Select
                name="volume_kind"
                id=format!("volume_kind-{row}")
                label=format!("Volume {number}")
                value=kind
                options=kinds
            />
            <Field
                name="volume_source"
                id=format!("volume_source-{row}")
                label="Name"
                hint="Of the object; not needed for an empty folder."
                value=source
                errors=errors.clone()
            />
            <Field
                name="volume_path"
                id=format!("volume_path-{row}")
                label="Mounted at"
                hint="For example /var/cache."
                value=path
                errors=errors
            />
            <input type="hidden" name="volume_name" value=name/>
            <RemoveRow place=place row=row what=format!("volume {number}")/>
        </div>
    }
}

/// The button that takes a row away.
#[component]
pub fn RemoveRow(
    place: StepForm,
    /// Which, from 0.
    row: usize,
    what: String,
) -> impl IntoView {
    view! {
        <button class="button button--quiet" formaction=place.action("remove-row") name="row" value=row.to_string()>
            "Remove"<span class="visually-hidden">" "{what}</span>
        </button>
    }
}

#[component]
fn PlaceBoxes(places: Vec<Place>, ticked: Vec<String>, direction: PlaceDirection, errors: FormErrors) -> impl IntoView {
    // What was ticked and is no place any more must be seen to be unticked.
    let gone = ticked.iter().filter(|slug| !places.iter().any(|place| place.slug == **slug));
    let gone =
        gone.map(|slug| (slug.clone(), format!("{slug} (not known here any more)"), String::new())).collect::<Vec<_>>();
    let there = places.into_iter().filter(|place| place.direction == direction).map(|place| {
        let ports = place.ports.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let hint = if ports.is_empty() { place.hint } else { format!("{} Ports {ports}.", place.hint) };
        (place.slug, place.name, hint)
    });
    there
        .chain(gone)
        .map(|(slug, name, hint)| {
            let checked = ticked.contains(&slug);
            view! {
                <Checkbox
                    name="place"
                    id=format!("place-{slug}")
                    value=slug
                    label=name
                    hint=hint
                    checked=checked
                    errors=errors.clone()
                />
            }
        })
        .collect_view()
}

#[component]
pub fn SourcesFields(
    place: StepForm,
    form: SourcesForm,
    places: Vec<Place>,
    found: Result<Found, AppError>,
    search: Option<String>,
    names: Vec<String>,
    errors: FormErrors,
) -> impl IntoView {
    view! {
        <p>"Nobody reaches it but who is named here, and only on the ports it listens on."</p>
        <fieldset id="place">
            <legend>"Usual"</legend>
            <Checkbox
                name="same_namespace"
                label="Every pod of this namespace"
                hint="Narrower is better: name the workloads below if you know them."
                checked=form.same_namespace == "yes"
            />
            <PlaceBoxes places=places ticked=form.place direction=PlaceDirection::Source errors=errors.clone()/>
        </fieldset>
        <Picker place=place legend="Workloads that may reach it" found=found search=search/>
        <PeerRowsFields
            place=place
            legend="Who may reach it"
            one="Source"
            rows=form.rows
            ports_hint="Empty: every port it listens on."
            names=names
            errors=errors
        />
    }
}

#[component]
pub fn DestinationsFields(
    place: StepForm,
    form: DestinationsForm,
    places: Vec<Place>,
    found: Result<Found, AppError>,
    search: Option<String>,
    names: Vec<String>,
    errors: FormErrors,
) -> impl IntoView {
    let is_open = form.internet == "yes" || errors.of("internet_reason").is_some();
    view! {
        <p>"It reaches nothing but what is named here."</p>
        <fieldset id="place">
            <legend>"Usual"</legend>
            <Checkbox
                name="dns"
                label="Look up names (DNS)"
                hint="Nearly everything needs it: without it no name resolves, not even that of a service beside it."
                checked=form.dns == "yes"
            />
            <Checkbox
                name="kubernetes_api"
                label="Call the Kubernetes API"
                hint="Only for programs that talk with the cluster itself, such as controllers."
                checked=form.kubernetes_api == "yes"
                errors=errors.clone()
            />
            <PlaceBoxes places=places ticked=form.place direction=PlaceDirection::Destination errors=errors.clone()/>
        </fieldset>
        <Picker place=place legend="Workloads it may reach" found=found search=search/>
        <PeerRowsFields
            place=place
            legend="What it may reach"
            one="Destination"
            rows=form.rows
            ports_hint="Separated by commas, for example 5432."
            names=names
            errors=errors.clone()
        />
        <details open=is_open>
            <summary>"The whole internet"</summary>
            <Checkbox
                name="internet"
                label="Let it reach every public address"
                hint="Whoever breaks into it can then carry data anywhere. A second person has to approve it."
                checked=form.internet == "yes"
            />
            <Field
                name="internet_reason"
                label="Why nothing narrower will do"
                hint="It is written into the policy, for whoever reads it later."
                value=form.internet_reason
                errors=errors.clone()
            />
            <Field
                name="internet_ports"
                label="On ports"
                hint="443 for HTTPS."
                value=form.internet_ports
                width="short"
                errors=errors
            />
        </details>
    }
}

#[component]
pub fn ResourcesFields(form: ResourcesForm, errors: FormErrors) -> impl IntoView {
    view! {
        <Field
            name="cpu"
            label="CPU it usually needs"
            hint="In thousandths of a core: 100 or 100m is a tenth of a core."
            value=form.cpu
            kind="number"
            width="short"
            errors=errors.clone()
        />
        <Field
            name="memory"
            label="Memory it needs at most"
            hint="In MiB, for example 128 or 128Mi. Over this it is stopped and started anew."
            value=form.memory
            kind="number"
            width="short"
            errors=errors.clone()
        />
        <Field
            name="run_as_user"
            label="User id"
            hint="Any number but 0, best above 10000. Containers never run as root here, and names cannot be checked."
            value=form.run_as_user
            kind="number"
            width="short"
            errors=errors.clone()
        />
        <Checkbox
            name="read_only_root"
            label="Keep the image's files read-only"
            hint="It may still write to /tmp. Untick it if the program writes elsewhere."
            checked=form.read_only_root == "yes"
            errors=errors
        />
    }
}

#[component]
pub fn ManifestsFields(place: StepForm, form: ManifestsForm, errors: FormErrors) -> impl IntoView {
    let overrides = (!form.overrides.is_empty()).then(|| {
        let operations =
            form.overrides.iter().flat_map(|own| own.operations.iter().map(|operation| (own.kind.clone(), operation)));
        let items = operations
            .enumerate()
            .map(|(number, (kind, operation))| {
                let what = match operation {
                    Operation::Remove { path } => format!("{kind} without {path}"),
                    Operation::Add { path, .. } | Operation::Replace { path, .. } => format!("{kind} {path}"),
                };
                view! { <li><code>{what.clone()}</code>" "<RemoveRow place=place row=number what=what/></li> }
            })
            .collect_view();
        view! {
            <section aria-labelledby="overrides">
                <h2 id="overrides">"Fields kept from the import"</h2>
                <p>
                    "The questions have no place for these. They are set again on what the wizard writes, and \
                     reviewed with it."
                </p>
                <ul class="picks">{items}</ul>
            </section>
        }
    });
    view! {
        <TextArea
            name="text"
            label="Other objects"
            hint="YAML, several objects with --- between them. They are reviewed and applied together with the rest, \
                in the same namespace."
            value=form.text
            errors=errors
        />
        {overrides}
    }
}
