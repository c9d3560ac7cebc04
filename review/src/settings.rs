//! What differs between platforms and is therefore a setting.

use serde::{Deserialize, Serialize};

/// The platform's policy, as far as a review needs it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Registries, or registry paths such as `harbor.example.com/shop`, that images may come from.
    /// Compared by whole path segments. Empty: any registry.
    pub trusted_registries: Vec<String>,
    /// Tags that may not be used.
    pub forbidden_tags: Vec<String>,
    /// Fewest replicas a Deployment or StatefulSet should have.
    pub minimum_replicas: u32,
    /// Annotation that exempts a workload from `minimum_replicas`.
    pub ignore_minimum_replicas_annotation: String,
    /// Whether Services of type `LoadBalancer` are refused.
    pub deny_load_balancers: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            trusted_registries: Vec::new(),
            forbidden_tags: vec!["latest".to_owned()],
            minimum_replicas: 2,
            ignore_minimum_replicas_annotation: "elastisys.io/ignore-minimum-replicas".to_owned(),
            deny_load_balancers: true,
        }
    }
}
