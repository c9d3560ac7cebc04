//! `/workloads/import`: beginning with manifests.

use super::fields::choices;
use crate::form::Rejected;
use crate::ui::{Breadcrumb, ErrorSummary, Page, Section, Select, Submit, TextArea, page_with};
use crate::workloads::service::importing::ImportForm;
use crate::workloads::service::load_targets;
use leptos::prelude::*;

/// Paste or upload manifests.
#[component]
pub fn ImportPage() -> impl IntoView {
    page_with(Section::Workloads, Rejected::<ImportForm>::on_this_page(), |request, rejected| async move {
        let targets = load_targets(&request.state, request.actor()?).await?;
        let failed = rejected.is_some();
        let (mut form, errors) = rejected.map(|rejected| (rejected.form, rejected.errors)).unwrap_or_default();
        if form.namespace.is_empty() {
            form.namespace = request.query("namespace").unwrap_or_default();
        }
        let namespaces = targets.into_iter().map(|name| (name.clone(), name)).collect();
        let ways = choices(&[
            ("as-they-are", "Review them as they are"),
            ("wizard", "Take them into the wizard, and keep beside it what it cannot say"),
        ]);
        let body = view! {
            <Breadcrumb links=vec![("/workloads".to_owned(), "Workloads".to_owned())]/>
            <ErrorSummary errors=errors.clone()/>
            <h1>"Import manifests"</h1>
            <p>
                "Several objects may stand in one text, parted by ---. Nothing is sent to the cluster before you have \
                 seen the review."
            </p>
            <form method="post" action="/workloads/import" enctype="multipart/form-data" class="form form--wide">
                <Select
                    name="namespace"
                    label="Namespace"
                    value=form.namespace
                    options=namespaces
                    errors=errors.clone()
                />
                <TextArea
                    name="text"
                    label="Manifests"
                    hint="YAML or JSON, as for kubectl apply."
                    value=form.text
                    errors=errors.clone()
                />
                <div class="field">
                    <label class="field__label" for="file">"Or a file"</label>
                    {errors.of("file").map(|text| view! {
                        <p class="field__error" id="file-error">{text.to_owned()}</p>
                    })}
                    <p class="field__hint" id="file-hint">"It counts in place of what is pasted; at most 200 kB."</p>
                    <input
                        class="field__input"
                        type="file"
                        id="file"
                        name="file"
                        accept=".yaml,.yml,.json"
                        aria-describedby="file-hint"
                    />
                </div>
                <Select name="into" label="What to do with them" value=form.into options=ways errors=errors/>
                <Submit label="Import manifests"/>
            </form>
        };
        Ok(Page::new("Import manifests", body).with_errors(failed))
    })
}
