//! The router: pages, forms, files, and the layers every request passes.

use crate::client_address::ClientAddress;
use crate::config::Config;
use crate::connections::Routers;
use crate::health::{Readiness, healthz, readyz};
use crate::rate_limits::{RateLimits, limit_rates};
use crate::refusals::{Refusals, record_refusals};
use crate::sessions::{self, PgSessionStore};
use app::actor::Actor;
use app::error::AppError;
use app::point_of_no_return::PointOfNoReturn;
use app::sent_form::SentForm;
use app::state::AppState;
use app::{App, form_routes, shell, show_failures};
use axum::Router;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{Request, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, STRICT_TRANSPORT_SECURITY};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::{Next, from_fn, from_fn_with_state, map_response};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use http_body_util::BodyExt;
use ipnet::IpNet;
use leptos::prelude::provide_context;
use leptos_axum::{LeptosRoutes, generate_route_list};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;
use tokio::task::AbortHandle;
use tokio_util::task::TaskTracker;
use tower::ServiceBuilder;
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

/// Builds the site. `writes` gets every request that may change something, so that the process can wait
/// for them when it stops.
pub fn routers(config: &Config, state: AppState, rates: Arc<RateLimits>, writes: TaskTracker) -> Routers {
    let store = PgSessionStore::new(state.database.clone(), config.sessions);
    let authenticate = sessions::Authenticate {
        state: state.clone(),
        store: Arc::new(store.clone()),
        limits: config.sessions,
        writes: writes.clone(),
    };
    let session_layer = SessionManagerLayer::new(store)
        .with_name("__Host-fairway")
        .with_secure(true)
        .with_http_only(true)
        .with_same_site(SameSite::Lax)
        .with_expiry(Expiry::OnSessionEnd);
    // From the outside in. In one stack: each call of `layer` would put another box around every route, and every request
    // clones what is in them.
    let layers = ServiceBuilder::new()
        .layer(from_fn_with_state(state.clone(), show_failures))
        .layer(from_fn_with_state(config.connections.body, read_body))
        .layer(from_fn_with_state(Arc::new(Semaphore::new(config.connections.at_once)), in_turn))
        .layer(from_fn_with_state(writes, run_to_the_end))
        .layer(from_fn_with_state(state.clone(), show_failures))
        .layer(session_layer)
        .layer(from_fn_with_state(authenticate, sessions::authenticate))
        .layer(from_fn_with_state(rates, limit_rates));
    let site = site(&state).layer(layers);
    let health = Router::new()
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .with_state(Readiness::watch(state.clone()));
    let all = Router::new().merge(site).merge(files(config)).with_state(state).merge(health.clone());
    Routers { site: layered(all, config), health: layered(health, config) }
}

/// The pages and forms, for a request that carries whose it is: without sessions, files, and the layers around them.
pub fn site(state: &AppState) -> Router<AppState> {
    let pages = generate_route_list(App);
    let context = {
        let state = state.clone();
        move || provide_context(state.clone())
    };
    let document = {
        let state = state.clone();
        move || shell(&state)
    };
    let layers = ServiceBuilder::new()
        // Here the person is known and the page says so; outside, failures to find out are shown.
        .layer(from_fn_with_state(state.clone(), show_failures))
        .layer(from_fn_with_state((state.clone(), Refusals::default()), record_refusals))
        .layer(from_fn(require_sign_in))
        .layer(from_fn(refuse_nul))
        .layer(map_response(name_too_large));
    Router::new()
        .leptos_routes_with_context(state, pages, context, document)
        .merge(form_routes())
        .merge(sessions::routes())
        .fallback(not_found)
        .layer(RequestBodyLimitLayer::new(BODY_LIMIT))
        .layer(layers)
}

