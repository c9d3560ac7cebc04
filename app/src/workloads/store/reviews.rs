//! SQL of what reviewers say.

use crate::error::AppError;
use crate::workloads::errors::WorkloadError;
use crate::workloads::submission::{Comment, EarlierReview, Review};
use record::{Digest, ReviewVerdict};
use sqlx::{PgConnection, PgExecutor, PgPool};
use uuid::Uuid;

/// What a reviewer says of a submission.
pub struct NewReview<'a> {
    pub submission: Uuid,
    pub submitted_by: Uuid,
    /// The bytes that were looked at.
    pub digest: Digest,
    /// How many reviews there were then.
    pub after: i64,
    pub reviewer: Uuid,
    pub verdict: ReviewVerdict,
    pub comment: &'a str,
    /// Ties it to the log.
    pub request_id: &'a str,
}

/// Stores what a reviewer says. The database refuses a reviewer who is the author, and a digest of other bytes.
///
/// # Errors
/// [`WorkloadError`] for the author, for other bytes, where an author was erased, and where somebody else reviewed
/// it meanwhile; otherwise when the database is unavailable.
pub async fn insert_review(transaction: &mut PgConnection, new: NewReview<'_>) -> Result<(), AppError> {
    // One after the other, so that nobody overrules unseen what somebody else said.
    sqlx::query!("select pg_advisory_xact_lock(hashtextextended($1, 0))", new.submission.to_string())
        .execute(&mut *transaction)
        .await?;
    let before =
        sqlx::query!(r#"select count(*) as "count!" from submission_reviews where submission_id = $1"#, new.submission)
            .fetch_one(&mut *transaction)
            .await?;
    if before.count != new.after {
        return Err(WorkloadError::ReviewedMeanwhile.into());
    }
    let inserted = sqlx::query!(
        "insert into submission_reviews (submission_id, submitted_by, digest, reviewer_id, verdict, comment,
           request_id) values ($1, $2, $3, $4, $5, $6, $7)",
        new.submission,
        new.submitted_by,
        new.digest.as_bytes(),
        new.reviewer,
        new.verdict as ReviewVerdict,
        new.comment,
        new.request_id,
    )
    .execute(&mut *transaction)
    .await;
    match inserted {
        Ok(_) => Ok(()),
        Err(sqlx::Error::Database(error)) if error.constraint() == Some("submission_reviews_know_who_wrote_it") => {
            Err(WorkloadError::AuthorErased.into())
        }
        Err(sqlx::Error::Database(error)) if error.constraint() == Some("submission_reviews_need_a_second_person") => {
            Err(WorkloadError::OwnSubmission.into())
        }
        Err(sqlx::Error::Database(error)) if error.constraint().is_some() => {
            Err(WorkloadError::ReviewDoesNotFit.into())
        }
        Err(error) => Err(error.into()),
    }
}

/// Stores a comment.
///
/// # Errors
/// When the database refuses or is unavailable.
pub async fn insert_comment(
    database: impl PgExecutor<'_>,
    submission: Uuid,
    author: Uuid,
    line: Option<i32>,
    body: &str,
) -> Result<(), AppError> {
    sqlx::query!(
        "insert into submission_comments (submission_id, author_id, line, body) values ($1, $2, $3, $4)",
        submission,
        author,
        line,
        body
    )
    .execute(database)
    .await?;
    Ok(())
}

pub(super) async fn list_reviews(database: &PgPool, submission: Uuid) -> Result<Vec<Review>, AppError> {
    let rows = sqlx::query!(
        r#"select r.id, r.reviewer_id, p.name as reviewer_name, r.verdict as "verdict: ReviewVerdict", r.comment,
           r.decided_at as "decided_at: jiff_sqlx::Timestamp"
           from submission_reviews r join people p on p.id = r.reviewer_id where r.submission_id = $1 order by r.id"#,
        submission
    )
    .fetch_all(database)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Review {
            id: row.id,
            reviewer_id: row.reviewer_id,
            reviewer_name: row.reviewer_name,
            verdict: row.verdict,
            comment: row.comment,
            decided_at: row.decided_at.to_jiff(),
        })
        .collect())
}

/// Of the same namespace only: who sees a submission need not see those of others.
pub(super) async fn list_earlier_reviews(database: &PgPool, submission: Uuid) -> Result<Vec<EarlierReview>, AppError> {
    let rows = sqlx::query!(
        r#"select s.id as submission, s.digest = this.digest as "is_same!", r.id, r.reviewer_id, p.name as reviewer_name,
             r.verdict as "verdict: ReviewVerdict", r.comment, r.decided_at as "decided_at: jiff_sqlx::Timestamp"
           from submissions this
           join submissions s on s.namespace = this.namespace and s.id <> this.id and s.created_at < this.created_at
             and (s.draft_id = this.draft_id or s.digest = this.digest)
           join submission_reviews r on r.submission_id = s.id
           join people p on p.id = r.reviewer_id
           where this.id = $1 order by r.id"#,
        submission
    )
    .fetch_all(database)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| EarlierReview {
            submission: row.submission,
            is_same: row.is_same,
            review: Review {
                id: row.id,
                reviewer_id: row.reviewer_id,
                reviewer_name: row.reviewer_name,
                verdict: row.verdict,
                comment: row.comment,
                decided_at: row.decided_at.to_jiff(),
            },
        })
        .collect())
}

pub(super) async fn list_comments(database: &PgPool, submission: Uuid) -> Result<Vec<Comment>, AppError> {
    let rows = sqlx::query!(
        r#"select p.name as author_name, c.line, c.body, c.written_at as "written_at: jiff_sqlx::Timestamp"
           from submission_comments c join people p on p.id = c.author_id where c.submission_id = $1 order by c.id"#,
        submission
    )
    .fetch_all(database)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Comment {
            author_name: row.author_name,
            line: row.line,
            body: row.body,
            written_at: row.written_at.to_jiff(),
        })
        .collect())
}
