//! Accepting and deciding on a real Postgres, with the rights of the portal's role.

#![allow(clippy::unwrap_used)]

mod parts;

use app::error::AppError;
use app::preview::store::{
    NewFeature, find_acceptance, find_feature, insert_acceptance, insert_decision, list_acceptances, publish,
};
use app::preview::{Acceptance, Standing, Verdict, statement_digest};
use parts::{actor, portal_role};
use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

async fn published(database: &PgPool, body: &str) {
    let points = ["We accept downtime.".to_owned(), "We keep up.".to_owned()];
    let new = NewFeature {
        slug: "snippets",
        name: "Snippets",
        purpose: "Rewrites",
        documentation_url: None,
        body,
        points: &points,
        digest: statement_digest(body, &points),
    };
    publish(database, new).await.unwrap();
}

async fn accepted(database: &PgPool, by: &app::actor::Actor) -> Acceptance {
    let feature = find_feature(database, "snippets").await.unwrap();
    let id = insert_acceptance(database, by, &feature, "shop", "because").await.unwrap();
    find_acceptance(database, id).await.unwrap()
}

#[sqlx::test(migrations = "../migrations")]
async fn nobody_decides_on_what_they_accepted_themselves(options: PgPoolOptions, connect: PgConnectOptions) {
    let portal = portal_role(options, connect).await;
    published(&portal, "Risky.").await;
    let ada = actor(&portal, "ada", &["platform-admins"]).await;
    let acceptance = accepted(&portal, &ada).await;
    let refused = insert_decision(&portal, &ada, &acceptance, Verdict::Approve, "").await;
    assert!(matches!(refused, Err(AppError::Conflict { .. })), "{refused:?}");
    // Nor by naming somebody else as the one who accepted.
    let grace = actor(&portal, "grace", &["platform-admins"]).await;
    let forged = Acceptance { person_id: grace.person_id, ..acceptance.clone() };
    assert!(insert_decision(&portal, &ada, &forged, Verdict::Approve, "").await.is_err());
    assert_eq!(find_acceptance(&portal, acceptance.id).await.unwrap().standing, Standing::Waiting);
}

#[sqlx::test(migrations = "../migrations")]
async fn of_two_administrators_who_decide_at_once_one_is_told_that_it_was_decided(
    options: PgPoolOptions,
    connect: PgConnectOptions,
) {
    let portal = portal_role(options, connect).await;
    published(&portal, "Risky.").await;
    let dana = actor(&portal, "dana", &["team-shop"]).await;
    let (ada, grace) =
        (actor(&portal, "ada", &["platform-admins"]).await, actor(&portal, "grace", &["platform-admins"]).await);
    let acceptance = accepted(&portal, &dana).await;
    let (first, second) = tokio::join!(
        insert_decision(&portal, &ada, &acceptance, Verdict::Approve, ""),
        insert_decision(&portal, &grace, &acceptance, Verdict::Refuse, "too risky"),
    );
    assert_eq!([&first, &second].into_iter().filter(|result| result.is_ok()).count(), 1);
    let told = first.and(second).unwrap_err();
    assert!(told.to_string().contains("decided this in the meantime"), "{told}");
}

#[sqlx::test(migrations = "../migrations")]
async fn an_acceptance_keeps_the_words_that_were_read(options: PgPoolOptions, connect: PgConnectOptions) {
    let portal = portal_role(options, connect).await;
    published(&portal, "Risky.").await;
    let dana = actor(&portal, "dana", &["team-shop"]).await;
    let before = accepted(&portal, &dana).await;
    published(&portal, "Riskier.").await;
    let after = find_acceptance(&portal, before.id).await.unwrap();
    assert_eq!((after.version, after.digest), (1, before.digest));
    assert_eq!(find_feature(&portal, "snippets").await.unwrap().version, 2);
    let (body,): (String,) = sqlx::query_as("select statement_body from acceptances").fetch_one(&portal).await.unwrap();
    assert_eq!(body, "Risky.");
}

#[sqlx::test(migrations = "../migrations")]
async fn a_digest_that_is_not_that_of_the_text_is_refused_by_the_database(
    options: PgPoolOptions,
    connect: PgConnectOptions,
) {
    let portal = portal_role(options, connect).await;
    published(&portal, "Risky.").await;
    let dana = actor(&portal, "dana", &["team-shop"]).await;
    let mut feature = find_feature(&portal, "snippets").await.unwrap();
    feature.points.pop();
    assert!(insert_acceptance(&portal, &dana, &feature, "shop", "").await.is_err());
}

#[sqlx::test(migrations = "../migrations")]
async fn people_see_their_own_acceptances_and_those_that_wait_come_first(
    options: PgPoolOptions,
    connect: PgConnectOptions,
) {
    let portal = portal_role(options, connect).await;
    published(&portal, "Risky.").await;
    let (dana, pia) = (actor(&portal, "dana", &["team-shop"]).await, actor(&portal, "pia", &["team-pay"]).await);
    let ada = actor(&portal, "ada", &["platform-admins"]).await;
    let waiting = accepted(&portal, &dana).await;
    let decided = accepted(&portal, &dana).await;
    insert_decision(&portal, &ada, &decided, Verdict::Refuse, "not now").await.unwrap();
    accepted(&portal, &pia).await;
    let mine = list_acceptances(&portal, Some(dana.person_id)).await.unwrap();
    let ids: Vec<_> = mine.iter().map(|acceptance| acceptance.id).collect();
    assert_eq!(ids, [waiting.id, decided.id]);
    assert_eq!(mine[1].comment.as_deref(), Some("not now"));
    assert_eq!(list_acceptances(&portal, None).await.unwrap().len(), 3);
}
