//! What controllers and the kubelet said about objects.

use super::KubeCluster;
use super::request::{ApiRequest, As};
use super::resource::segment;
use app::access::KubeIdentity;
use app::ports::{ClusterError, ClusterEvent};
use futures::future::try_join_all;
use serde_json::Value;

/// The most objects whose events are read. The controllers' own come before those of pods, of which there may be many.
const MOST_OBJECTS: usize = 8;

impl KubeCluster {
    /// The events about these objects, the latest last; none where the person may not read them.
    pub(super) async fn events_about(
        &self,
        who: &KubeIdentity,
        namespace: &str,
        uids: &[String],
    ) -> Result<Vec<ClusterEvent>, ClusterError> {
        let path = format!("/api/v1/namespaces/{}/events?fieldSelector=involvedObject.uid%3D", segment(namespace)?);
        let lists =
            try_join_all(uids.iter().take(MOST_OBJECTS).map(|uid| self.events_of(who, format!("{path}{uid}")))).await?;
        let mut found: Vec<&Value> =
            lists.iter().flat_map(|list| list["items"].as_array().into_iter().flatten()).collect();
        found.sort_by_key(|event| when(event));
        Ok(found.into_iter().map(read).collect())
    }

    async fn events_of(&self, who: &KubeIdentity, path: String) -> Result<Value, ClusterError> {
        match ApiRequest::get(&path).acting(As::Person(who)).send(&self.clients).await {
            Err(ClusterError::Refused(_)) => Ok(Value::Null),
            other => Ok(other?.body),
        }
    }
}

fn read(event: &Value) -> ClusterEvent {
    ClusterEvent {
        reason: event["reason"].as_str().unwrap_or_default().to_owned(),
        message: event["message"].as_str().unwrap_or_default().to_owned(),
        is_warning: event["type"] == "Warning",
    }
}

/// Written by old and new reporters in different fields; RFC 3339 in UTC sorts as text.
fn when(event: &Value) -> &str {
    let times = ["/lastTimestamp", "/series/lastObservedTime", "/eventTime", "/metadata/creationTimestamp"];
    times.iter().find_map(|path| event.pointer(path)?.as_str()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn events_are_as_old_as_their_latest_time_says() {
        let event = |field: &str, at: &str| json!({ field: at });
        assert!(
            when(&event("lastTimestamp", "2026-01-02T00:00:00Z")) > when(&event("eventTime", "2026-01-01T00:00:00Z"))
        );
        assert_eq!(when(&json!({})), "");
    }
}
