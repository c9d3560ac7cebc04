//! Connections: how many there may be, and how long each may keep silent. axum's own loop has no limits, and leaves
//! half-sent heads open for ever.

use crate::client_address::{PeerAddress, shared_address};
use axum::Router;
use axum::http::header::{CONNECTION, RETRY_AFTER};
use axum::http::{Request, StatusCode};
use axum::response::{IntoResponse, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use ipnet::IpNet;
use std::collections::HashMap;
use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_io_timeout::TimeoutStream;
use tokio_util::task::TaskTracker;
use tower::{ServiceExt, service_fn};

/// What connections may do.
#[derive(Debug, Clone)]
pub struct ConnectionLimits {
    /// `FAIRWAY_CONNECTIONS`: how many there may be.
    pub most: usize,
    /// `FAIRWAY_CONNECTIONS_PER_ADDRESS`: how many of them one address may hold, unless it is a trusted proxy.
    pub most_of_an_address: usize,
    /// `FAIRWAY_TRUSTED_PROXIES`: the addresses of proxies in front of the portal, separated by commas.
    pub trusted_proxies: Vec<IpNet>,
    /// How many requests are handled at once; more wait.
    pub at_once: usize,
    /// How long the head of a request may take, from the first byte that could be sent; so also how long a connection
    /// may be idle.
    pub head: Duration,
    /// How long the body of a request may take.
    pub body: Duration,
    /// How long a client may leave what was sent to it unread.
    pub unread: Duration,
}

/// Beside the usual connections, those that get an answer to a health check, or hear that the portal is busy.
const MOST_BESIDE: usize = 128;

/// How long those may take for the head of a request, and be idle.
const HEAD_BESIDE: Duration = Duration::from_secs(2);

/// How long the connections of a trusted proxy may be idle. Proxies keep theirs for a minute, and a request that they send
/// on one that is just being closed is lost.
const IDLE_OF_PROXIES: Duration = Duration::from_secs(90);

/// Most that is read ahead of a connection: the longest head, several times over.
const READ_AHEAD: usize = 64 * 1024;

/// How long requests may take to finish once the portal is told to stop.
const DRAIN_DEADLINE: Duration = Duration::from_secs(20);

/// The routers behind the connections.
pub struct Routers {
    pub site: Router,
    /// Health checks alone, which are answered beside the usual connections.
    pub health: Router,
}

/// Serves connections until `stop` is over, and then lets requests and `writes` finish.
pub async fn serve_connections(
    listener: TcpListener,
    routers: Routers,
    limits: ConnectionLimits,
    writes: TaskTracker,
    stop: impl Future<Output = ()>,
) {
    let graceful = GracefulShutdown::new();
    let admission = Arc::new(Admission::new(limits));
    let beside = routers.health.clone().fallback(busy);
    let mut stop = std::pin::pin!(stop);
    loop {
        let (stream, address) = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            },
            () = &mut stop => break,
        };
        let (router, head, place) = match admission.admit(address.ip().to_canonical()) {
            Admitted::Proxy(place) => (&routers.site, admission.limits.head.max(IDLE_OF_PROXIES), place),
            Admitted::Usual(place) => (&routers.site, admission.limits.head, place),
            Admitted::Beside(place) => (&beside, HEAD_BESIDE, place),
            Admitted::No => {
                metrics::counter!("fairway_connections_refused_total").increment(1);
                continue;
            }
        };
        serve(stream, address, router, head, &admission, place, &graceful);
    }
    drop(listener);
    tracing::info!("stopping");
    writes.close();
    let drained = async {
        graceful.shutdown().await;
        writes.wait().await;
    };
    if tokio::time::timeout(DRAIN_DEADLINE, drained).await.is_err() {
        tracing::warn!("some requests did not finish in time");
    }
}

/// Serves one connection, which keeps its place until it ends. Browsers reach the portal through a proxy that speaks
/// HTTP/1.1 to it, so nothing waits for the first bytes to tell which version it is.
fn serve(
    stream: TcpStream,
    address: SocketAddr,
    router: &Router,
    head: Duration,
    admission: &Admission,
    place: Place,
    graceful: &GracefulShutdown,
) {
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(admission.limits.unread));
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(head).max_buf_size(READ_AHEAD);
    let (router, peer) = (router.clone(), PeerAddress(address.ip().to_canonical()));
    let service = TowerToHyperService::new(service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(peer);
        router.clone().oneshot(request)
    }));
    let connection = graceful.watch(builder.serve_connection(TokioIo::new(Box::pin(stream)), service));
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, %address, "connection ended");
        }
        drop(place);
    });
}

/// Who may come in.
struct Admission {
    limits: ConnectionLimits,
    usual: Arc<Semaphore>,
    beside: Arc<Semaphore>,
    addresses: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

enum Admitted {
    Proxy(Place),
    Usual(Place),
    /// There are too many already.
    Beside(Place),
    No,
}

impl Admission {
    fn new(limits: ConnectionLimits) -> Self {
        let usual = Arc::new(Semaphore::new(limits.most));
        Self { limits, usual, beside: Arc::new(Semaphore::new(MOST_BESIDE)), addresses: Arc::default() }
    }

    fn admit(&self, address: IpAddr) -> Admitted {
        let place = |counted| {
            let permit = self.usual.clone().try_acquire_owned().ok()?;
            Some(Place { _permit: permit, _counted: counted })
        };
        let is_proxy = self.limits.trusted_proxies.iter().any(|proxies| proxies.contains(&address));
        let admitted = match is_proxy {
            true => place(None).map(Admitted::Proxy),
            false => Counted::new(&self.addresses, shared_address(address), self.limits.most_of_an_address)
                .and_then(|counted| place(Some(counted)))
                .map(Admitted::Usual),
        };
        if let Some(admitted) = admitted {
            return admitted;
        }
        tracing::debug!(%address, "too many connections");
        match self.beside.clone().try_acquire_owned() {
            Ok(permit) => Admitted::Beside(Place { _permit: permit, _counted: None }),
            Err(_) => Admitted::No,
        }
    }
}

/// Given back when the connection ends.
struct Place {
    _permit: OwnedSemaphorePermit,
    _counted: Option<Counted>,
}

/// One of the connections of an address.
struct Counted {
    addresses: Arc<Mutex<HashMap<IpAddr, usize>>>,
    address: IpAddr,
}

impl Counted {
    fn new(addresses: &Arc<Mutex<HashMap<IpAddr, usize>>>, address: IpAddr, most: usize) -> Option<Self> {
        let mut held = addresses.lock().unwrap_or_else(PoisonError::into_inner);
        let number = held.entry(address).or_default();
        if *number >= most {
            return None;
        }
        *number += 1;
        Some(Self { addresses: addresses.clone(), address })
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut held = self.addresses.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(number) = held.get_mut(&self.address) {
            *number -= 1;
            if *number == 0 {
                held.remove(&self.address);
            }
        }
    }
}

async fn busy() -> Response {
    metrics::counter!("fairway_connections_busy_total").increment(1);
    let text = "The portal has too many connections at the moment. Try again in a minute.\n";
    (StatusCode::SERVICE_UNAVAILABLE, [(CONNECTION, "close"), (RETRY_AFTER, "60")], text).into_response()
}
