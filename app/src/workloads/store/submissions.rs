//! SQL of submissions and of what the cluster said about their objects.

use super::reviews::{list_comments, list_reviews};
use crate::error::AppError;
use crate::workloads::submission::{
    ApplyOutcome, ApplyResult, Progress, Submission, SubmissionState, SubmissionSummary,
};
use record::{Digest, Phase, ReviewVerdict};
use serde_json::{Value, json};
use sqlx::{PgConnection, PgExecutor, PgPool};
use uuid::Uuid;

/// Frozen bytes, with the verdicts on them.
pub struct NewSubmission<'a> {
    pub id: Uuid,
    /// The draft it is made of.
    pub draft: Uuid,
    pub draft_version: i32,
    pub author: Uuid,
    /// Everyone who wrote it, the author among them.
    pub contributors: &'a [Uuid],
    pub namespace: &'a str,
    pub name: &'a str,
    /// Exactly what is applied.
    pub manifest: &'a str,
    /// Of the manifest.
    pub digest: Digest,
    pub report: Value,
    pub dry_run: Value,
    /// Why a second person must approve it.
    pub second_person: &'a [String],
}

/// Stores a submission.
///
/// # Errors
/// When the database refuses (the digest is not that of the bytes) or is unavailable.
pub async fn insert_submission(database: impl PgExecutor<'_>, new: NewSubmission<'_>) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into submissions (id, author_id, namespace, name, manifest, digest, report, dry_run, draft_id,
           second_person,
           contributors, draft_version)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
        new.id,
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
    .execute(database)
    .await?;
    Ok(())
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
        r#"select s.id, s.author_id, s.contributors, p.name as author_name, s.draft_id, s.draft_version, s.namespace,
           s.name, s.manifest, s.digest as "digest: Digest", s.report, s.dry_run,
             s.second_person, s.created_at as "created_at: jiff_sqlx::Timestamp",
             g.applied_at is not null as "succeeded!", g.latest_apply as "latest_apply?", g.is_replaced as "replaced!"
           from submissions s join people p on p.id = s.author_id join submission_progress g on g.id = s.id
           where s.id = $1"#,
        id
    )
    .fetch_one(database)
    .await?;
    let results = match row.latest_apply {
        Some(apply) => list_apply_results(database, apply).await?,
        None => Vec::new(),
    };
    let reviews = list_reviews(database, id).await?;
    let progress = Progress {
        objects: results.iter().map(|result| result.outcome).collect(),
        begun: row.latest_apply.is_some(),
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

struct SummaryRow {
    id: Uuid,
    author_name: String,
    namespace: String,
    name: String,
    created_at: jiff_sqlx::Timestamp,
    objects: Vec<ApplyOutcome>,
    needs_second_person: bool,
    verdict: Option<ReviewVerdict>,
    latest_apply: Option<Uuid>,
    succeeded: bool,
    replaced: bool,
}

impl From<SummaryRow> for SubmissionSummary {
    fn from(row: SummaryRow) -> Self {
        let progress = Progress {
            objects: row.objects,
            begun: row.latest_apply.is_some(),
            succeeded: row.succeeded,
            needs_second_person: row.needs_second_person,
            verdict: row.verdict,
            replaced: row.replaced,
        };
        Self {
            id: row.id,
            author_name: row.author_name,
            namespace: row.namespace,
            name: row.name,
            created_at: row.created_at.to_jiff(),
            state: SubmissionState::new(&progress),
        }
    }
}

/// Selects the columns of a [`SummaryRow`], with the conditions of one question.
macro_rules! summaries {
    ($conditions:literal, $($argument:expr),* $(,)?) => {
        sqlx::query_as!(
            SummaryRow,
            r#"select s.id, p.name as author_name, s.namespace, s.name,
                 s.created_at as "created_at: jiff_sqlx::Timestamp", g.objects as "objects!: Vec<ApplyOutcome>",
                 g.needs_second_person as "needs_second_person!", g.verdict as "verdict: ReviewVerdict",
                 g.latest_apply as "latest_apply?", g.applied_at is not null as "succeeded!",
                 g.is_replaced as "replaced!"
               from submissions s
               join people p on p.id = s.author_id
               join submission_progress g on g.id = s.id "# + $conditions,
            $($argument),*
        )
    };
}

/// Submissions into these namespaces, the latest first; at most `limit`.
///
/// # Errors
/// When the database is unavailable.
pub async fn list_submissions(
    database: impl PgExecutor<'_>,
    namespaces: &[String],
    limit: i64,
) -> sqlx::Result<Vec<SubmissionSummary>> {
    let rows = summaries!("where s.namespace = any($1) order by s.created_at desc limit $2", namespaces, limit);
    Ok(rows.fetch_all(database).await?.into_iter().map(SubmissionSummary::from).collect())
}

/// Submissions into these namespaces that wait for a second person, who did not write any of it, the latest first; at
/// most `limit`.
///
/// # Errors
/// When the database is unavailable.
pub async fn list_waiting_submissions(
    database: impl PgExecutor<'_>,
    reviewer: Uuid,
    namespaces: &[String],
    limit: i64,
) -> sqlx::Result<Vec<SubmissionSummary>> {
    let rows = summaries!(
        "where s.namespace = any($1) and g.needs_second_person and not g.is_replaced and g.verdict is null
           and $2 <> all (s.contributors)
         order by s.created_at desc limit $3",
        namespaces,
        reviewer,
        limit,
    );
    Ok(rows.fetch_all(database).await?.into_iter().map(SubmissionSummary::from).collect())
}

/// The manifest of what was applied for the same workload before this submission was; nothing where there is none.
///
/// # Errors
/// When the database is unavailable.
pub async fn applied_before(database: &PgPool, submission: &Submission) -> sqlx::Result<Option<String>> {
    let row = sqlx::query!(
        "select s.manifest from submissions s
         join submission_applies a on a.submission_id = s.id and a.outcome = 'succeeded'
         where s.namespace = $2 and s.name = $3 and s.id <> $1
           and a.ended_at < (select max(this.ended_at) from submission_applies this
             where this.submission_id = $1 and this.outcome = 'succeeded')
         order by a.ended_at desc limit 1",
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
/// When the database is unavailable.
pub async fn is_overtaken(database: &PgPool, submission: &Submission) -> sqlx::Result<bool> {
    let row = sqlx::query!(
        r#"select exists (
             select from submissions s
             join submission_applies a on a.submission_id = s.id and a.outcome = 'succeeded'
             join submissions this on this.id = $1
             where s.namespace = this.namespace and s.name = this.name and s.id <> this.id
             and a.ended_at > this.created_at
           ) as "is_overtaken!""#,
        submission.id
    )
    .fetch_one(database)
    .await?;
    Ok(row.is_overtaken)
}

/// Notes that somebody sets out to apply a submission; the id is that of the intent in the record.
///
/// # Errors
/// When the database is unavailable.
pub async fn begin_apply(connection: &mut PgConnection, id: Uuid, submission: Uuid) -> sqlx::Result<()> {
    sqlx::query!("insert into submission_applies (id, submission_id) values ($1, $2)", id, submission)
        .execute(connection)
        .await?;
    Ok(())
}

/// Notes how an apply ended.
///
/// # Errors
/// When the database is unavailable.
pub async fn end_apply(connection: &mut PgConnection, id: Uuid, outcome: Phase) -> sqlx::Result<()> {
    sqlx::query!("update submission_applies set outcome = $2, ended_at = now() where id = $1", id, outcome.as_str())
        .execute(connection)
        .await?;
    Ok(())
}

/// Stores what the cluster said.
///
/// # Errors
/// When the database refuses or is unavailable.
pub async fn insert_apply_result(database: &PgPool, apply: Uuid, result: &ApplyResult) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into apply_results (apply_id, object, outcome, message, conflicts, resource_version)
           values ($1, $2, $3, $4, $5, $6)",
        apply,
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

/// What the cluster said, in order.
async fn list_apply_results(database: &PgPool, apply: Uuid) -> Result<Vec<ApplyResult>, AppError> {
    let rows = sqlx::query!(
        r#"select object, outcome as "outcome: ApplyOutcome", message, conflicts, resource_version from apply_results
           where apply_id = $1 order by id"#,
        apply
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
