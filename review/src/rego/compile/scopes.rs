//! Which variable a name means: every variable that is declared gets a name of its own (OPA 1.17, v1/ast/compile.go,
//! `rewriteLocalVars`).

use super::CompileError;
use super::safety::{all_vars, all_vars_of_statement};
use super::syntax::{Body, Comprehension, Kind, Rule, RuleKind, Statement, Term, Vars};
use std::collections::HashMap;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Occurrence {
    Argument,
    /// By `:=`.
    Assigned,
    /// By `some`, or as a variable of `every`.
    Declared,
    /// Used without a declaration.
    Seen,
}

type Scope = HashMap<String, (String, Occurrence)>;

pub(super) struct Scopes<'a> {
    /// Rules, imports, `input` and `data`.
    globals: &'a Vars,
    stack: Vec<Scope>,
    declared: usize,
}

/// A body ready to be checked, with the variables that have a value before it begins.
pub(super) struct Bound {
    pub(super) arguments: Vars,
    pub(super) body: Body,
}

/// The bodies of a rule. What its head says stands at the end of each: it must be known by then.
pub(super) fn bodies(rule: &Rule, globals: &Vars) -> Result<Vec<Bound>, CompileError> {
    if rule.kind == RuleKind::Default {
        return Ok(Vec::new());
    }
    let alone = [(None, Vec::new())];
    let bodies = if rule.bodies.is_empty() { &alone[..] } else { &rule.bodies[..] };
    bodies
        .iter()
        .map(|(value, body)| {
            let mut scopes = Scopes { globals, stack: vec![Scope::new()], declared: 0 };
            let mut arguments = Vars::new();
            for argument in &rule.arguments {
                scopes.arguments(argument, &mut arguments);
            }
            let mut statements = scopes.body(body)?;
            for (index, term) in value.as_ref().map_or(&rule.head[..], std::slice::from_ref).iter().enumerate() {
                let kind = Kind::Unify(Term::Var(format!("$head{index}")), scopes.term(term)?);
                statements.push(Statement { kind, is_negated: false, with: Vec::new() });
            }
            scopes.check_used(&statements, &[])?;
            Ok(Bound { arguments, body: statements })
        })
        .collect()
}

