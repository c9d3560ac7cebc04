//! Drafts and submissions on a real Postgres, with the rights of the portal's role.

#![allow(clippy::unwrap_used)]

mod parts;

use app::audit::store::{NewEvent, append};
use app::audit::{Action, Phase};
use app::digest::Digest;
use app::error::AppError;
use app::workloads::forms::DraftForm;
use app::workloads::store::{
    NewSubmission, delete_draft, find_draft, find_submission, insert_apply_result, insert_draft, insert_submission,
    list_drafts, list_submissions, update_draft,
};
use app::workloads::submission::{ApplyOutcome, ApplyResult, SubmissionOutcome};
use parts::{actor, portal_role};
use serde_json::json;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use uuid::Uuid;

#[sqlx::test(migrations = "../migrations")]
async fn a_draft_exists_for_its_author_only(options: PgPoolOptions, connect: PgConnectOptions) {
    let portal = portal_role(options, connect).await;
    let (dana, pia) = (actor(&portal, "dana", &[]).await, actor(&portal, "pia", &[]).await);
    let mut form = DraftForm::default();
    let id = insert_draft(&portal, dana.person_id, &form).await.unwrap();
    form.workload.name = "web".into();
    assert_eq!(update_draft(&portal, pia.person_id, id, &form).await, Err(AppError::NotFound));
    assert_eq!(find_draft(&portal, pia.person_id, id).await.err(), Some(AppError::NotFound));
    delete_draft(&portal, pia.person_id, id).await.unwrap();
    update_draft(&portal, dana.person_id, id, &form).await.unwrap();
    assert_eq!(find_draft(&portal, dana.person_id, id).await.unwrap().form, form);
    assert!(list_drafts(&portal, pia.person_id).await.unwrap().is_empty());
}

fn submission(author: Uuid, manifest: &str, digest: Digest) -> NewSubmission<'_> {
    NewSubmission {
        draft: Uuid::nil(),
        author,
        namespace: "shop",
        name: "web",
        manifest,
        digest,
        report: json!({}),
        dry_run: json!([]),
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn a_submission_is_stored_only_with_the_digest_of_its_bytes(options: PgPoolOptions, connect: PgConnectOptions) {
    let portal = portal_role(options, connect).await;
    let dana = actor(&portal, "dana", &[]).await;
    let manifest = "kind: Pod\n";
    assert!(insert_submission(&portal, submission(dana.person_id, manifest, Digest::of("other"))).await.is_err());
    let id = insert_submission(&portal, submission(dana.person_id, manifest, Digest::of(manifest))).await.unwrap();
    assert_eq!(find_submission(&portal, id).await.unwrap().manifest, manifest);
}

#[sqlx::test(migrations = "../migrations")]
async fn a_submission_counts_as_applied_only_once_the_record_says_so(
    options: PgPoolOptions,
    connect: PgConnectOptions,
) {
    let portal = portal_role(options, connect).await;
    let dana = actor(&portal, "dana", &[]).await;
    let id = insert_submission(&portal, submission(dana.person_id, "a", Digest::of("a"))).await.unwrap();
    let event = |intent_id, phase| NewEvent {
        intent_id,
        phase,
        actor: &dana.profile,
        action: Action::WorkloadApply,
        object: "Submission/shop/web",
        detail: json!({}),
        request_id: "request",
    };
    let outcome = async || find_submission(&portal, id).await.unwrap().outcome;
    assert_eq!(outcome().await, SubmissionOutcome::Unknown);
    // Killed after the first of two objects: what is there looks well, and is not all.
    let intent = append(&portal, event(None, Phase::Intent)).await.unwrap();
    let first = ApplyResult {
        object: "NetworkPolicy/shop/web".into(),
        outcome: ApplyOutcome::Applied,
        message: String::new(),
        resource_version: Some("1".into()),
    };
    insert_apply_result(&portal, id, intent, &first).await.unwrap();
    assert_eq!(outcome().await, SubmissionOutcome::Unknown);
    append(&portal, event(Some(intent), Phase::Succeeded)).await.unwrap();
    assert_eq!(outcome().await, SubmissionOutcome::Applied);
    let listed = list_submissions(&portal, &["shop".into()]).await.unwrap();
    assert_eq!(listed[0].outcome, SubmissionOutcome::Applied);
    assert!(list_submissions(&portal, &["pay".into()]).await.unwrap().is_empty());
}
