//! The router: pages, forms, files, and the layers every request passes.

use crate::config::Config;
use crate::health::{healthz, readyz};
use crate::sessions::{self, PgSessionStore};
use app::actor::Actor;
use app::audit::{Action, Phase, is_recorded, recorded};
use app::error::AppError;
use app::state::AppState;
use app::{App, form_routes, shell, show_failures};
use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, STRICT_TRANSPORT_SECURITY};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::{Next, from_fn, from_fn_with_state, map_response};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use leptos::prelude::provide_context;
use leptos_axum::{LeptosRoutes, generate_route_list};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio_util::task::TaskTracker;
use tower::ServiceBuilder;
use tower::limit::GlobalConcurrencyLimitLayer;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{DefaultPredicate, NotForContentType, Predicate};
use tower_http::csrf::CsrfLayer;
use tower_http::limit::RequestBodyLimitLayer;
use tower_http::request_id::{MakeRequestUuid, PropagateRequestIdLayer, SetRequestIdLayer};
use tower_http::services::ServeDir;
use tower_http::set_header::SetResponseHeaderLayer;
use tower_http::timeout::TimeoutLayer;
use tower_http::trace::TraceLayer;
use tower_sessions::cookie::SameSite;
use tower_sessions::{Expiry, SessionManagerLayer};
use tracing::Instrument;
use url::form_urlencoded;

/// Largest request body: the longest form, several times over.
const BODY_LIMIT: usize = 256 * 1024;

/// Longest path that the record keeps of a refused request.
const LONGEST_PATH: usize = 200;

/// Requests handled at once; more wait.
const CONCURRENCY: usize = 512;

/// Builds the site. `writes` gets every request that may change something, so that the process can wait
/// for them when it stops.
pub fn router(config: &Config, state: AppState, writes: TaskTracker) -> Router {
    let store = PgSessionStore::new(state.database.clone(), config.sessions);
    let identify = sessions::Identify { state: state.clone(), store: Arc::new(store.clone()), limits: config.sessions };
    let session_layer = SessionManagerLayer::new(store)
        .with_name("__Host-fairway")
        .with_secure(true)
        .with_http_only(true)
        .with_same_site(SameSite::Lax)
        .with_expiry(Expiry::OnSessionEnd);
    let pages = generate_route_list(App);
    let context = {
        let state = state.clone();
        move || provide_context(state.clone())
    };
    let document = {
        let state = state.clone();
        move || shell(&state)
    };
    let site = Router::new()
        .leptos_routes_with_context(&state, pages, context, document)
        .merge(form_routes())
        .merge(sessions::routes())
        .fallback(not_found)
        .layer(RequestBodyLimitLayer::new(BODY_LIMIT))
        .layer(map_response(name_too_large))
        .layer(from_fn(require_sign_in))
        .layer(from_fn_with_state(state.clone(), record_refusals))
        // Twice: here the person is known and the page says so; outside, failures to find out are shown.
        .layer(from_fn_with_state(state.clone(), show_failures))
        .layer(from_fn_with_state(identify, sessions::identify))
        .layer(session_layer)
        .layer(from_fn_with_state(state.clone(), show_failures))
        .layer(from_fn_with_state(writes, run_to_the_end));
    let all = Router::new()
        .merge(site)
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .merge(files(config))
        .with_state(state);
    layered(all, config.public_url.scheme() == "https")
}

/// Puts the layers of every request around a router, from the outside in.
fn layered(router: Router, https: bool) -> Router {
    let layers = ServiceBuilder::new()
        // Told by us, never by the client: it ends up in the record.
        .layer(from_fn(forget_client_headers))
        .layer(SetRequestIdLayer::x_request_id(MakeRequestUuid))
        .layer(PropagateRequestIdLayer::x_request_id())
        .layer(from_fn(measure))
        .layer(TraceLayer::new_for_http().make_span_with(|request: &Request| {
            let id = request.headers().get("x-request-id").and_then(|id| id.to_str().ok()).unwrap_or_default();
            tracing::info_span!("request", method = %request.method(), path = request.uri().path(), request_id = id)
        }))
        .layer(CatchPanicLayer::new())
        .layer(SetResponseHeaderLayer::if_not_present(
            CONTENT_SECURITY_POLICY,
            HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"),
        ))
        .layer(header("x-content-type-options", "nosniff"))
        .layer(header("referrer-policy", "same-origin"))
        .layer(header("cross-origin-opener-policy", "same-origin"))
        .layer(header("cross-origin-resource-policy", "same-origin"))
        .option_layer(https.then(|| {
            SetResponseHeaderLayer::overriding(STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"))
        }))
        .layer(
            CompressionLayer::new()
                .compress_when(DefaultPredicate::new().and(NotForContentType::const_new("application/wasm"))),
        )
        .layer(TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, Duration::from_secs(40)))
        .layer(GlobalConcurrencyLimitLayer::new(CONCURRENCY))
        .layer(CsrfLayer::new());
    router.layer(layers)
}

fn header(name: &'static str, value: &'static str) -> SetResponseHeaderLayer<HeaderValue> {
    SetResponseHeaderLayer::overriding(HeaderName::from_static(name), HeaderValue::from_static(value))
}

