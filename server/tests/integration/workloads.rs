//! Drafts and submissions on a real Postgres, with the rights of the portal's role.

use crate::parts::{actor, portal_role};
use app::audit::store_in_tests::erase_person;
use app::audit::{Intent, record_event_in};
use app::error::AppError;
use app::workloads::draft::DraftForm;
use app::workloads::errors::WorkloadError;
use app::workloads::service::verify_submissions;
use app::workloads::store_in_tests::{
    NewReview, NewSubmission, applied_before, begin_apply, delete_draft, end_apply, find_draft, find_submission,
    insert_apply_result, insert_comment, insert_draft, insert_review, insert_submission, list_drafts,
    list_earlier_reviews, list_submissions, list_waiting_submissions, update_draft,
};
use app::workloads::submission::{ApplyOutcome, ApplyResult, SubmissionState};
use record::{Digest, Event, Phase, ReviewVerdict, SubmissionRef};
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
    let listed =
        async |who: Uuid, namespaces: &[String]| list_drafts(&portal, who, namespaces, 100).await.unwrap().len();
    assert_eq!(listed(devin.person_id, &[]).await, 0);
    assert_eq!(listed(devin.person_id, &["shop".into()]).await, 1);
    assert_eq!(listed(dana.person_id, &[]).await, 0, "its author has left the team that it is shared with");
    delete_draft(&portal, id, 1).await.unwrap();
    assert!(find_draft(&portal, id).await.is_ok(), "what was saved since is not deleted unseen");
    delete_draft(&portal, id, 2).await.unwrap();
    assert_eq!(find_draft(&portal, id).await.err(), Some(AppError::NotFound));
}