/// Puts the layers of every request around a router, from the outside in.
fn layered(router: Router, config: &Config) -> Router {
    let is_https = config.public_url.scheme() == "https";
    let trusted_proxies: Arc<[IpNet]> = config.connections.trusted_proxies.clone().into();
    let layers = ServiceBuilder::new()
        .layer(from_fn_with_state(trusted_proxies, find_client_address))
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
        .option_layer(is_https.then(|| {
            SetResponseHeaderLayer::overriding(STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"))
        }))
        .layer(
            CompressionLayer::new()
                .compress_when(DefaultPredicate::new().and(NotForContentType::const_new("application/wasm"))),
        )
        .layer(TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, Duration::from_secs(40)))
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

/// Reads all of a body before anything waits for it: whoever sends slowly takes no place among the requests that are
/// handled. A form goes along with the failure that kept it from being taken.
async fn read_body(State(deadline): State<Duration>, request: Request, next: Next) -> Response {
    if request.body().is_end_stream() {
        return next.run(request).await;
    }
    let (mut parts, body) = request.into_parts();
    let bytes = match tokio::time::timeout(deadline, whole(body)).await {
        Ok(Ok(bytes)) => Bytes::from(bytes),
        Ok(Err(refused)) => return refused,
        Err(_) => return AppError::TooSlow.into_response(),
    };
    let sent = SentForm::of(&parts.headers, &bytes);
    if let Some(sent) = &sent {
        parts.extensions.insert(sent.clone());
    }
    let mut response = next.run(Request::from_parts(parts, bytes.into())).await;
    if let (Some(sent), true) = (sent, response.extensions().get::<AppError>().is_some()) {
        response.extensions_mut().insert(sent);
    }
    response
}

/// All of a body in one piece: kept as it came, each byte could have a buffer of its own.
async fn whole(mut body: Body) -> Result<Vec<u8>, Response> {
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        // Whoever sent it is gone, or speaks no HTTP.
        let frame = frame.map_err(|_| StatusCode::BAD_REQUEST.into_response())?;
        let Ok(data) = frame.into_data() else { continue };
        if bytes.len() + data.len() > BODY_LIMIT {
            return Err(AppError::TooLarge.into_response());
        }
        bytes.extend_from_slice(&data);
    }
    Ok(bytes)
}

/// Lets so many requests be handled at once, and the others wait. tower's layer for it would give a request its turn
/// before its body is read.
async fn in_turn(State(turns): State<Arc<Semaphore>>, request: Request, next: Next) -> Response {
    // Nothing closes it.
    let _turn = turns.acquire_owned().await;
    next.run(request).await
}

/// A browser that goes away, or a deadline, ends the request that it belongs to. A write must not stop half way, with
/// its outcome unrecorded: once it has begun it runs on by itself, and only the answer is lost.
async fn run_to_the_end(State(writes): State<TaskTracker>, request: Request, next: Next) -> Response {
    if request.method().is_safe() {
        return next.run(request).await;
    }
    let span = tracing::Span::current();
    let point = PointOfNoReturn::default();
    let task = writes.spawn(point.clone().of(next.run(request)).instrument(span));
    let _dropped_with_us = DropUnlessPassed { point, task: task.abort_handle() };
    task.await.unwrap_or_else(|error| {
        tracing::error!(%error, "a write broke");
        AppError::Internal.into_response()
    })
}

/// Ends a request with whoever waits for it, while it may.
struct DropUnlessPassed {
    point: PointOfNoReturn,
    task: AbortHandle,
}

impl Drop for DropUnlessPassed {
    fn drop(&mut self) {
        if self.point.drop_request() {
            self.task.abort();
        }
    }
}

/// Where the request comes from, before the headers that say so are gone.
async fn find_client_address(
    State(trusted_proxies): State<Arc<[IpNet]>>,
    mut request: Request,
    next: Next,
) -> Response {
    if let Some(address) = ClientAddress::of(&request, &trusted_proxies) {
        request.extensions_mut().insert(address);
    }
    next.run(request).await
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

/// The layer that finds a body to be too large only says so with a status.
async fn name_too_large(response: Response) -> Response {
    let is_named = response.extensions().get::<AppError>().is_some();
    match response.status() {
        StatusCode::PAYLOAD_TOO_LARGE if !is_named => AppError::TooLarge.into_response(),
        _ => response,
    }
}

/// No page has an address with a NUL in it, and Postgres takes no text that has one.
async fn refuse_nul(request: Request, next: Next) -> Response {
    let has_nul = |text: &str| text.contains("%00");
    let uri = request.uri();
    match has_nul(uri.path()) || uri.query().is_some_and(has_nul) {
        true => AppError::NotFound.into_response(),
        false => next.run(request).await,
    }
}

/// What may be read signed out.
fn is_public(path: &str) -> bool {
    path == "/"
        || path == "/styleguide"
        || path == "/sign-out"
        || path == "/back-channel-logout"
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

/// Counts requests and their time, by method and status; paths would be too many.
async fn measure(request: Request, next: Next) -> Response {
    let method = method_label(request.method());
    let began = Instant::now();
    let response = next.run(request).await;
    let labels = [("method", method.to_owned()), ("status", response.status().as_u16().to_string())];
    metrics::counter!("fairway_requests_total", &labels).increment(1);
    metrics::histogram!("fairway_request_seconds", &labels).record(began.elapsed().as_secs_f64());
    response
}

/// A label of metrics: one of a closed set, as anybody may send a method that nobody has heard of.
fn method_label(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "OPTIONS" => "OPTIONS",
        "PUT" | "PATCH" | "DELETE" => "write",
        _ => "other",
    }
}
