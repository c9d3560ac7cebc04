//! Whether arguments, comparisons and references can be of the types that they must have (OPA 1.17, v1/ast/check.go). Less is
//! known here than in OPA, which also follows what functions of the policy give; what is not known may be anything.

use super::CompileError;
use super::references::Names;
use super::signatures::{self, Type};
use super::syntax::{Comprehension, ComprehensionKind, Kind, Statement, Term};
use std::collections::{BTreeMap, HashMap};

type Types = HashMap<String, Type>;

/// Checks statements in an order in which each variable has a value before it is used.
pub(super) fn check(statements: &[&Statement], names: &Names) -> Result<(), CompileError> {
    Checker { names, types: Types::new() }.body(statements.iter().copied())
}

struct Checker<'a> {
    names: &'a Names<'a>,
    types: Types,
}

impl Checker<'_> {
    fn body<'b>(&mut self, statements: impl Iterator<Item = &'b Statement>) -> Result<(), CompileError> {
        statements.into_iter().try_for_each(|statement| self.statement(statement))
    }

    fn statement(&mut self, statement: &Statement) -> Result<(), CompileError> {
        match &statement.kind {
            Kind::Term(term) => self.of(term).map(drop),
            Kind::Unify(left, right) => self.unify(left, right),
            Kind::Call(name, arguments) => self.call(name, arguments),
            Kind::Every { domain, .. } => self.of(domain).map(drop),
            Kind::Assign(..) | Kind::Some(_) | Kind::SomeIn { .. } => Ok(()),
        }
    }

    fn call(&mut self, name: &str, arguments: &[Term]) -> Result<(), CompileError> {
        // Only `print` has none: it takes anything.
        let Some(arity) = self.names.arity(name) else { return Ok(()) };
        let given = arguments.iter().map(|argument| self.of(argument)).collect::<Result<Vec<_>, _>>()?;
        let Some(signature) = signatures::of(name).filter(|_| !self.names.is_own(name)) else { return Ok(()) };
        for (index, (given, wanted)) in given.iter().zip(&signature.arguments).enumerate() {
            if !overlap(given, wanted) {
                let place = index + 1;
                return Err(CompileError::not_accepted(format!("argument {place} of `{name}` cannot be of its type")));
            }
        }
        match (name, &given[..]) {
            ("equal", [one, two]) if !overlap(one, two) => Err(never_equal()),
            (_, given) => match (arguments.get(arity), given.get(arity)) {
                (Some(result), Some(known)) if overlap(known, &signature.result) => {
                    self.learn(result, &signature.result);
                    Ok(())
                }
                (Some(_), Some(_)) => Err(never_equal()),
                _ => Ok(()),
            },
        }
    }

    fn unify(&mut self, left: &Term, right: &Term) -> Result<(), CompileError> {
        let (of_left, of_right) = (self.of(left)?, self.of(right)?);
        if !overlap(&of_left, &of_right) {
            return Err(never_equal());
        }
        self.learn(left, &of_right);
        self.learn(right, &of_left);
        Ok(())
    }

    fn learn(&mut self, term: &Term, known: &Type) {
        match (term, known) {
            (Term::Var(name), known) if *known != Type::Any && name != "input" && name != "data" => {
                self.types.entry(name.clone()).or_insert_with(|| known.clone());
            }
            (Term::Array(items), Type::Array { first, .. }) if items.len() == first.len() => {
                items.iter().zip(first).for_each(|(item, known)| self.learn(item, known));
            }
            _ => {}
        }
    }

    fn of(&self, term: &Term) -> Result<Type, CompileError> {
        Ok(match term {
            Term::Null => Type::Null,
            Term::Bool => Type::Boolean,
            Term::Number(_) => Type::Number,
            Term::String(_) => Type::String,
            Term::Var(name) => self.types.get(name).cloned().unwrap_or(Type::Any),
            Term::Call(..) => Type::Any,
            Term::Array(items) => Type::Array { first: self.of_all(items)?, rest: None },
            Term::Set(items) => Type::Set(Box::new(match &self.of_all(items)?[..] {
                [] => Type::Any,
                [only] => only.clone(),
                many => Type::OneOf(many.to_vec()),
            })),
            Term::Object(fields) => self.of_object(fields)?,
            Term::Ref(head, path) => {
                let mut found = self.of(head)?;
                for step in path {
                    found = self.step(&found, step)?;
                }
                found
            }
            Term::Comprehension(Comprehension { kind, .. }) => match kind {
                ComprehensionKind::Array => Type::Array { first: Vec::new(), rest: Some(Box::new(Type::Any)) },
                ComprehensionKind::Set => Type::Set(Box::new(Type::Any)),
                ComprehensionKind::Object => Type::Object { fields: BTreeMap::new(), rest: Some(Box::new(Type::Any)) },
            },
        })
    }

    fn of_all(&self, terms: &[Term]) -> Result<Vec<Type>, CompileError> {
        terms.iter().map(|term| self.of(term)).collect()
    }

    fn of_object(&self, fields: &[(Term, Term)]) -> Result<Type, CompileError> {
        let (mut named, mut has_others) = (BTreeMap::new(), false);
        for (key, value) in fields {
            let value = self.of(value)?;
            match key {
                Term::String(name) => drop(named.insert(name.clone(), value)),
                _ => has_others = true,
            }
        }
        Ok(Type::Object { fields: named, rest: has_others.then(|| Box::new(Type::Any)) })
    }

    /// What a step of a reference leads to.
    fn step(&self, from: &Type, step: &Term) -> Result<Type, CompileError> {
        let nowhere = || Err(CompileError::not_accepted("it refers to what cannot be there"));
        let of_step = self.of(step)?;
        match (from, step) {
            (Type::Any | Type::OneOf(_), _) => Ok(Type::Any),
            (Type::Null | Type::Boolean | Type::Number | Type::String, _) => nowhere(),
            (Type::Set(of), _) if overlap(of, &of_step) => Ok(Type::Any),
            (Type::Set(_), _) => nowhere(),
            (Type::Array { .. }, _) if !overlap(&of_step, &Type::Number) => nowhere(),
            (Type::Array { first, rest }, Term::Number(index)) => {
                let item = index.parse::<usize>().ok().and_then(|index| first.get(index)).or(rest.as_deref());
                item.cloned().map_or_else(nowhere, Ok)
            }
            (Type::Array { .. }, _) => Ok(Type::Any),
            (Type::Object { fields, rest }, Term::String(name)) => {
                fields.get(name).or(rest.as_deref()).cloned().map_or_else(nowhere, Ok)
            }
            (Type::Object { .. }, _) => Ok(Type::Any),
        }
    }
}

