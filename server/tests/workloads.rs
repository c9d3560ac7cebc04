//! Drafts and submissions on a real Postgres, with the rights of the portal's role.

#![allow(clippy::unwrap_used)]

mod parts;

use app::audit::store::{NewEvent, append, erase_person};
use app::audit::{Action, Phase};
use app::digest::Digest;
use app::error::AppError;
use app::workloads::api::verify_reviews;
use app::workloads::draft::DraftForm;
use app::workloads::second_person::ReviewVerdict;
use app::workloads::store::{
    NewReview, NewSubmission, applied_before, delete_draft, find_draft, find_submission, insert_apply_result,
    insert_comment, insert_draft, insert_review, insert_submission, list_drafts, list_submissions, update_draft,
};
use app::workloads::submission::{ApplyOutcome, ApplyResult, SubmissionState};
use parts::{actor, portal_role};
use serde_json::json;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Executor, PgPool};
use uuid::Uuid;

#[sqlx::test(migrations = "../migrations")]
async fn a_draft_is_saved_only_over_the_version_that_was_seen(options: PgPoolOptions, connect: PgConnectOptions) {
    let portal = portal_role(options, connect).await;
    let (dana, devin) = (actor(&portal, "dana", &[]).await, actor(&portal, "devin", &[]).await);
    let mut form = DraftForm::default();
    form.workload.namespace = "shop".into();
    let id = insert_draft(&portal, dana.person_id, "shop", &form).await.unwrap();
    form.workload.name = "web".into();
    assert!(update_draft(&portal, devin.person_id, id, 1, "shop", &form).await.unwrap());
    let unseen = DraftForm::default();
    assert!(!update_draft(&portal, dana.person_id, id, 1, "shop", &unseen).await.unwrap());
    let draft = find_draft(&portal, id).await.unwrap();
    assert_eq!((draft.version, draft.saved_by.as_str(), &draft.form), (2, "DEVIN", &form));
    assert_eq!(draft.contributors, [dana.person_id, devin.person_id]);
    let listed = async |who: Uuid, namespaces: &[String]| list_drafts(&portal, who, namespaces).await.unwrap().len();
    assert_eq!(listed(devin.person_id, &[]).await, 0);
    assert_eq!(listed(devin.person_id, &["shop".into()]).await, 1);
    assert_eq!(listed(dana.person_id, &[]).await, 1);
    delete_draft(&portal, id, 1).await.unwrap();
    assert!(find_draft(&portal, id).await.is_ok(), "what was saved since is not deleted unseen");
    delete_draft(&portal, id, 2).await.unwrap();
    assert_eq!(find_draft(&portal, id).await.err(), Some(AppError::NotFound));
}

