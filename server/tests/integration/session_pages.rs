//! Seeing and ending sessions, one's own and, for administrators, others'.

use crate::parts::portal::{ask, get, portal_with, send, session_events, sign_in};
use crate::parts::{portal_role, provider};
use app::actor::RoleGroups;
use app::policy::Policy;
use http::{Request, StatusCode};
use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

fn policy() -> Policy {
    let roles = RoleGroups { administrators: vec!["platform-admins".into()], auditors: vec!["auditors".into()] };
    Policy { roles, ..Policy::default() }
}

async fn sessions_of(database: &PgPool, email: &str) -> Vec<Uuid> {
    sqlx::query_scalar(
        "select s.id from sessions s join people p on p.id = s.person_id where p.email = $1 order by s.created_at",
    )
    .bind(email)
    .fetch_all(database)
    .await
    .unwrap()
}

#[sqlx::test(migrations = "../migrations")]
async fn people_see_their_sessions_and_end_them(options: PgPoolOptions, connect: PgConnectOptions) {
    let database = portal_role(options, connect).await;
    let portal = portal_with(database.clone(), Arc::new(provider()), Duration::from_secs(3_600), policy()).await;
    let [first, second, third] = [
        sign_in(&portal, "dana").await.cookie.unwrap(),
        sign_in(&portal, "dana").await.cookie.unwrap(),
        sign_in(&portal, "dana").await.cookie.unwrap(),
    ];
    let other = sign_in(&portal, "pia").await.cookie.unwrap();
    let page = get(&portal, &first, "/sessions").await.text;
    assert_eq!(page.matches("192.0.2.1").count(), 3);
    assert_eq!(page.matches("this one").count(), 1);
    let ids = sessions_of(&database, "dana@example.com").await;
    let end = format!("/sessions/{}/end", ids[1]);
    // Nobody ends what is somebody else's.
    assert_eq!(send(&portal, &other, &end, "").await.status, StatusCode::CONFLICT);
    assert_eq!(get(&portal, &second, "/access").await.status, StatusCode::OK);
    assert_eq!(send(&portal, &first, &end, "").await.location, "/sessions?ended=yes");
    assert!(get(&portal, &second, "/access").await.location.starts_with("/sign-in?"));
    assert_eq!(send(&portal, &first, &end, "").await.status, StatusCode::CONFLICT);
    assert_eq!(send(&portal, &first, "/sessions/end-others", "").await.location, "/sessions?ended=yes");
    assert!(get(&portal, &third, "/access").await.location.starts_with("/sign-in?"));
    assert_eq!(get(&portal, &first, "/access").await.status, StatusCode::OK);
    let ended = session_events(&database).await.into_iter().filter(|event| event.contains("ended_by_person")).count();
    assert_eq!(ended, 2);
}

#[sqlx::test(migrations = "../migrations")]
async fn administrators_end_all_sessions_of_somebody(options: PgPoolOptions, connect: PgConnectOptions) {
    let database = portal_role(options, connect).await;
    let portal = portal_with(database.clone(), Arc::new(provider()), Duration::from_secs(3_600), policy()).await;
    let dana = sign_in(&portal, "dana").await.cookie.unwrap();
    let ada = sign_in(&portal, "ada").await.cookie.unwrap();
    let person: Uuid = sqlx::query_scalar("select id from people where email = 'dana@example.com'")
        .fetch_one(&database)
        .await
        .unwrap();
    let end = format!("/admin/sessions/{person}/end");
    for path in ["/admin/sessions", "/admin/sessions?search=dana"] {
        assert_eq!(get(&portal, &dana, path).await.status, StatusCode::NOT_FOUND);
        assert!(get(&portal, &ada, path).await.text.contains("dana@example.com"), "{path}");
    }
    assert!(!get(&portal, &ada, "/admin/sessions?search=pia").await.text.contains("dana@example.com"));
    assert_eq!(send(&portal, &dana, &end, "").await.status, StatusCode::NOT_FOUND);
    assert_eq!(send(&portal, &ada, &end, "").await.location, "/admin/sessions?ended=yes");
    assert!(get(&portal, &dana, "/access").await.location.starts_with("/sign-in?"));
    assert_eq!(send(&portal, &ada, &end, "").await.status, StatusCode::CONFLICT);
    assert!(session_events(&database).await.contains(&"session.revoke".to_owned()));
}

#[sqlx::test(migrations = "../migrations")]
async fn a_session_is_known_by_its_browser_and_by_nothing_that_a_browser_could_write(
    options: PgPoolOptions,
    connect: PgConnectOptions,
) {
    let database = portal_role(options, connect).await;
    let portal = portal_with(database.clone(), Arc::new(provider()), Duration::from_secs(3_600), policy()).await;
    let cookie = sign_in(&portal, "dana").await.cookie.unwrap();
    let request = Request::get("/sign-in").header("user-agent", "<script>alert(1)</script> Firefox/140.0");
    ask(&portal, "192.0.2.1", request).await;
    let browsers: Vec<String> = sqlx::query_scalar("select browser from sessions where browser is not null")
        .fetch_all(&database)
        .await
        .unwrap();
    assert_eq!(browsers, ["Another browser"]);
    assert!(get(&portal, &cookie, "/sessions").await.text.contains("Another browser"));
}

#[sqlx::test(migrations = "../migrations")]
async fn signing_out_shows_a_page_that_leads_to_the_provider_without_a_form(
    options: PgPoolOptions,
    connect: PgConnectOptions,
) {
    let database = portal_role(options, connect).await;
    let portal = portal_with(database.clone(), Arc::new(provider()), Duration::from_secs(3_600), policy()).await;
    let cookie = sign_in(&portal, "dana").await.cookie.unwrap();
    let answer = send(&portal, &cookie, "/sign-out", "").await;
    assert_eq!(answer.status, StatusCode::OK);
    assert!(answer.headers["refresh"].to_str().unwrap().starts_with("0; url=http"));
    assert!(answer.headers["content-security-policy"].to_str().unwrap().contains("form-action 'self';"));
    assert!(answer.text.contains("You are signed out") && !answer.text.contains("Dana Developer"));
    assert!(get(&portal, &cookie, "/access").await.location.starts_with("/sign-in?"));
}
