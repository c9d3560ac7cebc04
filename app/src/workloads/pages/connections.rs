//! `/namespaces/{name}/connections`: who may talk to whom.

use super::picture::Pictured;
use super::query;
use super::review::end;
use crate::error::AppError;
use crate::ui::{Breadcrumb, Field, Notice, OnEnter, Page, Section, Submit, Table, Tone, page};
use crate::workloads::service::{NamespaceConnections, load_connections};
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

/// A head of the matrix: a workload, or several that policies treat alike.
struct Head {
    members: Vec<String>,
}

impl Head {
    fn named(&self) -> String {
        match self.members.as_slice() {
            [first, rest @ ..] if !rest.is_empty() => format!("{} and {} like it", short(first), rest.len()),
            [first, ..] => short(first),
            [] => String::new(),
        }
    }
}

/// Workload by workload where there are few, and otherwise those together that policies treat alike.
#[component]
fn Matrix(namespace: String, search: String, found: NamespaceConnections) -> impl IntoView {
    let NamespaceConnections { workloads, groups, between_groups, connections, .. } = found;
    if workloads.is_empty() {
        return view! { <p>"No workload that you can see."</p> }.into_any();
    }
    let is_grouped = workloads.len() > MOST_IN_MATRIX;
    let list = is_grouped.then(|| {
        let items = workloads.iter().take(MOST_LISTED).map(|reference| view! {
            <li><WorkloadLink namespace=namespace.clone() search=search.clone() reference=reference.clone()/></li>
        }).collect_view();
        let more = workloads.len().saturating_sub(MOST_LISTED);
        let more = (more > 0).then(|| {
            view! {
                <p class="quiet">{format!("And {more} more: enter a part of their names.")}</p>
            }
        });
        view! {
            <details>
                <summary>{format!("{} workloads", workloads.len())}</summary><ul class="columns">{items}</ul>{more}
            </details>
        }
    });
    if is_grouped && groups.len() > MOST_IN_MATRIX {
        return view! {
            <p>
                {format!("A matrix is drawn for up to {MOST_IN_MATRIX} workloads, or groups that policies treat \
                    alike; here are {} groups. Enter a part of the names.", groups.len())}
            </p>
            {list}
        }
        .into_any();
    }
    let place_of = |reference: &String| workloads.binary_search(reference).ok();
    let (heads, passing): (Vec<Head>, HashMap<(usize, usize), String>) = if is_grouped {
        let passing = between_groups.into_iter().map(|(from, to, ports)| ((from, to), ports)).collect();
        (groups.into_iter().map(|members| Head { members }).collect(), passing)
    } else {
        let inside = connections.iter().filter_map(|connection| {
            Some(((place_of(&connection.from)?, place_of(&connection.to)?), connection.ports.clone()))
        });
        let passing = inside.collect();
        (workloads.iter().map(|reference| Head { members: vec![reference.clone()] }).collect(), passing)
    };
    let columns = heads.iter().map(|head| view! { <th scope="col">{head.named()}</th> }).collect_view();
    let rows = heads
        .iter()
        .enumerate()
        .map(|(from, head)| {
            let cells = (0..heads.len())
                .map(|to| cell(from == to && head.members.len() == 1, passing.get(&(from, to))))
                .collect_view();
            let named = match head.members.as_slice() {
                [only] => {
                    view! { <WorkloadLink namespace=namespace.clone() search=search.clone() reference=only.clone()/> }
                        .into_any()
                }
                _ => head.named().into_any(),
            };
            view! { <tr><th scope="row">{named}</th>{cells}</tr> }
        })
        .collect_view();
    let told = if is_grouped {
        "Workloads that every policy treats alike stand together."
    } else {
        "Choose a workload to see its picture."
    };
    view! {
        <h2>"From row to column"</h2>
        <p>{told}</p>
        <div class="table-scroll" role="region" aria-label="Matrix" tabindex="0">
            <table class="matrix">
                <thead><tr><th scope="col">"From"</th>{columns}</tr></thead><tbody>{rows}</tbody>
            </table>
        </div>
        {list}
    }
    .into_any()
}

fn cell(is_itself: bool, ports: Option<&String>) -> AnyView {
    match ports {
        _ if is_itself => view! { <td class="quiet">"itself"</td> }.into_any(),
        Some(ports) => view! { <td>{ports.clone()}</td> }.into_any(),
        None => view! { <td class="quiet">"no"</td> }.into_any(),
    }
}

#[component]
fn WorkloadLink(namespace: String, search: String, reference: String) -> impl IntoView {
    let address =
        format!("/namespaces/{namespace}/connections?{}", query(&[("search", &search), ("workload", &reference)]));
    view! { <a href=address>{short(&reference)}</a> }
}

#[component]
fn List(connections: Vec<Connection>, all: usize) -> impl IntoView {
    let shown = connections.len().min(MOST_LISTED);
    let rows = connections
        .into_iter()
        .take(MOST_LISTED)
        .map(|connection| {
            view! {
                <tr>
                    <td data-label="From">{end(&connection.from)}</td><td data-label="To">{end(&connection.to)}</td>
                    <td data-label="Ports">{connection.ports}</td>
                </tr>
            }
        })
        .collect_view();
    let more = (all > shown)
        .then(|| view! { <p class="quiet">{format!("{shown} of {all}: enter a part of a name to see others.")}</p> });
    view! {
        <h2>"Inside this namespace, and with addresses"</h2>
        <Table label="All connections" columns=&["From", "To", "Ports"]>{rows}</Table>
        {more}
    }
}
