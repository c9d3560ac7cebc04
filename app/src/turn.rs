//! Whose turn it is to do what nobody asks for: of several replicas, one at a time.

use sqlx::{Connection, PgConnection};

/// What is done in turns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// Looking after opt-ins.
    OptIns,
    /// Publishing the head of the record.
    RecordHeads,
    /// Telling people by e-mail.
    Notifications,
}

impl Turn {
    /// The name of the lock, which all replicas must know it by.
    fn lock(self) -> &'static str {
        match self {
            Self::OptIns => "opt_ins",
            Self::RecordHeads => "record_heads",
            Self::Notifications => "notifications",
        }
    }

    /// Takes the turn until the transaction ends; false where another replica has it.
    ///
    /// # Errors
    /// When the database is away.
    pub async fn take(self, transaction: &mut PgConnection) -> sqlx::Result<bool> {
        let row = sqlx::query!(r#"select pg_try_advisory_xact_lock(hashtext($1)) as "is_turn!""#, self.lock())
            .fetch_one(transaction)
            .await?;
        Ok(row.is_turn)
    }

    /// Makes sure that the turn is still had. Its lock is the transaction's, so it goes only with the connection, and
    /// then another replica may have it already.
    ///
    /// # Errors
    /// When the connection is lost.
    pub async fn keep(transaction: &mut PgConnection) -> sqlx::Result<()> {
        transaction.ping().await
    }

    /// Waits for the turn, and has it until the transaction ends.
    ///
    /// # Errors
    /// When the database is away.
    pub async fn wait(self, transaction: &mut PgConnection) -> sqlx::Result<()> {
        sqlx::query!("select pg_advisory_xact_lock(hashtext($1)) is null as locked", self.lock())
            .fetch_one(transaction)
            .await?;
        Ok(())
    }
}
