//! Acting needs membership today, and a second person is somebody else: through the portal's own router, on a real Postgres
//! and a real API server.

use crate::parts::fixture::Fixture;
use crate::parts::{actor, identity, portal_role, profile};
use app::actor::{Actor, RoleGroups};
use http::StatusCode;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

/// The same person once all groups are lost.
fn without_groups(who: &Actor, subject: &str) -> Actor {
    let (profile, identity) = (profile(subject, &[]), identity(subject, &[]));
    Actor::new(who.person_id, profile, identity, &RoleGroups::default(), String::new())
}

#[sqlx::test(migrations = "../migrations")]
async fn having_accepted_once_is_a_right_to_read_and_to_nothing_else(
    options: PgPoolOptions,
    connect: PgConnectOptions,
) {
    let fixture = Fixture::set(&portal_role(options, connect).await).await;
    let (granted, waiting) =
        (fixture.accept(&fixture.dana, "namespace").await, fixture.accept(&fixture.lee, "team/helpers").await);
    fixture.approve(granted).await;
    let (dana, lee) = (without_groups(&fixture.dana, "dana"), without_groups(&fixture.lee, "lee"));

    let page = fixture.get(&dana, &format!("/preview-features/acceptances/{granted}")).await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(!page.says("Revoke opt-in") && !page.says("Export as JSON"), "{}", page.text());
    for verb in ["revoke", "export"] {
        assert_eq!(fixture.act(&dana, granted, verb).await.status, StatusCode::NOT_FOUND, "{verb}");
    }
    assert_eq!(fixture.act(&lee, waiting, "withdraw").await.status, StatusCode::NOT_FOUND);
    assert_eq!((fixture.status(granted).await, fixture.status(waiting).await), ("approved", "waiting"));

    // Whoever is a member still may, and so may the two while they are.
    assert!(
        fixture.get(&fixture.lee, &format!("/preview-features/acceptances/{granted}")).await.says("Export as JSON")
    );
    fixture.act(&fixture.lee, waiting, "withdraw").await.led_to();
    fixture.revoke(&fixture.dana, granted).await;
}

#[sqlx::test(migrations = "../migrations")]
async fn a_second_account_of_whoever_accepted_does_not_decide(options: PgPoolOptions, connect: PgConnectOptions) {
    let database = portal_role(options, connect).await;
    let fixture = Fixture::set(&database).await;
    let acceptance = fixture.accept(&fixture.dana, "namespace").await;
    let other = actor(&database, "dana-again", &["platform-admins"]).await;
    sqlx::query("update people set email = 'Dana@Example.com' where id = $1")
        .bind(other.person_id)
        .execute(&database)
        .await
        .unwrap();
    let decision = [("acceptance", &*acceptance.to_string()), ("comment", "No.")];
    for verb in ["approve", "refuse"] {
        let answer = fixture.post(&other, &format!("/admin/approvals/{verb}"), &decision).await;
        assert!(answer.says("somebody else has to decide it"), "{verb}: {}", answer.text());
    }
    assert_eq!(fixture.status(acceptance).await, "waiting");
    fixture.approve(acceptance).await;
}
