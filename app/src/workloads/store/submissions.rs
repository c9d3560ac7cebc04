//! SQL of submissions and of what the cluster said about their objects.

use super::reviews::{list_comments, list_reviews};
use crate::digest::Digest;
use crate::error::AppError;
use crate::workloads::second_person::ReviewVerdict;
use crate::workloads::submission::{
    ApplyOutcome, ApplyResult, Progress, Submission, SubmissionState, SubmissionSummary,
};
use serde_json::{Value, json};
use sqlx::{PgExecutor, PgPool};
use uuid::Uuid;

/// Frozen bytes, with the verdicts on them.
pub struct NewSubmission<'a> {
    /// The draft it is made of.
    pub draft: Uuid,
    /// Which version of it.
    pub draft_version: i32,
    /// Who submits.
    pub author: Uuid,
    /// Everyone who wrote it, the author among them.
    pub contributors: &'a [Uuid],
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
    /// Why a second person must approve it.
    pub second_person: &'a [String],
}

/// Stores a submission.
///
/// # Errors
/// When the database refuses (the digest is not that of the bytes) or is away.
pub async fn insert_submission(database: impl PgExecutor<'_>, new: NewSubmission<'_>) -> Result<Uuid, AppError> {
    let row = sqlx::query!(
        "insert into submissions (author_id, namespace, name, manifest, digest, report, dry_run, draft_id, second_person, contributors, draft_version) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) returning id",
        new.author,
        new.namespace,
        new.name,
        new.manifest,
        new.digest.as_bytes(),
        new.report,
        new.dry_run,
        new.draft,
        new.second_person,
        new.contributors,
        new.draft_version,
    )
    .fetch_one(database)
    .await?;
    Ok(row.id)
}

/// The latest submission made of a draft.
///
/// # Errors
/// [`AppError::NotFound`] where there is none.
pub async fn find_submission_of(database: &PgPool, draft: Uuid) -> Result<Uuid, AppError> {
    let row = sqlx::query!("select id from submissions where draft_id = $1 order by created_at desc limit 1", draft)
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
        r#"select s.id, s.author_id, s.contributors, p.name as author_name, s.draft_id, s.draft_version, s.namespace, s.name, s.manifest, s.digest as "digest: Digest", s.report, s.dry_run,
             s.second_person, s.created_at as "created_at: jiff_sqlx::Timestamp", apply_succeeded(s.id) as "succeeded!", apply_begun(s.id) as "begun!",
             is_replaced(s.id) as "replaced!"
           from submissions s join people p on p.id = s.author_id where s.id = $1"#,
        id
    )
    .fetch_one(database)
    .await?;
    let results = list_apply_results(database, id).await?;
    let reviews = list_reviews(database, id).await?;
    let progress = Progress {
        objects: results.iter().map(|result| result.outcome).collect(),
        begun: row.begun,
        succeeded: row.succeeded,
        needs_second_person: !row.second_person.is_empty(),
        verdict: reviews.last().map(|review| review.verdict),
        replaced: row.replaced,
    };
    Ok(Submission {
        id: row.id,
        author_id: row.author_id,
        contributors: row.contributors,
        author_name: row.author_name,
        draft_id: row.draft_id,
        draft_version: row.draft_version,
        namespace: row.namespace,
        name: row.name,
        manifest: row.manifest,
        digest: row.digest,
        report: row.report,
        dry_run: row.dry_run,
        second_person: row.second_person,
        created_at: row.created_at.to_jiff(),
        results,
        reviews,
        comments: list_comments(database, id).await?,
        state: SubmissionState::new(&progress),
    })
}

/// Submissions into these namespaces, the latest first; with `waiting`, only those that wait for a second person.
///
/// # Errors
/// When the database is away.
pub async fn list_submissions(
    database: &PgPool,
    namespaces: &[String],
    waiting: bool,
) -> Result<Vec<SubmissionSummary>, AppError> {
    let rows = sqlx::query!(
        r#"select s.id, s.contributors, p.name as author_name, s.namespace, s.name, s.created_at as "created_at: jiff_sqlx::Timestamp",
             coalesce((select array_agg(r.outcome order by r.id) from apply_results r where r.intent_id = latest_apply(s.id)), '{}') as "objects!: Vec<ApplyOutcome>",
             cardinality(s.second_person) > 0 as "needs_second_person!",
             (select r.verdict from submission_reviews r where r.submission_id = s.id order by r.id desc limit 1) as "verdict: ReviewVerdict",
             apply_succeeded(s.id) as "succeeded!", apply_begun(s.id) as "begun!", is_replaced(s.id) as "replaced!"
           from submissions s join people p on p.id = s.author_id
           where s.namespace = any($1) and (not $2 or (cardinality(s.second_person) > 0 and not is_replaced(s.id)
             and not exists (select from submission_reviews r where r.submission_id = s.id)))
           order by s.created_at desc limit 100"#,
        namespaces,
        waiting
    )
    .fetch_all(database)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| SubmissionSummary {
            id: row.id,
            contributors: row.contributors,
            author_name: row.author_name,
            namespace: row.namespace,
            name: row.name,
            created_at: row.created_at.to_jiff(),
            state: SubmissionState::new(&Progress {
                objects: row.objects,
                begun: row.begun,
                succeeded: row.succeeded,
                needs_second_person: row.needs_second_person,
                verdict: row.verdict,
                replaced: row.replaced,
            }),
        })
        .collect())
}

/// The manifest of what was applied for the same workload before this submission was; nothing where there is none.
///
/// # Errors
/// When the database is away.
pub async fn applied_before(database: &PgPool, submission: &Submission) -> Result<Option<String>, AppError> {
    let row = sqlx::query!(
        "select s.manifest from submissions s
         where s.namespace = $2 and s.name = $3 and s.id <> $1 and applied_at(s.id) < applied_at($1)
         order by applied_at(s.id) desc limit 1",
        submission.id,
        submission.namespace,
        submission.name
    )
    .fetch_optional(database)
    .await?;
    Ok(row.map(|row| row.manifest))
}

/// Whether something else was applied for the same workload since this submission was made.
///
/// # Errors
/// When the database is away.
pub async fn is_overtaken(database: &PgPool, submission: &Submission) -> Result<bool, AppError> {
    let row = sqlx::query!(
        r#"select exists (
             select from submissions s join submissions this on this.id = $1
             where s.namespace = this.namespace and s.name = this.name and s.id <> this.id and applied_at(s.id) > this.created_at
           ) as "overtaken!""#,
        submission.id
    )
    .fetch_one(database)
    .await?;
    Ok(row.overtaken)
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
        "insert into apply_results (submission_id, intent_id, object, outcome, message, conflicts, resource_version) values ($1, $2, $3, $4, $5, $6, $7)",
        submission,
        intent,
        result.object,
        result.outcome as ApplyOutcome,
        result.message,
        json!(result.conflicts),
        result.resource_version,
    )
    .execute(database)
    .await?;
    Ok(())
}

/// What the cluster said the last time, in order.
async fn list_apply_results(database: &PgPool, submission: Uuid) -> Result<Vec<ApplyResult>, AppError> {
    let rows = sqlx::query!(
        r#"select object, outcome as "outcome: ApplyOutcome", message, conflicts, resource_version from apply_results
           where intent_id = latest_apply($1) order by id"#,
        submission
    )
    .fetch_all(database)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| ApplyResult {
            object: row.object,
            outcome: row.outcome,
            message: row.message,
            conflicts: serde_json::from_value(row.conflicts).unwrap_or_default(),
            resource_version: row.resource_version,
        })
        .collect())
}