impl Scopes<'_> {
    fn arguments(&mut self, term: &Term, names: &mut Vars) {
        match term {
            Term::Var(name) => {
                let meaning = format!("{name}#0");
                names.insert(meaning.clone());
                self.insert(name, meaning, Occurrence::Argument);
            }
            Term::Array(items) | Term::Set(items) => items.iter().for_each(|item| self.arguments(item, names)),
            Term::Object(fields) => fields.iter().for_each(|(_, value)| self.arguments(value, names)),
            _ => {}
        }
    }

    fn insert(&mut self, name: &str, meaning: String, occurrence: Occurrence) {
        if let Some(scope) = self.stack.last_mut() {
            scope.insert(name.to_owned(), (meaning, occurrence));
        }
    }

    fn declare(&mut self, name: &str, occurrence: Occurrence) -> Result<String, CompileError> {
        let before = self.stack.last().and_then(|scope| scope.get(name)).map(|(_, occurrence)| *occurrence);
        match before {
            Some(Occurrence::Seen) => {
                return Err(CompileError::not_accepted(format!("`{name}` is used before it is assigned")));
            }
            Some(Occurrence::Assigned) => {
                return Err(CompileError::not_accepted(format!("`{name}` is assigned twice")));
            }
            Some(Occurrence::Declared) => {
                return Err(CompileError::not_accepted(format!("`{name}` is declared twice")));
            }
            Some(Occurrence::Argument) => {
                return Err(CompileError::not_accepted(format!("the argument `{name}` is assigned again")));
            }
            None => {}
        }
        self.declared += 1;
        let meaning = format!("{name}#{}", self.declared);
        self.insert(name, meaning.clone(), occurrence);
        Ok(meaning)
    }

    fn meaning(&mut self, name: &str) -> String {
        if let Some((meaning, _)) = self.stack.iter().rev().find_map(|scope| scope.get(name)) {
            return meaning.clone();
        }
        if !self.globals.contains(name) {
            self.insert(name, name.to_owned(), Occurrence::Seen);
        }
        name.to_owned()
    }

    fn body(&mut self, body: &Body) -> Result<Body, CompileError> {
        let mut statements = Vec::with_capacity(body.len());
        for statement in body {
            statements.extend(self.statement(statement)?);
        }
        Ok(statements)
    }

    /// What is declared must be used.
    fn check_used(&self, body: &Body, terms: &[Term]) -> Result<(), CompileError> {
        let mut used: Vars = body.iter().flat_map(all_vars_of_statement).collect();
        used.extend(terms.iter().flat_map(all_vars));
        let declared = self.stack.last().into_iter().flatten();
        let mut declared = declared.filter(|(_, (_, occurrence))| *occurrence == Occurrence::Declared);
        match declared.find(|(_, (meaning, _))| !used.contains(meaning)) {
            Some((name, _)) => Err(CompileError::not_accepted(format!("`{name}` is declared and not used"))),
            None => Ok(()),
        }
    }

    /// Nothing where it only declares.
    fn statement(&mut self, statement: &Statement) -> Result<Option<Statement>, CompileError> {
        let kind = match &statement.kind {
            Kind::Assign(..) if statement.is_negated => {
                return Err(CompileError::not_accepted("it assigns a variable within `not`".to_owned()));
            }
            Kind::Assign(left, right) => {
                let right = self.term(right)?;
                Kind::Unify(self.declared_in(left, Occurrence::Assigned)?, right)
            }
            Kind::Some(names) => {
                for name in names {
                    self.declare(name, Occurrence::Declared)?;
                }
                return Ok(None);
            }
            Kind::SomeIn { key, value, collection } => {
                let collection = self.term(collection)?;
                let key = key.as_ref().map(|key| self.declared_in(key, Occurrence::Declared)).transpose()?;
                let value = self.declared_in(value, Occurrence::Declared)?;
                self.declared += 1;
                let key = key.unwrap_or_else(|| Term::Var(format!("$key{}", self.declared)));
                Kind::Unify(value, Term::Ref(Box::new(collection), vec![key]))
            }
            Kind::Every { key, value, domain, body } => {
                let domain = self.term(domain)?;
                self.stack.push(Scope::new());
                let key = key.as_ref().map(|key| self.declare(key, Occurrence::Declared)).transpose()?;
                let value = self.declare(value, Occurrence::Declared)?;
                let body = self.body(body)?;
                self.check_used(&body, &[])?;
                self.stack.pop();
                Kind::Every { key, value, domain, body }
            }
            Kind::Term(term) => Kind::Term(self.term(term)?),
            Kind::Unify(left, right) => Kind::Unify(self.term(left)?, self.term(right)?),
            Kind::Call(name, arguments) => Kind::Call(self.function(name)?, self.terms(arguments)?),
        };
        let with = statement
            .with
            .iter()
            .map(|(target, value)| Ok((self.term(target)?, self.term(value)?)))
            .collect::<Result<_, CompileError>>()?;
        Ok(Some(Statement { kind, is_negated: statement.is_negated, with }))
    }

    /// The left side of an assignment.
    fn declared_in(&mut self, term: &Term, occurrence: Occurrence) -> Result<Term, CompileError> {
        Ok(match term {
            Term::Var(name) if name.starts_with('$') => term.clone(),
            Term::Var(name) => Term::Var(self.declare(name, occurrence)?),
            Term::Array(items) => {
                Term::Array(items.iter().map(|item| self.declared_in(item, occurrence)).collect::<Result<_, _>>()?)
            }
            Term::Object(fields) => Term::Object(
                fields
                    .iter()
                    .map(|(key, value)| Ok((self.term(key)?, self.declared_in(value, occurrence)?)))
                    .collect::<Result<_, CompileError>>()?,
            ),
            // A pattern may hold what is known.
            other if occurrence == Occurrence::Declared => self.term(other)?,
            Term::Null | Term::Bool | Term::Number(_) | Term::String(_) => {
                return Err(CompileError::not_accepted("it assigns to a value".to_owned()));
            }
            _ => return Err(CompileError::not_accepted("it assigns to what is no variable".to_owned())),
        })
    }

    fn function(&self, name: &str) -> Result<String, CompileError> {
        let head = name.split('.').next().unwrap_or(name);
        let local = self.stack.iter().rev().find_map(|scope| scope.get(head));
        match local {
            Some((_, occurrence)) if *occurrence != Occurrence::Seen => {
                Err(CompileError::not_accepted(format!("a variable has the name of the function `{name}`")))
            }
            _ => Ok(name.to_owned()),
        }
    }

    fn terms(&mut self, terms: &[Term]) -> Result<Vec<Term>, CompileError> {
        terms.iter().map(|term| self.term(term)).collect()
    }

    fn term(&mut self, term: &Term) -> Result<Term, CompileError> {
        Ok(match term {
            Term::Var(name) => Term::Var(self.meaning(name)),
            Term::Ref(head, path) => Term::Ref(Box::new(self.term(head)?), self.terms(path)?),
            Term::Call(name, arguments) => Term::Call(self.function(name)?, self.terms(arguments)?),
            Term::Array(items) => Term::Array(self.terms(items)?),
            Term::Set(items) => Term::Set(self.terms(items)?),
            Term::Object(fields) => Term::Object(
                fields
                    .iter()
                    .map(|(key, value)| Ok((self.term(key)?, self.term(value)?)))
                    .collect::<Result<_, CompileError>>()?,
            ),
            Term::Comprehension(Comprehension { kind, terms, body }) => {
                self.stack.push(Scope::new());
                let body = self.body(body)?;
                let terms = self.terms(terms)?;
                self.check_used(&body, &terms)?;
                self.stack.pop();
                Term::Comprehension(Comprehension { kind: *kind, terms, body })
            }
            Term::Null | Term::Bool | Term::Number(_) | Term::String(_) => term.clone(),
        })
    }
}
