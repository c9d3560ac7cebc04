//! SQL of drafts, submissions and what became of them.

use super::forms::DraftForm;
use super::submission::{ApplyOutcome, ApplyResult, Draft, Submission, SubmissionOutcome, SubmissionSummary};
use crate::digest::Digest;
use crate::error::AppError;
use jiff::Timestamp;
use serde_json::Value;
use sqlx::PgPool;
use uuid::Uuid;

/// Saves a new draft.
///
/// # Errors
/// When the database is away.
pub async fn insert_draft(database: &PgPool, author: Uuid, form: &DraftForm) -> Result<Uuid, AppError> {
    let form = serde_json::to_value(form).map_err(|_| AppError::Internal)?;
    let row = sqlx::query!("insert into drafts (author_id, form) values ($1, $2) returning id", author, form)
        .fetch_one(database)
        .await?;
    Ok(row.id)
}

/// Saves a draft anew.
///
/// # Errors
/// [`AppError::NotFound`] where it is not the author's.
pub async fn update_draft(database: &PgPool, author: Uuid, id: Uuid, form: &DraftForm) -> Result<(), AppError> {
    let form = serde_json::to_value(form).map_err(|_| AppError::Internal)?;
    let done = sqlx::query!(
        "update drafts set form = $3, updated_at = now() where id = $1 and author_id = $2",
        id,
        author,
        form
    )
    .execute(database)
    .await?;
    if done.rows_affected() == 1 { Ok(()) } else { Err(AppError::NotFound) }
}

/// A draft of the author's.
///
/// # Errors
/// [`AppError::NotFound`] where there is none, or it is somebody else's.
pub async fn find_draft(database: &PgPool, author: Uuid, id: Uuid) -> Result<Draft, AppError> {
    let row = sqlx::query!(r#"select id, form, updated_at as "updated_at: jiff_sqlx::Timestamp" from drafts where id = $1 and author_id = $2"#, id, author)
        .fetch_one(database)
        .await?;
    draft(row.id, row.form, row.updated_at.to_jiff())
}

/// The author's drafts, the latest first.
///
/// # Errors
/// When the database is away.
pub async fn list_drafts(database: &PgPool, author: Uuid) -> Result<Vec<Draft>, AppError> {
    let rows = sqlx::query!(
        r#"select id, form, updated_at as "updated_at: jiff_sqlx::Timestamp" from drafts where author_id = $1 order by updated_at desc limit 50"#,
        author
    )
    .fetch_all(database)
    .await?;
    rows.into_iter().map(|row| draft(row.id, row.form, row.updated_at.to_jiff())).collect()
}

fn draft(id: Uuid, form: Value, updated_at: Timestamp) -> Result<Draft, AppError> {
    let form = serde_json::from_value(form).map_err(|error| {
        tracing::error!(%error, %id, "a stored draft cannot be read");
        AppError::Internal
    })?;
    Ok(Draft { id, form, updated_at })
}

/// Deletes a draft of the author's.
///
/// # Errors
/// When the database is away.
pub async fn delete_draft(database: &PgPool, author: Uuid, id: Uuid) -> Result<(), AppError> {
    sqlx::query!("delete from drafts where id = $1 and author_id = $2", id, author).execute(database).await?;
    Ok(())
}

/// Frozen bytes, with the verdicts on them.
pub struct NewSubmission<'a> {
    /// The draft it is made of.
    pub draft: Uuid,
    /// Who submits.
    pub author: Uuid,
    /// Where it goes.
    pub namespace: &'a str,
    /// The workload's name.
    pub name: &'a str,
    /// Exactly what is applied.
    pub manifest: &'a str,
    /// Of the manifest.
    pub digest: Digest,
    /// The review's findings.
    pub report: Value,
    /// The server's verdicts.
    pub dry_run: Value,
}

/// Stores a submission.
///
/// # Errors
/// When the database refuses (the digest is not that of the bytes) or is away.
pub async fn insert_submission(database: &PgPool, new: NewSubmission<'_>) -> Result<Uuid, AppError> {
    let row = sqlx::query!(
        "insert into submissions (author_id, namespace, name, manifest, digest, report, dry_run, draft_id) values ($1, $2, $3, $4, $5, $6, $7, $8) returning id",
        new.author,
        new.namespace,
        new.name,
        new.manifest,
        new.digest.as_bytes(),
        new.report,
        new.dry_run,
        new.draft,
    )
    .fetch_one(database)
    .await?;
    Ok(row.id)
}

