//! `fairway audit`: verifying and exporting the record, and erasing a person's details in it.

mod acceptance;
mod erase;
mod export;
mod verify;

use clap::Subcommand;
use sqlx::{PgConnection, PgPool};

/// What can be done with the record.
#[derive(Subcommand)]
pub enum AuditCommand {
    /// Check that no row was changed, removed, moved or cut off.
    Verify(verify::VerifyArguments),
    /// Check one acceptance, as the portal exports it.
    VerifyAcceptance(acceptance::AcceptanceArguments),
    /// Write rows to standard output.
    Export(export::ExportArguments),
    /// Erase a person's details, as the database's owner; the chain still holds afterwards.
    Erase(erase::EraseArguments),
}

impl AuditCommand {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Verify(arguments) => arguments.run().await,
            Self::VerifyAcceptance(arguments) => arguments.run(),
            Self::Export(arguments) => arguments.run().await,
            Self::Erase(arguments) => arguments.run().await,
        }
    }
}

/// As whom the database knows whoever is at the command line.
async fn database_user(connection: &mut PgConnection) -> sqlx::Result<String> {
    sqlx::query_scalar("select session_user::text").fetch_one(connection).await
}

async fn connect(variable: &str) -> anyhow::Result<PgPool> {
    let url = std::env::var(variable).map_err(|_| anyhow::anyhow!("set {variable}"))?;
    Ok(PgPool::connect(&url).await?)
}
