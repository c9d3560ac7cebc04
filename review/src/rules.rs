//! The rules, and how they are run.
//!
//! A rule is one file under `rules/`, named like its id, with its meaning, its source and its tests; and one line in
//! the list below. To add one:
//!
//! 1. Copy the file that is nearest to it, and name it like the id: `group/some-name` is `group_some_name.rs`.
//! 2. Say in `meaning` what breaking it means, for somebody who has never heard of it, and in `source` where the rule
//!    comes from: standard, section, version.
//! 3. Write the check: one [`Problem`] for each field that breaks it, with a way out, and with the edits that fix it
//!    where they can be known from the object alone.
//! 4. Write tests beside it: what breaks it, and the nearest thing that does not.
//! 5. Add the line to the list, run the tests once with `FAIRWAY_UPDATE=yes` so that `docs/rules.md` names it.

use crate::Context;
use crate::api_versions::{Standing, standing};
use crate::cluster_namespaces::ClusterNamespaces;
use crate::exception::Exceptions;
use crate::finding::{Finding, Severity};
use crate::manifest::Manifest;
use crate::network_policy::NetworkPolicy;
use crate::patch::{Edit, Patch};
use crate::pod_security::{PodSecurityVersion, Profile};
use crate::selector::Selector;
use crate::settings::Settings;
use crate::uncounted::Uncounted;
use crate::workload::{Workload, namespace_or_default};
use crate::world::World;
use std::cell::OnceCell;
use std::collections::HashMap;

/// Declares the file of each rule and puts the rule on the list.
macro_rules! rules {
    ($($name:ident),* $(,)?) => {
        $(mod $name;)*
        const RULES: &[&Rule] = &[$(&$name::RULE),*];
    };
}

rules! {
    credentials_in_plain_text,
    disruption_budget_blocks_upgrades,
    disruption_budget_selects_nothing,
    image_forbidden_tag,
    image_invalid_reference,
    image_untrusted_registry,
    kind_not_served,
    limit_range_violated,
    netpol_allows_all,
    netpol_except_allowed_again,
    netpol_ignored_rules,
    netpol_internet_egress,
    netpol_internet_ingress,
    netpol_invalid,
    netpol_kind_not_counted,
    netpol_metadata_address,
    netpol_no_dns,
    netpol_not_selected,
    netpol_peer_selects_nothing,
    netpol_selects_nothing,
    netpol_service_port,
    netpol_shadowed,
    netpol_unknown_namespace,
    netpol_unknown_port,
    pss_allow_privilege_escalation,
    pss_apparmor,
    pss_capabilities_baseline,
    pss_capabilities_restricted,
    pss_host_namespaces,
    pss_host_path,
    pss_host_ports,
    pss_host_probes,
    pss_privileged,
    pss_proc_mount,
    pss_proc_mount_restricted,
    pss_run_as_non_root,
    pss_run_as_user,
    pss_seccomp_baseline,
    pss_seccomp_restricted,
    pss_selinux,
    pss_sysctls,
    pss_volume_types,
    pss_windows_host_process,
    quota_exceeded,
    quota_needs_resources,
    replicas_too_few,
    resources_missing_requests,
    resources_unknown_name,
    review_duplicate_object,
    review_exception,
    review_unknown_field,
    seccomp_localhost,
    selector_invalid,
    service_load_balancer,
    service_selects_nothing,
    user_not_set,
    workload_invalid,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Selection {
    /// The Pod Security Standard to judge by.
    pub profile: Profile,
    /// The version of that standard.
    pub pod_security_version: PodSecurityVersion,
    /// Leave out everything but the Pod Security Standard.
    pub only_pod_security: bool,
}

/// A rule: what it is called, what it means and where it comes from.
#[derive(Debug)]
pub struct Rule {
    /// Stable identifier, `group/some-name`.
    pub id: &'static str,
    /// What breaking it means, in one sentence.
    pub meaning: &'static str,
    /// The standard, section and version it comes from.
    pub source: &'static str,
    /// Slug of the FAQ article that explains it, where there is one.
    pub faq: Option<&'static str>,
    pub(crate) set: RuleSet,
    pub(crate) check: Check,
}

/// What a rule belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RuleSet {
    /// The platform's own safeguards and what Kubernetes itself asks for.
    Platform,
    /// The baseline Pod Security Standard.
    Baseline,
    /// What the restricted standard asks for beyond baseline.
    Restricted,
}