fn submission<'a>(author: &'a Uuid, manifest: &'a str, digest: Digest) -> NewSubmission<'a> {
    NewSubmission {
        id: Uuid::now_v7(),
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

async fn submitted(database: &PgPool, new: NewSubmission<'_>) -> Uuid {
    let id = new.id;
    insert_submission(database, new).await.unwrap();
    id
}

#[sqlx::test(migrations = "../migrations")]
async fn a_submission_is_stored_only_with_the_digest_of_its_bytes(options: PgPoolOptions, connect: PgConnectOptions) {
    let portal = portal_role(options, connect).await;
    let dana = actor(&portal, "dana", &[]).await;
    let manifest = "kind: Pod\n";
    assert!(insert_submission(&portal, submission(&dana.person_id, manifest, Digest::of("other"))).await.is_err());
    let id = submitted(&portal, submission(&dana.person_id, manifest, Digest::of(manifest))).await;
    assert_eq!(find_submission(&portal, id).await.unwrap().manifest, manifest);
}

#[sqlx::test(migrations = "../migrations")]
async fn a_submission_counts_as_applied_only_once_the_record_says_so(
    options: PgPoolOptions,
    connect: PgConnectOptions,
) {
    let portal = portal_role(options, connect).await;
    let dana = actor(&portal, "dana", &[]).await;
    let id = submitted(&portal, submission(&dana.person_id, "a", Digest::of("a"))).await;
    let state = async || find_submission(&portal, id).await.unwrap().state;
    assert_eq!(state().await, SubmissionState::Ready);
    // Killed after the first of two objects: what is there looks well, and is not all.
    let mut transaction = portal.begin().await.unwrap();
    let applied = Event::WorkloadApply { submission: shop_web(id), digest: Digest::of("a"), approval: None };
    let intent = Intent::announce_in(&mut transaction, &dana, applied).await.unwrap();
    begin_apply(&mut transaction, intent.id(), id).await.unwrap();
    transaction.commit().await.unwrap();
    assert_eq!(state().await, SubmissionState::Unknown);
    let first = ApplyResult {
        object: "NetworkPolicy/shop/web".into(),
        outcome: ApplyOutcome::Applied,
        message: String::new(),
        conflicts: Vec::new(),
        resource_version: Some("1".into()),
    };
    insert_apply_result(&portal, intent.id(), &first).await.unwrap();
    assert_eq!(state().await, SubmissionState::Unknown);
    let mut transaction = portal.begin().await.unwrap();
    end_apply(&mut transaction, intent.id(), Phase::Succeeded).await.unwrap();
    intent.succeed_in(&mut transaction).await.unwrap();
    transaction.commit().await.unwrap();
    assert_eq!(state().await, SubmissionState::Applied);
    let listed = list_submissions(&portal, &["shop".into()], 100).await.unwrap();
    assert_eq!(listed[0].state, SubmissionState::Applied);
    assert!(list_submissions(&portal, &["pay".into()], 100).await.unwrap().is_empty());
}

fn shop_web(id: Uuid) -> SubmissionRef {
    SubmissionRef { id, namespace: "shop".into(), name: "web".into() }
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
async fn what_was_said_of_the_same_bytes_or_an_earlier_version_is_known_to_the_next_reviewer(
    options: PgPoolOptions,
    connect: PgConnectOptions,
) {
    let portal = portal_role(options, connect).await;
    let (dana, lee) = (actor(&portal, "dana", &[]).await, actor(&portal, "lee", &[]).await);
    let reasons = ["A reason.".to_owned()];
    let draft = Uuid::now_v7();
    let new = |manifest, version| NewSubmission {
        draft,
        draft_version: version,
        second_person: &reasons,
        ..submission(&dana.person_id, manifest, Digest::of(manifest))
    };
    let first = submitted(&portal, new("a", 1)).await;
    let asked = review(first, dana.person_id, lee.person_id, Digest::of("a"), ReviewVerdict::ChangesRequested);
    reviewed(&portal, asked).await.unwrap();
    let earlier = async |id| {
        let submission = find_submission(&portal, id).await.unwrap();
        let found = list_earlier_reviews(&portal, &submission, 20).await.unwrap().into_iter();
        found.map(|earlier| (earlier.submission, earlier.is_same, earlier.review.verdict)).collect::<Vec<_>>()
    };
    assert!(earlier(first).await.is_empty());
    let again = submitted(&portal, new("a", 2)).await;
    assert_eq!(earlier(again).await, [(first, true, ReviewVerdict::ChangesRequested)]);
    let changed = submitted(&portal, new("b", 3)).await;
    assert_eq!(earlier(changed).await, [(first, false, ReviewVerdict::ChangesRequested)]);
    let elsewhere = submitted(&portal, NewSubmission { namespace: "pay", ..new("a", 4) }).await;
    assert!(earlier(elsewhere).await.is_empty(), "who sees pay need not see shop");
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
    let id = submitted(&portal, new).await;
    let state = async || find_submission(&portal, id).await.unwrap().state;
    assert_eq!(state().await, SubmissionState::Waiting);
    let waits_for = async |person: &app::actor::Actor| {
        let waiting = list_waiting_submissions(&portal, person.person_id, &["shop".into()], 100).await;
        waiting.unwrap().len()
    };
    assert_eq!((waits_for(&lee).await, waits_for(&dana).await, waits_for(&devin).await), (1, 0, 0));
    let said = async |by: Uuid, author: Uuid, digest: Digest| {
        reviewed(&portal, review(id, author, by, digest, ReviewVerdict::Approved)).await
    };
    // Another account of devin's.
    let other = actor(&portal, "devin-2", &[]).await;
    sqlx::query("update people set email = 'DEVIN@example.com' where id = $1")
        .bind(other.person_id)
        .execute(&portal)
        .await
        .unwrap();
    for refused in [
        said(dana.person_id, dana.person_id, Digest::of("a")).await,
        // Saying that somebody else submitted it does not help.
        said(dana.person_id, lee.person_id, Digest::of("a")).await,
        // Devin changed the draft before dana submitted it.
        said(devin.person_id, dana.person_id, Digest::of("a")).await,
        said(other.person_id, dana.person_id, Digest::of("a")).await,
    ] {
        assert_eq!(refused, Err(WorkloadError::OwnSubmission.into()));
    }
    let other_bytes = said(lee.person_id, dana.person_id, Digest::of("other")).await;
    assert_eq!(other_bytes, Err(WorkloadError::ReviewDoesNotFit.into()));
    assert_eq!(state().await, SubmissionState::Waiting);
    said(lee.person_id, dana.person_id, Digest::of("a")).await.unwrap();
    assert_eq!(state().await, SubmissionState::Ready);
    assert_eq!(waits_for(&lee).await, 0, "what was reviewed waits no more");
    let refusal = || review(id, dana.person_id, lee.person_id, Digest::of("a"), ReviewVerdict::Refused);
    let unseen = reviewed(&portal, refusal()).await;
    assert_eq!(unseen, Err(WorkloadError::ReviewedMeanwhile.into()), "somebody else was first");
    reviewed(&portal, NewReview { after: 1, ..refusal() }).await.unwrap();
    assert_eq!(state().await, SubmissionState::Refused, "the latest counts");
}

#[sqlx::test(migrations = "../migrations")]
async fn nobody_reviews_what_somebody_wrote_who_was_erased_and_may_have_come_back(
    options: PgPoolOptions,
    connect: PgConnectOptions,
) {
    let owner = options.clone().connect_with(connect.clone()).await.unwrap();
    let portal = portal_role(options, connect).await;
    let (dana, lee) = (actor(&portal, "dana", &[]).await, actor(&portal, "lee", &[]).await);
    let devin = actor(&portal, "devin", &[]).await;
    let wrote = [dana.person_id, devin.person_id];
    let new = NewSubmission { contributors: &wrote, ..submission(&dana.person_id, "a", Digest::of("a")) };
    let id = submitted(&portal, new).await;
    let mut erasure = owner.acquire().await.unwrap();
    erase_person(&mut erasure, &devin.profile.issuer, &devin.profile.subject).await.unwrap();
    let returned = actor(&portal, "devin", &[]).await;
    assert_ne!(returned.person_id, devin.person_id);
    for reviewer in [returned.person_id, lee.person_id] {
        let verdict = review(id, dana.person_id, reviewer, Digest::of("a"), ReviewVerdict::Approved);
        assert_eq!(reviewed(&portal, verdict).await, Err(WorkloadError::AuthorErased.into()));
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn reviews_and_comments_can_be_neither_changed_nor_taken_back(options: PgPoolOptions, connect: PgConnectOptions) {
    let portal = portal_role(options, connect).await;
    let (dana, lee) = (actor(&portal, "dana", &[]).await, actor(&portal, "lee", &[]).await);
    let id = submitted(&portal, submission(&dana.person_id, "a", Digest::of("a"))).await;
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
async fn an_apply_that_is_changed_or_removed_or_made_up_is_found_by_comparing_it_with_the_record(owner: PgPool) {
    let dana = actor(&owner, "dana", &[]).await;
    let id = submitted(&owner, submission(&dana.person_id, "a", Digest::of("a"))).await;
    let mut transaction = owner.begin().await.unwrap();
    let applied = Event::WorkloadApply { submission: shop_web(id), digest: Digest::of("a"), approval: None };
    let intent = Intent::announce_in(&mut transaction, &dana, applied).await.unwrap();
    begin_apply(&mut transaction, intent.id(), id).await.unwrap();
    transaction.commit().await.unwrap();
    let apply = intent.id();
    let mut transaction = owner.begin().await.unwrap();
    end_apply(&mut transaction, apply, Phase::Failed).await.unwrap();
    intent.fail_in(&mut transaction, &AppError::Internal).await.unwrap();
    transaction.commit().await.unwrap();
    assert_eq!(verify_submissions(&mut owner.acquire().await.unwrap()).await.unwrap(), Vec::<String>::new());
    for (forgery, told) in [
        ("update submission_applies set outcome = 'succeeded'", format!("Apply {apply} of a workload")),
        ("update submission_applies set outcome = null, ended_at = null", format!("Apply {apply} of a workload")),
        ("update submission_applies set id = gen_random_uuid()", "Row 1 of the record".to_owned()),
        ("delete from submission_applies", "Row 1 of the record".to_owned()),
    ] {
        let mut transaction = owner.begin().await.unwrap();
        transaction.execute("set local session_replication_role = replica").await.unwrap();
        transaction.execute(forgery).await.unwrap();
        let mismatches = verify_submissions(&mut transaction).await.unwrap();
        assert!(mismatches.iter().any(|mismatch| mismatch.starts_with(&told)), "{forgery}: {mismatches:?}");
        transaction.rollback().await.unwrap();
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn an_apply_that_has_ended_is_not_ended_once_more(options: PgPoolOptions, connect: PgConnectOptions) {
    let portal = portal_role(options, connect).await;
    let dana = actor(&portal, "dana", &[]).await;
    let id = submitted(&portal, submission(&dana.person_id, "a", Digest::of("a"))).await;
    let mut connection = portal.acquire().await.unwrap();
    let applied = Event::WorkloadApply { submission: shop_web(id), digest: Digest::of("a"), approval: None };
    let apply = Intent::announce_in(&mut connection, &dana, applied).await.unwrap().id();
    begin_apply(&mut connection, apply, id).await.unwrap();
    end_apply(&mut connection, apply, Phase::Failed).await.unwrap();
    assert!(end_apply(&mut connection, apply, Phase::Succeeded).await.is_err());
    for statement in ["delete from submission_applies", "update submission_applies set submission_id = submission_id"] {
        assert!(portal.execute(statement).await.is_err(), "{statement}");
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn a_draft_that_is_submitted_again_replaces_what_was_submitted_before(
    options: PgPoolOptions,
    connect: PgConnectOptions,
) {
    let portal = portal_role(options, connect).await;
    let dana = actor(&portal, "dana", &[]).await;
    let first = submitted(&portal, submission(&dana.person_id, "a", Digest::of("a"))).await;
    let second = submitted(&portal, submission(&dana.person_id, "b", Digest::of("b"))).await;
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
    let id = submitted(&owner, new).await;
    let mismatches = async || verify_submissions(&mut owner.acquire().await.unwrap()).await.unwrap();
    let refused = review(id, dana.person_id, lee.person_id, Digest::of("a"), ReviewVerdict::Refused);
    reviewed(&owner, refused).await.unwrap();
    assert_eq!(mismatches().await, ["Review 1 of a workload is not what the record shows."], "nobody recorded it");
    let (submission, digest) = (shop_web(id), Digest::of("a"));
    let event = Event::WorkloadReview { submission, digest, verdict: ReviewVerdict::Refused };
    record_event_in(&mut owner.acquire().await.unwrap(), &(&lee).into(), &event).await.unwrap();
    assert_eq!(mismatches().await, Vec::<String>::new());
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
        let mismatches = verify_submissions(&mut transaction).await.unwrap();
        assert!(mismatches.len() == 1 && mismatches[0].starts_with(told), "{forgery}: {mismatches:?}");
        transaction.rollback().await.unwrap();
    }
}
