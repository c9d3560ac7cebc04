//! How every page is made: load, then show; a failure becomes the page that explains it.

use super::failure::{SentAgain, failure_body};
use super::frame::{Frame, Section, Visitor};
use crate::actor::Actor;
use crate::error::{AppError, Dependency};
use crate::row_limit::RowLimit;
use crate::sent_form::SentForm;
use crate::state::AppState;
use axum::http::StatusCode;
use axum::http::request::Parts;
use leptos::prelude::*;
use leptos_axum::ResponseOptions;
use leptos_meta::Title;
use leptos_router::params::ParamsMap;
use std::future::Future;

/// A page's title and content.
pub struct Page {
    title: String,
    body: AnyView,
}

impl Page {
    pub fn new(title: impl Into<String>, body: impl IntoView + 'static) -> Self {
        Self { title: title.into(), body: body.into_any() }
    }

    /// The same page as the answer to a refused form: its title says so.
    #[must_use]
    pub fn with_errors(self, errors: bool) -> Self {
        if errors { Self { title: format!("Error: {}", self.title), ..self } } else { self }
    }
}

/// What a page may know of the request.
#[derive(Clone)]
pub struct PageRequest {
    /// Everything the process shares.
    pub state: AppState,
    actor: Option<Actor>,
    parts: Parts,
    params: ParamsMap,
}

impl PageRequest {
    fn current() -> Self {
        let parts = expect_context::<Parts>();
        // Pages that only say what went wrong stand outside every route and have no parameters.
        let params = use_context::<ArcMemo<ParamsMap>>().map(|params| params.get_untracked()).unwrap_or_default();
        Self { state: expect_context(), actor: parts.extensions.get().cloned(), params, parts }
    }

    /// The person who is signed in.
    ///
    /// # Errors
    /// [`AppError::SignInRequired`].
    pub fn actor(&self) -> Result<&Actor, AppError> {
        self.actor.as_ref().ok_or(AppError::SignInRequired)
    }

    /// The person, where a page is for everyone.
    #[must_use]
    pub fn visitor(&self) -> Option<&Actor> {
        self.actor.as_ref()
    }

    /// A part of the path, by its name in the route.
    #[must_use]
    pub fn param(&self, name: &str) -> String {
        self.params.get(name).unwrap_or_default()
    }

    /// A value of the query string.
    #[must_use]
    pub fn query(&self, name: &str) -> Option<String> {
        let query = self.parts.uri.query()?;
        url::form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    }

    /// How many rows of a list the address asks for.
    #[must_use]
    pub fn row_limit(&self, list: &str) -> RowLimit {
        RowLimit::asked_for(self.query(list).as_deref())
    }

    /// This page's own address with another value in its query string.
    #[must_use]
    pub fn address_with(&self, name: &str, value: &str) -> String {
        let query = self.parts.uri.query().unwrap_or_default();
        let kept = url::form_urlencoded::parse(query.as_bytes()).filter(|(key, _)| key != name);
        let mut written = url::form_urlencoded::Serializer::new(String::new());
        let query = written.extend_pairs(kept).append_pair(name, value).finish();
        format!("{}?{query}", self.parts.uri.path())
    }

    /// The path and query asked for.
    #[must_use]
    pub fn address(&self) -> String {
        self.parts.uri.path_and_query().map(ToString::to_string).unwrap_or_default()
    }

    /// What the browser sent, where this is the answer to a form.
    async fn sent_again(&self) -> Option<SentAgain> {
        let sent = self.parts.extensions.get::<SentForm>()?.fields().await?;
        Some(SentAgain { address: self.address(), sent })
    }

    /// Ties what the person sees to the log.
    #[must_use]
    pub fn request_id(&self) -> String {
        request_id(&self.parts)
    }
}

/// The id the router gave the request.
fn request_id(parts: &Parts) -> String {
    parts.headers.get("x-request-id").and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
}

/// Shows what `load` gives, in the frame of the site.
pub fn page<Fut>(section: Section, load: impl FnOnce(PageRequest) -> Fut) -> impl IntoView
where
    Fut: Future<Output = Result<Page, AppError>> + Send + 'static,
{
    page_with(section, (), |request, ()| load(request))
}

/// Like [`page`], with something taken from the context before loading begins.
pub fn page_with<C, Fut>(section: Section, context: C, load: impl FnOnce(PageRequest, C) -> Fut) -> impl IntoView
where
    Fut: Future<Output = Result<Page, AppError>> + Send + 'static,
{
    let request = PageRequest::current();
    let response = expect_context::<ResponseOptions>();
    let loading = load(request.clone(), context);
    Suspend::new(async move {
        let mut visitor = request.visitor().map_or(Visitor::Anyone, |actor| Visitor::Person(Box::new(actor.clone())));
        let loaded = loading.await;
        let sent = match &loaded {
            Err(error) if error.may_be_sent_again() => request.sent_again().await,
            _ => None,
        };
        let page = loaded.unwrap_or_else(|error| {
            response.set_status(StatusCode::from_u16(error.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR));
            // Somebody whose session cannot be looked up is not signed out.
            if request.visitor().is_none() && error == (AppError::Unavailable { dependency: Dependency::Database }) {
                visitor = Visitor::NotKnown;
            }
            let support = &request.state.policy.platform.support;
            Page::new(error.title(), failure_body(&error, &request.request_id(), support, sent))
        });
        view! {
            // leptos writes titles as they are.
            <Title text=format!("{} - Fairway", html_escape::encode_text(&page.title))/>
            <Frame section=section visitor=visitor address=request.address()>{page.body}</Frame>
        }
    })
}
