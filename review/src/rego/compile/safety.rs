//! Whether every variable has a value whatever the order that a body is evaluated in (OPA 1.17, v1/ast/compile.go,
//! `reorderBodyForSafety`; v1/ast/unify.go).

use super::CompileError;
use super::syntax::{Body, Comprehension, Kind, Statement, Term, Vars};
use std::collections::HashMap;

/// How many arguments a function takes; nothing for one that is not known.
pub(super) type Arity<'a> = dyn Fn(&str) -> Option<usize> + 'a;

/// Puts the statements of a body in an order in which every variable has a value when it is needed. Calls are statements of
/// their own; `known` have values before it begins.
pub(super) fn check<'a>(body: &'a Body, known: &Vars, arity: &Arity) -> Result<Vec<&'a Statement>, CompileError> {
    let all: Vars = body.iter().flat_map(vars_of_statement).collect();
    let mut safe: Vars = all.intersection(known).cloned().collect();
    let mut waiting: Vec<&Statement> = body.iter().collect();
    let mut order = Vec::with_capacity(body.len());
    loop {
        let before = waiting.len();
        waiting.retain(|statement| {
            let gives = given_by(statement, &safe, arity);
            let closed_over = vars_of_closures(statement);
            let needs_others =
                closed_over.iter().any(|name| all.contains(name) && !known.contains(name) && !safe.contains(name));
            let is_safe = vars_of_statement(statement).iter().all(|name| safe.contains(name) || gives.contains(name));
            if !is_safe || needs_others {
                return true;
            }
            safe.extend(gives);
            order.push(*statement);
            false
        });
        if waiting.len() == before {
            break;
        }
    }
    if let Some(statement) = waiting.first() {
        let gives = given_by(statement, &safe, arity);
        let names = vars_of_statement(statement).into_iter().chain(vars_of_closures(statement));
        let unsafe_name = names.into_iter().find(|name| !safe.contains(name) && !gives.contains(name));
        return Err(unsafe_variable(&unsafe_name.unwrap_or_default()));
    }
    check_negations(body, &order)?;
    let mut known = known.clone();
    for statement in &order {
        check_closures(statement, &known, arity)?;
        known.extend(vars_of_statement(statement));
    }
    Ok(order)
}

/// The interpreter has an order of its own, in which what is negated does not always wait for its variables.
fn check_negations(body: &Body, order: &[&Statement]) -> Result<(), CompileError> {
    let place = |statement: &Statement| body.iter().position(|other| std::ptr::eq(other, statement));
    let mut last = None;
    for statement in order {
        let place = place(statement);
        if statement.is_negated && last > place {
            return Err(CompileError::NotRead("it negates before it says what".to_owned()));
        }
        last = last.max(place);
    }
    Ok(())
}

fn unsafe_variable(name: &str) -> CompileError {
    let name = name.split('#').next().unwrap_or(name);
    match name.strip_prefix('$') {
        None => CompileError::not_accepted(format!("the variable `{name}` may have no value")),
        Some(_) => CompileError::not_accepted("a variable may have no value".to_owned()),
    }
}

fn check_closures(statement: &Statement, known: &Vars, arity: &Arity) -> Result<(), CompileError> {
    if let Kind::Every { key, value, body, .. } = &statement.kind {
        let mut known = known.clone();
        known.extend(key.iter().chain([value]).cloned());
        check(body, &known, arity)?;
    }
    let mut result = Ok(());
    for term in statement.terms() {
        term.visit(&mut |term| {
            let Term::Comprehension(Comprehension { terms, body, .. }) = term else { return true };
            result = std::mem::replace(&mut result, Ok(())).and_then(|()| {
                let mut named: Vars = body.iter().flat_map(vars_of_statement).collect();
                named.extend(known.iter().cloned());
                let of_terms: Vars = terms.iter().flat_map(all_vars).collect();
                match of_terms.iter().find(|name| !named.contains(*name)) {
                    Some(name) => Err(unsafe_variable(name)),
                    None => check(body, known, arity).map(drop),
                }
            });
            false
        });
    }
    result
}

