//! What controllers and the kubelet said about objects.

use super::KubeCluster;
use super::request::{ApiRequest, As};
use super::resource::segment;
use app::access::KubeIdentity;
use app::ports::{ClusterError, ClusterEvent};
use serde_json::Value;
use std::collections::HashSet;

/// The most events of a namespace that are looked at.
const MOST_EVENTS: u32 = 500;

impl KubeCluster {
    /// The events about the objects with these uids, the latest last; none where the person may not read them.
    pub(super) async fn events_about(
        &self,
        who: &KubeIdentity,
        namespace: &str,
        uids: &HashSet<String>,
    ) -> Result<Vec<ClusterEvent>, ClusterError> {
        let path = format!("/api/v1/namespaces/{}/events?limit={MOST_EVENTS}", segment(namespace)?);
        let list = match ApiRequest::get(&path).acting(As::Person(who)).send(&self.client).await {
            Err(ClusterError::Refused(_)) => return Ok(Vec::new()),
            other => other?.body,
        };
        Ok(about(&list, uids))
    }
}

fn about(list: &Value, uids: &HashSet<String>) -> Vec<ClusterEvent> {
    let events = list["items"].as_array().into_iter().flatten();
    let mut found: Vec<&Value> =
        events.filter(|event| event["involvedObject"]["uid"].as_str().is_some_and(|uid| uids.contains(uid))).collect();
    found.sort_by_key(|event| when(event));
    found
        .into_iter()
        .map(|event| ClusterEvent {
            reason: event["reason"].as_str().unwrap_or_default().to_owned(),
            message: event["message"].as_str().unwrap_or_default().to_owned(),
            is_warning: event["type"] == "Warning",
        })
        .collect()
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
    fn events_are_those_of_the_objects_and_the_latest_comes_last() {
        let event = |uid: &str, at: &str, reason: &str| json!({ "involvedObject": { "uid": uid }, "lastTimestamp": at, "reason": reason, "type": "Warning", "message": "m" });
        let list = json!({ "items": [event("1", "2026-01-02T00:00:00Z", "Later"), event("2", "2026-01-01T00:00:00Z", "Other"), event("1", "2026-01-01T00:00:00Z", "Earlier")] });
        let reasons: Vec<String> =
            about(&list, &HashSet::from(["1".to_owned()])).into_iter().map(|event| event.reason).collect();
        assert_eq!(reasons, ["Earlier", "Later"]);
    }
}
