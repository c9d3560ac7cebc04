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

use crate::api_versions::{Standing, standing};
use crate::exception::Exceptions;
use crate::finding::{Finding, Severity};
use crate::manifest::Manifest;
use crate::network_policy::NetworkPolicy;
use crate::patch::{Edit, Patch};
use crate::pod_security::{PodSecurityVersion, Profile};
pub(crate) use crate::scope::{Autoscaler, Scope};
use crate::settings::Settings;
use crate::uncounted::Uncounted;
use crate::workload::Workload;

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
