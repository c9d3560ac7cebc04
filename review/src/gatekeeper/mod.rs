//! The cluster's own policies: Gatekeeper's ConstraintTemplates and Constraints, evaluated before anything is sent
//! (open-policy-agent.github.io/gatekeeper; constraint framework v1).

mod constraint;
mod evaluation;
mod inventory;
mod template;

use crate::Context;
use crate::finding::{Finding, Severity};
use crate::manifest::Manifest;
use crate::rules::Problem;
use crate::workload::namespace_or_default;
use constraint::{Applies, Constraint};
use evaluation::{Budget, Evaluator};
use inventory::{Admitted, Inventory};
use std::collections::HashMap;
use template::Template;

/// The rule that says that a policy could not be evaluated.
const NOT_EVALUATED: &str = "policy/not-evaluated";

/// Whether a manifest is a policy, and not something that policies judge.
pub(crate) fn is_policy(manifest: &Manifest) -> bool {
    matches!(manifest.group_version().0, "templates.gatekeeper.sh" | "constraints.gatekeeper.sh")
}

/// The findings of each manifest; those about the policies themselves come last, in a list of their own.
pub(crate) fn findings(manifests: &[Manifest], context: &Context) -> Vec<Vec<Finding>> {
    let everything: Vec<&Manifest> = context.afterwards(manifests).collect();
    let constraints: Vec<Constraint<'_>> = everything.iter().filter_map(|manifest| Constraint::of(manifest)).collect();
    let templates = everything.iter().filter_map(|manifest| Some((Template::kind_of(manifest)?, *manifest)));
    let templates: HashMap<&str, &Manifest> = templates.collect();
    if constraints.is_empty() && templates.is_empty() {
        return Vec::new();
    }
    let inventory = Inventory::new(&everything);
    let mut budget = Budget::for_evaluations(manifests.len() * constraints.len());
    let mut found: Vec<Vec<Finding>> = vec![Vec::new(); manifests.len() + 1];
    let judged: Vec<(&Manifest, Vec<Admitted<'_>>)> =
        manifests.iter().map(|one| (one, Admitted::all_of(one))).collect();
    for (kind, manifest) in sorted(&templates) {
        let constraints = constraints.iter().filter(|constraint| constraint.kind() == kind);
        match Template::of(manifest).and_then(|template| Evaluator::new(&template, &inventory)) {
            Ok(mut evaluator) => {
                for constraint in constraints {
                    judge(&judged, constraint, &mut evaluator, &inventory, &mut budget, &mut found);
                }
            }
            Err(error) => found[manifests.len()].push(not_evaluated(manifest, &error.to_string())),
        }
    }
    for constraint in constraints.iter().filter(|constraint| !templates.contains_key(constraint.kind())) {
        let message = format!("no ConstraintTemplate of the kind {} is known", constraint.kind());
        found[manifests.len()].push(not_evaluated(constraint.manifest, &message));
    }
    found
}

/// In the order of their kinds, so that findings do not depend on the order in which policies are read.
fn sorted<'a>(templates: &HashMap<&'a str, &'a Manifest>) -> Vec<(&'a str, &'a Manifest)> {
    let mut sorted: Vec<_> = templates.iter().map(|(kind, manifest)| (*kind, *manifest)).collect();
    sorted.sort_by_key(|(kind, _)| *kind);
    sorted
}

fn judge(
    judged: &[(&Manifest, Vec<Admitted<'_>>)],
    constraint: &Constraint<'_>,
    evaluator: &mut Evaluator,
    inventory: &Inventory<'_>,
    budget: &mut Budget,
    found: &mut [Vec<Finding>],
) {
    for ((manifest, admitted), found) in judged.iter().zip(found) {
        // What is said of a workload need not be said of its pods again.
        for admitted in admitted {
            let before = found.len();
            for (rule, problem) in problems(constraint, admitted, evaluator, inventory, budget) {
                let is_said = found.iter().any(|said| said.rule == rule && said.message == problem.message);
                if !is_said {
                    found.push(problem.found(&rule, None, manifest));
                }
            }
            if found[before..].iter().any(|said| said.rule != NOT_EVALUATED) {
                break;
            }
        }
    }
}

/// What a constraint says about one object, each with the rule it is found by.
fn problems(
    constraint: &Constraint<'_>,
    admitted: &Admitted<'_>,
    evaluator: &mut Evaluator,
    inventory: &Inventory<'_>,
    budget: &mut Budget,
) -> Vec<(String, Problem)> {
    let namespace = inventory.namespace(namespace_or_default(&admitted.namespace));
    match constraint.applies_to(admitted, namespace) {
        Applies::No => return Vec::new(),
        Applies::Unknown => {
            let message =
                format!("it looks at the labels of the namespace {}, which are not known here", admitted.namespace);
            return vec![unknown(constraint, admitted, &message)];
        }
        Applies::Yes => {}
    }
    match evaluator.violations(&constraint.input(admitted, namespace), budget) {
        Ok(messages) => messages.into_iter().map(|message| violation(constraint, admitted, message)).collect(),
        Err(error) => vec![unknown(constraint, admitted, &error.to_string())],
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
