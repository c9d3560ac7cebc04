//! A policy as OPA's compiler sees it: operators are calls, and a statement is one of few kinds. Made of the interpreter's own
//! syntax tree, so that both read a text in the same way.

use super::CompileError;
use super::rewrite::walked;
use crate::rego::functions::is_plain_number;
use regorus::unstable as tree;
use regorus::unstable::{ArithOp, AssignOp, BinOp, BoolOp, Literal, RuleHead};
use std::collections::BTreeSet;

pub(super) type Vars = BTreeSet<String>;

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Term {
    Var(String),
    Null,
    Bool,
    /// As it is written.
    Number(String),
    String(String),
    Ref(Box<Term>, Vec<Term>),
    Call(String, Vec<Term>),
    Array(Vec<Term>),
    Object(Vec<(Term, Term)>),
    Set(Vec<Term>),
    Comprehension(Comprehension),
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Comprehension {
    pub(super) kind: ComprehensionKind,
    /// One, or key and value.
    pub(super) terms: Vec<Term>,
    pub(super) body: Body,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ComprehensionKind {
    Array,
    Object,
    Set,
}

pub(super) type Body = Vec<Statement>;

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Statement {
    pub(super) kind: Kind,
    pub(super) is_negated: bool,
    /// Targets and values of `with`.
    pub(super) with: Vec<(Term, Term)>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Kind {
    Term(Term),
    /// `=`
    Unify(Term, Term),
    /// `:=`
    Assign(Term, Term),
    /// With its result as one more argument, where the statement gives that a name.
    Call(String, Vec<Term>),
    Some(Vec<String>),
    SomeIn {
        key: Option<Term>,
        value: Term,
        collection: Term,
    },
    Every {
        key: Option<String>,
        value: String,
        domain: Term,
        body: Body,
    },
}

impl Term {
    /// Visits it and what is in it, as long as the visitor wants to see more; a comprehension, and nothing in it.
    pub(super) fn visit<'a>(&'a self, visitor: &mut dyn FnMut(&'a Term) -> bool) {
        if !visitor(self) {
            return;
        }
        match self {
            Self::Ref(head, path) => {
                head.visit(visitor);
                path.iter().for_each(|step| step.visit(visitor));
            }
            Self::Call(_, items) | Self::Array(items) | Self::Set(items) => {
                items.iter().for_each(|item| item.visit(visitor));
            }
            Self::Object(fields) => fields.iter().for_each(|(key, value)| {
                key.visit(visitor);
                value.visit(visitor);
            }),
            Self::Comprehension(_) | Self::Var(_) | Self::Null | Self::Bool | Self::Number(_) | Self::String(_) => {}
        }
    }

    /// Like [`Self::visit`], with what is in comprehensions.
    pub(super) fn visit_all<'a>(&'a self, visitor: &mut dyn FnMut(&'a Term) -> bool) {
        self.visit(&mut |term| {
            let goes_on = visitor(term);
            if let (true, Self::Comprehension(Comprehension { terms, body, .. })) = (goes_on, term) {
                terms.iter().chain(body.iter().flat_map(Statement::all_terms)).for_each(|term| term.visit_all(visitor));
            }
            goes_on
        });
    }
}

impl Statement {
    /// What its variables stand in, without the body of `every`. What a target of `with` begins with is a document or a
    /// function.
    pub(super) fn terms(&self) -> Vec<&Term> {
        [self.own_terms(), self.with_terms()].concat()
    }

    /// Those of `with`.
    pub(super) fn with_terms(&self) -> Vec<&Term> {
        let mut terms = Vec::new();
        for (target, value) in &self.with {
            if let Term::Ref(_, path) = target {
                terms.extend(path);
            }
            terms.push(value);
        }
        terms
    }

    /// All that stands in it.
    pub(super) fn all_terms(&self) -> Vec<&Term> {
        let mut terms = self.own_terms();
        if let Kind::Every { body, .. } = &self.kind {
            terms.extend(body.iter().flat_map(Self::all_terms));
        }
        terms.extend(self.with.iter().flat_map(|(target, value)| [target, value]));
        terms
    }

    fn own_terms(&self) -> Vec<&Term> {
        match &self.kind {
            Kind::Term(term) => vec![term],
            Kind::Unify(left, right) | Kind::Assign(left, right) => vec![left, right],
            Kind::Call(_, arguments) => arguments.iter().collect(),
            Kind::Every { domain, .. } => vec![domain],
            Kind::SomeIn { key, value, collection } => key.iter().chain([value, collection]).collect(),
            Kind::Some(_) => Vec::new(),
        }
    }
}

/// The statements of a body, those of comprehensions and of `every` with them.
pub(super) fn all_statements(body: &Body) -> Vec<&Statement> {
    let mut found = Vec::new();
    for statement in body {
        found.push(statement);
        if let Kind::Every { body, .. } = &statement.kind {
            found.extend(all_statements(body));
        }
        for term in statement.terms() {
            term.visit(&mut |term| {
                if let Term::Comprehension(Comprehension { body, .. }) = term {
                    found.extend(all_statements(body));
                }
                true
            });
        }
    }
    found
}

#[derive(Debug)]
pub(super) struct Module {
    /// `["data", "lib", "text"]`
    pub(super) is_v1: bool,
    pub(super) package: Vec<String>,
    pub(super) imports: Vec<Import>,
    pub(super) rules: Vec<Rule>,
}

#[derive(Debug)]
pub(super) struct Import {
    pub(super) path: Vec<String>,
    /// What the module calls it.
    pub(super) name: String,
}

#[derive(Debug)]
pub(super) struct Rule {
    pub(super) name: String,
    pub(super) kind: RuleKind,
    pub(super) arguments: Vec<Term>,
    /// The keys of a partial rule, and the values.
    pub(super) head: Vec<Term>,
    /// Bodies with a value of their own, as `else` has it. Of a rule without a body, an empty one.
    pub(super) bodies: Vec<(Option<Term>, Body)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RuleKind {
    Default,
    Complete,
    PartialSet,
    PartialObject,
    Function,
}

/// Names for what has none.
#[derive(Default)]
struct Reader {
    wildcards: usize,
}

pub(super) fn module(module: &tree::Module) -> Result<Module, CompileError> {
    let mut reader = Reader::default();
    let imports = module.imports.iter().map(import).collect::<Result<_, _>>()?;
    let rules = module.policy.iter().map(|rule| reader.rule(rule)).collect::<Result<_, _>>()?;
    let mut package = vec!["data".to_owned()];
    package.extend(path(&module.package.refr)?);
    Ok(Module { is_v1: module.rego_v1, package, imports, rules })
}

fn import(import: &tree::Import) -> Result<Import, CompileError> {
    let path = path(&import.refr)?;
    let name = import.r#as.as_ref().map(|name| name.text().to_owned()).or_else(|| path.last().cloned());
    Ok(Import { name: name.unwrap_or_default(), path })
}

/// A reference of names only.
fn path(expression: &tree::Expr) -> Result<Vec<String>, CompileError> {
    match expression {
        tree::Expr::Var { span, .. } => Ok(vec![span.text().to_owned()]),
        tree::Expr::RefDot { refr, field, .. } => Ok([path(refr)?, vec![field.0.text().to_owned()]].concat()),
        tree::Expr::RefBrack { refr, index, .. } => match index.as_ref() {
            tree::Expr::String { value, .. } | tree::Expr::RawString { value, .. } => {
                let name = value.as_string().map(ToString::to_string).unwrap_or_default();
                Ok([path(refr)?, vec![name]].concat())
            }
            _ => Err(CompileError::not_read(expression)),
        },
        _ => Err(CompileError::not_read(expression)),
    }
}

/// Rules whose name is a path are new, and no template of Gatekeeper's library has one.
fn rule_name(refr: &tree::Expr) -> Result<String, CompileError> {
    match &path(refr)?[..] {
        [name] => Ok(name.clone()),
        _ => Err(CompileError::not_read(refr)),
    }
}

impl Reader {
    fn rule(&mut self, rule: &tree::Rule) -> Result<Rule, CompileError> {
        match rule {
            tree::Rule::Default { refr, args, value, .. } => Ok(Rule {
                name: rule_name(refr)?,
                kind: RuleKind::Default,
                arguments: self.terms(args)?,
                head: vec![self.term(value)?],
                bodies: Vec::new(),
            }),
            tree::Rule::Spec { head, bodies, .. } => self.rule_with_bodies(head, bodies),
        }
    }

    fn rule_with_bodies(&mut self, head: &RuleHead, bodies: &[tree::RuleBody]) -> Result<Rule, CompileError> {
        let (refr, kind, arguments, head) = match head {
            RuleHead::Func { refr, args, assign, .. } => {
                (refr, RuleKind::Function, self.terms(args)?, self.value_of(assign.as_ref())?)
            }
            RuleHead::Set { refr, key, .. } => match (key, refr.as_ref()) {
                (Some(key), _) => (refr, RuleKind::PartialSet, Vec::new(), vec![self.term(key)?]),
                (None, tree::Expr::RefBrack { refr, index, .. }) => {
                    (refr, RuleKind::PartialSet, Vec::new(), vec![self.term(index)?])
                }
                (None, _) => return Err(CompileError::not_read(refr)),
            },
            RuleHead::Compr { refr, assign, .. } => match refr.as_ref() {
                tree::Expr::RefBrack { refr, index, .. } => {
                    let head = [vec![self.term(index)?], self.value_of(assign.as_ref())?].concat();
                    (refr, RuleKind::PartialObject, Vec::new(), head)
                }
                _ => (refr, RuleKind::Complete, Vec::new(), self.value_of(assign.as_ref())?),
            },
        };
        let bodies = bodies
            .iter()
            .map(|body| Ok((self.value_of(body.assign.as_ref())?.pop(), self.body(&body.query)?)))
            .collect::<Result<_, CompileError>>()?;
        Ok(Rule { name: rule_name(refr)?, kind, arguments, head, bodies })
    }

    fn value_of(&mut self, assign: Option<&tree::RuleAssign>) -> Result<Vec<Term>, CompileError> {
        assign.map(|assign| self.term(&assign.value)).into_iter().collect()
    }

    fn body(&mut self, query: &tree::Query) -> Result<Body, CompileError> {
        query.stmts.iter().map(|statement| self.statement(statement)).collect()
    }

    fn statement(&mut self, statement: &tree::LiteralStmt) -> Result<Statement, CompileError> {
        let is_negated = matches!(statement.literal, Literal::NotExpr { .. });
        let kind = match &statement.literal {
            Literal::SomeVars { vars, .. } => Kind::Some(vars.iter().map(|span| span.text().to_owned()).collect()),
            Literal::SomeIn { key, value, collection, .. } => Kind::SomeIn {
                key: key.as_ref().map(|key| self.term(key)).transpose()?,
                value: self.term(value)?,
                collection: self.term(collection)?,
            },
            Literal::Every { key, value, domain, query, .. } => Kind::Every {
                key: key.as_ref().map(|key| key.text().to_owned()),
                value: value.text().to_owned(),
                domain: self.term(domain)?,
                body: self.body(query)?,
            },
            Literal::Expr { expr, .. } | Literal::NotExpr { expr, .. } => self.expression(expr)?,
        };
        let with = statement
            .with_mods
            .iter()
            .map(|with| Ok((self.term(&with.refr)?, self.term(&with.r#as)?)))
            .collect::<Result<_, CompileError>>()?;
        Ok(Statement { kind, is_negated, with })
    }

    fn expression(&mut self, expression: &tree::Expr) -> Result<Kind, CompileError> {
        Ok(match expression {
            tree::Expr::AssignExpr { op, lhs, rhs, .. } => {
                let (left, right) = (self.term(lhs)?, self.result(rhs)?);
                match op {
                    AssignOp::ColEq => Kind::Assign(left, right),
                    AssignOp::Eq => Kind::Unify(left, right),
                }
            }
            tree::Expr::Call { fcn, params, .. } if path(fcn)? == ["print"] => {
                Kind::Call("print".to_owned(), self.terms(params)?)
            }
            other => match self.term(other)? {
                Term::Call(name, arguments) => Kind::Call(name, arguments),
                term => Kind::Term(term),
            },
        })
    }

    /// What is given a name.
    fn result(&mut self, expression: &tree::Expr) -> Result<Term, CompileError> {
        match walked(expression) {
            Some(argument) => Ok(Term::Call("walk".to_owned(), vec![self.term(argument)?])),
            None => self.term(expression),
        }
    }

    fn terms(&mut self, expressions: &[tree::ExprRef]) -> Result<Vec<Term>, CompileError> {
        expressions.iter().map(|expression| self.term(expression)).collect()
    }

    fn call(&mut self, name: &str, arguments: &[&tree::ExprRef]) -> Result<Term, CompileError> {
        let arguments = arguments.iter().map(|argument| self.term(argument)).collect::<Result<_, _>>()?;
        Ok(Term::Call(name.to_owned(), arguments))
    }

    fn comprehension(
        &mut self,
        kind: ComprehensionKind,
        terms: &[&tree::ExprRef],
        query: &tree::Query,
    ) -> Result<Term, CompileError> {
        let terms = terms.iter().map(|term| self.term(term)).collect::<Result<_, _>>()?;
        Ok(Term::Comprehension(Comprehension { kind, terms, body: self.body(query)? }))
    }

    fn term(&mut self, expression: &tree::Expr) -> Result<Term, CompileError> {
        use tree::Expr;
        Ok(match expression {
            Expr::String { value, .. } | Expr::RawString { value, .. } => {
                Term::String(value.as_string().map(ToString::to_string).unwrap_or_default())
            }
            Expr::Number { span, .. } if is_plain_number(span.text()) => Term::Number(span.text().to_owned()),
            // OPA keeps a number as it is written.
            Expr::Number { span, .. } => {
                return Err(CompileError::NotRead(format!(
                    "it has the number {}, which OPA keeps as it is written",
                    span.text()
                )));
            }
            Expr::Bool { .. } => Term::Bool,
            Expr::Null { .. } => Term::Null,
            Expr::Var { span, .. } if span.text() == "_" => {
                self.wildcards += 1;
                Term::Var(format!("${}", self.wildcards))
            }
            Expr::Var { span, .. } => Term::Var(span.text().to_owned()),
            Expr::Array { items, .. } => Term::Array(self.terms(items)?),
            Expr::Set { items, .. } => Term::Set(self.terms(items)?),
            Expr::Object { fields, .. } => Term::Object(
                fields
                    .iter()
                    .map(|(_, key, value)| Ok((self.term(key)?, self.term(value)?)))
                    .collect::<Result<_, CompileError>>()?,
            ),
            Expr::ArrayCompr { term, query, .. } => self.comprehension(ComprehensionKind::Array, &[term], query)?,
            Expr::SetCompr { term, query, .. } => self.comprehension(ComprehensionKind::Set, &[term], query)?,
            Expr::ObjectCompr { key, value, query, .. } => {
                self.comprehension(ComprehensionKind::Object, &[key, value], query)?
            }
            Expr::Call { fcn, params, .. } => match path(fcn)?.join(".") {
                // The empty set is written as a call.
                name if name == "set" && params.is_empty() => Term::Set(Vec::new()),
                name if name == "walk" && params.len() == 1 => return Err(CompileError::not_read(expression)),
                name if name == "print" => return Err(CompileError::not_accepted("it uses `print` as a value")),
                name => {
                    let arguments = self.terms(params)?;
                    if name == "glob.match" && !has_plain_delimiters(&arguments) {
                        return Err(CompileError::not_read(expression));
                    }
                    Term::Call(name, arguments)
                }
            },
            Expr::UnaryExpr { expr, .. } => {
                Term::Call("minus".to_owned(), vec![Term::Number("0".to_owned()), self.term(expr)?])
            }
            Expr::RefDot { refr, field, .. } => self.reference(refr, Term::String(field.0.text().to_owned()))?,
            Expr::RefBrack { refr, index, .. } => {
                let index = self.term(index)?;
                self.reference(refr, index)?
            }
            Expr::BinExpr { op, lhs, rhs, .. } => self.call(
                match op {
                    BinOp::Intersection => "and",
                    BinOp::Union => "or",
                },
                &[lhs, rhs],
            )?,
            Expr::BoolExpr { op, lhs, rhs, .. } => self.call(comparison(op), &[lhs, rhs])?,
            Expr::ArithExpr { op, lhs, rhs, .. } => self.call(arithmetic(op), &[lhs, rhs])?,
            Expr::Membership { key: None, value, collection, .. } => {
                self.call("internal.member_2", &[value, collection])?
            }
            Expr::Membership { key: Some(key), value, collection, .. } => {
                self.call("internal.member_3", &[key, value, collection])?
            }
            Expr::AssignExpr { .. } => return Err(CompileError::not_read(expression)),
        })
    }

    fn reference(&mut self, head: &tree::Expr, step: Term) -> Result<Term, CompileError> {
        Ok(match self.term(head)? {
            Term::Ref(head, mut path) => {
                path.push(step);
                Term::Ref(head, path)
            }
            head => Term::Ref(Box::new(head), vec![step]),
        })
    }
}

/// The interpreter takes a colon for a sign like others.
fn has_plain_delimiters(arguments: &[Term]) -> bool {
    match arguments.get(1) {
        Some(Term::Array(signs)) => signs.iter().all(|sign| matches!(sign, Term::String(sign) if sign != ":")),
        delimiters => matches!(delimiters, Some(Term::Null)),
    }
}

fn comparison(operator: &BoolOp) -> &'static str {
    match operator {
        BoolOp::Lt => "lt",
        BoolOp::Le => "lte",
        BoolOp::Eq => "equal",
        BoolOp::Ge => "gte",
        BoolOp::Gt => "gt",
        BoolOp::Ne => "neq",
    }
}

fn arithmetic(operator: &ArithOp) -> &'static str {
    match operator {
        ArithOp::Add => "plus",
        ArithOp::Sub => "minus",
        ArithOp::Mul => "mul",
        ArithOp::Div => "div",
        ArithOp::Mod => "rem",
    }
}
