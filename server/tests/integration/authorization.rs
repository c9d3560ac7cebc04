//! Who may do what: every route of the site for every role, with and without a body that means anything. What each
//! answers is written down in `snapshots/authorization.txt`; a change there is a change of who may see or do what.

use crate::parts::fixture::{Fixture, policy};
use crate::parts::{actor, portal_role};
use app::actor::Actor;
use app::policy::Policy;
use app::state::{AppState, Dependencies};
use app::workloads::store_in_tests::{NewSubmission, insert_submission};
use axum::Router;
use axum::body::Body;
use http::header::LOCATION;
use http::{Method, Request, StatusCode};
use record::Digest;
use serde_json::json;
use server::router::site;
use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;
use tower::ServiceExt;
use uuid::Uuid;

/// Where the browser sends no more than an empty form, a handler that lets somebody in says what is missing.
const ROUTES: [(Method, &str); 78] = [
    (Method::GET, "/"),
    (Method::GET, "/access"),
    (Method::GET, "/namespaces"),
    (Method::GET, "/namespaces/new"),
    (Method::GET, "/namespaces/:name"),
    (Method::GET, "/namespaces/:name/connections"),
    (Method::GET, "/workloads"),
    (Method::GET, "/workloads/new"),
    (Method::GET, "/workloads/import"),
    (Method::GET, "/workloads/drafts/:id/delete"),
    (Method::GET, "/workloads/drafts/:id/:step"),
    (Method::GET, "/workloads/drafts/:id/manifest.yaml"),
    (Method::GET, "/workloads/drafts/:id/picture.svg"),
    (Method::GET, "/workloads/drafts/:id/kustomize.zip"),
    (Method::GET, "/workloads/:id"),
    (Method::GET, "/preview-features"),
    (Method::GET, "/preview-features/:slug"),
    (Method::GET, "/preview-features/:slug/statements/:version"),
    (Method::GET, "/preview-features/acceptances/:id"),
    (Method::GET, "/faq"),
    (Method::GET, "/faq/:slug"),
    (Method::GET, "/admin"),
    (Method::GET, "/admin/approvals"),
    (Method::GET, "/admin/features"),
    (Method::GET, "/admin/features/:slug"),
    (Method::GET, "/admin/audit"),
    (Method::GET, "/admin/view-as"),
    (Method::GET, "/admin/sessions"),
    (Method::GET, "/sessions"),
    (Method::GET, "/styleguide"),
    (Method::GET, "/no-such-page"),
    (Method::POST, "/namespaces/new"),
    (Method::POST, "/workloads/new"),
    (Method::POST, "/workloads/import"),
    (Method::POST, "/workloads/drafts/:id/:step"),
    (Method::POST, "/workloads/drafts/:id/:step/live-review"),
    (Method::POST, "/workloads/drafts/:id/:step/add-row"),
    (Method::POST, "/workloads/drafts/:id/:step/remove-row"),
    (Method::POST, "/workloads/drafts/:id/:step/add-workload"),
    (Method::POST, "/workloads/drafts/:id/:step/search"),
    (Method::POST, "/workloads/drafts/:id/submit"),
    (Method::POST, "/workloads/drafts/:id/fix"),
    (Method::POST, "/workloads/drafts/:id/fix-all"),
    (Method::POST, "/workloads/drafts/:id/add-policies"),
    (Method::POST, "/workloads/:id/approve"),
    (Method::POST, "/workloads/:id/request-changes"),
    (Method::POST, "/workloads/:id/refuse"),
    (Method::POST, "/workloads/:id/comment"),
    (Method::POST, "/workloads/:id/apply"),
    (Method::POST, "/workloads/:id/undo"),
    (Method::POST, "/preview-features/:slug"),
    (Method::POST, "/preview-features/:slug/accept"),
    (Method::POST, "/preview-features/:slug/edit"),
    (Method::POST, "/preview-features/acceptances/:id/revoke"),
    (Method::POST, "/preview-features/acceptances/:id/confirm-effect"),
    (Method::POST, "/preview-features/acceptances/:id/confirm-removal"),
    (Method::POST, "/preview-features/acceptances/:id/repair"),
    (Method::POST, "/preview-features/acceptances/:id/export"),
    (Method::POST, "/admin/approvals/approve"),
    (Method::POST, "/admin/approvals/refuse"),
    (Method::POST, "/admin/features"),
    (Method::POST, "/admin/features/:slug"),
    (Method::POST, "/admin/features/catalogue.yaml"),
    (Method::POST, "/admin/audit/export"),
    (Method::POST, "/admin/view-as"),
    (Method::POST, "/admin/sessions/:id/end"),
    (Method::POST, "/sessions/:id/end"),
    (Method::POST, "/sessions/end-others"),
    (Method::POST, "/back-channel-logout"),
    // Last, as they leave nothing behind for the routes above.
    (Method::POST, "/preview-features/acceptances/:id/withdraw"),
    (Method::POST, "/workloads/drafts/:id/delete"),
    // What only leads to another address, for whoever reloads the address of a button.
    (Method::GET, "/workloads/:id/apply"),
    (Method::GET, "/admin/approvals/approve"),
    (Method::GET, "/preview-features/acceptances/:id/export"),
    (Method::GET, "/workloads/drafts/:id/submit"),
    (Method::GET, "/workloads/drafts/:id/fix"),
    (Method::GET, "/workloads/drafts/:id/fix-all"),
    (Method::GET, "/workloads/drafts/:id/add-policies"),
];