/// The latest submission that the author made of a draft.
///
/// # Errors
/// [`AppError::NotFound`] where there is none.
pub async fn find_submission_of(database: &PgPool, author: Uuid, draft: Uuid) -> Result<Uuid, AppError> {
    let row = sqlx::query!(
        "select id from submissions where draft_id = $1 and author_id = $2 order by created_at desc limit 1",
        draft,
        author
    )
    .fetch_one(database)
    .await?;
    Ok(row.id)
}

/// A submission by its id; who may see it is for the caller to decide.
///
/// # Errors
/// [`AppError::NotFound`] where there is none.
pub async fn find_submission(database: &PgPool, id: Uuid) -> Result<Submission, AppError> {
    let row = sqlx::query!(
        r#"select s.id, s.author_id, p.name as author_name, s.namespace, s.name, s.manifest, s.digest as "digest: Digest", s.report, s.dry_run,
             s.created_at as "created_at: jiff_sqlx::Timestamp", apply_succeeded(s.id) as "succeeded!"
           from submissions s join people p on p.id = s.author_id where s.id = $1"#,
        id
    )
    .fetch_one(database)
    .await?;
    let results = list_apply_results(database, id).await?;
    let outcomes: Vec<ApplyOutcome> = results.iter().map(|result| result.outcome).collect();
    Ok(Submission {
        id: row.id,
        author_id: row.author_id,
        author_name: row.author_name,
        namespace: row.namespace,
        name: row.name,
        manifest: row.manifest,
        digest: row.digest,
        report: row.report,
        dry_run: row.dry_run,
        created_at: row.created_at.to_jiff(),
        outcome: SubmissionOutcome::new(&outcomes, row.succeeded),
        results,
    })
}

/// Submissions into these namespaces, the latest first.
///
/// # Errors
/// When the database is away.
pub async fn list_submissions(database: &PgPool, namespaces: &[String]) -> Result<Vec<SubmissionSummary>, AppError> {
    let rows = sqlx::query!(
        r#"select s.id, p.name as author_name, s.namespace, s.name, s.created_at as "created_at: jiff_sqlx::Timestamp",
             coalesce((select array_agg(r.outcome order by r.id) from apply_results r where r.submission_id = s.id), '{}') as "outcomes!: Vec<ApplyOutcome>",
             apply_succeeded(s.id) as "succeeded!"
           from submissions s join people p on p.id = s.author_id
           where s.namespace = any($1) order by s.created_at desc limit 100"#,
        namespaces
    )
    .fetch_all(database)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| SubmissionSummary {
            id: row.id,
            author_name: row.author_name,
            namespace: row.namespace,
            name: row.name,
            created_at: row.created_at.to_jiff(),
            outcome: SubmissionOutcome::new(&row.outcomes, row.succeeded),
        })
        .collect())
}

/// Stores what the cluster said.
///
/// # Errors
/// When the database refuses or is away.
pub async fn insert_apply_result(
    database: &PgPool,
    submission: Uuid,
    intent: Uuid,
    result: &ApplyResult,
) -> Result<(), AppError> {
    sqlx::query!(
        "insert into apply_results (submission_id, intent_id, object, outcome, message, resource_version) values ($1, $2, $3, $4, $5, $6)",
        submission,
        intent,
        result.object,
        result.outcome as ApplyOutcome,
        result.message,
        result.resource_version,
    )
    .execute(database)
    .await?;
    Ok(())
}

/// What the cluster said each time, in order.
async fn list_apply_results(database: &PgPool, submission: Uuid) -> Result<Vec<ApplyResult>, AppError> {
    Ok(sqlx::query_as!(
        ApplyResult,
        r#"select object, outcome as "outcome: ApplyOutcome", message, resource_version from apply_results where submission_id = $1 order by id"#,
        submission
    )
    .fetch_all(database)
    .await?)
}
