//! SQL of drafts. Who may see one is for the caller to decide.

use crate::error::AppError;
use crate::workloads::draft::{Draft, DraftForm, DraftSummary, Step};
use jiff_sqlx::{Timestamp, ToSqlx};
use serde_json::Value;
use sqlx::{PgExecutor, PgPool};
use uuid::Uuid;

/// Saves a new draft.
///
/// # Errors
/// When the database is unavailable.
pub async fn insert_draft(
    database: &PgPool,
    author: Uuid,
    shared_with: &str,
    form: &DraftForm,
) -> Result<Uuid, AppError> {
    let row = sqlx::query!(
        "insert into drafts (author_id, saved_by, contributors, shared_with, form, name, namespace, next_step,
           is_untouched)
         values ($1, $1, array[$1]::uuid[], $2, $3, $4, $5, $6, $7) returning id",
        author,
        shared_with,
        written(form)?,
        form.name().unwrap_or_default(),
        form.workload.namespace,
        form.furthest().slug(),
        form.is_untouched(),
    )
    .fetch_one(database)
    .await?;
    Ok(row.id)
}

/// Saves a draft anew, if it is still at `version`; says whether it was.
///
/// # Errors
/// When the database is unavailable.
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
           name = $6, namespace = $7, next_step = $8, is_untouched = $9,
           contributors = case when $2 = any (contributors) then contributors else contributors || $2 end
         where id = $1 and version = $3",
        id,
        saved_by,
        version,
        written(form)?,
        shared_with,
        form.name().unwrap_or_default(),
        form.workload.namespace,
        form.furthest().slug(),
        form.is_untouched(),
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
        r#"select d.id, d.author_id, d.contributors, d.shared_with, p.name as saved_by, d.version, d.form,
           d.updated_at as "updated_at: jiff_sqlx::Timestamp"
           from drafts d join people p on p.id = d.saved_by where d.id = $1"#,
        id
    )
    .fetch_one(database)
    .await?;
    read(stored)
}

/// A person's drafts and then those shared with these namespaces, the latest first; not those that nobody typed
/// anything into. At most `limit`.
///
/// # Errors
/// When the database is unavailable.
pub async fn list_drafts(
    database: impl PgExecutor<'_>,
    person: Uuid,
    namespaces: &[String],
    limit: i64,
) -> sqlx::Result<Vec<DraftSummary>> {
    let rows = sqlx::query!(
        r#"select d.id, d.name, d.namespace, d.next_step, p.name as saved_by, d.updated_at as "updated_at: Timestamp"
           from drafts d join people p on p.id = d.saved_by
           where ((d.author_id = $1 and d.shared_with = '') or d.shared_with = any($2)) and not d.is_untouched
           order by d.author_id = $1 desc, d.updated_at desc limit $3"#,
        person,
        namespaces,
        limit,
    )
    .fetch_all(database)
    .await?;
    let drafts = rows.into_iter().map(|row| DraftSummary {
        id: row.id,
        name: row.name,
        namespace: row.namespace,
        next_step: Step::from_slug(&row.next_step).unwrap_or(Step::Workload),
        saved_by: row.saved_by,
        updated_at: row.updated_at.to_jiff(),
    });
    Ok(drafts.collect())
}

/// Deletes a person's drafts that nobody typed anything into since a moment.
///
/// # Errors
/// When the database is unavailable.
pub async fn delete_untouched_drafts(database: &PgPool, person: Uuid, until: jiff::Timestamp) -> sqlx::Result<()> {
    sqlx::query!(
        "delete from drafts where author_id = $1 and is_untouched and updated_at < $2",
        person,
        until.to_sqlx() as _,
    )
    .execute(database)
    .await?;
    Ok(())
}

/// Deletes a draft, unless it was saved again since this version; says whether it did.
///
/// # Errors
/// When the database is unavailable.
pub async fn delete_draft(database: impl PgExecutor<'_>, id: Uuid, version: i32) -> sqlx::Result<bool> {
    let done = sqlx::query!("delete from drafts where id = $1 and version = $2", id, version).execute(database).await?;
    Ok(done.rows_affected() == 1)
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