/// Routes that the table leaves out, and why. May only become fewer.
const EXEMPT: [(&str, &str); 3] = [
    ("/sign-in", "needs a session: identity_provider.rs and the browser tests"),
    ("/sign-in/callback", "needs a session: identity_provider.rs and the browser tests"),
    ("/sign-out", "needs a session: identity_provider.rs and the browser tests"),
];

/// Things of the developer's, that everybody asks for.
struct Things {
    namespace: String,
    feature: String,
    draft: Uuid,
    submission: Uuid,
    acceptance: Uuid,
}

impl Things {
    async fn make(fixture: &Fixture) -> Self {
        let (database, dana) = (&fixture.portal.database, &fixture.dana);
        Self {
            namespace: fixture.namespace.clone(),
            feature: fixture.feature.clone(),
            draft: draft_of(fixture).await,
            submission: submission_of(database, dana.person_id, &fixture.namespace).await,
            acceptance: fixture.accept(dana, "namespace").await,
        }
    }

    fn path(&self, route: &str) -> String {
        let id = match route {
            route if route.starts_with("/workloads/drafts/") => self.draft,
            route if route.starts_with("/preview-features/acceptances/") => self.acceptance,
            _ => self.submission,
        };
        let slug = if route.starts_with("/faq/") { "image-tags" } else { &self.feature };
        let path = route.replace(":id", &id.to_string()).replace(":slug", slug);
        path.replace(":name", &self.namespace).replace(":step", "sources").replace(":version", "1")
    }
}

/// Every step of it filled in.
async fn draft_of(fixture: &Fixture) -> Uuid {
    let namespace = &*fixture.namespace;
    let begun = fixture.post(&fixture.dana, "/workloads/new", &[("namespace", namespace)]).await.led_to();
    let id: Uuid = begun.split('/').find_map(|part| part.parse().ok()).unwrap();
    let workload = [
        ("namespace", namespace),
        ("name", "web"),
        ("kind", "deployment"),
        ("replicas", "2"),
        ("image", "harbor.example.com/shop/web:1"),
        ("command", ""),
        ("ports", "8080"),
    ];
    let resources = [("cpu", "100"), ("memory", "128"), ("run_as_user", "10001"), ("read_only_root", "yes")];
    let steps: [(&str, &[(&str, &str)]); 4] =
        [("workload", &workload), ("sources", &[]), ("destinations", &[("dns", "yes")]), ("resources", &resources)];
    for (step, answers) in steps {
        let path = format!("/workloads/drafts/{id}/{step}");
        let version = fixture.get(&fixture.dana, &path).await.hidden("version");
        let form = [&[("version", &*version)], answers].concat();
        fixture.post(&fixture.dana, &path, &form).await.led_to();
    }
    id
}

async fn submission_of(database: &PgPool, author: Uuid, namespace: &str) -> Uuid {
    let id = Uuid::now_v7();
    let manifest =
        format!("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: web\n  namespace: {namespace}\ndata: {{}}\n");
    let new = NewSubmission {
        id,
        draft: Uuid::nil(),
        draft_version: 1,
        author,
        contributors: &[author],
        namespace,
        name: "web",
        manifest: &manifest,
        digest: Digest::of(&manifest),
        report: json!({ "verdict": "pass", "findings": [] }),
        dry_run: json!([]),
        second_person: &["A reason.".to_owned()],
    };
    insert_submission(database, new).await.unwrap();
    id
}

