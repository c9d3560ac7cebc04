//! SQL of what reviewers say.

use crate::error::AppError;
use crate::workloads::errors::WorkloadError;
use crate::workloads::submission::{Comment, EarlierReview, Review, Submission};
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

struct ReviewRow {
    submission_id: Uuid,
    digest: Digest,
    id: i64,
    reviewer_id: Uuid,
    reviewer_name: String,
    verdict: ReviewVerdict,
    comment: String,
    decided_at: jiff_sqlx::Timestamp,
}

impl From<ReviewRow> for Review {
    fn from(row: ReviewRow) -> Self {
        Self {
            id: row.id,
            reviewer_id: row.reviewer_id,
            reviewer_name: row.reviewer_name,
            verdict: row.verdict,
            comment: row.comment,
            decided_at: row.decided_at.to_jiff(),
        }
    }
}

/// Selects the columns of a [`ReviewRow`], with the conditions of one question.
macro_rules! reviews {
    ($conditions:literal, $($argument:expr),* $(,)?) => {
        sqlx::query_as!(
            ReviewRow,
            r#"select r.submission_id, r.digest as "digest: Digest", r.id, r.reviewer_id, p.name as reviewer_name,
                 r.verdict as "verdict: ReviewVerdict", r.comment, r.decided_at as "decided_at: jiff_sqlx::Timestamp"
               from submission_reviews r join people p on p.id = r.reviewer_id "# + $conditions,
            $($argument),*
        )
    };
}

pub(super) async fn list_reviews(database: &PgPool, submission: Uuid) -> Result<Vec<Review>, AppError> {
    let rows = reviews!("where r.submission_id = $1 order by r.id", submission).fetch_all(database).await?;
    Ok(rows.into_iter().map(Review::from).collect())
}

/// What reviewers said of earlier submissions of the same draft, or of the same bytes, in order; the latest `limit`.
/// Only of the same namespace: who sees a submission need not see those of others.
///
/// # Errors
/// When the database is unavailable.
pub async fn list_earlier_reviews(
    database: impl PgExecutor<'_>,
    submission: &Submission,
    limit: i64,
) -> sqlx::Result<Vec<EarlierReview>> {
    let rows = reviews!(
        "join submissions s on s.id = r.submission_id
         where s.namespace = $1 and (s.draft_id = $2 or s.digest = $3)
           and s.created_at < (select created_at from submissions where id = $4)
         order by r.id desc limit $5",
        submission.namespace,
        submission.draft_id,
        submission.digest.as_bytes(),
        submission.id,
        limit,
    );
    // A review is of the bytes of its submission: the database takes no other.
    let earlier = |row: ReviewRow| EarlierReview {
        submission: row.submission_id,
        is_same: row.digest == submission.digest,
        review: row.into(),
    };
    Ok(rows.fetch_all(database).await?.into_iter().rev().map(earlier).collect())
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
