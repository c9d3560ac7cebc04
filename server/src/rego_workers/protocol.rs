//! What the portal and a worker say to each other: a line of JSON each, in turns.

use review::RegoPolicy;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::time::Duration;

/// What a worker is asked; it answers with a `Result`.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Request<'a> {
    /// Make a policy ready: `Result<(), RegoError>`.
    Load {
        policy: Cow<'a, RegoPolicy>,
        #[serde(borrow)]
        inventory: Option<&'a RawValue>,
        within: Duration,
    },
    /// Judge an object by it: `Result<Vec<String>, RegoError>`.
    Judge { input: Cow<'a, Value>, within: Duration },
}

pub(super) fn load(policy: &RegoPolicy, inventory: Option<&str>, within: Duration) -> String {
    // It was written by serde_json.
    let inventory = inventory.and_then(|json| serde_json::from_str::<&RawValue>(json).ok());
    line(&Request::Load { policy: Cow::Borrowed(policy), inventory, within })
}

pub(super) fn judge(input: &Value, within: Duration) -> String {
    line(&Request::Judge { input: Cow::Borrowed(input), within })
}

fn line(request: &Request<'_>) -> String {
    // Keys are texts, and a text can always be written into.
    serde_json::to_string(request).unwrap_or_default()
}
