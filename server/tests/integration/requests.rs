//! What holds for every request, whatever its route.

use crate::parts::portal::{ask, get, portal, portal_at, send, sign_in, sign_in_without_asking};
use crate::parts::portal_role;
use crate::parts::variant_provider::{ACCESS_TOKEN, REFRESH_TOKEN, VariantProvider};
use http::header::COOKIE;
use http::{Request, StatusCode};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use std::io;
use std::sync::{Arc, Mutex};
use tracing_subscriber::fmt::MakeWriter;

/// Everything that is logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

const SECRET: &str = "canary-in-a-secret";

#[sqlx::test(migrations = "../migrations")]
async fn no_secret_and_nothing_that_was_sent_gets_into_the_log_or_the_record(
    options: PgPoolOptions,
    connect: PgConnectOptions,
) {
    let log = Log::default();
    tracing_subscriber::fmt().with_writer(log.clone()).with_env_filter("info,app=trace,server=trace").init();
    let database = portal_role(options, connect).await;
    let variant = VariantProvider::start().await;
    variant.behave(|provider| {
        let groups = serde_json::json!({ "groups": ["team-shop", "platform-admins"], "email": "dana@example.com" });
        provider.claims = groups;
    });
    let portal = portal_at(&variant, database.clone()).await;
    let cookie = sign_in_without_asking(&portal).await;
    let manifest = format!("apiVersion: v1\nkind: Secret\nmetadata: {{name: a}}\nstringData: {{password: {SECRET}}}\n");
    let names = ["text", "name", "namespace", "address", "logout_token", "catalogue", "format"];
    let form = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(names.map(|name| (name, manifest.as_str())))
        .finish();
    for path in ["/access", "/namespaces", "/faq", "/admin/audit", "/sessions", "/sign-in/callback"] {
        let request = Request::get(format!("{path}?message={SECRET}&code={SECRET}&state={SECRET}&error={SECRET}"))
            .header(COOKIE, &cookie)
            .header("authorization", format!("Bearer {SECRET}"))
            .header("x-request-id", SECRET)
            .header("impersonate-user", SECRET)
            .header("user-agent", SECRET);
        ask(&portal, "192.0.2.1", request).await;
    }
    for path in [
        "/namespaces/new",
        "/workloads/new",
        "/workloads/import",
        "/preview-features/none/accept",
        "/admin/features",
        "/admin/view-as",
        "/admin/audit/export",
        "/back-channel-logout",
        "/no-such-page",
    ] {
        send(&portal, &cookie, path, &form).await;
    }
    let cookie_value = cookie.split_once('=').unwrap().1.to_owned();
    let record: Vec<String> = sqlx::query_scalar("select entry from audit_events").fetch_all(&database).await.unwrap();
    let logged = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(logged.contains("a logout token was not accepted"), "{logged}");
    for secret in [SECRET, ACCESS_TOKEN, REFRESH_TOKEN, &cookie_value, "demo-secret-of-the-local-stack"] {
        assert!(!logged.contains(secret), "{secret}: {logged}");
        assert!(record.iter().all(|entry| !entry.contains(secret)), "{secret}: {record:?}");
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn nobody_becomes_somebody_by_what_their_client_says(options: PgPoolOptions, connect: PgConnectOptions) {
    let portal = portal(portal_role(options, connect).await).await;
    let cookie = sign_in(&portal, "pia").await.cookie.unwrap();
    for (name, value) in [
        ("impersonate-user", "ada@example.com"),
        ("impersonate-group", "platform-admins"),
        ("x-forwarded-user", "ada@example.com"),
        ("x_forwarded_user", "ada@example.com"),
        ("x-forwarded-groups", "platform-admins"),
        ("x-remote-user", "ada@example.com"),
        ("connection", "Impersonate-User"),
    ] {
        let with = |path: &str, cookie: &str| {
            let request = Request::get(path).header(COOKIE, cookie).header(name, value);
            ask(&portal, "192.0.2.1", request)
        };
        assert!(with("/access", &cookie).await.text.contains("pia@example.com"), "{name}");
        assert_eq!(with("/admin", &cookie).await.status, StatusCode::NOT_FOUND, "{name}");
        assert_eq!(with("/namespaces/shop", &cookie).await.status, StatusCode::NOT_FOUND, "{name}");
        assert!(with("/access", "").await.location.starts_with("/sign-in?"), "{name}");
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn another_site_changes_nothing_whatever_it_calls_what_it_sends(
    options: PgPoolOptions,
    connect: PgConnectOptions,
) {
    let database = portal_role(options, connect).await;
    let portal = portal(database.clone()).await;
    let cookie = sign_in(&portal, "dana").await.cookie.unwrap();
    let before: i64 = sqlx::query_scalar("select count(*) from audit_events").fetch_one(&database).await.unwrap();
    for kind in ["text/plain", "application/json", "application/x-www-form-urlencoded", "multipart/form-data"] {
        for path in [
            "/namespaces/new",
            "/workloads/new?namespace=shop",
            "/workloads/import",
            "/sign-out",
            "/sessions/end-others",
        ] {
            for (header, value) in [("sec-fetch-site", "cross-site"), ("origin", "https://elsewhere.example.com")] {
                let request =
                    Request::post(path).header(COOKIE, &cookie).header("content-type", kind).header(header, value);
                let answer = ask(&portal, "192.0.2.1", request).await;
                assert_eq!((answer.status, answer.location.as_str()), (StatusCode::FORBIDDEN, ""), "{path} {kind}");
            }
        }
    }
    let after: i64 = sqlx::query_scalar("select count(*) from audit_events").fetch_one(&database).await.unwrap();
    assert_eq!(before, after);
    let access = get(&portal, &cookie, "/access").await;
    assert_eq!(access.status, StatusCode::OK, "{}", access.text);
}
