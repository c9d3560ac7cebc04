//! What stands below a list that does not show all of its rows.

use super::page::PageRequest;
use crate::row_limit::Others;
use leptos::prelude::*;

#[component]
pub fn MoreRows(
    request: PageRequest,
    /// Name of the list: in the query string, and as the id of its heading.
    list: &'static str,
    /// What is listed, as in "Show more drafts".
    what: &'static str,
    others: Others,
) -> impl IntoView {
    match others {
        Others::None => ().into_any(),
        Others::Within(limit) => {
            let address = format!("{}#{list}", request.address_with(list, &limit.rows().to_string()));
            view! { <p><a class="button button--secondary" href=address>{format!("Show more {what}")}</a></p> }
                .into_any()
        }
        Others::NotShown => {
            view! { <p class="quiet">{format!("There are more {what} than this list shows.")}</p> }.into_any()
        }
    }
}
