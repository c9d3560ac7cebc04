//! `fairway config check --live`: asks the database, the cluster and the identity provider whether the settings fit.

use super::say;
use crate::cluster::{Clients, account_mistakes};
use crate::config::Config;
use crate::database_check::check_database;
use crate::identity_provider::{LiveFinding, OpenIdProvider};
use anyhow::bail;
use secrecy::ExposeSecret;
use sqlx::PgPool;

/// Prints what was found.
///
/// # Errors
/// Where something does not fit.
pub(super) async fn check_live(config: Config) -> anyhow::Result<()> {
    let findings = [database(&config).await, cluster(&config).await, provider(&config).await].concat();
    let mut mistakes = 0;
    for finding in &findings {
        match finding {
            LiveFinding::Mistake(text) => {
                mistakes += 1;
                say(&format!("- {text}"));
            }
            LiveFinding::Note(text) => say(&format!("- note: {text}")),
        }
    }
    match mistakes {
        0 => say("The settings fit the database, the cluster and the identity provider."),
        1 => bail!("one thing does not fit"),
        number => bail!("{number} things do not fit"),
    }
    Ok(())
}

async fn database(config: &Config) -> Vec<LiveFinding> {
    let found = async {
        let database = PgPool::connect(config.database_url.expose_secret()).await?;
        check_database(&database).await
    };
    found.await.err().map(|problem| LiveFinding::Mistake(format!("database: {problem}"))).into_iter().collect()
}

async fn cluster(config: &Config) -> Vec<LiveFinding> {
    let found = async {
        let clients = Clients::new(kube::Config::infer().await?)?;
        anyhow::Ok(account_mistakes(&clients, &config.policy).await?)
    };
    match found.await {
        Ok(mistakes) => mistakes.into_iter().map(LiveFinding::Mistake).collect(),
        Err(error) => vec![LiveFinding::Mistake(format!("cluster: {error:#}"))],
    }
}

async fn provider(config: &Config) -> Vec<LiveFinding> {
    match OpenIdProvider::new(config.identity_provider.clone(), &config.public_url) {
        Ok(provider) => provider.live_findings().await,
        Err(error) => vec![LiveFinding::Mistake(format!("identity provider: {error:#}"))],
    }
}