/// The status; for a redirect also where to, without what only names one thing of many.
async fn answer(router: &Router, who: Option<&Actor>, method: &Method, path: &str) -> String {
    let mut request = Request::builder().method(method).uri(path);
    if method == Method::POST {
        request = request.header("content-type", "application/x-www-form-urlencoded");
    }
    if let Some(who) = who {
        let mut who = who.clone();
        who.request_id = Uuid::now_v7().to_string();
        request = request.extension(who);
    }
    let response = router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let location = response.headers().get(LOCATION).map(|location| location.to_str().unwrap());
    match location {
        Some(location) if location.starts_with("/sign-in") => format!("{} sign-in", response.status().as_u16()),
        _ => response.status().as_u16().to_string(),
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn every_route_answers_every_role_as_written_down(options: PgPoolOptions, connect: PgConnectOptions) {
    let mut fixture = Fixture::set(&portal_role(options, connect).await).await;
    let with_styleguide = Policy { styleguide: true, ..policy(&fixture.namespace) };
    fixture.portal = AppState::from(Dependencies { policy: with_styleguide.into(), ..(*fixture.portal).clone() });
    let mut things = Things::make(&fixture).await;
    let person = async |subject: &str, groups: &[&str]| actor(&fixture.portal.database, subject, groups).await;
    // The developer comes last: what is theirs must be there when the others ask for it.
    let roles = [
        ("anonymous", None),
        ("newcomer", Some(person("nico", &[]).await)),
        ("other team", Some(person("pia", &["team-pay"]).await)),
        ("auditor", Some(person("alex", &["auditors"]).await)),
        ("administrator", Some(fixture.ada.clone())),
        ("team lead", Some(fixture.lee.clone())),
        ("developer", Some(fixture.dana.clone())),
    ];
    let router = site(&fixture.portal).with_state(fixture.portal.clone());
    let mut cells = vec![String::new(); ROUTES.len()];
    for (_, who) in &roles {
        for (cells, (method, route)) in cells.iter_mut().zip(&ROUTES) {
            let answer = answer(&router, who.as_ref(), method, &things.path(route)).await;
            write!(cells, "{answer:<15}").unwrap();
        }
        // Whoever may delete it has done so.
        things.draft = draft_of(&fixture).await;
    }
    let mut table = format!("{:<60}", "");
    roles.iter().for_each(|(role, _)| write!(table, "{role:<15}").unwrap());
    for (cells, (method, route)) in cells.iter().zip(&ROUTES) {
        table = format!("{}\n{:<60}{cells}", table.trim_end(), format!("{method} {route}"));
    }
    let table = format!("{}\n", table.lines().map(str::trim_end).collect::<Vec<_>>().join("\n"));
    let path = "tests/integration/snapshots/authorization.txt";
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        std::fs::write(path, &table).unwrap();
    }
    let written = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        table == written,
        "{path} is not what the routes answer. If this is meant, run the test with UPDATE_SNAPSHOTS=1.\n{table}"
    );
}

#[sqlx::test(migrations = "../migrations")]
async fn typing_beside_a_draft_that_is_gone_records_nothing(options: PgPoolOptions, connect: PgConnectOptions) {
    let fixture = Fixture::set(&portal_role(options, connect).await).await;
    let rows = async || {
        let count = sqlx::query_scalar::<_, i64>("select count(*) from audit_events");
        count.fetch_one(&fixture.portal.database).await.unwrap()
    };
    let draft = draft_of(&fixture).await;
    fixture.post(&fixture.dana, &format!("/workloads/drafts/{draft}/delete"), &[]).await.led_to();
    let before = rows().await;
    let answer = fixture
        .post(&fixture.dana, &format!("/workloads/drafts/{draft}/workload/live-review"), &[("name", "web")])
        .await;
    assert_eq!((answer.status, answer.text().as_str(), rows().await), (StatusCode::NOT_FOUND, "", before));
}

#[test]
fn no_route_is_missing() {
    let mut routes = BTreeSet::new();
    routes_in(Path::new("../app/src"), &mut routes);
    routes_in(Path::new("src/sessions"), &mut routes);
    assert!(routes.len() > 60, "{routes:?}");
    let is_asked = |method: &Method, path: &str| ROUTES.iter().any(|(asked, route)| asked == method && *route == path);
    let is_exempt = |path: &str| EXEMPT.iter().any(|(route, _)| *route == path);
    let is_missing = |(method, path): &&(String, String)| !is_asked(&method.parse().unwrap(), path) && !is_exempt(path);
    let missing: Vec<_> = routes.iter().filter(is_missing).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

/// Method and path of every route that the sources of a folder name, with `:id` for a part of a path. A GET that only
/// leads back to the page of a button is the same for all of them.
fn routes_in(folder: &Path, routes: &mut BTreeSet<(String, String)>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            routes_in(&path, routes);
            continue;
        }
        let source = std::fs::read_to_string(&path).unwrap_or_default();
        let pages = source.split("path!(\"").skip(1).filter_map(|rest| rest.split('"').next());
        routes.extend(pages.map(|page| ("GET".to_owned(), page.to_owned())));
        for rest in source.split(".route(\"").skip(1) {
            let (path, rest) = rest.split_once('"').unwrap();
            let handlers = rest.lines().next().unwrap();
            let path = path.replace('{', ":").replace('}', "");
            let is_get = handlers.contains("get(") && !handlers.contains("get(back_to_page)");
            let methods = [("POST", handlers.contains("post(")), ("GET", is_get)];
            assert!(handlers.contains("post(") || handlers.contains("get("), "{path}: {handlers}");
            routes.extend(
                methods.into_iter().filter(|(_, is_it)| *is_it).map(|(name, _)| (name.to_owned(), path.clone())),
            );
        }
    }
}
