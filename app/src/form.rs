//! The one pattern of every form: a native form posts to the address of its page, or a button of it to an address of
//! its own. On success the handler redirects (303), otherwise the page comes back with status 422, its values and its
//! errors.

use crate::error::AppError;
use crate::sent_form::SentForm;
use crate::state::AppState;
use axum::body::Body;
use axum::extract::{FromRequestParts, Path, State};
use axum::http::request::Parts;
use axum::http::{Method, Request, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use leptos::prelude::{provide_context, use_context};
use serde::de::DeserializeOwned;
use std::sync::Arc;

/// What is wrong with a form, field by field, in the order of the page. Every field of a page gets them, so a clone is
/// no more than a reference.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FormErrors(Arc<Vec<FieldError>>);

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldError {
    /// The field's name, which is its id on the page.
    pub field: String,
    /// What is wrong and what would be right.
    pub message: String,
}

impl FormErrors {
    /// Notes what is wrong with a field.
    pub fn add(&mut self, field: impl Into<String>, message: impl ToString) {
        Arc::make_mut(&mut self.0).push(FieldError { field: field.into(), message: message.to_string() });
    }

    /// Takes the value, or notes the error and gives nothing.
    pub fn take<T, E: ToString>(&mut self, field: impl Into<String>, result: Result<T, E>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(error) => {
                self.add(field, error.to_string());
                None
            }
        }
    }

    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All of them.
    #[must_use]
    pub fn all(&self) -> &[FieldError] {
        &self.0
    }

    /// What is wrong with one field.
    #[must_use]
    pub fn of(&self, field: &str) -> Option<&str> {
        self.0.iter().find(|error| error.field == field).map(|error| error.message.as_str())
    }
}

/// A form that comes back: what was typed, and what is wrong with it.
#[derive(Debug, Clone)]
pub struct Rejected<F> {
    /// As typed.
    pub form: F,
    pub errors: FormErrors,
}

impl<F: Clone + Send + Sync + 'static> Rejected<F> {
    /// The form that was just refused on this page, if any.
    #[must_use]
    pub fn on_this_page() -> Option<Self> {
        use_context()
    }
}

/// What a form handler answers.
pub enum FormOutcome<F> {
    /// Done: go there.
    Done(String),
    /// Show the page again.
    Again(Rejected<F>),
    /// Show the page with something new on it, which it takes from the context; nothing was done yet.
    Shown(Box<dyn Fn() + Send + Sync>),
}

impl<F: Clone + Send + Sync + 'static> FormOutcome<F> {
    /// Back to the page with these errors.
    #[must_use]
    pub fn again(form: F, errors: FormErrors) -> Self {
        Self::Again(Rejected { form, errors })
    }

    /// The page with this in its context.
    #[must_use]
    pub fn shown<C: Clone + Send + Sync + 'static>(context: C) -> Self {
        Self::Shown(Box::new(move || provide_context(context.clone())))
    }

    /// The response: a redirect, or the page at the request's own address again with status 422, or with 200 where it
    /// only shows something.
    pub async fn respond(self, state: AppState, parts: Parts) -> Response {
        match self {
            Self::Done(path) => redirect_to(&path),
            Self::Again(rejected) => {
                page_again(state, parts, StatusCode::UNPROCESSABLE_ENTITY, move || provide_context(rejected.clone()))
                    .await
            }
            Self::Shown(context) => {
                let context: Arc<dyn Fn() + Send + Sync> = context.into();
                page_again(state, parts, StatusCode::OK, move || context()).await
            }
        }
    }

    /// As [`FormOutcome::respond`], for a button with an address of its own: the page is the one that it is on.
    pub async fn respond_on(self, page: &str, state: AppState, mut parts: Parts) -> Response {
        match page.parse() {
            Ok(uri) => parts.uri = uri,
            Err(error) => tracing::error!(%error, page, "a page has no such address"),
        }
        self.respond(state, parts).await
    }
}

/// 303, so that what follows is a GET.
#[must_use]
pub fn redirect_to(path: &str) -> Response {
    Redirect::to(path).into_response()
}

/// For whoever opens, or reloads, the address of a button: leads to the page that the button is on.
pub async fn back_to_page(uri: Uri) -> Response {
    let page = uri.path().rsplit_once('/').map_or("/", |(page, _)| page);
    match uri.query() {
        Some(query) => redirect_to(&format!("{page}?{query}")),
        None => redirect_to(page),
    }
}

/// Parts of the path. A path with other parts, such as an id that is none, leads to no page.
#[derive(Debug, Clone, Copy)]
pub struct PathOf<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for PathOf<T> {
    type Rejection = AppError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, AppError> {
        let Path(value) = Path::from_request_parts(parts, state).await.map_err(|_| AppError::NotFound)?;
        Ok(Self(value))
    }
}

/// Reads a sent form. One that no page of ours makes has no field to blame: it is not a page. The log does not say what
/// was wrong with it, as that quotes what was sent.
///
/// # Errors
/// [`AppError::NotFound`].
pub fn decode<T: DeserializeOwned>(body: &str) -> Result<T, AppError> {
    // Postgres keeps no text with it.
    if body.contains("%00") || body.contains('\0') {
        return Err(AppError::NotFound);
    }
    serde_html_form::from_str(body).map_err(|_| {
        tracing::warn!(form = std::any::type_name::<T>(), "a form that no page of ours sends");
        AppError::NotFound
    })
}

/// The value of a box, empty where it is not ticked: then nothing is sent, which must not be read as
/// the field's default.
#[must_use]
pub fn ticked(body: &str, name: &str) -> String {
    url::form_urlencoded::parse(body.as_bytes())
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.into_owned())
        .unwrap_or_default()
}

/// Middleware: a handler that answers with an [`AppError`] is answered for with the page that explains
/// it.
pub async fn show_failures(State(state): State<AppState>, request: Request<Body>, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let (request_parts, mut kept) = (parts.clone(), parts);
    let response = next.run(Request::from_parts(request_parts, body)).await;
    if let Some(sent) = response.extensions().get::<SentForm>() {
        kept.extensions.insert(sent.clone());
    }
    match response.extensions().get::<AppError>().cloned() {
        Some(error) => page_again(state, kept, response.status(), move || provide_context(error.clone())).await,
        None => response,
    }
}

/// Renders the page at an address, as if asked for with GET, under another status.
async fn page_again(
    state: AppState,
    parts: Parts,
    status: StatusCode,
    context: impl Fn() + Clone + Send + Sync + 'static,
) -> Response {
    let mut request = Request::new(Body::empty());
    *request.method_mut() = Method::GET;
    *request.uri_mut() = parts.uri;
    *request.headers_mut() = parts.headers;
    *request.extensions_mut() = parts.extensions;
    let shell_state = state.clone();
    let with_context = move || {
        provide_context(state.clone());
        context();
    };
    let mut response =
        leptos_axum::render_app_async_with_context(with_context, move || crate::shell(&shell_state))(request).await;
    *response.status_mut() = status;
    response
}