/// What a rule looks at.
#[derive(Debug)]
pub(crate) enum Check {
    /// Pods and everything that makes pods.
    Workload(fn(&Workload<'_>, &Scope<'_>) -> Vec<Problem>),
    /// NetworkPolicies.
    Policy(fn(&NetworkPolicy, &Scope<'_>) -> Vec<Problem>),
    /// Any object.
    Object(fn(&Manifest, &Scope<'_>) -> Vec<Problem>),
}

/// What rules may know beyond the object they look at.
pub(crate) struct Scope<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) pod_security_version: PodSecurityVersion,
    /// Whether the world holds every workload.
    pub(crate) every_workload: bool,
    /// Which of the namespaces that the policies under review name are there, where the cluster is known.
    pub(crate) namespaces: Option<&'a ClusterNamespaces>,
    /// Every workload that would be there afterwards, by namespace; made when it is first asked for.
    workloads: OnceCell<HashMap<&'a str, Vec<Workload<'a>>>>,
    objects: Vec<&'a Manifest>,
    quotas: Vec<&'a Manifest>,
    limit_ranges: Vec<&'a Manifest>,
    /// What is there now.
    before: &'a [Manifest],
    /// Where the last object under review of each kind, namespace and name stands.
    last_of: HashMap<(&'a str, &'a str, &'a str, &'a str), usize>,
    /// How many of the objects are under review; they come first.
    under_review: usize,
    pub(crate) world: World,
}

impl<'a> Scope<'a> {
    /// Every workload of a namespace that would be there afterwards.
    pub(crate) fn workloads_in(&self, namespace: &str) -> impl Iterator<Item = &Workload<'a>> {
        let by_namespace = self.workloads.get_or_init(|| {
            let mut by_namespace: HashMap<_, Vec<_>> = HashMap::new();
            for workload in self.objects.iter().filter_map(|manifest| Workload::of(manifest)) {
                by_namespace.entry(workload.namespace()).or_default().push(workload);
            }
            by_namespace
        });
        by_namespace.get(namespace).into_iter().flatten()
    }

    /// The finding that a selector fits no workload, where those of its namespace are known. What is reviewed all alone
    /// says nothing about its pods.
    pub(crate) fn selecting_nothing(
        &self,
        namespace: &str,
        selector: &Selector,
        path: &str,
        consequence: &str,
    ) -> Option<Problem> {
        let endpoints = self.world.endpoints_in(namespace);
        let is_known = self.every_workload && !endpoints.is_empty();
        if !is_known || selector.is_empty() || endpoints.iter().any(|endpoint| endpoint.is_selected_by(selector)) {
            return None;
        }
        let message = format!("No workload has the labels {selector}, so this {consequence}.");
        let fix = "Compare the labels with those of the pods: for a Deployment, with its template's.";
        Some(Problem::warn(path, message, fix))
    }

    /// The later object under review of the same kind, namespace and name.
    pub(crate) fn replaced_by(&self, manifest: &Manifest) -> Option<&'a Manifest> {
        let under_review = &self.objects[..self.under_review];
        let own = under_review.iter().position(|other| std::ptr::eq(*other, manifest))?;
        // A name that the API server makes up is another each time.
        if manifest.value()["metadata"]["name"].is_null() {
            return None;
        }
        let last = self.last_of.get(&manifest.key()).copied()?;
        (last > own).then(|| under_review[last])
    }

