//! The frame of every page: skip link, product name, navigation, account, content.

use super::display::{Notice, Time, Tone};
use crate::actor::Actor;
use jiff::Timestamp;
use leptos::prelude::*;

/// Which entry of the navigation a page belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Section {
    None,
    /// `/access`.
    Access,
    /// `/namespaces`.
    Namespaces,
    /// `/workloads`.
    Workloads,
    /// `/preview-features`.
    PreviewFeatures,
    /// `/faq`.
    Faq,
    /// `/admin`.
    Admin,
}

const SIGNED_IN: &[(Section, &str, &str)] = &[
    (Section::Access, "/access", "Access"),
    (Section::Namespaces, "/namespaces", "Namespaces"),
    (Section::Workloads, "/workloads", "Workloads"),
    (Section::PreviewFeatures, "/preview-features", "Preview features"),
    (Section::Faq, "/faq", "FAQ"),
];

const SIGNED_OUT: &[(Section, &str, &str)] = &[(Section::Faq, "/faq", "FAQ")];

fn entries(visitor: &Visitor) -> Vec<(Section, &'static str, &'static str)> {
    let Visitor::Person(actor) = visitor else { return SIGNED_OUT.to_vec() };
    let admin = actor.record_reader().is_ok().then_some((Section::Admin, "/admin", "Admin"));
    SIGNED_IN.iter().copied().chain(admin).collect()
}

/// Who is looking at a page.
#[derive(Clone)]
pub enum Visitor {
    /// Nobody who is signed in.
    Anyone,
    Person(Box<Actor>),
    /// The database that would know is unavailable.
    NotKnown,
}

/// The frame around a page.
#[component]
pub fn Frame(
    section: Section,
    visitor: Visitor,
    /// Path and query of this page, to come back to after signing in.
    address: String,
    children: Children,
) -> impl IntoView {
    let links = entries(&visitor)
        .into_iter()
        .map(|(entry, path, label)| {
            let current = (entry == section).then_some("true");
            view! { <li><a href=path aria-current=current>{label}</a></li> }
        })
        .collect_view();
    let ends_at = match &visitor {
        Visitor::Person(actor) => actor.ends_at,
        Visitor::Anyone | Visitor::NotKnown => None,
    };
    view! {
        <a class="skip-link" href="#content">"Skip to content"</a>
        <header class="site-header">
            <div class="site-header__inner">
                <a class="brand" href="/"><BrandMark/>"Fairway"</a>
                <nav class="site-nav" aria-label="Main"><ul>{links}</ul></nav>
                <Account visitor=visitor address=address/>
            </div>
        </header>
        <main id="content" class="content" tabindex="-1">
            {ends_at.map(|at| view! { <ProviderAway ends_at=at/> })}
            {children()}
        </main>
        <footer class="site-footer"><p>"Fairway: the marked, safe channel into the cluster."</p></footer>
    }
}

/// Said before a session ends, so that nobody loses what they are typing.
#[component]
fn ProviderAway(ends_at: Timestamp) -> impl IntoView {
    view! {
        <Notice tone=Tone::Warn>
            <p>
                "Fairway cannot reach the identity provider, so your groups may be out of date. If that does not change by \
                 "<Time at=ends_at/>", you will be signed out. Save your work."
            </p>
        </Notice>
    }
}

/// Two buoys and the channel between them.
#[component]
fn BrandMark() -> impl IntoView {
    view! {
        <svg class="brand__mark" viewBox="0 0 24 24" width="24" height="24" aria-hidden="true" focusable="false">
            <path
                d="M2 20c3 0 3-2 5-2s2 2 5 2 3-2 5-2 2 2 5 2"
                fill="none"
                stroke="currentColor"
                stroke-width="2"
                stroke-linecap="round"
            />
            <path d="M5 14V8l3-4v10z" fill="currentColor"/>
            <path d="M16 14V4h3v10z" fill="none" stroke="currentColor" stroke-width="2"/>
        </svg>
    }
}

#[component]
fn Account(visitor: Visitor, address: String) -> impl IntoView {
    match visitor {
        Visitor::Person(actor) => view! {
            <div class="account">
                <a class="account__name" href="/sessions" title=format!("{}: your sessions", actor.profile.email)>
                    {actor.profile.name}
                </a>
                <form method="post" action="/sign-out"><button class="button button--quiet">"Sign out"</button></form>
            </div>
        }
        .into_any(),
        Visitor::NotKnown => ().into_any(),
        Visitor::Anyone => {
            let query: String =
                url::form_urlencoded::Serializer::new(String::new()).append_pair("return", &address).finish();
            view! {
                <div class="account">
                    <a class="button button--quiet" href=format!("/sign-in?{query}")>"Sign in"</a>
                </div>
            }
            .into_any()
        }
    }
}
