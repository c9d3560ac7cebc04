//! The cluster's own policies: Gatekeeper's ConstraintTemplates and Constraints, evaluated before anything is sent
//! (open-policy-agent.github.io/gatekeeper; constraint framework v1).

mod constraint;
mod defaults;
mod inventory;
mod mutation;
mod object_match;
mod template;

use crate::Context;
use crate::finding::{Finding, Severity};
use crate::manifest::Manifest;
use crate::rego::{Rego, RegoError, RegoPolicy, RegoSession, TIME, TIME_OF_AN_EVALUATION, TIME_OF_EVALUATIONS};
use crate::rules::Problem;
use crate::workload::namespace_or_default;
use constraint::Constraint;
use inventory::{Admitted, Inventory};
use mutation::Mutations;
use object_match::Applies;
use serde_json::Value;
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// The rule that says that a policy could not be evaluated.
const NOT_EVALUATED: &str = "policy/not-evaluated";

/// The most messages of one policy about one object that are passed on; nobody reads more.
const MOST_MESSAGES: usize = 100;

/// Whether a manifest is a policy or a mutation, and not something that policies judge.
pub(crate) fn is_policy(manifest: &Manifest) -> bool {
    matches!(
        manifest.group_version().0,
        "templates.gatekeeper.sh" | "constraints.gatekeeper.sh" | "mutations.gatekeeper.sh"
    )
}

/// The findings of each manifest; those about the policies themselves come last, in a list of their own. Only policies
/// that the cluster has are evaluated: one under review is a program of whoever sends it.
pub(crate) fn findings(manifests: &[Manifest], context: &Context) -> Vec<Vec<Finding>> {
    let constraints: Vec<Constraint<'_>> = context.existing.iter().filter_map(Constraint::of).collect();
    let templates = context.existing.iter().filter_map(|manifest| Some((template::kind_of(manifest)?, manifest)));
    let templates: HashMap<&str, &Manifest> = templates.collect();
    if constraints.is_empty() && templates.is_empty() {
        return Vec::new();
    }
    let everything: Vec<&Manifest> = context.afterwards(manifests).collect();
    let inventory = Inventory::new(&everything);
    let existing: Existing<'_> = context.existing.iter().map(|manifest| (manifest.key(), manifest.value())).collect();
    let mutations = Mutations::of(&context.existing);
    let judged = manifests.iter().map(|manifest| {
        let is_new = !existing.contains_key(&manifest.key());
        Admitted::all_of(manifest, |admitted| mutate(admitted, &mutations, &inventory, is_new))
    });
    let mut review = Review {
        judged: judged.collect(),
        manifests,
        existing,
        inventory,
        session: context.rego.session(),
        end: end_of_a_review(&*context.rego, manifests.len() * constraints.len()),
    };
    let mut policies: Vec<Policy<'_>> = templates
        .iter()
        .map(|(kind, manifest)| Policy {
            kind,
            manifest,
            constraints: constraints.iter().filter(|constraint| constraint.kind() == *kind).collect(),
            rego: template::policy_of(manifest).map_err(|error| error.to_string()),
            findings: Vec::new(),
        })
        .collect();
    policies.sort_by_key(|policy| (policy.slowest(&*context.rego), policy.kind));
    for policy in &mut policies {
        policy.findings = review.findings_of(policy);
    }
    // Findings do not depend on the order in which policies are read or evaluated.
    policies.sort_by_key(|policy| policy.kind);
    let without = constraints.iter().filter(|constraint| !templates.contains_key(constraint.kind()));
    let unknown = without.map(|constraint| {
        let message = format!("no ConstraintTemplate of the kind {} is known", constraint.kind());
        (manifests.len(), not_evaluated(constraint.manifest, &message))
    });
    let mut found: Vec<Vec<Finding>> = vec![Vec::new(); manifests.len() + 1];
    for (place, finding) in policies.into_iter().flat_map(|policy| policy.findings).chain(unknown) {
        found[place].push(finding);
    }
    found
}

/// Changes an object as the cluster does before its policies judge it. A pod is always new.
fn mutate(admitted: &mut Admitted<'_>, mutations: &Mutations<'_>, inventory: &Inventory<'_>, is_new: bool) {
    defaults::fill(&mut admitted.object);
    let owner = admitted.owner().map_or(Ok(()), |(api_version, kind)| mutations.of_template(api_version, kind));
    let namespace = inventory.namespace(namespace_or_default(&admitted.namespace));
    let is_new = is_new || admitted.is_rendered;
    if let Err(doubt) = owner.and_then(|()| mutations.apply(admitted, namespace, is_new)) {
        admitted.doubt = Some(doubt.to_string());
    }
}

/// What is there already, by what makes it the same object.
type Existing<'a> = HashMap<(&'a str, &'a str, &'a str, &'a str), &'a Value>;

/// A template of the cluster, with what makes use of it.
struct Policy<'a> {
    kind: &'a str,
    manifest: &'a Manifest,
    constraints: Vec<&'a Constraint<'a>>,
    rego: Result<RegoPolicy, String>,
    /// Each with the place of the manifest that it is about; behind the last one for those about the policy itself.
    findings: Vec<(usize, Finding)>,
}

impl Policy<'_> {
    /// What nobody knows yet comes behind what is known to be quick.
    fn slowest(&self, rego: &dyn Rego) -> Duration {
        self.rego.as_ref().ok().and_then(|policy| rego.slowest(policy)).unwrap_or(TIME)
    }
}

fn end_of_a_review(rego: &dyn Rego, evaluations: usize) -> Option<Instant> {
    let evaluations = u32::try_from(evaluations).unwrap_or(u32::MAX);
    let needed = TIME_OF_AN_EVALUATION.saturating_mul(evaluations).min(TIME_OF_EVALUATIONS);
    Instant::now().checked_add(rego.patience().saturating_add(needed))
}

