//! The review engine: manifests in, findings and connections out.
//!
//! A library without web, database or cluster. The portal, the command line and the tests all call
//! [`review`] with manifests from [`manifest::decode`] and a [`Context`] that says what else is
//! known of the cluster.

mod address_block;
mod api_versions;
mod cluster_namespaces;
mod connections;
mod coverage;
mod effect;
mod exception;
mod field_path;
mod finding;
mod fixes;
mod gatekeeper;
mod generate;
mod groups;
mod image;
mod manifest;
mod names;
mod network_policy;
mod patch;
mod picture;
mod places;
mod pod_labels;
mod pod_resources;
mod pod_security;
mod port_set;
mod proposals;
mod quantity;
mod reach;
mod rego;
mod rewrite;
mod rules;
mod schema;
mod scope;
mod secret;
mod selector;
mod settings;
mod uncounted;
mod workload;
mod world;

pub use cluster_namespaces::ClusterNamespaces;
#[cfg(fuzzing)]
pub use connections::plain;
pub use connections::{Connection, OneSided, connections, one_sided};
pub use coverage::{Coverage, coverage};
pub use effect::{Effect, effect};
pub use finding::{Finding, ObjectRef, Report, SelectedBy, Severity, Verdict};
pub use fixes::{Fixed, fix};
pub use generate::{
    Answers, AnswersError, Cidr, KeyedObject, Kind, MountPath, MountPathError, Opening, Override, OverrideError,
    ParseAnswersError, ParsedAnswers, Peer, PodAnswers, PodLabels, Port, Protocol, Variable, VariableError,
    VariableValue, Volume, VolumeSource, apply_overrides, generate, kubectl_commands, parse_answers, parse_policy,
};
pub use groups::groups;
pub use image::{ImageRef, ImageRefError};
pub use manifest::{DecodeError, MAX_BYTES, Manifest, ObjectError, Position, decode, to_yaml};
pub use network_policy::{Direction, NetworkPolicy, are_most_addresses};
pub use patch::{Operation, Patch};
pub use picture::{Change, Line, Picture, picture};
pub use pod_security::{PodSecurityVersion, PodSecurityVersionError, Profile};
pub use port_set::{PortSet, Transport};
pub use proposals::{PlatformSources, Proposal, ProposedOpening, propose_policies};
pub use reach::pods_in_words;
pub use rego::{Interpreter, LONGEST_ANSWER, NoRego, Rego, RegoError, RegoPolicy, RegoSession, RegoVersion, TIME};
pub use rewrite::{RewriteError, rewrite};
pub use rules::{Rule, Selection, rules};
pub use secret::is_secret_with_values;
pub use selector::Selector;
pub use settings::{Level, Settings};
pub use uncounted::Uncounted;
pub use workload::Workload;
pub use world::{Endpoint, World};

use scope::Scope;
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

/// What is known beyond the manifests under review.
#[derive(Debug, Clone)]
pub struct Context {
    /// What exists already: policies, workloads, namespaces. A manifest under review replaces its namesake.
    pub existing: Vec<Manifest>,
    /// Whether every workload of the namespaces concerned is among the manifests or in `existing`. Only then
    /// can it be said that a selector fits none.
    pub every_workload: bool,
    /// Which of the namespaces that the policies under review name are there, where somebody knows the cluster.
    pub namespaces: Option<ClusterNamespaces>,
    /// What evaluates the cluster's own policies.
    pub rego: Arc<dyn Rego>,
}

impl Default for Context {
    fn default() -> Self {
        Self { existing: Vec::new(), every_workload: false, namespaces: None, rego: Arc::new(NoRego) }
    }
}

impl Context {
    /// What would be there with these manifests applied: they, and what exists and is not replaced by one. Policies
    /// and namespaces of the cluster stay, or a manifest could free itself from what it is judged by.
    pub fn afterwards<'a>(&'a self, manifests: &'a [Manifest]) -> impl Iterator<Item = &'a Manifest> {
        let new: HashSet<_> = manifests.iter().map(Manifest::key).collect();
        let stays = |old: &Manifest| {
            gatekeeper::is_policy(old) || (old.api_version() == "v1" && old.object().kind == "Namespace")
        };
        manifests.iter().chain(self.existing.iter().filter(move |old| stays(old) || !new.contains(&old.key())))
    }
}

/// Judges `manifests` together: a pod and the policy submitted beside it are seen as a pair.
#[must_use]
pub fn review(manifests: &[Manifest], context: &Context, settings: &Settings, selection: Selection) -> Report {
    Judgement::of(manifests, context, settings, selection).report()
}

/// The findings of each manifest, and last those about the cluster's own policies; not yet in order.
struct Judgement {
    findings: Vec<Vec<Finding>>,
    not_checked: BTreeMap<String, usize>,
    selected_by: Vec<SelectedBy>,
}

impl Judgement {
    fn of(manifests: &[Manifest], context: &Context, settings: &Settings, selection: Selection) -> Self {
        let scope = Scope::of(manifests, context, settings, selection);
        let mut findings = rules::findings(manifests, &scope, selection);
        if !selection.only_pod_security {
            for (place, found) in gatekeeper::findings(manifests, context).into_iter().enumerate() {
                let counted = rules::counted(manifests.get(place), settings, found);
                match findings.get_mut(place) {
                    Some(findings) => findings.extend(counted),
                    None => findings.push(counted),
                }
            }
        }
        let workloads = manifests.iter().filter(|_| !selection.only_pod_security).filter_map(Workload::of);
        let selected_by = workloads.map(|workload| SelectedBy {
            object: workload.manifest.object().clone(),
            policies: scope.world.policies_of(&workload).map(|policy| policy.name.clone()).collect(),
        });
        let mut not_checked = BTreeMap::new();
        for manifest in manifests.iter().filter(|manifest| !selection.only_pod_security && !rules::is_checked(manifest))
        {
            *not_checked.entry(manifest.object().kind.clone()).or_default() += 1;
        }
        Self { findings, not_checked, selected_by: selected_by.collect() }
    }

    /// How many findings there are.
    fn len(&self) -> usize {
        self.findings.iter().map(Vec::len).sum()
    }

    fn report(self) -> Report {
        let mut report = Report::from_findings(self.findings.into_iter().flatten().collect());
        report.not_checked = self.not_checked;
        report.selected_by = self.selected_by;
        report
    }
}
