//! What time it is, by the one clock that all replicas share: the database's.

use jiff::Timestamp;
use sqlx::PgPool;

/// The time of the database, to the microsecond.
///
/// # Errors
/// When the database is unavailable.
pub async fn now(database: &PgPool) -> sqlx::Result<Timestamp> {
    let row = sqlx::query!(r#"select clock_timestamp() as "now!: jiff_sqlx::Timestamp""#).fetch_one(database).await?;
    Ok(row.now.to_jiff())
}
