//! Publishing the head of the chain once a day, so that even the owner of the database cannot write history anew
//! unseen.

use super::{Intent, RecordActor};
use crate::audit::HeadConfigMap;
use crate::audit::store::{self, LastPublished};
use crate::error::AppError;
use crate::leader_lock::LeaderLock;
use crate::ports::HeadPublisher;
use crate::state::AppState;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use record::{Event, Head, HeadPlace};

/// How long after an attempt that failed the next one is made.
const PAUSE: SignedDuration = SignedDuration::from_mins(15);

/// Publishes the head to each place that the settings name and that does not have today's yet; one replica at a time.
/// A place that fails does not keep it from another.
///
/// # Errors
/// Those of the last place that failed, or the database's.
pub async fn publish_head(state: &AppState, now: Timestamp) -> Result<(), AppError> {
    let config_map = state.policy.record.heads_in.as_ref().map(Target::ConfigMap);
    let webhook = state.head_publisher.as_deref().map(Target::Webhook);
    let places: Vec<Target<'_>> = config_map.into_iter().chain(webhook).collect();
    if places.is_empty() {
        return Ok(());
    }
    let mut lock = state.database.begin().await?;
    if !LeaderLock::RecordHeads.take(&mut lock).await? {
        return Ok(());
    }
    let mut published = Ok(());
    for place in places {
        published = place.publish(state, now).await.and(published);
    }
    lock.commit().await?;
    published
}

/// Where the head is kept.
enum Target<'a> {
    ConfigMap(&'a HeadConfigMap),
    Webhook(&'a dyn HeadPublisher),
}

impl Target<'_> {
    fn place(&self) -> HeadPlace {
        match self {
            Self::ConfigMap(map) => {
                HeadPlace::ConfigMap { namespace: map.namespace.clone(), name: map.config_map.clone() }
            }
            Self::Webhook(publisher) => HeadPlace::Webhook { host: publisher.host().to_owned() },
        }
    }

    async fn publish(&self, state: &AppState, now: Timestamp) -> Result<(), AppError> {
        let place = self.place();
        if !is_due(&store::last_published(&state.database, &place).await?, now) {
            return Ok(());
        }
        let head = store::written_end(&state.database).await?;
        if head == Head::GENESIS {
            return Ok(());
        }
        let day = now.strftime("%Y-%m-%d").to_string();
        let event = Event::HeadPublish { place, head, day: day.clone() };
        let intent = Intent::announce(&state.database, RecordActor::fairway(), event).await?;
        let kept = self.keep(state, &day, &head).await;
        intent.conclude(&state.database, kept).await
    }

    async fn keep(&self, state: &AppState, day: &str, head: &Head) -> Result<(), AppError> {
        match self {
            Self::ConfigMap(place) => {
                let text = head.to_string();
                // A key of its own, also where another history has as many rows: nothing that was published is ever
                // written over.
                let key = format!("{day}-{}", text.replace(' ', "-"));
                Ok(state.cluster.keep(&place.namespace, &place.config_map, &key, &text).await?)
            }
            Self::Webhook(publisher) => Ok(publisher.publish(day, head).await?),
        }
    }
}

fn is_due(last: &LastPublished, now: Timestamp) -> bool {
    let day = |at: Timestamp| at.to_zoned(TimeZone::UTC).date();
    let is_done = last.succeeded_at.is_some_and(|at| day(at) == day(now));
    let was_just_tried = last.tried_at.is_some_and(|at| now.duration_since(at).abs() < PAUSE);
    !is_done && !was_just_tried
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_published_once_a_day_and_after_a_failure_not_at_once() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let now = at("2026-11-23T10:00:00Z");
        let published = |tried: Option<&str>, succeeded: Option<&str>| LastPublished {
            tried_at: tried.map(at),
            succeeded_at: succeeded.map(at),
        };
        assert!(is_due(&published(None, None), now));
        assert!(is_due(&published(Some("2026-11-22T23:59:59Z"), Some("2026-11-22T23:59:59Z")), now));
        assert!(!is_due(&published(Some("2026-11-23T00:00:01Z"), Some("2026-11-23T00:00:01Z")), now));
        assert!(!is_due(&published(Some("2026-11-23T09:50:00Z"), None), now));
        assert!(is_due(&published(Some("2026-11-23T09:45:00Z"), None), now));
        // A clock that ran ahead once does not end it for good.
        assert!(is_due(&published(Some("2099-01-01T00:00:00Z"), None), now));
    }
}