fn never_equal() -> CompileError {
    CompileError::not_accepted("it compares what can never be equal")
}

/// Whether a value can be of both types.
fn overlap(one: &Type, two: &Type) -> bool {
    match (one, two) {
        (Type::Any, _) | (_, Type::Any) => true,
        (Type::OneOf(types), other) | (other, Type::OneOf(types)) => types.iter().any(|one| overlap(one, other)),
        (Type::Set(one), Type::Set(two)) => overlap(one, two),
        (Type::Array { first: one, rest: rest_of_one }, Type::Array { first: two, rest: rest_of_two }) => {
            let longest = one.len().max(two.len());
            (0..longest).all(|index| {
                let item = |first: &[Type], rest: &Option<Box<Type>>| {
                    first.get(index).cloned().or_else(|| rest.as_deref().cloned())
                };
                match (item(one, rest_of_one), item(two, rest_of_two)) {
                    (Some(one), Some(two)) => overlap(&one, &two),
                    _ => false,
                }
            })
        }
        (Type::Object { fields: one, rest: rest_of_one }, Type::Object { fields: two, rest: rest_of_two }) => {
            let field = |fields: &BTreeMap<String, Type>, rest: &Option<Box<Type>>, name: &String| {
                fields.get(name).cloned().or_else(|| rest.as_deref().cloned())
            };
            one.keys().chain(two.keys()).all(|name| {
                match (field(one, rest_of_one, name), field(two, rest_of_two, name)) {
                    (Some(one), Some(two)) => overlap(&one, &two),
                    // Where others may be there, those that are named may be missing.
                    (None, _) => rest_of_two.is_some(),
                    (_, None) => rest_of_one.is_some(),
                }
            })
        }
        (one, two) => std::mem::discriminant(one) == std::mem::discriminant(two),
    }
}
