//! SQL of drafts. Who may see one is for the caller to decide.

use crate::error::AppError;
use crate::workloads::draft::{Draft, DraftForm};
use jiff_sqlx::Timestamp;
use serde_json::Value;
use sqlx::{PgExecutor, PgPool};
use uuid::Uuid;

/// Saves a new draft.
///
/// # Errors
/// When the database is away.
pub async fn insert_draft(
    database: &PgPool,
    author: Uuid,
    shared_with: &str,
    form: &DraftForm,
) -> Result<Uuid, AppError> {
    let row = sqlx::query!(
        "insert into drafts (author_id, saved_by, contributors, shared_with, form) values ($1, $1, array[$1]::uuid[], $2, $3) returning id",
        author,
        shared_with,
        written(form)?,
    )
    .fetch_one(database)
    .await?;
    Ok(row.id)
}

/// Saves a draft anew, if it is still at `version`; says whether it was.
///
/// # Errors
/// When the database is away.
pub async fn update_draft(
    database: &PgPool,
    saved_by: Uuid,
    id: Uuid,
    version: i32,
    shared_with: &str,
    form: &DraftForm,
) -> Result<bool, AppError> {
    let done = sqlx::query!(
        "update drafts set form = $4, shared_with = $5, saved_by = $2, version = version + 1, updated_at = now(),
           contributors = case when $2 = any (contributors) then contributors else contributors || $2 end
         where id = $1 and version = $3",
        id,
        saved_by,
        version,
        written(form)?,
        shared_with,
    )
    .execute(database)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// A draft by its id.
///
/// # Errors
/// [`AppError::NotFound`] where there is none.
pub async fn find_draft(database: &PgPool, id: Uuid) -> Result<Draft, AppError> {
    let stored = sqlx::query_as!(
        Stored,
        r#"select d.id, d.author_id, d.contributors, d.shared_with, p.name as saved_by, d.version, d.form, d.updated_at as "updated_at: jiff_sqlx::Timestamp"
           from drafts d join people p on p.id = d.saved_by where d.id = $1"#,
        id
    )
    .fetch_one(database)
    .await?;
    read(stored)
}

/// A person's drafts and then those shared with these namespaces, the latest first.
///
/// # Errors
/// When the database is away.
pub async fn list_drafts(database: &PgPool, person: Uuid, namespaces: &[String]) -> Result<Vec<Draft>, AppError> {
    let stored = sqlx::query_as!(
        Stored,
        r#"select d.id, d.author_id, d.contributors, d.shared_with, p.name as saved_by, d.version, d.form, d.updated_at as "updated_at: jiff_sqlx::Timestamp"
           from drafts d join people p on p.id = d.saved_by
           where d.author_id = $1 or d.shared_with = any($2) order by d.author_id = $1 desc, d.updated_at desc limit 100"#,
        person,
        namespaces
    )
    .fetch_all(database)
    .await?;
    stored.into_iter().map(read).collect()
}

/// Deletes a draft, unless it was saved again since this version.
///
/// # Errors
/// When the database is away.
pub async fn delete_draft(database: impl PgExecutor<'_>, id: Uuid, version: i32) -> Result<(), AppError> {
    sqlx::query!("delete from drafts where id = $1 and version = $2", id, version).execute(database).await?;
    Ok(())
}

fn written(form: &DraftForm) -> Result<Value, AppError> {
    serde_json::to_value(form).map_err(|_| AppError::Internal)
}

struct Stored {
    id: Uuid,
    author_id: Uuid,
    contributors: Vec<Uuid>,
    shared_with: String,
    saved_by: String,
    version: i32,
    form: Value,
    updated_at: Timestamp,
}

fn read(stored: Stored) -> Result<Draft, AppError> {
    let Stored { id, author_id, contributors, shared_with, saved_by, version, form, updated_at } = stored;
    let form = serde_json::from_value(form).map_err(|error| {
        tracing::error!(%error, %id, "a stored draft cannot be read");
        AppError::Internal
    })?;
    Ok(Draft { id, author_id, contributors, shared_with, saved_by, version, form, updated_at: updated_at.to_jiff() })
}
