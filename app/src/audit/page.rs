//! `/admin/audit`: every write, who made it, and how it ended.

use super::Write;
use super::api::{PAGE_SIZE, load_writes};
use crate::ui::{Badge, Breadcrumb, Empty, Field, Page, Section, Submit, Table, Time, Tone, page};
use leptos::prelude::*;

/// The page.
#[component]
pub fn AuditPage() -> impl IntoView {
    page(Section::Admin, |request| async move {
        let reader = request.actor()?.record_reader()?;
        let before = request.query("before").and_then(|text| text.parse().ok());
        let filter = request.query("filter").unwrap_or_default();
        let writes = load_writes(&request.state, reader, before, filter.trim()).await?;
        let full = i64::try_from(writes.len()) == Ok(PAGE_SIZE);
        let older = writes.last().filter(|_| full).map(|last| {
            let query: String = url::form_urlencoded::Serializer::new(String::new())
                .append_pair("filter", &filter)
                .append_pair("before", &last.sequence.to_string())
                .finish();
            view! { <p><a class="button button--secondary" href=format!("/admin/audit?{query}")>"Show older"</a></p> }
        });
        let body = view! {
            <Breadcrumb links=vec![("/admin".to_owned(), "Admin".to_owned())]/>
            <h1>"Audit"</h1>
            <form method="get" action="/admin/audit" class="filter" role="search">
                <Field name="filter" label="Actor, action, object or reference holds" value=filter/>
                <Submit label="Filter writes" secondary=true/>
            </form>
            <Writes writes=writes/>
            {older}
        };
        Ok(Page::new("Audit", body))
    })
}

#[component]
fn Writes(writes: Vec<Write>) -> impl IntoView {
    if writes.is_empty() {
        return view! { <Empty title="No writes found"><p>"Nothing was recorded that fits. "<a href="/admin/audit">"Show all writes"</a></p></Empty> }.into_any();
    }
    let rows = writes
        .into_iter()
        .map(|write| {
            let (tone, outcome) = match write.outcome.as_deref() {
                Some("succeeded") => (Tone::Good, "Succeeded"),
                Some("refused") => (Tone::Warn, "Refused"),
                Some("failed") => (Tone::Bad, "Failed"),
                // Said to be unknown, or never said at all.
                _ => (Tone::Bad, "Unknown"),
            };
            view! {
                <tr>
                    <td><Time at=write.occurred_at/></td>
                    <td>{write.actor_name}<span class="quiet">" "{write.actor_email}</span></td>
                    <td><code>{write.action}</code></td>
                    <td><code>{write.object}</code></td>
                    <td><Badge tone=tone text=outcome/></td>
                    <td><code class="quiet">{write.request_id}</code></td>
                </tr>
            }
        })
        .collect_view();
    view! {
        <Table label="Writes" columns=&["When", "Actor", "Action", "Object", "Outcome", "Reference"]>{rows}</Table>
    }
    .into_any()
}
