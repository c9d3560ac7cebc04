//! `/namespaces/{name}/connections`: who may talk to whom.

use super::picture::Pictured;
use super::query;
use super::review::end;
use crate::error::AppError;
use crate::ui::{Breadcrumb, Field, Notice, OnEnter, Page, Section, Submit, Table, Tone, page};
use crate::workloads::api::{NamespaceConnections, load_connections};
use leptos::prelude::*;
use review::Connection;
use std::collections::HashMap;

/// The most workloads in a matrix.
const MOST_IN_MATRIX: usize = 24;

/// The most connections in the list.
const MOST_LISTED: usize = 200;

/// The picture of one workload, a matrix, and a list.
#[component]
pub fn ConnectionsPage() -> impl IntoView {
    page(Section::Namespaces, |request| async move {
        let namespace = request.param("name");
        let search = request.query("search").unwrap_or_default();
        let chosen = request.query("workload").unwrap_or_default();
        let found = load_connections(&request.state, request.actor()?, &namespace, &search, &chosen).await?;
        if !chosen.is_empty() && found.picture.is_none() {
            return Err(AppError::NotFound);
        }
        let links = vec![
            ("/namespaces".to_owned(), "Namespaces".to_owned()),
            (format!("/namespaces/{namespace}"), namespace.clone()),
        ];
        let hidden = (!found.unread.is_empty()).then(|| {
            let unread = found.unread.join(", ");
            view! { <Notice tone=Tone::Info><p>"Not shown to you, so not taken into account: "{unread}"."</p></Notice> }
        });
        let picture = found.picture.clone().map(|picture| {
            view! {
                <h2>{picture.workload.clone()}</h2>
                <Pictured picture=picture/>
            }
        });
        let title = format!("Connections in {namespace}");
        let body = view! {
            <Breadcrumb links=links/>
            <h1>{title.clone()}</h1>
            {hidden}
            <form method="get" class="filter">
                <OnEnter sends=true/>
                <Field name="search" label="Workloads whose name holds" optional=true value=search.clone()/>
                <Submit label="Show connections" secondary=true/>
            </form>
            {picture}
            <Matrix namespace=namespace search=search found=found.clone()/>
            <List connections=found.connections all=found.all_connections/>
        };
        Ok(Page::new(title, body))
    })
}

/// `web[Deployment]` for `shop/web[Deployment]`: all are in one namespace.
fn short(reference: &str) -> String {
    reference.split_once('/').map_or(reference, |(_, name)| name).to_owned()
}

#[component]
fn Matrix(namespace: String, search: String, found: NamespaceConnections) -> impl IntoView {
    let NamespaceConnections { workloads, connections, .. } = found;
    if workloads.is_empty() {
        return view! { <p>"No workload that you can see."</p> }.into_any();
    }
    let link = |reference: &str| {
        let address =
            format!("/namespaces/{namespace}/connections?{}", query(&[("search", &search), ("workload", reference)]));
        view! { <a href=address>{short(reference)}</a> }
    };
    if workloads.len() > MOST_IN_MATRIX {
        let items = workloads.iter().map(|reference| view! { <li>{link(reference)}</li> }).collect_view();
        return view! {
            <h2>{format!("{} workloads", workloads.len())}</h2>
            <p>{format!("A matrix is drawn for up to {MOST_IN_MATRIX}: enter a part of their names. Choose one to see its picture.")}</p>
            <ul class="columns">{items}</ul>
        }
        .into_any();
    }
    let ports: HashMap<(&str, &str), &str> = connections
        .iter()
        .map(|connection| ((connection.from.as_str(), connection.to.as_str()), connection.ports.as_str()))
        .collect();
    let heads = workloads.iter().map(|to| view! { <th scope="col">{short(to)}</th> }).collect_view();
    let rows = workloads
        .iter()
        .map(|from| {
            let cells = workloads
                .iter()
                .map(|to| match ports.get(&(from.as_str(), to.as_str())) {
                    _ if from == to => view! { <td class="quiet">"itself"</td> }.into_any(),
                    Some(ports) => view! { <td>{(*ports).to_owned()}</td> }.into_any(),
                    None => view! { <td class="quiet">"no"</td> }.into_any(),
                })
                .collect_view();
            view! { <tr><th scope="row">{link(from)}</th>{cells}</tr> }
        })
        .collect_view();
    view! {
        <h2>"From row to column"</h2>
        <p>"Choose a workload to see its picture."</p>
        <div class="table-scroll" role="region" aria-label="Matrix" tabindex="0">
            <table class="matrix"><thead><tr><th scope="col">"From"</th>{heads}</tr></thead><tbody>{rows}</tbody></table>
        </div>
    }
    .into_any()
}

#[component]
fn List(connections: Vec<Connection>, all: usize) -> impl IntoView {
    let shown = connections.len().min(MOST_LISTED);
    let rows = connections
        .into_iter()
        .take(MOST_LISTED)
        .map(|connection| view! { <tr><td>{end(&connection.from)}</td><td>{end(&connection.to)}</td><td>{connection.ports}</td></tr> })
        .collect_view();
    let more = (all > shown)
        .then(|| view! { <p class="quiet">{format!("{shown} of {all}: enter a part of a name to see others.")}</p> });
    view! {
        <h2>"Inside this namespace, and with addresses"</h2>
        <Table label="All connections" columns=&["From", "To", "Ports"]>{rows}</Table>
        {more}
    }
}