    /// The quotas of a namespace.
    pub(crate) fn quotas_of(&self, namespace: &str) -> impl Iterator<Item = &'a Manifest> {
        in_namespace(&self.quotas, namespace)
    }

    /// The limit ranges of a namespace.
    pub(crate) fn limit_ranges_of(&self, namespace: &str) -> impl Iterator<Item = &'a Manifest> {
        in_namespace(&self.limit_ranges, namespace)
    }

    /// The workloads under review for a namespace, in the order in which they were given.
    pub(crate) fn workloads_under_review(&self, namespace: &str) -> impl DoubleEndedIterator<Item = Workload<'a>> {
        let workloads = self.objects[..self.under_review].iter().filter_map(|manifest| Workload::of(manifest));
        workloads.filter(move |workload| workload.namespace() == namespace)
    }

    /// The workloads of a namespace that are there now and that those under review replace.
    pub(crate) fn replaced_workloads(&self, namespace: &str) -> impl Iterator<Item = Workload<'a>> {
        let replaced = self.before.iter().filter(|manifest| self.last_of.contains_key(&manifest.key()));
        replaced.filter_map(Workload::of).filter(move |workload| workload.namespace() == namespace)
    }

    /// What is there already and stays.
    pub(crate) fn existing(&self) -> &[&Manifest] {
        &self.objects[self.under_review..]
    }

    /// Every Service that would be there afterwards.
    pub(crate) fn services(&self) -> impl Iterator<Item = &'a Manifest> {
        let is_service = |object: &&&'a Manifest| object.api_version() == "v1" && object.object().kind == "Service";
        self.objects.iter().filter(is_service).copied()
    }

    /// The HorizontalPodAutoscaler that decides how often a workload runs.
    pub(crate) fn autoscaler_of(&self, workload: &Workload<'_>) -> Option<Autoscaler<'a>> {
        let object = workload.manifest.object();
        let scales = |other: &&&'a Manifest| {
            let target = &other.value()["spec"]["scaleTargetRef"];
            other.object().kind == "HorizontalPodAutoscaler"
                && namespace_or_default(&other.object().namespace) == workload.namespace()
                && target["kind"] == object.kind.as_str()
                && target["name"] == object.name.as_str()
        };
        let found = self.objects.iter().find(scales)?;
        let at_least = found.value()["spec"]["minReplicas"].as_u64().unwrap_or(1);
        Some(Autoscaler { name: &found.object().name, at_least })
    }

    /// How many pods a workload has at least.
    pub(crate) fn least_replicas(&self, workload: &Workload<'_>) -> u64 {
        self.autoscaler_of(workload).map_or_else(|| workload.replicas(), |autoscaler| autoscaler.at_least)
    }
}

fn in_namespace<'a>(objects: &[&'a Manifest], namespace: &str) -> impl Iterator<Item = &'a Manifest> {
    objects.iter().copied().filter(move |object| namespace_or_default(&object.object().namespace) == namespace)
}

/// A HorizontalPodAutoscaler of a workload.
pub(crate) struct Autoscaler<'a> {
    pub(crate) name: &'a str,
    /// Its `minReplicas`, 1 where it names none (autoscaling/v2).
    pub(crate) at_least: u64,
}

/// A finding before the rule's id, the object and the FAQ article are added to it.
pub(crate) struct Problem {
    pub(crate) severity: Severity,
    pub(crate) path: String,
    pub(crate) message: String,
    pub(crate) fix: String,
    pub(crate) edits: Vec<Edit>,
}

impl Problem {
    pub(crate) fn deny(path: impl Into<String>, message: impl Into<String>, fix: impl Into<String>) -> Self {
        Self::new(Severity::Deny, path.into(), message.into(), fix.into())
    }

    pub(crate) fn warn(path: impl Into<String>, message: impl Into<String>, fix: impl Into<String>) -> Self {
        Self::new(Severity::Warn, path.into(), message.into(), fix.into())
    }

    pub(crate) fn info(path: impl Into<String>, message: impl Into<String>, fix: impl Into<String>) -> Self {
        Self::new(Severity::Info, path.into(), message.into(), fix.into())
    }

    fn new(severity: Severity, path: String, message: String, fix: String) -> Self {
        Self { severity, path, message, fix, edits: Vec::new() }
    }

    /// Adds the changes that fix it.
    #[must_use]
    pub(crate) fn fixed_by(mut self, edits: impl IntoIterator<Item = Edit>) -> Self {
        self.edits.extend(edits);
        self
    }

    /// The finding that it is for `manifest`.
    pub(crate) fn found(self, rule: &str, faq: Option<&str>, manifest: &Manifest) -> Finding {
        Finding {
            rule: rule.to_owned(),
            severity: self.severity,
            object: manifest.object().clone(),
            line: manifest.line_of(&self.path),
            file: manifest.file().map(str::to_owned),
            patch: Patch::new(manifest.value(), &self.edits),
            path: self.path,
            message: self.message,
            fix: self.fix,
            faq: faq.map(str::to_owned),
            exception: None,
        }
    }
}

