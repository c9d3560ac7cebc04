//! Whether the database is the one that the portal was written for, and its role the one that it should have.

use sqlx::migrate::Migrator;
use sqlx::{FromRow, PgPool};

static MIGRATIONS: Migrator = sqlx::migrate!("../migrations");

/// Why the portal does not work on a database.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseProblem {
    #[error("migration {version} is missing, or differs from that of this version: run fairway migrate")]
    NotMigrated { version: i64 },
    #[error(
        "the role of DATABASE_URL may change or delete what is recorded, so nobody could rely on it: use a member of \
         fairway_app that owns nothing"
    )]
    TooManyRights,
    #[error("the role of DATABASE_URL may not write what is recorded: make it a member of fairway_app")]
    TooFewRights,
    #[error(transparent)]
    Unavailable(#[from] sqlx::Error),
}

/// # Errors
/// [`DatabaseProblem`]: the first that there is.
pub async fn check_database(database: &PgPool) -> Result<(), DatabaseProblem> {
    let rights = sqlx::query!(
        r#"select (select bool_or(has_table_privilege(name, 'update, delete, truncate')) from unnest(array['audit_events',
               'identities', 'submissions', 'submission_reviews', 'submission_comments', 'apply_results', 'risk_statements',
               'acceptances', 'opt_in_steps', 'notices']) as name)
             or (select pg_has_role(relowner, 'member') from pg_class where oid = 'audit_events'::regclass)
             or (select rolsuper from pg_roles where rolname = current_user) as "may_rewrite!",
           has_table_privilege('audit_events', 'insert') and has_table_privilege('sessions', 'insert') as "may_write!""#
    )
    .fetch_one(database)
    .await;
    let rights = match rights {
        Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some(UNDEFINED_TABLE) => {
            return Err(not_migrated(1));
        }
        other => other?,
    };
    if rights.may_rewrite {
        return Err(DatabaseProblem::TooManyRights);
    }
    if !rights.may_write {
        return Err(DatabaseProblem::TooFewRights);
    }
    check_migrations(database).await
}

/// Postgres, appendix A.
const UNDEFINED_TABLE: &str = "42P01";

#[derive(FromRow)]
struct Applied {
    version: i64,
    checksum: Vec<u8>,
}

/// Every migration must have been run as it is here. There may be later ones: another replica is newer.
async fn check_migrations(database: &PgPool) -> Result<(), DatabaseProblem> {
    // Of sqlx's own table, which is not there when queries are checked.
    let applied: Vec<Applied> =
        sqlx::query_as("select version, checksum from _sqlx_migrations where success").fetch_all(database).await?;
    let is_applied = |version: i64, checksum: &[u8]| {
        applied.iter().any(|applied| applied.version == version && applied.checksum == checksum)
    };
    let missing = MIGRATIONS.iter().find(|migration| !is_applied(migration.version, &migration.checksum));
    missing.map_or(Ok(()), |migration| Err(not_migrated(migration.version)))
}

fn not_migrated(version: i64) -> DatabaseProblem {
    DatabaseProblem::NotMigrated { version }
}
