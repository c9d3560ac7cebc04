//! The review engine: manifests in, findings and connections out.
//!
//! A library without web, database or cluster. The portal, the command line and the tests all call
//! [`review`] with manifests from [`manifest::decode`] and a [`Context`] that says what else is
//! known of the cluster.

mod address_block;
mod connections;
mod coverage;
mod effect;
mod field_path;
mod finding;
mod generate;
mod image;
mod manifest;
mod network_policy;
mod places;
mod port_set;
mod reach;
mod rules;
mod selector;
mod settings;
mod workload;
mod world;

pub use connections::{Connection, connections};
pub use coverage::{Coverage, coverage};
pub use effect::{Effect, effect};
pub use finding::{Finding, ObjectRef, Report, Severity, Verdict};
pub use generate::{
    Answers, AnswersError, Cidr, EgressPeer, IngressPeer, Kind, PodLabels, Port, Protocol, generate, kubectl_commands,
};
pub use image::{ImageRef, ImageRefError};
pub use manifest::{DecodeError, MAX_BYTES, Manifest, ObjectError, Position, decode, to_yaml};
pub use network_policy::{Direction, NetworkPolicy};
pub use port_set::{PortSet, Transport};
pub use reach::{Reach, ReachRow, reach};
pub use rules::{Profile, Selection, rule_ids};
pub use selector::Selector;
pub use settings::Settings;
pub use workload::Workload;
pub use world::{Endpoint, World};

/// What is known beyond the manifests under review.
#[derive(Debug, Default, Clone)]
pub struct Context {
    /// What exists already: policies, workloads, namespaces. A manifest under review replaces its namesake.
    pub existing: Vec<Manifest>,
    /// Whether every workload of the namespaces concerned is among the manifests or in `existing`. Only then
    /// can it be said that a selector fits none.
    pub every_workload: bool,
}

impl Context {
    /// What would be there with these manifests applied: they, and what exists and is not replaced by one.
    pub fn afterwards<'a>(&'a self, manifests: &'a [Manifest]) -> impl Iterator<Item = &'a Manifest> {
        let kept = |old: &&Manifest| !manifests.iter().any(|new| new.object() == old.object());
        manifests.iter().chain(self.existing.iter().filter(kept))
    }
}

/// Judges `manifests` together: a pod and the policy submitted beside it are seen as a pair.
#[must_use]
pub fn review(manifests: &[Manifest], context: &Context, settings: &Settings, selection: Selection) -> Report {
    Report::from_findings(rules::findings(manifests, context, settings, selection))
}