fn submission<'a>(author: &'a Uuid, manifest: &'a str, digest: Digest) -> NewSubmission<'a> {
    NewSubmission {
        draft: Uuid::nil(),
        draft_version: 1,
        author: *author,
        contributors: std::slice::from_ref(author),
        namespace: "shop",
        name: "web",
        manifest,
        digest,
        report: json!({}),
        dry_run: json!([]),
        second_person: &[],
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn a_submission_is_stored_only_with_the_digest_of_its_bytes(options: PgPoolOptions, connect: PgConnectOptions) {
    let portal = portal_role(options, connect).await;
    let dana = actor(&portal, "dana", &[]).await;
    let manifest = "kind: Pod\n";
    assert!(insert_submission(&portal, submission(&dana.person_id, manifest, Digest::of("other"))).await.is_err());
    let id = insert_submission(&portal, submission(&dana.person_id, manifest, Digest::of(manifest))).await.unwrap();
    assert_eq!(find_submission(&portal, id).await.unwrap().manifest, manifest);
}

#[sqlx::test(migrations = "../migrations")]
async fn a_submission_counts_as_applied_only_once_the_record_says_so(
    options: PgPoolOptions,
    connect: PgConnectOptions,
) {
    let portal = portal_role(options, connect).await;
    let dana = actor(&portal, "dana", &[]).await;
    let id = insert_submission(&portal, submission(&dana.person_id, "a", Digest::of("a"))).await.unwrap();
    let event = |intent_id, phase| NewEvent {
        intent_id,
        phase,
        actor: (&dana.profile).into(),
        action: Action::WorkloadApply,
        object: "Submission/shop/web",
        detail: json!({ "submission": id }),
        request_id: "request",
    };
    let state = async || find_submission(&portal, id).await.unwrap().state;
    assert_eq!(state().await, SubmissionState::Ready);
    // Killed after the first of two objects: what is there looks well, and is not all.
    let intent = append(&portal, event(None, Phase::Intent)).await.unwrap().id;
    assert_eq!(state().await, SubmissionState::Unknown);
    let first = ApplyResult {
        object: "NetworkPolicy/shop/web".into(),
        outcome: ApplyOutcome::Applied,
        message: String::new(),
        conflicts: Vec::new(),
        resource_version: Some("1".into()),
    };
    insert_apply_result(&portal, id, intent, &first).await.unwrap();
    assert_eq!(state().await, SubmissionState::Unknown);
    append(&portal, event(Some(intent), Phase::Succeeded)).await.unwrap();
    assert_eq!(state().await, SubmissionState::Applied);
    let listed = list_submissions(&portal, &["shop".into()], false).await.unwrap();
    assert_eq!(listed[0].state, SubmissionState::Applied);
    assert!(list_submissions(&portal, &["pay".into()], false).await.unwrap().is_empty());
}

async fn reviewed(database: &PgPool, new: NewReview<'_>) -> Result<(), AppError> {
    insert_review(&mut database.acquire().await.unwrap(), new).await
}

fn review(
    submission: Uuid,
    submitted_by: Uuid,
    reviewer: Uuid,
    digest: Digest,
    verdict: ReviewVerdict,
) -> NewReview<'static> {
    NewReview {
        submission,
        submitted_by,
        digest,
        after: 0,
        reviewer,
        verdict,
        comment: "because",
        request_id: "request",
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn nobody_reviews_their_own_submission_and_a_review_is_of_these_bytes(
    options: PgPoolOptions,
    connect: PgConnectOptions,
) {
    let portal = portal_role(options, connect).await;
    let (dana, lee) = (actor(&portal, "dana", &[]).await, actor(&portal, "lee", &[]).await);
    let devin = actor(&portal, "devin", &[]).await;
    let reasons = ["A reason.".to_owned()];
    let wrote = [dana.person_id, devin.person_id];
    let new = NewSubmission {
        second_person: &reasons,
        contributors: &wrote,
        ..submission(&dana.person_id, "a", Digest::of("a"))
    };
    let id = insert_submission(&portal, new).await.unwrap();
    let state = async || find_submission(&portal, id).await.unwrap().state;
    assert_eq!(state().await, SubmissionState::Waiting);
    let said = async |by: Uuid, author: Uuid, digest: Digest| {
        reviewed(&portal, review(id, author, by, digest, ReviewVerdict::Approved)).await
    };
    for refused in [
        said(dana.person_id, dana.person_id, Digest::of("a")).await,
        // Saying that somebody else submitted it does not help.
        said(dana.person_id, lee.person_id, Digest::of("a")).await,
        said(lee.person_id, dana.person_id, Digest::of("other")).await,
        // Devin changed the draft before dana submitted it.
        said(devin.person_id, dana.person_id, Digest::of("a")).await,
    ] {
        assert!(matches!(refused, Err(AppError::Conflict { .. })), "{refused:?}");
    }
    assert_eq!(state().await, SubmissionState::Waiting);
    said(lee.person_id, dana.person_id, Digest::of("a")).await.unwrap();
    assert_eq!(state().await, SubmissionState::Ready);
    let waiting = list_submissions(&portal, &["shop".into()], true).await.unwrap();
    assert!(waiting.is_empty(), "what was reviewed waits no more");
    let refusal = || review(id, dana.person_id, lee.person_id, Digest::of("a"), ReviewVerdict::Refused);
    let unseen = reviewed(&portal, refusal()).await;
    assert!(matches!(unseen, Err(AppError::Conflict { .. })), "somebody else was first: {unseen:?}");
    reviewed(&portal, NewReview { after: 1, ..refusal() }).await.unwrap();
    assert_eq!(state().await, SubmissionState::Refused, "the latest counts");
}

#[sqlx::test(migrations = "../migrations")]
async fn nobody_reviews_what_somebody_wrote_who_was_blanked_and_may_have_come_back(
    options: PgPoolOptions,
    connect: PgConnectOptions,
) {
    let owner = options.clone().connect_with(connect.clone()).await.unwrap();
    let portal = portal_role(options, connect).await;
    let (dana, lee) = (actor(&portal, "dana", &[]).await, actor(&portal, "lee", &[]).await);
    let devin = actor(&portal, "devin", &[]).await;
    let wrote = [dana.person_id, devin.person_id];
    let new = NewSubmission { contributors: &wrote, ..submission(&dana.person_id, "a", Digest::of("a")) };
    let id = insert_submission(&portal, new).await.unwrap();
    let mut blanking = owner.acquire().await.unwrap();
    erase_person(&mut blanking, &devin.profile.issuer, &devin.profile.subject).await.unwrap();
    let returned = actor(&portal, "devin", &[]).await;
    assert_ne!(returned.person_id, devin.person_id);
    for reviewer in [returned.person_id, lee.person_id] {
        let verdict = review(id, dana.person_id, reviewer, Digest::of("a"), ReviewVerdict::Approved);
        let Err(AppError::Conflict { message }) = reviewed(&portal, verdict).await else { panic!("taken") };
        assert!(message.contains("were blanked"), "{message}");
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn reviews_and_comments_can_be_neither_changed_nor_taken_back(options: PgPoolOptions, connect: PgConnectOptions) {
    let portal = portal_role(options, connect).await;
    let (dana, lee) = (actor(&portal, "dana", &[]).await, actor(&portal, "lee", &[]).await);
    let id = insert_submission(&portal, submission(&dana.person_id, "a", Digest::of("a"))).await.unwrap();
    reviewed(&portal, review(id, dana.person_id, lee.person_id, Digest::of("a"), ReviewVerdict::Refused))
        .await
        .unwrap();
    insert_comment(&portal, id, lee.person_id, Some(1), "Why?").await.unwrap();
    for table in ["submission_reviews", "submission_comments", "submissions"] {
        for statement in
            [format!("delete from {table}"), format!("update {table} set id = id"), format!("truncate {table} cascade")]
        {
            assert!(sqlx::query(sqlx::AssertSqlSafe(statement.clone())).execute(&portal).await.is_err(), "{statement}");
        }
    }
    let found = find_submission(&portal, id).await.unwrap();
    assert_eq!((found.reviews.len(), found.comments.len()), (1, 1));
}

#[sqlx::test(migrations = "../migrations")]
async fn a_draft_that_is_submitted_again_replaces_what_was_submitted_before(
    options: PgPoolOptions,
    connect: PgConnectOptions,
) {
    let portal = portal_role(options, connect).await;
    let dana = actor(&portal, "dana", &[]).await;
    let first = insert_submission(&portal, submission(&dana.person_id, "a", Digest::of("a"))).await.unwrap();
    let second = insert_submission(&portal, submission(&dana.person_id, "b", Digest::of("b"))).await.unwrap();
    let state = async |id: Uuid| find_submission(&portal, id).await.unwrap().state;
    assert_eq!((state(first).await, state(second).await), (SubmissionState::Replaced, SubmissionState::Ready));
    let second = find_submission(&portal, second).await.unwrap();
    assert_eq!(applied_before(&portal, &second).await.unwrap(), None, "the first was never applied");
}

#[sqlx::test(migrations = "../migrations")]
async fn a_review_that_is_changed_or_removed_or_made_up_is_found_by_comparing_it_with_the_record(owner: PgPool) {
    let (dana, lee) = (actor(&owner, "dana", &[]).await, actor(&owner, "lee", &[]).await);
    let reasons = ["A reason.".to_owned()];
    let new = NewSubmission { second_person: &reasons, ..submission(&dana.person_id, "a", Digest::of("a")) };
    let id = insert_submission(&owner, new).await.unwrap();
    let doubts = async || verify_reviews(&mut owner.acquire().await.unwrap()).await.unwrap();
    let refused = review(id, dana.person_id, lee.person_id, Digest::of("a"), ReviewVerdict::Refused);
    let event = |intent_id, phase| NewEvent {
        intent_id,
        phase,
        actor: (&lee.profile).into(),
        action: Action::WorkloadReview,
        object: "Submission/shop/web",
        detail: json!({ "submission": id, "digest": Digest::of("a"), "verdict": "refused" }),
        request_id: "request",
    };
    reviewed(&owner, refused).await.unwrap();
    assert_eq!(doubts().await, ["Review 1 of a workload is not what the record shows."], "nobody recorded it");
    let intent = append(&owner, event(None, Phase::Intent)).await.unwrap().id;
    append(&owner, event(Some(intent), Phase::Succeeded)).await.unwrap();
    assert_eq!(doubts().await, Vec::<String>::new());
    for (forgery, told) in [
        ("update submission_reviews set verdict = 'approved'", "Review 1"),
        ("update submission_reviews set reviewer_id = (select id from people where subject = 'dana')", "Review 1"),
        ("delete from submission_reviews", "Row 1"),
    ] {
        let mut transaction = owner.begin().await.unwrap();
        transaction.execute("set local session_replication_role = replica").await.unwrap();
        transaction
            .execute("alter table submission_reviews drop constraint submission_reviews_need_a_second_person")
            .await
            .unwrap();
        transaction.execute(forgery).await.unwrap();
        let doubts = verify_reviews(&mut transaction).await.unwrap();
        assert!(doubts.len() == 1 && doubts[0].starts_with(told), "{forgery}: {doubts:?}");
        transaction.rollback().await.unwrap();
    }
}
