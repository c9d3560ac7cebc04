//! Telling people by e-mail, through a real mail server.

use crate::parts::fixture::{Fixture, succeeded};
use crate::parts::{portal_role, told};
use app::error::AppError;
use app::preview::service::notify;
use app::state::{AppState, Dependencies};
use jiff::{SignedDuration, Timestamp};
use record::Action;
use serde_json::{Value, json};
use server::config::MailServer;
use server::mailer::SmtpMailer;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use uuid::Uuid;

/// A portal that sends mail to a server, and whose settings name these addresses.
fn mailing(portal: &AppState, url: &str, administrators: &str, contact: &str) -> AppState {
    let settings = MailServer { url: url.to_owned().into(), from: "Fairway <fairway@example.com>".parse().unwrap() };
    let mut policy = (*portal.policy).clone();
    policy.notifications.administrators = administrators.into();
    policy.teams[0].contact = contact.into();
    let mailer = SmtpMailer::new(settings).unwrap();
    AppState::from(Dependencies {
        mailer: Some(std::sync::Arc::new(mailer)),
        policy: policy.into(),
        ..(**portal).clone()
    })
}

/// What the mail server took about an acceptance, the oldest first: to whom, and which subject.
async fn mails_about(acceptance: Uuid) -> Vec<(String, String)> {
    let url = format!("{}/mails.json", told("FAIRWAY_TEST_MAILBOX"));
    let text = reqwest::get(url).await.unwrap().text().await.unwrap();
    let mails: Vec<Value> = serde_json::from_str(&text).unwrap();
    let about = mails.iter().rev().filter(|mail| mail["id"].as_str().unwrap().contains(&acceptance.to_string()));
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    about.map(|mail| (text(&mail["to"][0]), text(&mail["subject"]))).collect()
}

#[sqlx::test(migrations = "../migrations")]
async fn people_are_told_by_mail_once_whatever_number_of_replicas_is_at_it(
    options: PgPoolOptions,
    connect: PgConnectOptions,
) {
    let mut fixture = Fixture::set(&portal_role(options, connect).await).await;
    let portal = mailing(&fixture.portal, &told("FAIRWAY_TEST_SMTP"), "decide@example.com", "shop@example.com");
    let id = fixture.accept(&fixture.dana, "namespace").await;
    let rounds = async |now| {
        futures::future::try_join_all((0..4).map(|_| notify(&portal, now))).await.unwrap();
    };
    rounds(Timestamp::now()).await;
    let what = format!("Trying for namespace {}", fixture.namespace);
    let decide = ("decide@example.com".to_owned(), format!("[Fairway] Decide: {what}"));
    assert_eq!(mails_about(id).await, std::slice::from_ref(&decide));
    fixture.approve(id).await;
    fixture.round().await;
    rounds(Timestamp::now()).await;
    rounds(Timestamp::now()).await;
    let effective = |to: &str| (to.to_owned(), format!("[Fairway] Effective: {what}"));
    assert_eq!(mails_about(id).await, [decide, effective("dana@example.com"), effective("shop@example.com")]);
    let told: Vec<(String, String)> = sqlx::query_as(
        "select detail ->> 'occasion', detail ->> 'recipient' from audit_events
         where action = 'preview_feature.notify' and phase = 'succeeded' order by sequence",
    )
    .fetch_all(&portal.database)
    .await
    .unwrap();
    let row = |occasion: &str, recipient: &str| (occasion.to_owned(), recipient.to_owned());
    assert_eq!(told, [row("accepted", "administrators"), row("step-2", "person"), row("step-2", "team/helpers")]);
    assert_eq!(fixture.mismatches().await, Vec::<String>::new());
    assert!(fixture.export(&fixture.ada, id).await.verify().is_ok(), "mails are part of the evidence");
    fixture.revoke(&fixture.ada, id).await;
    fixture.round().await;
}

#[sqlx::test(migrations = "../migrations")]
async fn nobody_is_asked_to_take_back_what_a_renewal_needs(options: PgPoolOptions, connect: PgConnectOptions) {
    let mut fixture = Fixture::set(&portal_role(options, connect).await).await;
    let portal = mailing(&fixture.portal, &told("FAIRWAY_TEST_SMTP"), "decide@example.com", "");
    fixture.publish(json!("manual")).await;
    let first = fixture.accept(&fixture.dana, "namespace").await;
    fixture.approve(first).await;
    fixture.act(&fixture.ada, first, "confirm-effect").await.led_to();
    fixture.publish_with(json!({ "body": "Riskier.", "renewal": { "within_days": 7 } })).await;
    let second = fixture.accept(&fixture.dana, "namespace").await;
    fixture.approve(second).await;
    for _ in 0..3 {
        fixture.round().await;
        notify(&portal, Timestamp::now()).await.unwrap();
    }
    assert_eq!((fixture.status(first).await, fixture.status(second).await), ("ended", "approved"));
    let subjects =
        async |id| mails_about(id).await.into_iter().map(|(_, subject)| subject).collect::<Vec<_>>().join("\n");
    let (of_the_first, of_the_second) = (subjects(first).await, subjects(second).await);
    assert!(!of_the_first.contains("Take back by hand"), "{of_the_first}");
    assert!(of_the_second.contains("Enable by hand"), "{of_the_second}");
}

#[sqlx::test(migrations = "../migrations")]
async fn what_the_mail_server_does_not_take_is_tried_again_and_keeps_nothing_from_others(
    options: PgPoolOptions,
    connect: PgConnectOptions,
) {
    let fixture = Fixture::set(&portal_role(options, connect).await).await;
    let (first, second) =
        (fixture.accept(&fixture.dana, "namespace").await, fixture.accept(&fixture.lee, "team/helpers").await);
    let smtp = told("FAIRWAY_TEST_SMTP");
    let now = Timestamp::now();
    let problems = async || {
        let mut problems = Vec::new();
        for id in [first, second] {
            problems.extend(fixture.look_at(id).await.deliveries.into_iter().map(|delivery| delivery.problem));
        }
        problems
    };
    let away = mailing(&fixture.portal, "smtp://127.0.0.1:9", "decide@example.com", "");
    assert!(matches!(notify(&away, now).await, Err(AppError::Unavailable { .. })));
    assert_eq!(problems().await, ["The mail server could not be reached."], "the second is not waited for in vain");
    for (minutes, address) in [(2, "nobody@example.com"), (9, "later@example.com")] {
        let refused = mailing(&fixture.portal, &smtp, address, "");
        notify(&refused, now + SignedDuration::from_mins(minutes)).await.unwrap();
        assert_eq!(problems().await, ["The mail server did not take it."; 2], "{address}");
    }
    let well = mailing(&fixture.portal, &smtp, "decide@example.com", "");
    notify(&well, now + SignedDuration::from_mins(10)).await.unwrap();
    assert_eq!(mails_about(first).await.len() + mails_about(second).await.len(), 0, "the pause is not over");
    notify(&well, now + SignedDuration::from_mins(30)).await.unwrap();
    assert_eq!((mails_about(first).await.len(), mails_about(second).await.len()), (1, 1));
    assert_eq!(problems().await, [""; 2]);
    assert_eq!(succeeded(&fixture.portal.database, Action::RiskNotify).await, 2);
}
