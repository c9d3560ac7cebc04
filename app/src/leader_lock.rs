//! Locks that let one of several replicas do what nobody asks for.

use sqlx::{Connection, PgConnection};

/// What one replica at a time does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeaderLock {
    /// Reconciling opt-ins.
    OptIns,
    /// Publishing the head of the record.
    RecordHeads,
    /// Telling people by e-mail.
    Notifications,
}

impl LeaderLock {
    /// All replicas must know the lock by the same name.
    fn name(self) -> &'static str {
        match self {
            Self::OptIns => "opt_ins",
            Self::RecordHeads => "record_heads",
            Self::Notifications => "notifications",
        }
    }

    /// Takes the lock until the transaction ends; false where another replica has it.
    ///
    /// # Errors
    /// When the database is unavailable.
    pub async fn take(self, transaction: &mut PgConnection) -> sqlx::Result<bool> {
        let row = sqlx::query!(r#"select pg_try_advisory_xact_lock(hashtext($1)) as "is_taken!""#, self.name())
            .fetch_one(transaction)
            .await?;
        Ok(row.is_taken)
    }

    /// Makes sure that the lock is still held. It goes with the transaction's connection, and then another replica may
    /// have it already.
    ///
    /// # Errors
    /// When the connection is lost.
    pub async fn keep(transaction: &mut PgConnection) -> sqlx::Result<()> {
        transaction.ping().await
    }

    /// Waits for the lock, and holds it until the transaction ends.
    ///
    /// # Errors
    /// When the database is unavailable.
    pub async fn wait(self, transaction: &mut PgConnection) -> sqlx::Result<()> {
        sqlx::query!("select pg_advisory_xact_lock(hashtext($1)) is null as locked", self.name())
            .fetch_one(transaction)
            .await?;
        Ok(())
    }
}
