//! Running the portal: connections with deadlines, and a stop that lets requests finish.

use crate::cluster::KubeCluster;
use crate::config::Config;
use crate::identity_provider::OpenIdProvider;
use crate::mailer::SmtpMailer;
use crate::router::router;
use crate::sessions::PgSessionStore;
use crate::webhook::Webhook;
use anyhow::Context;
use app::audit::api::publish_head;
use app::error::AppError;
use app::ports::{Mailer, Witness};
use app::preview::api::{notify, steward};
use app::state::AppState;
use axum::Router;
use futures::future::BoxFuture;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use jiff::Timestamp;
use leptos::prelude::LeptosOptions;
use sqlx::postgres::PgPoolOptions;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::task::TaskTracker;

/// How long the head of a request may take to arrive.
const HEAD_DEADLINE: Duration = Duration::from_secs(10);

/// How long requests may take to finish once the portal is told to stop.
const DRAIN_DEADLINE: Duration = Duration::from_secs(20);

/// Runs the portal until it is told to stop.
///
/// # Errors
/// When it cannot start.
pub async fn serve(config: Config) -> anyhow::Result<()> {
    let state = connect(&config).await?;
    let store = PgSessionStore::new(state.database.clone(), config.sessions);
    if let Some(listen) = config.metrics_listen {
        metrics_exporter_prometheus::PrometheusBuilder::new()
            .with_http_listener(listen)
            .install()
            .context("metrics cannot be served")?;
    }
    let listener =
        TcpListener::bind(config.listen).await.with_context(|| format!("cannot listen on {}", config.listen))?;
    let writes = TaskTracker::new();
    let duties: [(&str, Duty); 3] = [
        ("looking after opt-ins", |state, now| Box::pin(steward(state, now))),
        ("publishing the head of the record", |state, now| Box::pin(publish_head(state, now))),
        ("telling people by e-mail", |state, now| Box::pin(notify(state, now))),
    ];
    for (what, duty) in duties {
        tokio::spawn(do_rounds(what, state.clone(), duty, writes.clone()));
    }
    let app = router(&config, state, writes.clone());
    tokio::spawn(delete_expired_sessions(store));
    tracing::info!(listen = %config.listen, "ready");
    accept(listener, app, writes).await
}

/// The parts behind the portal. The database must be there; the cluster and the provider may come later.
async fn connect(config: &Config) -> anyhow::Result<AppState> {
    let database = PgPoolOptions::new()
        .max_connections(20)
        .acquire_timeout(Duration::from_secs(3))
        .connect(config.database_url.expose())
        .await
        .context("the database cannot be reached")?;
    let mut kube =
        kube::Config::infer().await.context("no cluster is configured: set KUBECONFIG, or run inside a cluster")?;
    // A write that was stored but answered with an error would be sent again, and then be "refused".
    kube.default_retry = false;
    let client = kube::Client::try_from(kube).context("the cluster's configuration cannot be used")?;
    let identity_provider = OpenIdProvider::new(config.oidc.clone(), &config.public_url)?;
    Ok(AppState {
        database,
        cluster: Arc::new(KubeCluster::start(client)),
        identity_provider: Arc::new(identity_provider),
        identity_provider_origin: config.oidc.issuer.origin().ascii_serialization(),
        witness: witness(config)?,
        mailer: mailer(config)?,
        public_url: config.public_url.clone(),
        policy: Arc::new(config.policy.clone()),
        leptos: leptos_options(config),
    })
}

fn witness(config: &Config) -> anyhow::Result<Option<Arc<dyn Witness>>> {
    let Some(settings) = config.heads_webhook.clone() else { return Ok(None) };
    Ok(Some(Arc::new(Webhook::new(settings)?)))
}

fn mailer(config: &Config) -> anyhow::Result<Option<Arc<dyn Mailer>>> {
    let Some(settings) = config.mail_server.clone() else { return Ok(None) };
    Ok(Some(Arc::new(SmtpMailer::new(settings)?)))
}

/// Where the pages find the WASM.
#[must_use]
pub fn leptos_options(config: &Config) -> LeptosOptions {
    LeptosOptions::builder()
        .output_name("fairway")
        .site_root(config.site_root.to_string_lossy().into_owned())
        .site_pkg_dir("pkg")
        .build()
}

async fn delete_expired_sessions(store: PgSessionStore) {
    let mut tick = tokio::time::interval(Duration::from_secs(600));
    loop {
        tick.tick().await;
        match store.delete_expired().await {
            Ok(deleted) => tracing::debug!(deleted, "expired sessions deleted"),
            Err(error) => tracing::warn!(%error, "expired sessions could not be deleted"),
        }
    }
}

/// How often it is looked what is due.
const ROUND: Duration = Duration::from_secs(5);

/// Something that the portal does without being asked; what is due at a moment.
type Duty = for<'a> fn(&'a AppState, Timestamp) -> BoxFuture<'a, Result<(), AppError>>;

/// Does it until the portal stops; whichever replica comes first does it. Each duty by itself, so that none waits for
/// another's part, and each round by itself, so that one that breaks is not the last. What has begun is ended first.
async fn do_rounds(what: &'static str, state: AppState, duty: Duty, rounds: TaskTracker) {
    let mut tick = tokio::time::interval(ROUND);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        if rounds.is_closed() {
            return;
        }
        let state = state.clone();
        match rounds.spawn(async move { duty(&state, Timestamp::now()).await }).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                metrics::counter!("fairway_rounds_failed_total", "what" => what).increment(1);
                tracing::warn!(%error, what, "a round ended early");
            }
            Err(error) => {
                metrics::counter!("fairway_rounds_failed_total", "what" => what).increment(1);
                tracing::error!(%error, what, "a round broke");
            }
        }
    }
}

/// axum's own loop keeps half-sent heads open for ever, so connections are served here, with a deadline.
async fn accept(listener: TcpListener, app: Router, writes: TaskTracker) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD_DEADLINE);
    builder.http2().timer(TokioTimer::new()).keep_alive_interval(Some(Duration::from_secs(20)));
    let graceful = GracefulShutdown::new();
    loop {
        let stream = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            },
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
        };
        let service = TowerToHyperService::new(app.clone());
        let connection =
            graceful.watch(builder.serve_connection_with_upgrades(TokioIo::new(stream), service).into_owned());
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "connection ended");
            }
        });
    }
    drop(listener);
    tracing::info!("stopping");
    writes.close();
    let drained = async { tokio::join!(graceful.shutdown(), writes.wait()) };
    if tokio::time::timeout(DRAIN_DEADLINE, drained).await.is_err() {
        tracing::warn!("some requests did not finish in time");
    }
    Ok(())
}