/// What is not in comprehensions.
fn vars_of_term(term: &Term) -> Vars {
    let mut vars = Vars::new();
    term.visit(&mut |term| {
        if let Term::Var(name) = term {
            vars.insert(name.clone());
        }
        true
    });
    vars
}

fn vars_of_statement(statement: &Statement) -> Vars {
    statement.terms().into_iter().flat_map(vars_of_term).collect()
}

/// With those of comprehensions.
pub(super) fn all_vars(term: &Term) -> Vars {
    let mut vars = vars_of_term(term);
    term.visit(&mut |term| {
        if let Term::Comprehension(Comprehension { terms, body, .. }) = term {
            vars.extend(terms.iter().flat_map(all_vars));
            vars.extend(body.iter().flat_map(all_vars_of_statement));
        }
        true
    });
    vars
}

pub(super) fn all_vars_of_statement(statement: &Statement) -> Vars {
    let mut vars: Vars = statement.terms().into_iter().flat_map(all_vars).collect();
    if let Kind::Every { body, .. } = &statement.kind {
        vars.extend(body.iter().flat_map(all_vars_of_statement));
    }
    vars
}

fn vars_of_closures(statement: &Statement) -> Vars {
    let mut vars = Vars::new();
    for term in statement.terms() {
        term.visit(&mut |term| {
            if let Term::Comprehension(_) = term {
                vars.extend(all_vars(term));
            }
            true
        });
    }
    if let Kind::Every { body, .. } = &statement.kind {
        vars.extend(body.iter().flat_map(all_vars_of_statement));
    }
    vars
}

/// The variables that a statement gives values to.
fn given_by(statement: &Statement, safe: &Vars, arity: &Arity) -> Vars {
    let is_known = |term: &Term| vars_of_term(term).is_subset(safe);
    if statement.is_negated || !statement.with_terms().into_iter().all(is_known) {
        return Vars::new();
    }
    match &statement.kind {
        Kind::Term(_) | Kind::Every { .. } => given_by_references(&statement.terms(), safe),
        Kind::Unify(left, right) => {
            let by_references = given_by_references(&[left, right], safe);
            let safe: Vars = safe.union(&by_references).cloned().collect();
            let mut unifier = Unifier { safe: &safe, unified: Vars::new(), unknown: HashMap::new() };
            unifier.unify(left, right);
            by_references.union(&unifier.unified).cloned().collect()
        }
        Kind::Call(name, arguments) => {
            let Some(inputs) = arity(name) else { return Vars::new() };
            let mut given = given_by_references(&arguments.iter().collect::<Vec<_>>(), safe);
            if inputs >= arguments.len() {
                return given;
            }
            let (inputs, results) = arguments.split_at(inputs);
            let needed = inputs.iter().flat_map(pattern_vars);
            if needed.into_iter().any(|name| !safe.contains(&name) && !given.contains(&name)) {
                return Vars::new();
            }
            given.extend(results.iter().flat_map(pattern_vars));
            given
        }
        Kind::Assign(..) | Kind::Some(_) | Kind::SomeIn { .. } => Vars::new(),
    }
}

/// A reference whose head is known goes through what is there, and gives its steps values.
fn given_by_references(terms: &[&Term], safe: &Vars) -> Vars {
    let mut given = Vars::new();
    for term in terms {
        term.visit(&mut |term| match term {
            Term::Comprehension(_) => false,
            Term::Ref(head, _) if !vars_of_term(head).is_subset(safe) => false,
            Term::Ref(_, path) => {
                given.extend(path.iter().flat_map(pattern_vars_of_ref));
                true
            }
            _ => true,
        });
    }
    given
}

fn pattern_vars_of_ref(term: &Term) -> Vars {
    vars_without(term, false)
}

/// Variables that a value can be taken apart into.
fn pattern_vars(term: &Term) -> Vars {
    vars_without(term, true)
}

