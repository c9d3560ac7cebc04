//! The rules, and how they are run. A rule is one file under `rules/` plus one line in [`RULES`].

mod budget;
mod image;
mod kind;
mod network;
mod network_reach;
mod network_validity;
mod pod_security;
mod replicas;
mod requests;
mod service;
mod user;

use crate::Context;
use crate::finding::{Finding, Severity};
use crate::manifest::Manifest;
use crate::network_policy::NetworkPolicy;
use crate::settings::Settings;
use crate::workload::Workload;
use crate::world::World;

/// Which Pod Security Standard applies
/// (kubernetes.io/docs/concepts/security/pod-security-standards).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Profile {
    /// Prevents known privilege escalations.
    Baseline,
    /// Baseline plus hardening; what user namespaces enforce.
    #[default]
    Restricted,
}

/// Which rules to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Selection {
    /// The Pod Security Standard to judge by.
    pub profile: Profile,
    /// Leave out everything but the Pod Security Standard.
    pub only_pod_security: bool,
}

/// A rule: its stable id, the FAQ article that explains it, and its check.
pub(crate) struct Rule {
    pub(crate) id: &'static str,
    pub(crate) faq: Option<&'static str>,
    pub(crate) check: Check,
}

/// What a rule looks at.
pub(crate) enum Check {
    /// Pods and everything that makes pods.
    Workload(fn(&Workload<'_>, &Scope<'_>) -> Vec<Problem>),
    /// Any object.
    Object(fn(&Manifest, &Scope<'_>) -> Vec<Problem>),
}

/// What rules may know beyond the object they look at.
pub(crate) struct Scope<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) manifests: &'a [Manifest],
    /// Policies of the cluster and of the manifests; a manifest replaces its namesake.
    pub(crate) policies: Vec<NetworkPolicy>,
    /// Whether the world holds every workload.
    pub(crate) every_workload: bool,
    /// Everything that would be there afterwards.
    pub(crate) world: World,
}

/// A finding before the rule's id, the object and the FAQ article are added to it.
pub(crate) struct Problem {
    pub(crate) severity: Severity,
    pub(crate) path: String,
    pub(crate) message: String,
    pub(crate) fix: String,
}

impl Problem {
    pub(crate) fn deny(path: impl Into<String>, message: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { severity: Severity::Deny, path: path.into(), message: message.into(), fix: fix.into() }
    }

    pub(crate) fn warn(path: impl Into<String>, message: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { severity: Severity::Warn, path: path.into(), message: message.into(), fix: fix.into() }
    }

    pub(crate) fn info(path: impl Into<String>, message: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { severity: Severity::Info, path: path.into(), message: message.into(), fix: fix.into() }
    }
}

const RULES: &[&Rule] = &[
    &image::REFERENCE,
    &image::TAG,
    &image::REGISTRY,
    &requests::REQUESTS,
    &user::NUMERIC_USER,
    &replicas::REPLICAS,
    &budget::BUDGET,
    &service::LOAD_BALANCER,
    &network::NOT_SELECTED,
    &network::ALLOWS_ALL,
    &network::INTERNET_EGRESS,
    &network::NO_DNS,
    &network_validity::INVALID,
    &network_reach::SELECTS_NOTHING,
    &network_reach::PEER_SELECTS_NOTHING,
    &network_reach::UNKNOWN_PORT,
    &network_reach::METADATA,
    &network_reach::SHADOWED,
    &kind::NOT_REVIEWED,
];

/// The ids of all rules.
#[must_use]
pub fn rule_ids() -> Vec<&'static str> {
    RULES.iter().chain(pod_security::BASELINE).chain(pod_security::RESTRICTED).map(|rule| rule.id).collect()
}

/// Runs every selected rule over every manifest.
pub(crate) fn findings(
    manifests: &[Manifest],
    context: &Context,
    settings: &Settings,
    selection: Selection,
) -> Vec<Finding> {
    let scope = Scope {
        settings,
        manifests,
        policies: context.afterwards(manifests).filter_map(NetworkPolicy::of).collect(),
        every_workload: context.every_workload,
        world: World::new(context.afterwards(manifests)),
    };
    let rules = selected(selection);
    manifests
        .iter()
        .flat_map(|manifest| rules.iter().flat_map(|rule| run(rule, manifest, &scope)).collect::<Vec<_>>())
        .collect()
}

fn selected(selection: Selection) -> Vec<&'static Rule> {
    let platform = if selection.only_pod_security { &[][..] } else { RULES };
    let restricted = match selection.profile {
        Profile::Baseline => &[][..],
        Profile::Restricted => pod_security::RESTRICTED,
    };
    platform.iter().chain(pod_security::BASELINE).chain(restricted).copied().collect()
}

fn run(rule: &Rule, manifest: &Manifest, scope: &Scope<'_>) -> Vec<Finding> {
    let problems = match rule.check {
        Check::Workload(check) => Workload::of(manifest).map(|workload| check(&workload, scope)).unwrap_or_default(),
        Check::Object(check) => check(manifest, scope),
    };
    problems
        .into_iter()
        .map(|problem| Finding {
            rule: rule.id.to_owned(),
            severity: problem.severity,
            object: manifest.object().clone(),
            line: manifest.line_of(&problem.path),
            file: manifest.file().map(str::to_owned),
            path: problem.path,
            message: problem.message,
            fix: problem.fix,
            faq: rule.faq.map(str::to_owned),
        })
        .collect()
}

#[cfg(test)]
pub(crate) mod testing {
    use crate::{Context, Report, Selection, Settings, decode, review};

    /// Reviews YAML with the default settings and nothing else known of the cluster.
    pub(crate) fn reviewed(yaml: &str) -> Report {
        let settings = Settings { trusted_registries: vec!["harbor.example.com".into()], ..Settings::default() };
        review(
            &decode("test", yaml).unwrap(),
            &Context { existing: Vec::new(), every_workload: true },
            &settings,
            Selection::default(),
        )
    }

    /// The rules that `yaml` breaks, without repetition.
    pub(crate) fn rules_broken(yaml: &str) -> Vec<String> {
        let mut rules: Vec<_> = reviewed(yaml).findings.into_iter().map(|finding| finding.rule).collect();
        rules.sort();
        rules.dedup();
        rules
    }
}