/// What all policies are evaluated with.
struct Review<'a> {
    manifests: &'a [Manifest],
    /// Each manifest as policies see it.
    judged: Vec<Vec<Admitted<'a>>>,
    existing: Existing<'a>,
    inventory: Inventory<'a>,
    session: Box<dyn RegoSession + 'a>,
    /// When all of it must be over; nothing where it may take any time.
    end: Option<Instant>,
}

impl Review<'_> {
    fn findings_of(&mut self, policy: &Policy<'_>) -> Vec<(usize, Finding)> {
        // A policy that judges none of these is not missed.
        if !policy.constraints.iter().any(|constraint| self.concerns(constraint)) {
            return Vec::new();
        }
        if let Err(reason) = self.load(&policy.rego) {
            return vec![(self.manifests.len(), not_evaluated(policy.manifest, &reason))];
        }
        let mut found = Vec::new();
        for constraint in &policy.constraints {
            for place in 0..self.manifests.len() {
                let about = self.findings_about(place, constraint);
                found.extend(about.into_iter().map(|finding| (place, finding)));
            }
        }
        found
    }

    fn concerns(&self, constraint: &Constraint<'_>) -> bool {
        let mut judged = self.judged.iter().flatten();
        judged.any(|admitted| !matches!(constraint.applies_to(admitted, self.namespace_of(admitted)), Applies::No))
    }

    fn namespace_of(&self, admitted: &Admitted<'_>) -> Option<&Value> {
        self.inventory.namespace(namespace_or_default(&admitted.namespace))
    }

    fn load(&mut self, policy: &Result<RegoPolicy, String>) -> Result<(), String> {
        let policy = policy.as_ref().map_err(Clone::clone)?;
        let inventory = template::looks_at_inventory(policy).then(|| self.inventory.json());
        let within = self.left().map_err(|error| error.to_string())?;
        self.session.load(policy, inventory, within).map_err(|error| error.to_string())
    }

    /// The time that is left for an evaluation.
    fn left(&self) -> Result<Duration, RegoError> {
        let left = self.end.map_or(TIME, |end| end.saturating_duration_since(Instant::now()));
        if left.is_zero() { Err(RegoError::TimeOfAReview) } else { Ok(left) }
    }

    /// What a constraint says of one manifest. What is said of a workload need not be said of its pods again.
    fn findings_about(&mut self, place: usize, constraint: &Constraint<'_>) -> Vec<Finding> {
        let mut found: Vec<Finding> = Vec::new();
        for object in 0..self.judged[place].len() {
            let problems = self.problems(constraint, place, object);
            let is_judged = problems.iter().any(|(rule, _)| rule != NOT_EVALUATED);
            for (rule, problem) in problems {
                if !found.iter().any(|said| said.rule == rule && said.message == problem.message) {
                    found.push(problem.found(&rule, None, &self.manifests[place]));
                }
            }
            if is_judged {
                break;
            }
        }
        found
    }

    /// What a constraint says about one object, each with the rule it is found by.
    fn problems(&mut self, constraint: &Constraint<'_>, place: usize, object: usize) -> Vec<(String, Problem)> {
        let left = self.left();
        let admitted = &self.judged[place][object];
        let namespace = self.namespace_of(admitted);
        let key = self.manifests[place].key();
        let old = self.existing.get(&key).copied().filter(|_| !admitted.is_rendered);
        match constraint.applies_to(admitted, namespace) {
            Applies::No => return Vec::new(),
            Applies::Unknown => {
                let message =
                    format!("it looks at the labels of the namespace {}, which are not known here", admitted.namespace);
                return vec![unknown(constraint, admitted, &message)];
            }
            Applies::Yes => {}
        }
        if let Some(doubt) = &admitted.doubt {
            return vec![unknown(constraint, admitted, doubt)];
        }
        let input = constraint.input(admitted, old);
        match left.and_then(|left| self.session.violations(&input, left)) {
            Ok(messages) => {
                messages.into_iter().take(MOST_MESSAGES).map(|said| violation(constraint, admitted, said)).collect()
            }
            Err(error) => vec![unknown(constraint, admitted, &error.to_string())],
        }
    }
}

fn violation(constraint: &Constraint<'_>, admitted: &Admitted<'_>, message: String) -> (String, Problem) {
    let name = &constraint.manifest.object().name;
    let fix =
        format!("This is the cluster's own policy {} {name}; the message says what it asks for.", constraint.kind());
    let make = match constraint.severity() {
        Severity::Deny => Problem::deny,
        Severity::Warn => Problem::warn,
        Severity::Info => Problem::info,
    };
    let message = if admitted.is_rendered { format!("Its pods: {message}") } else { message };
    (format!("policy/{name}"), make(admitted.path.clone(), message, fix))
}

fn unknown(constraint: &Constraint<'_>, admitted: &Admitted<'_>, reason: &str) -> (String, Problem) {
    let name = &constraint.manifest.object().name;
    let problem =
        Problem::warn(admitted.path.clone(), sentence(&format!("policy {} {name}", constraint.kind()), reason), FIX);
    (NOT_EVALUATED.to_owned(), problem)
}

const FIX: &str = "Try a server-side dry run, which asks the cluster itself, or show the message to an administrator.";

fn sentence(what: &str, reason: &str) -> String {
    format!(
        "The cluster's {what} could not be evaluated, so it may still refuse this: {}.",
        reason.trim_end_matches('.')
    )
}

fn not_evaluated(policy: &Manifest, reason: &str) -> Finding {
    let what = format!("policy {} {}", policy.object().kind, policy.object().name);
    Problem::warn("", sentence(&what, reason), FIX).found(NOT_EVALUATED, None, policy)
}
