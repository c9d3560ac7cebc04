//! How often somebody may do what leaves something behind, or takes the processor.

use crate::client_address::ClientAddress;
use app::actor::Actor;
use app::error::AppError;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use std::hash::Hash;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

/// So many in a minute, and as many at once.
#[derive(Debug, Clone, Copy)]
pub struct RateSettings {
    /// `FAIRWAY_SIGN_INS_PER_MINUTE`: sign-ins that one address begins.
    pub sign_ins: NonZeroU32,
    /// `FAIRWAY_WRITES_PER_MINUTE`: forms that one person sends.
    pub writes: NonZeroU32,
    /// `FAIRWAY_LIVE_REVIEWS_PER_MINUTE`: reviews while one person types.
    pub live_reviews: NonZeroU32,
}

/// One per process; each replica counts for itself.
pub struct RateLimits {
    sign_ins: DefaultKeyedRateLimiter<IpAddr>,
    writes: DefaultKeyedRateLimiter<Uuid>,
    live_reviews: DefaultKeyedRateLimiter<Uuid>,
}

impl RateLimits {
    #[must_use]
    pub fn new(settings: RateSettings) -> Arc<Self> {
        Arc::new(Self {
            sign_ins: RateLimiter::keyed(Quota::per_minute(settings.sign_ins)),
            writes: RateLimiter::keyed(Quota::per_minute(settings.writes)),
            live_reviews: RateLimiter::keyed(Quota::per_minute(settings.live_reviews)),
        })
    }

    /// Forgets whoever has done nothing lately, every minute.
    pub async fn forget_idle(self: Arc<Self>) {
        let mut tick = tokio::time::interval(Duration::from_secs(60));
        loop {
            tick.tick().await;
            self.sign_ins.retain_recent();
            self.writes.retain_recent();
            self.live_reviews.retain_recent();
        }
    }

    fn allows(&self, request: &Request) -> bool {
        let path = request.uri().path();
        match request.extensions().get::<Actor>() {
            None if path == "/sign-in" => {
                let client = request.extensions().get::<ClientAddress>();
                client.is_none_or(|ClientAddress(address)| allows(&self.sign_ins, address, "sign_in"))
            }
            Some(actor) if !request.method().is_safe() => match path.ends_with("/live-review") {
                true => allows(&self.live_reviews, &actor.person_id, "live_review"),
                false => allows(&self.writes, &actor.person_id, "write"),
            },
            _ => true,
        }
    }
}

fn allows<K: Hash + Eq + Clone>(limit: &DefaultKeyedRateLimiter<K>, key: &K, of: &'static str) -> bool {
    let allowed = limit.check_key(key).is_ok();
    if !allowed {
        metrics::counter!("fairway_requests_limited_total", "of" => of).increment(1);
    }
    allowed
}

/// Middleware: refuses whoever asks too often, before a handler does anything for them.
pub async fn limit_rates(State(limits): State<Arc<RateLimits>>, request: Request, next: Next) -> Response {
    if limits.allows(&request) { next.run(request).await } else { AppError::TooManyRequests.into_response() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use app::access::KubeIdentity;
    use app::actor::{Profile, RoleGroups};
    use axum::body::Body;
    use axum::http::Method;

    fn limits() -> Arc<RateLimits> {
        let number = |number| NonZeroU32::new(number).unwrap();
        RateLimits::new(RateSettings { sign_ins: number(2), writes: number(3), live_reviews: number(4) })
    }

    fn request(method: Method, path: &str) -> Request {
        Request::builder().method(method).uri(path).body(Body::empty()).unwrap()
    }

    fn by(person: u128, mut request: Request) -> Request {
        let kube = KubeIdentity::new("robin@example.com".to_owned().try_into().unwrap(), Vec::new());
        let profile = Profile::fairway();
        let actor = Actor::new(Uuid::from_u128(person), profile, kube, &RoleGroups::default(), String::new());
        request.extensions_mut().insert(actor);
        request
    }

    fn from(address: &str, mut request: Request) -> Request {
        request.extensions_mut().insert(ClientAddress(address.parse().unwrap()));
        request
    }

    #[test]
    fn one_person_is_slowed_down_and_nobody_else() {
        let limits = limits();
        let write = |person| limits.allows(&by(person, request(Method::POST, "/namespaces/new")));
        assert_eq!([write(1), write(1), write(1), write(1)], [true, true, true, false]);
        assert!(write(2));
        assert!(limits.allows(&by(1, request(Method::GET, "/namespaces"))));
        assert!(limits.allows(&by(1, request(Method::POST, "/workloads/drafts/1/workload/live-review"))));
    }

    #[test]
    fn sign_ins_are_counted_by_address() {
        let limits = limits();
        let sign_in = |address| limits.allows(&from(address, request(Method::GET, "/sign-in?return=/")));
        assert_eq!([sign_in("192.0.2.1"), sign_in("192.0.2.1"), sign_in("192.0.2.1")], [true, true, false]);
        assert!(sign_in("192.0.2.2"));
        assert!(limits.allows(&from("192.0.2.1", request(Method::GET, "/faq"))));
    }
}
