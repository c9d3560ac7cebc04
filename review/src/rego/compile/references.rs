//! What a policy may refer to, and what its names mean (Gatekeeper's constraint framework, pkg/regorewriter and
//! pkg/client/drivers/rego; OPA 1.17, v1/ast/compile.go, `checkRecursion` and `checkRuleConflicts`).

use super::CompileError;
use super::signatures;
use super::syntax::{Body, Kind, Module, Rule, RuleKind, Statement, Term, Vars, all_statements};
use std::collections::{BTreeMap, BTreeSet};

/// A template with its libraries.
pub(super) struct Policy {
    pub(super) template: Module,
    pub(super) libraries: Vec<Module>,
}

impl Policy {
    pub(super) fn modules(&self) -> impl Iterator<Item = &Module> {
        self.libraries.iter().chain([&self.template])
    }
}

pub(super) fn check(policy: &Policy) -> Result<(), CompileError> {
    if !policy.template.rules.iter().any(|rule| rule.name == "violation") {
        return Err(CompileError::not_accepted("it has no rule named `violation`"));
    }
    for library in &policy.libraries {
        if library.package.len() < 3 || library.package[1] != "lib" {
            return Err(CompileError::not_accepted("a library has a package that is not below `lib`"));
        }
    }
    for module in policy.modules() {
        check_imports(module)?;
        check_data(module)?;
    }
    check_conflicts(policy)?;
    check_violations(&policy.template)
}

fn check_imports(module: &Module) -> Result<(), CompileError> {
    for import in &module.imports {
        let path: Vec<&str> = import.path.iter().map(String::as_str).collect();
        if !matches!(path[..], ["data", "lib", ..] | ["future", ..]) {
            return Err(CompileError::not_accepted(format!("it imports `{}`", import.path.join("."))));
        }
    }
    Ok(())
}

/// Policies see `data.inventory` and the libraries, nothing else of `data`.
fn check_data(module: &Module) -> Result<(), CompileError> {
    let refused = || Err(CompileError::not_accepted("it uses `data` other than `data.inventory` and `data.lib`"));
    for term in module.rules.iter().flat_map(terms_of_rule) {
        let is_data = |term: &Term| matches!(term, Term::Var(name) if name == "data");
        let mut is_allowed = true;
        term.visit_all(&mut |term| match term {
            Term::Ref(head, path) if is_data(head) => {
                is_allowed &= matches!(path.first(), Some(Term::String(step)) if step == "inventory" || step == "lib");
                path.iter().for_each(|step| {
                    step.visit_all(&mut |term| {
                        is_allowed &= !is_data(term);
                        true
                    });
                });
                false
            }
            term if is_data(term) => {
                is_allowed = false;
                false
            }
            _ => true,
        });
        if !is_allowed {
            return refused();
        }
    }
    Ok(())
}

/// All rules of one name are of one kind.
fn check_conflicts(policy: &Policy) -> Result<(), CompileError> {
    let mut kinds: BTreeMap<String, BTreeSet<(u8, usize)>> = BTreeMap::new();
    let mut defaults = BTreeSet::new();
    for module in policy.modules() {
        for rule in &module.rules {
            let kind = match rule.kind {
                RuleKind::Complete | RuleKind::Default if rule.arguments.is_empty() => 0,
                RuleKind::Function | RuleKind::Default | RuleKind::Complete => 1,
                RuleKind::PartialSet => 2,
                RuleKind::PartialObject => 3,
            };
            if rule.kind == RuleKind::Default && !defaults.insert(full_name(module, rule)) {
                return Err(CompileError::not_accepted(format!("the rule `{}` has two defaults", rule.name)));
            }
            kinds.entry(full_name(module, rule)).or_default().insert((kind, rule.arguments.len()));
        }
    }
    match kinds.into_iter().find(|(_, kinds)| kinds.len() > 1) {
        Some((name, _)) => {
            Err(CompileError::not_accepted(format!("the rules named `{}` are of different kinds", last(&name))))
        }
        None => Ok(()),
    }
}

