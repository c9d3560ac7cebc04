//! Connections that keep silent, send half of something, or are too many: they end, and everybody else is served.

use crate::parts::{NEVER, cluster, portal_role, state};
use app::policy::Policy;
use server::config::Config;
use server::connections::{ConnectionLimits, serve_connections};
use server::rate_limits::RateLimits;
use server::router::routers;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::task::TaskTracker;

fn limits() -> ConnectionLimits {
    let second = Duration::from_secs(1);
    ConnectionLimits {
        most: 1000,
        most_of_an_address: 1000,
        trusted_proxies: Vec::new(),
        // Fewer than the tests hold.
        at_once: 100,
        head: second,
        body: second,
        unread: second,
    }
}

/// Serves the real site; ends with the test.
async fn portal(options: PgPoolOptions, connect: PgConnectOptions, limits: ConnectionLimits) -> SocketAddr {
    let variable = |name: &str| match name {
        "DATABASE_URL" => Some("postgres://none".to_owned()),
        "OIDC_ISSUER_URL" => Some("https://idp.example.com".to_owned()),
        _ => None,
    };
    let config = Config { connections: limits.clone(), ..Config::read(&variable).unwrap() };
    let cluster = cluster().await;
    let state = state(portal_role(options, connect).await, cluster, Policy::default());
    let writes = TaskTracker::new();
    let routers = routers(&config, state, RateLimits::new(config.rates), writes.clone());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(serve_connections(listener, routers, limits, writes, std::future::pending()));
    address
}

/// A connection on which so much was sent.
async fn sent(address: SocketAddr, text: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(text.as_bytes()).await.unwrap();
    stream
}

/// What comes until the other side ends the connection.
async fn rest(mut stream: TcpStream) -> String {
    let mut text = Vec::new();
    // One that is cut off has ended as well.
    drop(tokio::time::timeout(NEVER, stream.read_to_end(&mut text)).await.expect("the connection did not end"));
    String::from_utf8_lossy(&text).into_owned()
}

async fn get(address: SocketAddr, path: &str) -> String {
    rest(sent(address, &format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")).await).await
}

#[sqlx::test(migrations = "../migrations")]
async fn silent_connections_and_half_sent_requests_end_and_others_are_served(
    options: PgPoolOptions,
    connect: PgConnectOptions,
) {
    let address = portal(options, connect, limits()).await;
    let body =
        "POST /sign-out HTTP/1.1\r\nHost: localhost\r\nSec-Fetch-Site: same-origin\r\nContent-Length: 100\r\n\r\nhalf";
    let chunk = "POST /sign-out HTTP/1.1\r\nHost: localhost\r\nSec-Fetch-Site: same-origin\r\nTransfer-Encoding: \
        chunked\r\n\r\n64\r\nhalf";
    for text in ["", "GET / HTTP/1.1\r\nHost: loc", "PRI * HTTP/2.0\r\n\r\nSM", body, chunk] {
        let mut held = Vec::new();
        for _ in 0..300 {
            held.push(sent(address, text).await);
        }
        for path in ["/healthz", "/faq"] {
            assert!(get(address, path).await.starts_with("HTTP/1.1 200"), "{path} beside {text:?}");
        }
        for stream in held {
            let answer = rest(stream).await;
            let is_told = !text.starts_with("POST") || answer.starts_with("HTTP/1.1 408");
            assert!(is_told, "{text:?}: {answer}");
        }
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn beside_too_many_connections_health_is_told_and_people_hear_why(
    options: PgPoolOptions,
    connect: PgConnectOptions,
) {
    let limits = ConnectionLimits { most: 20, head: NEVER, ..limits() };
    let address = portal(options, connect, limits).await;
    let mut held = Vec::new();
    for _ in 0..20 {
        held.push(sent(address, "GET").await);
    }
    assert!(get(address, "/healthz").await.starts_with("HTTP/1.1 200"));
    let busy = get(address, "/faq").await;
    assert!(busy.starts_with("HTTP/1.1 503") && busy.contains("too many connections"), "{busy}");
    drop(held.pop());
    let mut answer = busy;
    while answer.starts_with("HTTP/1.1 503") {
        answer = get(address, "/faq").await;
    }
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[sqlx::test(migrations = "../migrations")]
async fn an_address_has_its_share_of_connections_and_a_trusted_proxy_all_of_them(
    options: PgPoolOptions,
    connect: PgConnectOptions,
) {
    let crowded = ConnectionLimits { most_of_an_address: 5, head: NEVER, ..limits() };
    let proxied = ConnectionLimits { trusted_proxies: vec!["127.0.0.0/8".parse().unwrap()], ..crowded.clone() };
    for (limits, status) in [(crowded, "503"), (proxied, "200")] {
        let address = portal(options.clone(), connect.clone(), limits).await;
        let mut held = Vec::new();
        for _ in 0..5 {
            held.push(sent(address, "GET").await);
        }
        let answer = get(address, "/faq").await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{answer}");
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn a_body_that_is_too_large_is_refused_before_all_of_it_has_come(
    options: PgPoolOptions,
    connect: PgConnectOptions,
) {
    let address = portal(options, connect, limits()).await;
    let head = "POST /sign-out HTTP/1.1\r\nHost: localhost\r\nSec-Fetch-Site: same-origin\r\nConnection: close\r\n";
    let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x1_0000));
    let stream = sent(address, &format!("{head}Transfer-Encoding: chunked\r\n\r\n{}", chunk.repeat(5))).await;
    let answer = rest(stream).await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
}
