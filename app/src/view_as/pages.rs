//! `/admin/view-as`.

use super::handlers::{ViewAsForm, Viewed};
use crate::access::{AccessTables, Whose};
use crate::form::Rejected;
use crate::ui::{Breadcrumb, ErrorSummary, Field, MayBeOld, Notice, Page, Section, Submit, TextArea, Tone, page_with};
use leptos::prelude::*;

#[component]
pub fn ViewAsPage() -> impl IntoView {
    let context = (Rejected::<ViewAsForm>::on_this_page(), use_context::<Viewed>());
    page_with(Section::Admin, context, |request, (rejected, viewed)| async move {
        request.actor()?.administrator()?;
        let failed = rejected.is_some();
        let (form, errors) = rejected.map(|rejected| (rejected.form, rejected.errors)).unwrap_or_default();
        let form = viewed.as_ref().map_or(form, |viewed| viewed.form.clone());
        let is_unavailable = request.state.cluster_is_unavailable().await;
        let found = viewed.map(|Viewed { form, access }| {
            let address = form.address.trim().to_owned();
            view! {
                <h2>{format!("Access of {address}")}</h2>
                <Notice tone=Tone::Info>
                    <p>"That you looked is in the record. Nothing was done in their name."</p>
                </Notice>
                <MayBeOld unavailable=is_unavailable/>
                <AccessTables access=access whose=Whose::Others/>
            }
        });
        let body = view! {
            <Breadcrumb links=vec![("/admin".to_owned(), "Admin".to_owned())]/>
            <ErrorSummary errors=errors.clone()/>
            <h1>"View as somebody"</h1>
            <p>
                "What somebody may do in the cluster, and which binding and group it comes from. Fairway does not \
                 know the groups of others: take them from the identity provider, or ask for what they read on their \
                 own page Access."
            </p>
            <form method="post" action="/admin/view-as" class="form">
                <Field name="address" label="E-mail" value=form.address errors=errors.clone()/>
                <TextArea
                    name="groups"
                    label="Groups, one a line (optional)"
                    hint="As the identity provider names them."
                    rows="4"
                    value=form.groups
                    errors=errors
                />
                <Submit label="View access"/>
            </form>
            {found}
        };
        Ok(Page::new("View as somebody", body).with_errors(failed))
    })
}
