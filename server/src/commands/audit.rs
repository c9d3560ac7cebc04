//! `fairway audit`: verifying and exporting the record.

use super::say;
use app::audit::ChainVerifier;
use app::audit::store::list_events_after;
use clap::Subcommand;
use sqlx::PgPool;

/// Rows read at a time.
const PAGE: i64 = 1000;

/// What can be done with the record.
#[derive(Subcommand)]
pub enum AuditCommand {
    /// Check that no row was changed, removed or moved.
    Verify,
    /// Write all rows to standard output, one JSON object a line.
    Export,
}

impl AuditCommand {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let url = std::env::var("DATABASE_URL").map_err(|_| anyhow::anyhow!("set DATABASE_URL"))?;
        let database = PgPool::connect(&url).await?;
        match self {
            Self::Verify => verify(&database).await,
            Self::Export => export(&database).await,
        }
    }
}

async fn verify(database: &PgPool) -> anyhow::Result<()> {
    let mut verifier = ChainVerifier::default();
    loop {
        let rows = list_events_after(database, verifier.accepted(), PAGE).await?;
        if rows.is_empty() {
            say(&format!("{} rows, unbroken.", verifier.accepted()));
            return Ok(());
        }
        for row in rows {
            verifier.accept(&row.event, &row.previous_hash, &row.hash)?;
        }
    }
}

async fn export(database: &PgPool) -> anyhow::Result<()> {
    let mut after = 0;
    loop {
        let rows = list_events_after(database, after, PAGE).await?;
        let Some(last) = rows.last() else { return Ok(()) };
        after = last.event.sequence;
        for row in &rows {
            let mut value = serde_json::to_value(&row.event)?;
            value["previous_hash"] = row.previous_hash.to_string().into();
            value["hash"] = row.hash.to_string().into();
            say(&value.to_string());
        }
    }
}
