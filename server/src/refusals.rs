//! What somebody asked for and was refused by the portal itself is recorded: it says as much as what was done. That is
//! every write that was not theirs or came too late, unless it stands in the record already, and every look at what
//! administrators and auditors see.

use app::actor::Actor;
use app::audit::{is_recorded, record_refusal};
use app::error::AppError;
use app::point_of_no_return::PointOfNoReturn;
use app::state::AppState;
use axum::extract::{MatchedPath, Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::Response;
use moka::future::Cache;
use moka::policy::EvictionPolicy;
use record::{Event, Failure};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use uuid::Uuid;

/// How long repetitions of a refusal are counted together.
const COUNTED_FOR: Duration = Duration::from_secs(3600);

/// More ids than any address has.
const MOST_IDS: usize = 2;

/// The most refusals that are counted; beyond them the oldest begin anew.
const MOST_COUNTED: u64 = 10_000;

/// How often each was refused what, within the hour. Rows of the record stay for good, so of many that are the same only
/// the first ten, the hundredth, the thousandth and so on become rows.
#[derive(Clone)]
pub struct Refusals(Cache<Refused, Arc<AtomicU64>>);

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Refused {
    person: Uuid,
    /// As in the table of routes, or `none`: whoever made the address chose the rest, and the record keeps it for good.
    route: String,
    code: &'static str,
}

impl Default for Refusals {
    fn default() -> Self {
        let counted = Cache::builder().max_capacity(MOST_COUNTED).time_to_live(COUNTED_FOR);
        Self(counted.eviction_policy(EvictionPolicy::lru()).build())
    }
}

impl Refusals {
    /// How often this was refused with this time, where that is to be recorded.
    async fn count(&self, refused: &Refused) -> Option<u64> {
        let counter = self.0.get_with_by_ref(refused, async { Arc::default() }).await;
        let times = counter.fetch_add(1, Ordering::Relaxed) + 1;
        (times <= 10 || is_power_of_ten(times)).then_some(times)
    }
}

fn is_power_of_ten(number: u64) -> bool {
    number.checked_ilog10().is_some_and(|exponent| 10_u64.pow(exponent) == number)
}

/// Middleware: records what was refused.
pub async fn record_refusals(
    State((state, refusals)): State<(AppState, Refusals)>,
    request: Request,
    next: Next,
) -> Response {
    let is_write = !request.method().is_safe();
    let route = request.extensions().get::<MatchedPath>().map_or("none", MatchedPath::as_str).to_owned();
    let actor = request.extensions().get::<Actor>().cloned();
    // Of the address, besides its route, only what cannot be words of the sender's.
    let ids: Vec<Uuid> = request.uri().path().split('/').filter_map(|part| part.parse().ok()).take(MOST_IDS).collect();
    let response = next.run(request).await;
    let Some(actor) = actor else { return response };
    let code = match response.extensions().get::<AppError>() {
        Some(
            error @ (AppError::NotFound
            | AppError::Refused(_)
            | AppError::ClusterRefused { .. }
            | AppError::WebhookFailed(_)),
        ) if is_write => error.code(),
        // Pages say it by their status alone.
        None if response.status() == StatusCode::NOT_FOUND && route.starts_with("/admin") => AppError::NotFound.code(),
        _ => return response,
    };
    metrics::counter!("fairway_refusals_total").increment(1);
    // Whoever tries and hangs up at once is recorded as well.
    if !PointOfNoReturn::pass() {
        return response;
    }
    let refused = Refused { person: actor.person_id, route, code };
    if let Err(error) = record(&state, &refusals, &actor, refused, ids).await {
        tracing::warn!(%error, "a refusal could not be recorded");
    }
    response
}

async fn record(
    state: &AppState,
    refusals: &Refusals,
    actor: &Actor,
    refused: Refused,
    ids: Vec<Uuid>,
) -> Result<(), AppError> {
    if is_recorded(&state.database, &actor.request_id).await? {
        return Ok(());
    }
    let Some(times) = refusals.count(&refused).await else { return Ok(()) };
    let failure = Failure { code: refused.code.to_owned(), message: String::new() };
    record_refusal(state, actor, &Event::RequestRefuse { route: refused.route, ids, times }, failure).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn ten_thousand_refusals_of_one_thing_are_a_handful_of_rows_and_those_of_another_their_own() {
        let refusals = Refusals::default();
        let refused = |route: &str| Refused { person: Uuid::nil(), route: route.to_owned(), code: "not_found" };
        let mut rows = Vec::new();
        for _ in 0..10_000 {
            rows.extend(refusals.count(&refused("/admin/audit")).await);
        }
        assert_eq!(rows, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 100, 1_000, 10_000]);
        assert_eq!(refusals.count(&refused("/namespaces/new")).await, Some(1));
    }
}
