//! Calls within terms become statements of their own, as OPA evaluates them (OPA 1.17, v1/ast/compile.go,
//! `rewriteExprTerms`).

use super::syntax::{Body, Comprehension, Kind, Statement, Term};

/// Gives every call within a term a statement and a variable.
#[derive(Default)]
pub(super) struct Calls {
    found: usize,
}

impl Calls {
    pub(super) fn body(&mut self, body: Body) -> Body {
        body.into_iter().flat_map(|statement| self.statement(statement)).collect()
    }

    fn statement(&mut self, Statement { kind, is_negated, with }: Statement) -> Body {
        let mut before = Vec::new();
        let with: Vec<_> = with.into_iter().map(|(target, value)| (target, self.term(value, &mut before))).collect();
        let after = before.len();
        let kind = match kind {
            Kind::Term(term) => Kind::Term(self.term(term, &mut before)),
            Kind::Unify(left, right) => self.unification(left, right, &mut before),
            Kind::Call(name, arguments) => Kind::Call(name, self.terms(arguments, &mut before)),
            Kind::Every { key, value, domain, body } => {
                let domain = self.term(domain, &mut before);
                Kind::Every { key, value, domain, body: self.body(body) }
            }
            other @ (Kind::Assign(..) | Kind::Some(_) | Kind::SomeIn { .. }) => other,
        };
        for statement in &mut before[after..] {
            statement.with.clone_from(&with);
        }
        before.push(Statement { kind, is_negated, with });
        before
    }

    /// The result of a call has a name already.
    fn unification(&mut self, left: Term, right: Term, before: &mut Body) -> Kind {
        match (left, right) {
            (result, Term::Call(name, arguments)) | (Term::Call(name, arguments), result) => {
                let mut arguments = self.terms(arguments, before);
                arguments.push(self.term(result, before));
                Kind::Call(name, arguments)
            }
            (left, right) => Kind::Unify(self.term(left, before), self.term(right, before)),
        }
    }

    fn terms(&mut self, terms: Vec<Term>, before: &mut Body) -> Vec<Term> {
        terms.into_iter().map(|term| self.term(term, before)).collect()
    }

    fn term(&mut self, term: Term, before: &mut Body) -> Term {
        match term {
            Term::Call(name, arguments) => {
                let mut arguments = self.terms(arguments, before);
                self.found += 1;
                let result = Term::Var(format!("$call{}", self.found));
                arguments.push(result.clone());
                before.push(Statement { kind: Kind::Call(name, arguments), is_negated: false, with: Vec::new() });
                result
            }
            Term::Ref(head, path) => Term::Ref(Box::new(self.term(*head, before)), self.terms(path, before)),
            Term::Array(items) => Term::Array(self.terms(items, before)),
            Term::Set(items) => Term::Set(self.terms(items, before)),
            Term::Object(fields) => Term::Object(
                fields.into_iter().map(|(key, value)| (self.term(key, before), self.term(value, before))).collect(),
            ),
            Term::Comprehension(Comprehension { kind, terms, body }) => {
                let mut body = self.body(body);
                let terms = self.terms(terms, &mut body);
                Term::Comprehension(Comprehension { kind, terms, body })
            }
            other @ (Term::Var(_) | Term::Null | Term::Bool | Term::Number(_) | Term::String(_)) => other,
        }
    }
}