/// Every rule there is, in the order of their ids.
#[must_use]
pub fn rules() -> &'static [&'static Rule] {
    RULES
}

/// Runs every selected rule over every manifest, and gives the findings of each.
pub(crate) fn findings(manifests: &[Manifest], scope: &Scope<'_>, selection: Selection) -> Vec<Vec<Finding>> {
    let selected: Vec<&Rule> = RULES.iter().copied().filter(|rule| is_selected(rule, selection)).collect();
    manifests.iter().map(|manifest| findings_of(manifest, scope, &selected)).collect()
}

/// Whether rules look at objects of this kind, so that silence means that something was looked at.
pub(crate) fn is_checked(manifest: &Manifest) -> bool {
    let has_rules_of_its_own = matches!(
        (manifest.api_version(), manifest.object().kind.as_str()),
        ("v1", "Namespace" | "Service")
            | ("policy/v1", "PodDisruptionBudget")
            | ("autoscaling/v2", "HorizontalPodAutoscaler")
    );
    let (group, version) = manifest.group_version();
    let is_served =
        standing(group, version, &manifest.object().kind).is_none_or(|standing| standing == Standing::Served);
    has_rules_of_its_own
        || !is_served
        || Workload::of(manifest).is_some()
        || NetworkPolicy::is(manifest)
        || Uncounted::of(manifest).is_some()
}

/// The most quotas and limit ranges that are looked at: each is compared with every container.
const MOST_BOUNDS: usize = 20;

/// What rules may know of these manifests and their context.
pub(crate) fn scope<'a>(
    manifests: &'a [Manifest],
    context: &'a Context,
    settings: &'a Settings,
    selection: Selection,
) -> Scope<'a> {
    let objects: Vec<&Manifest> = context.afterwards(manifests).collect();
    let of_kind = |kind: &str| {
        let is_it = |object: &&&Manifest| object.object().kind == kind && object.api_version() == "v1";
        objects.iter().filter(is_it).copied().take(MOST_BOUNDS).collect()
    };
    Scope {
        settings,
        pod_security_version: selection.pod_security_version,
        every_workload: context.every_workload,
        namespaces: context.namespaces.as_ref(),
        world: World::new(objects.iter().copied()),
        workloads: OnceCell::new(),
        under_review: manifests.len(),
        quotas: of_kind("ResourceQuota"),
        limit_ranges: of_kind("LimitRange"),
        before: &context.existing,
        last_of: manifests.iter().enumerate().map(|(place, manifest)| (manifest.key(), place)).collect(),
        objects,
    }
}

fn is_selected(rule: &Rule, selection: Selection) -> bool {
    match rule.set {
        RuleSet::Platform => !selection.only_pod_security,
        RuleSet::Baseline => true,
        RuleSet::Restricted => selection.profile == Profile::Restricted,
    }
}

fn findings_of(manifest: &Manifest, scope: &Scope<'_>, rules: &[&Rule]) -> Vec<Finding> {
    let workload = Workload::of(manifest);
    let policy = NetworkPolicy::of(manifest);
    let found = rules.iter().flat_map(|rule| {
        let problems = match rule.check {
            Check::Workload(check) => workload.as_ref().map(|workload| check(workload, scope)).unwrap_or_default(),
            Check::Policy(check) => policy.as_ref().map(|policy| check(policy, scope)).unwrap_or_default(),
            Check::Object(check) => check(manifest, scope),
        };
        limited(problems).into_iter().map(|problem| problem.found(rule.id, rule.faq, manifest)).collect::<Vec<_>>()
    });
    counted(Some(manifest), scope.settings, found)
}

/// What one rule says about one object, cut off where nobody reads on.
fn limited(mut problems: Vec<Problem>) -> Vec<Problem> {
    const MOST: usize = 100;
    let more = problems.len().saturating_sub(MOST);
    problems.truncate(MOST);
    if more > 0 {
        let message = format!("This rule finds {more} more places in this object, which are not listed.");
        problems.push(Problem::info("", message, "Fix those that are listed first."));
    }
    problems
}

