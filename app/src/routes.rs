//! Every address of the site: pages, forms, and the document around them.

use crate::access::pages::AccessPage;
use crate::audit::pages::AuditPage;
use crate::error::AppError;
use crate::faq::pages::{ArticlePage, FaqPage};
use crate::namespaces::pages::{NamespacePage, NamespacesPage, NewNamespacePage};
use crate::preview::pages::{AcceptancePage, ApprovalsPage, CataloguePage, EditFeaturePage, FeaturePage, FeaturesPage};
use crate::preview::service::queue::count_needing_action;
use crate::sessions::pages::{AllSessionsPage, SessionsPage, SignOutPage};
use crate::state::AppState;
use crate::ui::styleguide::StyleguidePage;
use crate::ui::{Page, Section, failure_page, page};
use crate::view_as::pages::ViewAsPage;
use crate::workloads::pages::{
    ConnectionsPage, DeleteDraftPage, DraftPage, ImportPage, NewWorkloadPage, SubmissionPage, WorkloadsPage,
};
use crate::{audit, namespaces, preview, sessions, view_as, workloads};
use axum::Router;
use axum::http::header::CONTENT_SECURITY_POLICY;
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue};
use leptos::nonce::use_nonce;
use leptos::prelude::*;
use leptos_axum::ResponseOptions;
use leptos_meta::{MetaTags, provide_meta_context};
use leptos_router::components::{FlatRoutes, Route, Router as PageRouter};
use leptos_router::{SsrMode, path};

/// The handlers of forms and downloads.
pub fn form_routes() -> Router<AppState> {
    Router::new()
        .merge(audit::handlers::routes())
        .merge(namespaces::handlers::routes())
        .merge(preview::handlers::routes())
        .merge(sessions::handlers::routes())
        .merge(view_as::handlers::routes())
        .merge(workloads::handlers::routes())
}

/// Every page.
#[component]
pub fn App() -> impl IntoView {
    provide_meta_context();
    if let Some(error) = use_context::<AppError>() {
        return view! { <PageRouter>{failure_page(error)}</PageRouter> }.into_any();
    }
    view! {
        <PageRouter>
            <FlatRoutes fallback=|| failure_page(AppError::NotFound)>
                <Route path=path!("/") view=HomePage ssr=SsrMode::Async/>
                <Route path=path!("/access") view=AccessPage ssr=SsrMode::Async/>
                <Route path=path!("/namespaces") view=NamespacesPage ssr=SsrMode::Async/>
                <Route path=path!("/namespaces/new") view=NewNamespacePage ssr=SsrMode::Async/>
                <Route path=path!("/namespaces/:name") view=NamespacePage ssr=SsrMode::Async/>
                <Route path=path!("/namespaces/:name/connections") view=ConnectionsPage ssr=SsrMode::Async/>
                <Route path=path!("/workloads") view=WorkloadsPage ssr=SsrMode::Async/>
                <Route path=path!("/workloads/new") view=NewWorkloadPage ssr=SsrMode::Async/>
                <Route path=path!("/workloads/drafts/:id/delete") view=DeleteDraftPage ssr=SsrMode::Async/>
                <Route path=path!("/workloads/drafts/:id/:step") view=DraftPage ssr=SsrMode::Async/>
                <Route path=path!("/workloads/import") view=ImportPage ssr=SsrMode::Async/>
                <Route path=path!("/workloads/:id") view=SubmissionPage ssr=SsrMode::Async/>
                <Route path=path!("/preview-features") view=FeaturesPage ssr=SsrMode::Async/>
                <Route path=path!("/preview-features/:slug") view=FeaturePage ssr=SsrMode::Async/>
                <Route path=path!("/preview-features/acceptances/:id") view=AcceptancePage ssr=SsrMode::Async/>
                <Route path=path!("/faq") view=FaqPage ssr=SsrMode::Async/>
                <Route path=path!("/faq/:slug") view=ArticlePage ssr=SsrMode::Async/>
                <Route path=path!("/admin") view=AdminPage ssr=SsrMode::Async/>
                <Route path=path!("/admin/approvals") view=ApprovalsPage ssr=SsrMode::Async/>
                <Route path=path!("/admin/features") view=CataloguePage ssr=SsrMode::Async/>
                <Route path=path!("/admin/features/:slug") view=EditFeaturePage ssr=SsrMode::Async/>
                <Route path=path!("/admin/audit") view=AuditPage ssr=SsrMode::Async/>
                <Route path=path!("/admin/view-as") view=ViewAsPage ssr=SsrMode::Async/>
                <Route path=path!("/admin/sessions") view=AllSessionsPage ssr=SsrMode::Async/>
                <Route path=path!("/sessions") view=SessionsPage ssr=SsrMode::Async/>
                <Route path=path!("/sign-out") view=SignOutPage ssr=SsrMode::Async/>
                <Route path=path!("/styleguide") view=StyleguidePage ssr=SsrMode::Async/>
            </FlatRoutes>
        </PageRouter>
    }
    .into_any()
}

/// The addresses that hold an island and therefore load the WASM.
fn has_island(path: &str) -> bool {
    let below = path.strip_prefix("/workloads/").unwrap_or_default();
    !matches!(below, "" | "new" | "import") && !below.ends_with("/delete")
}

