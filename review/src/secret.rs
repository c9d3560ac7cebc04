//! Secrets that hold what nobody but their workload may read.

use crate::manifest::Manifest;
use serde_json::Value;

/// Whether an object is a Secret with values in it, which is for nobody to read.
#[must_use]
pub fn is_secret_with_values(manifest: &Manifest) -> bool {
    let has = |field: &str| manifest.value()[field].as_object().is_some_and(|values| !values.is_empty());
    let is_secret = manifest.api_version() == "v1" && manifest.object().kind == "Secret";
    is_secret && (has("data") || has("stringData") || last_applied(manifest))
}

/// `kubectl apply` keeps a copy of what was applied.
fn last_applied(manifest: &Manifest) -> bool {
    let annotation = &manifest.value()["metadata"]["annotations"]["kubectl.kubernetes.io/last-applied-configuration"];
    let copy = annotation.as_str().and_then(|text| serde_json::from_str::<Value>(text).ok());
    copy.is_some_and(|copy| copy["data"].is_object() || copy["stringData"].is_object())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_without_values_holds_none() {
        let holds = |fields: &str| {
            let text = format!("{{apiVersion: v1, kind: Secret, metadata: {{name: a}}{fields}}}");
            is_secret_with_values(&crate::decode("a", &text).unwrap()[0])
        };
        assert!(holds(", data: {a: aHVudGVyMg==}") && holds(", stringData: {a: hunter2}"));
        assert!(!holds("") && !holds(", data: {}, type: Opaque"));
    }
}