/// Style sheet, icon and WASM. Their names do not change, so browsers ask whether they did.
fn files(config: &Config) -> Router<AppState> {
    let folder = |path: &str| ServeDir::new(config.site_root.join(path)).precompressed_br();
    let file = |name: &str| tower_http::services::ServeFile::new(config.site_root.join(name)).precompressed_br();
    Router::new()
        .nest_service("/pkg", folder("pkg"))
        .route_service("/fairway.css", file("fairway.css"))
        .route_service("/favicon.svg", file("favicon.svg"))
        .layer(SetResponseHeaderLayer::overriding(CACHE_CONTROL, HeaderValue::from_static("no-cache")))
}

async fn not_found() -> AppError {
    AppError::NotFound
}

/// A browser that goes away, or a deadline, ends the request that it belongs to. A write must not stop half
/// way, with its outcome unrecorded: it runs on by itself, and only the answer is lost.
async fn run_to_the_end(State(writes): State<TaskTracker>, request: Request, next: Next) -> Response {
    if request.method().is_safe() {
        return next.run(request).await;
    }
    let span = tracing::Span::current();
    writes.spawn(next.run(request).instrument(span)).await.unwrap_or_else(|error| {
        tracing::error!(%error, "a write broke");
        AppError::Internal.into_response()
    })
}

/// Headers by which proxies speak of identity, and the reference that we give ourselves.
async fn forget_client_headers(mut request: Request, next: Next) -> Response {
    let headers = request.headers_mut();
    let forgotten: Vec<HeaderName> = headers
        .keys()
        .filter(|name| {
            let name = name.as_str().replace('_', "-");
            name == "x-request-id"
                || name.starts_with("impersonate-")
                || name.starts_with("x-forwarded-")
                || name.starts_with("x-remote-")
        })
        .cloned()
        .collect();
    for name in forgotten {
        headers.remove(name);
    }
    next.run(request).await
}

/// Whoever finds a body to be too large only says so with a status.
async fn name_too_large(response: Response) -> Response {
    match response.status() {
        StatusCode::PAYLOAD_TOO_LARGE => AppError::TooLarge.into_response(),
        _ => response,
    }
}

/// What may be read signed out.
fn is_public(path: &str) -> bool {
    path == "/"
        || path == "/styleguide"
        || path == "/sign-out"
        || ["/faq", "/sign-in"].iter().any(|root| path == *root || path.starts_with(&format!("{root}/")))
}

/// Sends people who are not signed in to sign in, and back to the page they asked for. Every body checks
/// again: this is for comfort, not for safety.
async fn require_sign_in(request: Request, next: Next) -> Response {
    let signed_in = request.extensions().get::<Actor>().is_some();
    if signed_in || is_public(request.uri().path()) {
        return next.run(request).await;
    }
    if request.method() != Method::GET {
        return AppError::SignInRequired.into_response();
    }
    let address = request.uri().path_and_query().map_or("/", |address| address.as_str());
    let query: String = form_urlencoded::Serializer::new(String::new()).append_pair("return", address).finish();
    Redirect::to(&format!("/sign-in?{query}")).into_response()
}

/// What somebody asked for and was refused by the portal itself is recorded: it says as much as what was done. That is
/// every write that was not theirs or came too late, unless it stands in the record already, and every look at what administrators and
/// auditors see.
async fn record_refusals(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let is_write = !request.method().is_safe();
    // Of a page only which one it is: whoever made the link chose the rest, and the record keeps it for good.
    let page = request.extensions().get::<MatchedPath>().map(|page| page.as_str().to_owned());
    let path = match is_write {
        true => request.uri().path().chars().take(LONGEST_PATH).collect(),
        false => page.unwrap_or_default(),
    };
    let actor = request.extensions().get::<Actor>().cloned();
    let response = next.run(request).await;
    let Some(actor) = actor else { return response };
    let code = match response.extensions().get::<AppError>() {
        Some(error @ (AppError::NotFound | AppError::Conflict { .. } | AppError::ClusterRefused { .. }))
            if is_write =>
        {
            error.code()
        }
        // Pages say it by their status alone.
        None if response.status() == StatusCode::NOT_FOUND && path.starts_with("/admin") => AppError::NotFound.code(),
        _ => return response,
    };
    if let Err(error) = record_refusal(&state, &actor, &path, code).await {
        tracing::warn!(%error, "a refusal could not be recorded");
    }
    response
}

async fn record_refusal(state: &AppState, actor: &Actor, path: &str, code: &str) -> Result<(), AppError> {
    if is_recorded(&state.database, &actor.request_id).await? {
        return Ok(());
    }
    let detail = serde_json::json!({ "path": path, "code": code });
    recorded(state, actor, Action::RequestRefuse, Phase::Refused, "Request//", detail).await
}

/// Counts requests and their time, by method and status; paths would be too many.
async fn measure(request: Request, next: Next) -> Response {
    let method = request.method().to_string();
    let began = Instant::now();
    let response = next.run(request).await;
    let labels = [("method", method), ("status", response.status().as_u16().to_string())];
    metrics::counter!("fairway_requests_total", &labels).increment(1);
    metrics::histogram!("fairway_request_seconds", &labels).record(began.elapsed().as_secs_f64());
    response
}