fn vars_without(term: &Term, skips_keys: bool) -> Vars {
    let mut vars = Vars::new();
    let mut waiting = vec![term];
    while let Some(term) = waiting.pop() {
        match term {
            Term::Var(name) => drop(vars.insert(name.clone())),
            Term::Ref(_, path) => waiting.extend(path),
            Term::Array(items) => waiting.extend(items),
            Term::Set(items) if !skips_keys => waiting.extend(items),
            Term::Object(fields) => waiting.extend(fields.iter().flat_map(|(key, value)| {
                let key = (!skips_keys).then_some(key);
                key.into_iter().chain([value])
            })),
            _ => {}
        }
    }
    vars
}

struct Unifier<'a> {
    safe: &'a Vars,
    unified: Vars,
    unknown: HashMap<String, Vars>,
}

impl Unifier<'_> {
    fn is_safe(&self, name: &str) -> bool {
        self.safe.contains(name) || self.unified.contains(name)
    }

    fn unify(&mut self, left: &Term, right: &Term) {
        match (left, right) {
            (Term::Var(one), Term::Var(two)) => self.unify_variables(one, two),
            (Term::Var(name), pattern @ (Term::Array(_) | Term::Object(_)))
            | (pattern @ (Term::Array(_) | Term::Object(_)), Term::Var(name)) => self.unify_with_pattern(name, pattern),
            (pattern @ (Term::Var(_) | Term::Array(_) | Term::Object(_)), Term::Ref(head, _))
            | (Term::Ref(head, _), pattern @ (Term::Var(_) | Term::Array(_) | Term::Object(_))) => {
                self.unify_with_reference(pattern, head);
            }
            (Term::Var(name), _) | (_, Term::Var(name)) => self.mark(name),
            (Term::Comprehension(_), pattern @ Term::Array(_)) | (pattern @ Term::Array(_), Term::Comprehension(_)) => {
                self.mark_all(pattern);
            }
            (Term::Array(one), Term::Array(two)) if one.len() == two.len() => {
                one.iter().zip(two).for_each(|(one, two)| self.unify(one, two));
            }
            (Term::Object(one), Term::Object(two)) if one.len() == two.len() => {
                for (key, value) in one {
                    if let Some((_, other)) = two.iter().find(|(other, _)| other == key) {
                        self.unify(value, other);
                    }
                }
            }
            _ => {}
        }
    }

    fn unify_variables(&mut self, one: &str, two: &str) {
        if self.is_safe(two) {
            self.mark(one);
        } else if self.is_safe(one) {
            self.mark(two);
        } else {
            self.unknown.entry(one.to_owned()).or_default().insert(two.to_owned());
            self.unknown.entry(two.to_owned()).or_default().insert(one.to_owned());
        }
    }

    fn unify_with_reference(&mut self, pattern: &Term, head: &Term) {
        if vars_of_term(head).is_subset(self.safe) {
            self.mark_all(pattern);
        }
    }

    fn unify_with_pattern(&mut self, name: &str, pattern: &Term) {
        if self.is_safe(name) {
            return self.mark_all(pattern);
        }
        let missing: Vars = pattern_vars_with_sets(pattern).into_iter().filter(|name| !self.is_safe(name)).collect();
        if missing.is_empty() {
            self.mark(name);
        } else {
            self.unknown.entry(name.to_owned()).or_default().extend(missing);
        }
    }

    fn mark_all(&mut self, pattern: &Term) {
        for name in pattern_vars_with_sets(pattern) {
            self.mark(&name);
        }
    }

    fn mark(&mut self, name: &str) {
        self.unified.insert(name.to_owned());
        for other in self.unknown.remove(name).unwrap_or_default() {
            self.mark(&other);
        }
        let waiting: Vec<String> = self.unknown.keys().cloned().collect();
        for other in waiting {
            let Some(missing) = self.unknown.get_mut(&other) else { continue };
            if missing.remove(name) && missing.is_empty() {
                self.unknown.remove(&other);
                self.mark(&other);
            }
        }
    }
}

/// Like [`pattern_vars`], with those in sets.
fn pattern_vars_with_sets(term: &Term) -> Vars {
    let mut vars = pattern_vars(term);
    term.visit(&mut |term| {
        if let Term::Set(items) = term {
            vars.extend(items.iter().flat_map(vars_of_term));
        }
        true
    });
    vars
}