/// What Gatekeeper asks for is `violation[r]`, and then `r.msg`.
fn check_violations(template: &Module) -> Result<(), CompileError> {
    let rules: Vec<&Rule> = template.rules.iter().filter(|rule| rule.name == "violation").collect();
    let is_set = |rule: &&Rule| match (rule.kind, rule.head.first()) {
        (RuleKind::PartialSet, _) => true,
        (RuleKind::Complete, head) => rule.arguments.is_empty() && matches!(head, Some(Term::Set(_))),
        _ => false,
    };
    if !rules.iter().all(is_set) {
        return Err(CompileError::not_accepted("`violation` is not a set of violations"));
    }
    let may_have_message = |rule: &&Rule| match rule.head.first() {
        _ if rule.kind == RuleKind::Complete => true,
        Some(Term::Object(fields)) => fields.iter().any(|(key, _)| !matches!(key, Term::String(name) if name != "msg")),
        Some(Term::Array(_) | Term::Set(_) | Term::Null | Term::Bool | Term::Number(_) | Term::String(_)) | None => {
            false
        }
        Some(_) => true,
    };
    match rules.iter().any(may_have_message) {
        true => Ok(()),
        false => Err(CompileError::not_accepted("its violations have no `msg`")),
    }
}

fn full_name(module: &Module, rule: &Rule) -> String {
    format!("{}.{}", module.package.join("."), rule.name)
}

fn last(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}

/// Functions that are built in for Rego v0 only (OPA 1.17, capabilities.json, `deprecated`).
const DEPRECATED: [&str; 11] = [
    "all",
    "any",
    "cast_array",
    "cast_boolean",
    "cast_null",
    "cast_object",
    "cast_set",
    "cast_string",
    "net.cidr_overlap",
    "re_match",
    "set_diff",
];

/// Every function is there, and gets as many arguments as it takes.
pub(super) fn check_calls(body: &Body, names: &Names) -> Result<(), CompileError> {
    for (name, given) in calls_of(body) {
        let is_print = name == "print";
        if names.module.is_v1 && DEPRECATED.contains(&name) && !names.is_own(name) {
            return Err(CompileError::not_accepted(format!("`{name}` is gone from Rego v1")));
        }
        match names.arity(name) {
            _ if is_print => {}
            None if names.rule(name).is_some() => {
                return Err(CompileError::NotRead(format!("it calls `{name}`, which takes no arguments")));
            }
            None => return Err(CompileError::not_accepted(format!("there is no function `{name}`"))),
            // The result may be one more.
            Some(taken) if given == taken || given == taken + 1 => {}
            Some(taken) => {
                return Err(CompileError::not_accepted(format!("`{name}` takes {taken} arguments, not {given}")));
            }
        }
    }
    Ok(())
}

/// `bodies` are those of all rules, by their full names, with names resolved.
pub(super) fn check_recursion(policy: &Policy, bodies: &[(&Module, &Rule, Body)]) -> Result<(), CompileError> {
    let mut uses: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (module, rule, body) in bodies {
        let names = Names::of(policy, module);
        let used = uses.entry(full_name(module, rule)).or_default();
        for term in terms_of_body(body) {
            term.visit_all(&mut |term| {
                used.extend(names.rule_of(term));
                true
            });
        }
        used.extend(calls_of(body).into_iter().filter_map(|(name, _)| names.rule(name)));
    }
    for start in uses.keys() {
        let mut seen = BTreeSet::new();
        let mut waiting: Vec<&String> = uses[start].iter().collect();
        while let Some(name) = waiting.pop() {
            if name == start {
                return Err(CompileError::not_accepted(format!("the rule `{}` uses itself", last(start))));
            }
            if seen.insert(name) {
                waiting.extend(uses.get(name).into_iter().flatten());
            }
        }
    }
    Ok(())
}

/// What the names of a module mean.
pub(super) struct Names<'a> {
    policy: &'a Policy,
    module: &'a Module,
}