/// The document around a page. Also sets the headers that depend on the page.
pub fn shell(state: &AppState) -> impl IntoView + use<> {
    let path = use_context::<Parts>().map(|parts| parts.uri.path().to_owned()).unwrap_or_default();
    let island = has_island(&path);
    if let Some(response) = use_context::<ResponseOptions>() {
        response.insert_header(CONTENT_SECURITY_POLICY, content_security_policy(island));
        response.insert_header(HeaderName::from_static("cache-control"), HeaderValue::from_static("no-store"));
    }
    let scripts = island.then(|| view! { <HydrationScripts options=state.leptos.clone() islands=true/> });
    view! {
        <!DOCTYPE html>
        <html lang="en">
            <head>
                <meta charset="utf-8"/>
                <meta name="viewport" content="width=device-width, initial-scale=1"/>
                <meta name="color-scheme" content="light dark"/>
                <link rel="icon" href="/favicon.svg" type="image/svg+xml"/>
                <link rel="stylesheet" href="/fairway.css"/>
                {scripts}
                <MetaTags/>
            </head>
            <body><App/></body>
        </html>
    }
}

/// Scripts only from here, by nonce; WebAssembly only where an island is.
fn content_security_policy(island: bool) -> HeaderValue {
    // leptos ends every document with two small scripts of its own, hence the nonce on every page.
    let scripts = match use_nonce() {
        Some(nonce) if island => format!("'self' 'nonce-{nonce}' 'wasm-unsafe-eval'"),
        Some(nonce) => format!("'nonce-{nonce}'"),
        None => "'none'".to_owned(),
    };
    let policy = format!(
        "default-src 'none'; script-src {scripts}; style-src 'self'; img-src 'self'; connect-src 'self'; \
         form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    );
    HeaderValue::from_str(&policy).unwrap_or(HeaderValue::from_static("default-src 'none'"))
}

#[component]
fn HomePage() -> impl IntoView {
    page(Section::None, |request| async move {
        let platform = request.state.policy.platform.name.clone();
        let start = match request.visitor() {
            Some(actor) => view! {
                <p>
                    "Welcome, "{actor.profile.name.clone()}". "<a href="/access">"See what your groups give you"</a>
                    ", or "<a href="/workloads/new">"add a workload"</a>"."
                </p>
            }
            .into_any(),
            None => view! {
                <p><a class="button" href="/sign-in">"Sign in"</a>" "<a href="/faq">"Read the FAQ first"</a></p>
            }
            .into_any(),
        };
        let body = view! {
            <div class="hero">
                <h1>"The safe way into "{platform}</h1>
                <p class="lead">
                    "Get a namespace, and run a workload behind a network policy that allows only what it needs. \
                     Fairway writes both, shows what they mean, and asks the cluster before anything is sent."
                </p>
                {start}
            </div>
            <ul class="cards">
                <li class="card">
                    <h2><a href="/access">"Access"</a></h2>
                    <p>"What you may do, in which namespace, and which group gives it to you."</p>
                </li>
                <li class="card">
                    <h2><a href="/namespaces">"Namespaces"</a></h2><p>"Have one, or make one for your team."</p>
                </li>
                <li class="card">
                    <h2><a href="/workloads">"Workloads"</a></h2>
                    <p>"A few questions and a picture instead of two hundred lines of YAML."</p>
                </li>
                <li class="card">
                    <h2><a href="/preview-features">"Preview features"</a></h2>
                    <p>"Read the risks, accept them, have it approved."</p>
                </li>
                <li class="card">
                    <h2><a href="/faq">"FAQ"</a></h2>
                    <p>"Paste a message you do not understand, and read what to do."</p>
                </li>
            </ul>
        };
        Ok(Page::new("Welcome", body))
    })
}

#[component]
fn AdminPage() -> impl IntoView {
    page(Section::Admin, |request| async move {
        let actor = request.actor()?;
        actor.record_reader()?;
        let catalogue = actor.administrator().is_ok().then(|| {
            view! {
                <li class="card">
                    <h2><a href="/admin/features">"Preview feature catalogue"</a></h2>
                    <p>"Publish features and their risks."</p>
                </li>
                <li class="card">
                    <h2><a href="/admin/sessions">"Sessions"</a></h2>
                    <p>"Who is signed in. End the sessions of a lost device."</p>
                </li>
                <li class="card">
                    <h2><a href="/admin/view-as">"View as somebody"</a></h2>
                    <p>"What somebody may do, and which binding and group it comes from."</p>
                </li>
            }
        });
        let open = count_needing_action(&request.state, actor).await?;
        let open = if open == 0 { "None is open.".to_owned() } else { format!("Open: {open}.") };
        let body = view! {
            <h1>"Admin"</h1>
            <ul class="cards">
                <li class="card">
                    <h2><a href="/admin/approvals">"Approvals"</a></h2><p>"Decide on accepted risks. "{open}</p>
                </li>
                <li class="card">
                    <h2><a href="/admin/audit">"Audit"</a></h2><p>"Every write: who, what, and how it ended."</p>
                </li>
                {catalogue}
            </ul>
        };
        Ok(Page::new("Admin", body))
    })
}
