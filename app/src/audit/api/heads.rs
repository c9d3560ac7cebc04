//! Publishing the head of the chain once a day, so that even the owner of the database cannot write history anew unseen.

use crate::actor::Profile;
use crate::audit::chain::Head;
use crate::audit::store::{self, Published};
use crate::audit::{Acting, Action, audited};
use crate::error::AppError;
use crate::state::AppState;
use crate::turn::Turn;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use uuid::Uuid;

/// How long after an attempt that failed the next one is made.
const PAUSE: SignedDuration = SignedDuration::from_mins(15);

/// Publishes the head if the settings say where, and today's is not there yet; one replica at a time.
///
/// # Errors
/// The cluster's, or the database's.
pub async fn publish_head(state: &AppState, now: Timestamp) -> Result<(), AppError> {
    let Some(place) = &state.policy.record.heads_in else { return Ok(()) };
    let mut turn = state.database.begin().await?;
    if !Turn::RecordHeads.take(&mut turn).await? || !is_due(&store::last_published(&state.database).await?, now) {
        return Ok(());
    }
    let head = store::written_end(&state.database).await?;
    if head == Head::GENESIS {
        return Ok(());
    }
    let day = now.strftime("%Y-%m-%d").to_string();
    let (fairway, request_id) = (Profile::fairway(), Uuid::now_v7().to_string());
    let who = Acting { profile: &fairway, request_id: &request_id };
    let object = format!("ConfigMap/{}/{}", place.namespace, place.config_map);
    let detail = json!({ "row": head.sequence.to_string(), "hash": head.hash, "day": day });
    audited(state, who, Action::HeadPublish, &object, detail, |_| async {
        Ok(state.cluster.keep(&place.namespace, &place.config_map, &day, &head.to_string()).await?)
    })
    .await?;
    Ok(turn.commit().await?)
}

fn is_due(last: &Published, now: Timestamp) -> bool {
    let day = |at: Timestamp| at.to_zoned(TimeZone::UTC).date();
    let is_done = last.succeeded_at.is_some_and(|at| day(at) == day(now));
    let was_just_tried = last.tried_at.is_some_and(|at| now.duration_since(at) < PAUSE);
    !is_done && !was_just_tried
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_published_once_a_day_and_after_a_failure_not_at_once() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let now = at("2026-11-23T10:00:00Z");
        let published = |tried: Option<&str>, succeeded: Option<&str>| Published {
            tried_at: tried.map(at),
            succeeded_at: succeeded.map(at),
        };
        assert!(is_due(&published(None, None), now));
        assert!(is_due(&published(Some("2026-11-22T23:59:59Z"), Some("2026-11-22T23:59:59Z")), now));
        assert!(!is_due(&published(Some("2026-11-23T00:00:01Z"), Some("2026-11-23T00:00:01Z")), now));
        assert!(!is_due(&published(Some("2026-11-23T09:50:00Z"), None), now));
        assert!(is_due(&published(Some("2026-11-23T09:45:00Z"), None), now));
    }
}
