//! Running the portal: what it is made of, and what it does without being asked.

use crate::cluster::{Clients, KubeCluster};
use crate::config::Config;
use crate::connections::serve_connections;
use crate::identity_provider::OpenIdProvider;
use crate::mailer::SmtpMailer;
use crate::rate_limits::RateLimits;
use crate::rego_workers::RegoWorkers;
use crate::router::routers;
use crate::sessions::PgSessionStore;
use crate::webhook::Webhook;
use anyhow::Context;
use app::audit::publish_head;
use app::clock;
use app::compute_pool::ComputePool;
use app::error::AppError;
use app::ports::{HeadPublisher, Mailer};
use app::preview::service::{notify, reconcile};
use app::sessions::SignInFailures;
use app::state::{AppState, Dependencies};
use app::workloads::service::Listings;
use futures::FutureExt;
use futures::future::BoxFuture;
use jiff::Timestamp;
use leptos::prelude::LeptosOptions;
use secrecy::ExposeSecret;
use sqlx::postgres::PgPoolOptions;
use sqlx::{Connection, Executor};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::task::TaskTracker;

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
    let rounds: [(&str, Round); 3] = [
        ("reconciling opt-ins", |state, now| Box::pin(reconcile(state, now))),
        ("publishing the head of the record", |state, now| Box::pin(publish_head(state, now))),
        ("telling people by e-mail", |state, now| Box::pin(notify(state, now))),
    ];
    for (what, round) in rounds {
        tokio::spawn(do_rounds(what, state.clone(), round, writes.clone()));
    }
    let rates = RateLimits::new(config.rates);
    tokio::spawn(rates.clone().forget_idle());
    tokio::spawn(tidy_sessions(store, state.clone()));
    let routers = routers(&config, state, rates, writes.clone());
    tracing::info!(listen = %config.listen, "ready");
    let stop = told_to_stop().map(|_| ());
    serve_connections(listener, routers, config.connections, writes, stop).await;
    Ok(())
}

/// How long an idle connection to the database is taken for working.
const TRUSTED_WHILE_IDLE: Duration = Duration::from_secs(1);

/// The parts behind the portal. The database must be there; the cluster and the provider may come later.
async fn connect(config: &Config) -> anyhow::Result<AppState> {
    let database = PgPoolOptions::new()
        .max_connections(20)
        .acquire_timeout(Duration::from_secs(3))
        // A connection that was in use a moment ago need not be asked whether it still works, which takes as long as a
        // short query.
        .test_before_acquire(false)
        .before_acquire(|connection, metadata| {
            Box::pin(async move {
                if metadata.idle_for > TRUSTED_WHILE_IDLE {
                    connection.ping().await?;
                }
                Ok(true)
            })
        })
        // Postgres would plan anew for every request what takes longer to plan than to run. Where a plan must fit what
        // is asked for, the query says so.
        .after_connect(|connection, _| {
            Box::pin(async { connection.execute("set plan_cache_mode = force_generic_plan").await.map(drop) })
        })
        .connect(config.database_url.expose_secret())
        .await
        .context("the database cannot be reached")?;
    let mut kube =
        kube::Config::infer().await.context("no cluster is configured: set KUBECONFIG, or run inside a cluster")?;
    // A write that was stored but answered with an error would be sent again, and then be "refused".
    kube.default_retry = false;
    let clients = Clients::new(kube).context("the cluster's configuration cannot be used")?;
    let identity_provider = OpenIdProvider::new(config.identity_provider.clone(), &config.public_url)?;
    Ok(AppState::from(Dependencies {
        database,
        cluster: Arc::new(KubeCluster::start(clients)),
        identity_provider: Arc::new(identity_provider),
        head_publisher: head_publisher(config)?,
        mailer: mailer(config)?,
        public_url: config.public_url.clone(),
        policy: Arc::new(config.policy.clone()),
        rego: Arc::new(start_rego_workers()?),
        listings: Listings::default(),
        sign_in_failures: SignInFailures::default(),
        compute: ComputePool::default(),
        leptos: leptos_options(config),
    }))
}

/// How long the cluster's own policies may take for one review, so that people who wait for it need not wait for those.
const TIME_OF_POLICIES: Duration = Duration::from_millis(400);

fn start_rego_workers() -> anyhow::Result<RegoWorkers> {
    let number = std::thread::available_parallelism().map_or(2, |number| number.get().max(2));
    let program = std::env::current_exe().context("the portal does not know its own program")?;
    RegoWorkers::start(program, number, TIME_OF_POLICIES).context("no process for policies could be started")
}

fn head_publisher(config: &Config) -> anyhow::Result<Option<Arc<dyn HeadPublisher>>> {
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

/// Deletes sessions that are over, and stores how many sign-ins have failed.
async fn tidy_sessions(store: PgSessionStore, state: AppState) {
    let mut tick = tokio::time::interval(Duration::from_secs(60));
    loop {
        tick.tick().await;
        match store.delete_expired().await {
            Ok(deleted) => tracing::debug!(deleted, "expired sessions deleted"),
            Err(error) => tracing::warn!(%error, "expired sessions could not be deleted"),
        }
        if let Err(error) = state.sign_in_failures.store(&state.database).await {
            tracing::warn!(%error, "the number of sign-ins that failed could not be stored");
        }
    }
}

/// How often it is looked what is due.
const ROUND: Duration = Duration::from_secs(5);

/// Something that the portal does without being asked; what is due at a moment.
type Round = for<'a> fn(&'a AppState, Timestamp) -> BoxFuture<'a, Result<(), AppError>>;

/// Does it until the portal stops, in whichever replica comes first. Each runs by itself, so that none waits for
/// another's dependency, and each round by itself, so that one that breaks is not the last. What has begun is ended
/// first.
async fn do_rounds(what: &'static str, state: AppState, round: Round, rounds: TaskTracker) {
    let mut tick = tokio::time::interval(ROUND);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        if rounds.is_closed() {
            return;
        }
        let state = state.clone();
        let one = async move { round(&state, clock::now(&state.database).await?).await };
        match rounds.spawn(one).await {
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

/// When the portal is told to stop.
async fn told_to_stop() -> std::io::Result<()> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    tokio::select! {
        _ = terminate.recv() => {},
        _ = interrupt.recv() => {},
    }
    Ok(())
}
