//! The command line.

mod audit;
mod connections;
mod live_check;
mod manifests;
mod propose_policies;
mod review;

use crate::config::Config;
use crate::rego_workers::run_worker;
use crate::serve::serve;
use clap::Subcommand;
use live_check::check_live;
use sqlx::Connection;
use std::future::Future;
use std::process::ExitCode;

/// What the binary can do.
#[derive(Subcommand)]
pub enum Command {
    /// Run the portal.
    Serve,
    /// Bring the database up to date, as its owner.
    Migrate,
    /// Review manifests as the portal does.
    Review(review::ReviewArguments),
    /// List who may talk to whom.
    Connections(connections::ConnectionsArguments),
    /// Write a NetworkPolicy for each workload that has none, from what the manifests say of each other.
    ProposePolicies(propose_policies::ProposePoliciesArguments),
    /// Work with the record of all writes.
    #[command(subcommand)]
    Audit(audit::AuditCommand),
    /// Work with the settings.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Evaluate policies for the process that started this one.
    #[command(hide = true)]
    RegoWorker,
}

/// What can be done with the settings.
#[derive(Subcommand)]
pub enum ConfigCommand {
    /// Name every mistake in the settings.
    Check {
        /// Ask the database, the cluster and the identity provider as well.
        #[arg(long)]
        live: bool,
    },
}

impl Command {
    /// Runs it and gives the exit code: 0, or 1 with a sentence on standard error.
    #[must_use]
    pub fn run(self) -> ExitCode {
        match self {
            Self::Review(arguments) => arguments.run(),
            Self::Connections(arguments) => arguments.run(),
            Self::ProposePolicies(arguments) => arguments.run(),
            Self::Config(ConfigCommand::Check { live: true }) => {
                block_on(async { check_live(Config::from_env()?).await })
            }
            Self::Config(ConfigCommand::Check { live: false }) => {
                finish(Config::from_env().map(|_| say("The settings are right.")).map_err(Into::into))
            }
            Self::Serve => {
                log();
                block_on(async { serve(Config::from_env()?).await })
            }
            Self::Migrate => block_on(migrate()),
            Self::Audit(command) => block_on(command.run()),
            Self::RegoWorker => finish(run_worker()),
        }
    }
}

/// Writes a line to standard output; a reader that has gone away is not an error.
fn say(line: &str) {
    use std::io::Write;
    drop(writeln!(std::io::stdout(), "{line}"));
}

fn log() {
    let filter = tracing_subscriber::EnvFilter::try_from_env("FAIRWAY_LOG").unwrap_or_else(|_| "info".into());
    let json = std::env::var("FAIRWAY_LOG_FORMAT").is_ok_and(|format| format == "json");
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    if json { subscriber.json().init() } else { subscriber.init() }
}

fn block_on(work: impl Future<Output = anyhow::Result<()>>) -> ExitCode {
    match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => finish(runtime.block_on(work)),
        Err(error) => finish(Err(error.into())),
    }
}

fn finish(result: anyhow::Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("fairway: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The owner's address: `FAIRWAY_MIGRATE_DATABASE_URL`, or `DATABASE_URL` where both are one.
async fn migrate() -> anyhow::Result<()> {
    let url = std::env::var("FAIRWAY_MIGRATE_DATABASE_URL")
        .or_else(|_| std::env::var("DATABASE_URL"))
        .map_err(|_| anyhow::anyhow!("set FAIRWAY_MIGRATE_DATABASE_URL to the database, as its owner"))?;
    let mut connection = sqlx::PgConnection::connect(&url).await?;
    sqlx::migrate!("../migrations").run(&mut connection).await?;
    say("The database is up to date.");
    Ok(())
}