/// Findings as they count on this platform, and with the exceptions that their object asks for.
pub(crate) fn counted(
    manifest: Option<&Manifest>,
    settings: &Settings,
    found: impl IntoIterator<Item = Finding>,
) -> Vec<Finding> {
    let mut found = found.into_iter().filter_map(|finding| settings.adjusted(finding)).peekable();
    if found.peek().is_none() {
        return Vec::new();
    }
    let exceptions = manifest.map(|manifest| Exceptions::of(manifest, settings));
    found.map(|finding| exceptions.iter().fold(finding, |finding, exceptions| exceptions.applied(finding))).collect()
}

#[cfg(test)]
pub(crate) mod testing {
    use crate::{Context, Report, Selection, Settings, decode, review};

    /// Reviews YAML with the default settings and nothing else known of the cluster.
    pub(crate) fn reviewed(yaml: &str) -> Report {
        let settings = Settings { trusted_registries: vec!["harbor.example.com".into()], ..Settings::default() };
        review(
            &decode("test", yaml).unwrap(),
            &Context { every_workload: true, ..Context::default() },
            &settings,
            Selection::default(),
        )
    }

    /// The paths at which `yaml` breaks a rule.
    pub(crate) fn paths_of(rule: &str, yaml: &str) -> Vec<String> {
        let findings = reviewed(yaml).findings.into_iter();
        findings.filter(|finding| finding.rule == rule).map(|finding| finding.path).collect()
    }

    /// A pod with one container, by what is in its spec and in its container.
    pub(crate) fn pod(spec: &str, container: &str) -> String {
        let comma = |text: &str| if text.is_empty() { String::new() } else { format!(", {text}") };
        format!(
            "{{apiVersion: v1, kind: Pod, metadata: {{name: web, labels: {{app: web}}}}, \
             spec: {{containers: [{{name: c, image: 'harbor.example.com/a:1'{}}}]{}}}}}\n---\n",
            comma(container),
            comma(spec)
        )
    }

    /// A NetworkPolicy by its spec.
    pub(crate) fn policy(name: &str, spec: &str) -> String {
        format!(
            "{{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {{name: {name}}}, spec: {spec}}}\n---\n"
        )
    }

    /// What a patch makes of the first object of `yaml`: that of the first finding of `rule`.
    pub(crate) fn fixed(rule: &str, yaml: &str) -> serde_json::Value {
        let finding = reviewed(yaml).findings.into_iter().find(|finding| finding.rule == rule).unwrap();
        let mut object = decode("test", yaml).unwrap()[0].value().clone();
        finding.patch.apply(&mut object);
        object
    }

    /// The rules that `yaml` breaks, without repetition.
    pub(crate) fn rules_broken(yaml: &str) -> Vec<String> {
        let mut rules: Vec<_> = reviewed(yaml).findings.into_iter().map(|finding| finding.rule).collect();
        rules.sort();
        rules.dedup();
        rules
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_is_on_the_list_once_in_order_and_says_what_it_means_and_where_it_comes_from() {
        assert!(RULES.is_sorted_by(|one, next| one.id < next.id));
        for rule in RULES {
            assert!(rule.meaning.ends_with('.') && rule.source.len() > 10, "{}", rule.id);
            let is_pod_security = rule.id.starts_with("pss/");
            assert_eq!(is_pod_security, rule.set != RuleSet::Platform, "{}", rule.id);
        }
    }

    #[test]
    fn the_list_of_rules_for_people_is_up_to_date() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/rules.md");
        let rows = RULES.iter().map(|rule| format!("| `{}` | {} | {} |\n", rule.id, rule.meaning, rule.source));
        let text = format!(
            "# What a review looks at\n\nWritten by the tests of the review engine from the rules themselves. How to \
             add a rule: the comment at the top of `review/src/rules.rs`.\n\n| rule | what breaking it means | where \
             it comes from |\n|---|---|---|\n{}",
            rows.collect::<String>()
        );
        if std::env::var_os("FAIRWAY_UPDATE").is_some() {
            std::fs::write(file, &text).unwrap();
        }
        assert!(
            std::fs::read_to_string(file).unwrap_or_default() == text,
            "run the tests once with FAIRWAY_UPDATE=yes"
        );
    }
}