impl<'a> Names<'a> {
    pub(super) fn of(policy: &'a Policy, module: &'a Module) -> Self {
        Self { policy, module }
    }

    /// Names that have a value everywhere in the module.
    pub(super) fn globals(&self) -> Vars {
        let rules = self.modules_of(&self.module.package).flat_map(|module| &module.rules);
        let rules = rules.map(|rule| rule.name.split('.').next().unwrap_or_default().to_owned());
        let imports = self.module.imports.iter().map(|import| import.name.clone());
        rules.chain(imports).chain(["input".to_owned(), "data".to_owned()]).collect()
    }

    /// The name of a rule from its package on, where there is one of that name.
    fn rule(&self, name: &str) -> Option<String> {
        let steps: Vec<String> = name.split('.').map(str::to_owned).collect();
        let (first, rest) = steps.split_first()?;
        let import = self.module.imports.iter().find(|import| import.name == *first);
        let path = match import {
            Some(import) => [&import.path[..], rest].concat(),
            None if first == "data" => steps,
            None => [&self.module.package[..], &steps[..]].concat(),
        };
        // A longer path goes into what the rule gives.
        (3..=path.len()).map(|length| &path[..length]).find_map(|path| {
            let (name, package) = path.split_last()?;
            let mut rules = self.modules_of(package).flat_map(|module| &module.rules);
            rules.any(|rule| rule.name == *name).then(|| path.join("."))
        })
    }

    fn modules_of<'b>(&'b self, package: &'b [String]) -> impl Iterator<Item = &'a Module> + 'b {
        self.policy.modules().filter(move |module| module.package == package)
    }

    fn rules_named(&self, full_name: &str) -> impl Iterator<Item = &'a Rule> {
        self.policy
            .modules()
            .flat_map(move |module| module.rules.iter().filter(move |rule| full_name_is(module, rule, full_name)))
    }

    /// The rule that a term refers to.
    fn rule_of(&self, term: &Term) -> Option<String> {
        let (head, path) = match term {
            Term::Var(name) | Term::Call(name, _) => (name, &[][..]),
            Term::Ref(head, path) => match head.as_ref() {
                Term::Var(name) => (name, &path[..]),
                _ => return None,
            },
            _ => return None,
        };
        let steps = path.iter().map_while(|step| match step {
            Term::String(step) => Some(step.as_str()),
            _ => None,
        });
        self.rule(&std::iter::once(head.as_str()).chain(steps).collect::<Vec<_>>().join("."))
    }

    /// How many arguments a function takes.
    pub(super) fn arity(&self, name: &str) -> Option<usize> {
        match self.rule(name) {
            Some(full) => {
                let rule = self.rules_named(&full).next()?;
                (!rule.arguments.is_empty()).then_some(rule.arguments.len())
            }
            None => signatures::of(name).map(|signature| signature.arguments.len()),
        }
    }

    /// Whether a name is that of a function of the policy, and not one that is built in.
    pub(super) fn is_own(&self, name: &str) -> bool {
        self.rule(name).is_some()
    }
}

fn full_name_is(module: &Module, rule: &Rule, name: &str) -> bool {
    full_name(module, rule) == name
}

fn terms_of_rule(rule: &Rule) -> Vec<&Term> {
    let bodies = rule.bodies.iter().flat_map(|(value, body)| value.iter().chain(terms_of_body(body)));
    rule.head.iter().chain(&rule.arguments).chain(bodies).collect()
}

fn terms_of_body(body: &Body) -> Vec<&Term> {
    body.iter().flat_map(Statement::all_terms).collect()
}

/// The functions that a body calls, and with how many arguments.
fn calls_of(body: &Body) -> Vec<(&str, usize)> {
    let statements = all_statements(body).into_iter();
    statements
        .filter_map(|statement| match &statement.kind {
            Kind::Call(name, arguments) => Some((name.as_str(), arguments.len())),
            _ => None,
        })
        .collect()
}
