//! What the interpreter would evaluate otherwise than OPA, in words that both understand alike.
//!
//! OPA evaluates the arguments of a negated call before it negates (`not f(input.x)` holds for nobody without `input.x`), the
//! interpreter with it. So they get a statement of their own: `v = input.x; not f(v)`.
//!
//! `[path, value] := walk(x)` goes through all of `x`, which the interpreter knows as `walk(x, [path, value])` only.

use super::CompileError;
use regorus::unstable as tree;
use regorus::unstable::{BoolOp, Expr, Literal, Query, Rule, RuleHead};
use std::ops::Range;

/// Where the interpreter takes a parenthesis on a new line for the arguments of what stands before it, a semicolon between
/// them; nothing where there is no such place.
pub(super) fn separated(module: &tree::Module, text: &str) -> Option<String> {
    let mut places = Vec::new();
    let mut waiting: Vec<&Expr> = module.policy.iter().flat_map(|rule| expressions_of(rule)).collect();
    while let Some(expression) = waiting.pop() {
        if let Expr::Call { span, fcn, .. } = expression {
            let after = text.get(fcn.span().end as usize..span.end as usize).unwrap_or_default();
            if after.split_once('(').is_some_and(|(between, _)| between.contains('\n')) {
                places.push(fcn.span().end as usize);
            }
        }
        waiting.extend(children(expression));
        if let Expr::ArrayCompr { query, .. } | Expr::SetCompr { query, .. } | Expr::ObjectCompr { query, .. } =
            expression
        {
            waiting.extend(expressions_of_query(query));
        }
    }
    // One within the other is found the next time.
    let first = places.into_iter().min()?;
    let (before, after) = text.split_at_checked(first)?;
    Some(format!("{before};{after}"))
}

fn expressions_of(rule: &Rule) -> Vec<&Expr> {
    let Rule::Spec { head, bodies, .. } = rule else { return Vec::new() };
    let (refr, key, assign) = match head {
        RuleHead::Compr { refr, assign, .. } | RuleHead::Func { refr, assign, .. } => (refr, None, assign.as_ref()),
        RuleHead::Set { refr, key, .. } => (refr, key.as_ref(), None),
    };
    let values =
        bodies.iter().filter_map(|body| body.assign.as_ref()).chain(assign).map(|assign| assign.value.as_ref());
    let queries = bodies.iter().flat_map(|body| expressions_of_query(&body.query));
    std::iter::once(refr.as_ref()).chain(key.map(AsRef::as_ref)).chain(values).chain(queries).collect()
}

fn expressions_of_query(query: &Query) -> Vec<&Expr> {
    query.stmts.iter().flat_map(expressions_of_statement).collect()
}

fn expressions_of_statement(statement: &tree::LiteralStmt) -> Vec<&Expr> {
    let mut found: Vec<&Expr> = statement.with_mods.iter().map(|with| with.r#as.as_ref()).collect();
    match &statement.literal {
        Literal::Expr { expr, .. } | Literal::NotExpr { expr, .. } => found.push(expr),
        Literal::SomeIn { key, value, collection, .. } => {
            found.extend(key.iter().chain([value, collection]).map(AsRef::as_ref));
        }
        Literal::Every { domain, query, .. } => {
            found.push(domain);
            found.extend(expressions_of_query(query));
        }
        Literal::SomeVars { .. } => {}
    }
    found
}

/// The text of a module with its negated calls taken apart.
pub(super) fn module(module: &tree::Module, text: &str) -> Result<String, CompileError> {
    let mut edits = Edits::default();
    module.policy.iter().try_for_each(|rule| edits.rule(rule))?;
    edits.apply(text)
}

#[derive(Default)]
struct Edits {
    /// What stands in a range of the text instead. Of two for one place, the first comes first.
    found: Vec<(Range<usize>, String)>,
    named: usize,
}

impl Edits {
    fn apply(mut self, text: &str) -> Result<String, CompileError> {
        self.found.sort_by_key(|(range, _)| (range.start, range.end));
        let mut edited = String::with_capacity(text.len());
        let mut place = 0;
        for (range, instead) in self.found {
            let before = text.get(place..range.start);
            // One within the other: calls within the arguments of a negated call.
            edited.push_str(before.ok_or_else(|| CompileError::NotRead("it negates calls within calls".to_owned()))?);
            edited.push_str(&instead);
            place = range.end;
        }
        edited.push_str(text.get(place..).unwrap_or_default());
        Ok(edited)
    }

    fn rule(&mut self, rule: &Rule) -> Result<(), CompileError> {
        let Rule::Spec { head, bodies, .. } = rule else { return Ok(()) };
        let (refr, key, assign) = match head {
            RuleHead::Compr { refr, assign, .. } | RuleHead::Func { refr, assign, .. } => (refr, None, assign.as_ref()),
            RuleHead::Set { refr, key, .. } => (refr, key.as_ref(), None),
        };
        let values = bodies.iter().filter_map(|body| body.assign.as_ref()).chain(assign).map(|assign| &assign.value);
        std::iter::once(refr).chain(key).chain(values).try_for_each(|term| self.term(term))?;
        bodies.iter().try_for_each(|body| self.query(&body.query))
    }

    fn query(&mut self, query: &Query) -> Result<(), CompileError> {
        for statement in &query.stmts {
            for with in &statement.with_mods {
                self.term(&with.r#as)?;
            }
            match &statement.literal {
                Literal::NotExpr { span, expr } => {
                    let arguments = arguments_before(expr);
                    if !arguments.is_empty() && !statement.with_mods.is_empty() {
                        return Err(CompileError::not_read(expr));
                    }
                    for argument in arguments {
                        self.give_statement(span.start as usize, argument);
                    }
                    self.term(expr)?;
                }
                Literal::Expr { expr, .. } => {
                    if let Expr::AssignExpr { span, lhs, rhs, .. } = expr.as_ref()
                        && let Some(argument) = walked(rhs)
                    {
                        let instead = format!("walk({}, {})", argument.span().text(), lhs.span().text());
                        self.found.push((span.start as usize..span.end as usize, instead));
                    }
                    self.term(expr)?;
                }
                Literal::SomeIn { key, value, collection, .. } => {
                    key.iter().chain([value, collection]).try_for_each(|term| self.term(term))?;
                }
                Literal::Every { domain, query, .. } => {
                    self.term(domain)?;
                    self.query(query)?;
                }
                Literal::SomeVars { .. } => {}
            }
        }
        Ok(())
    }

    fn give_statement(&mut self, place: usize, argument: &Expr) {
        self.named += 1;
        let name = format!("__fairway_{}", self.named);
        let span = argument.span();
        self.found.push((place..place, format!("{name} = {}; ", span.text())));
        self.found.push((span.start as usize..span.end as usize, name));
    }

    /// Comprehensions have queries of their own.
    fn term(&mut self, expression: &Expr) -> Result<(), CompileError> {
        let mut result = Ok(());
        for child in children(expression) {
            result = result.and_then(|()| self.term(child));
        }
        match expression {
            Expr::ArrayCompr { query, .. } | Expr::SetCompr { query, .. } | Expr::ObjectCompr { query, .. } => {
                result.and_then(|()| self.query(query))
            }
            _ => result,
        }
    }
}

/// What `walk` goes through, where its result is given a name.
pub(super) fn walked(expression: &Expr) -> Option<&Expr> {
    match expression {
        Expr::Call { fcn, params, .. } if fcn.span().text() == "walk" && params.len() == 1 => {
            params.first().map(AsRef::as_ref)
        }
        _ => None,
    }
}

/// What OPA evaluates before a negated expression.
fn arguments_before(expression: &Expr) -> Vec<&Expr> {
    let sides = match expression {
        // A comparison for equality takes references as they are.
        Expr::BoolExpr { op: BoolOp::Eq, .. } => return outermost_calls(children(expression)),
        _ if is_call(expression) => children(expression),
        _ => return outermost_calls(children(expression)),
    };
    sides
        .into_iter()
        .filter(|side| {
            !matches!(
                side,
                Expr::Var { .. }
                    | Expr::String { .. }
                    | Expr::RawString { .. }
                    | Expr::Number { .. }
                    | Expr::Bool { .. }
                    | Expr::Null { .. }
            )
        })
        .collect()
}

/// Those of comprehensions belong to their bodies.
fn outermost_calls<'a>(expressions: Vec<&'a Expr>) -> Vec<&'a Expr> {
    let of = |expression: &'a Expr| match expression {
        Expr::ArrayCompr { .. } | Expr::SetCompr { .. } | Expr::ObjectCompr { .. } => Vec::new(),
        call if is_call(call) => vec![call],
        other => outermost_calls(children(other)),
    };
    expressions.into_iter().flat_map(of).collect()
}

fn is_call(expression: &Expr) -> bool {
    matches!(
        expression,
        Expr::Call { .. }
            | Expr::ArithExpr { .. }
            | Expr::BinExpr { .. }
            | Expr::BoolExpr { .. }
            | Expr::Membership { .. }
            | Expr::UnaryExpr { .. }
    )
}

/// What stands in an expression, but for the bodies of comprehensions and the names of functions.
fn children(expression: &Expr) -> Vec<&Expr> {
    match expression {
        Expr::Array { items, .. } | Expr::Set { items, .. } => items.iter().map(AsRef::as_ref).collect(),
        Expr::Object { fields, .. } => {
            fields.iter().flat_map(|(_, key, value)| [key.as_ref(), value.as_ref()]).collect()
        }
        Expr::ArrayCompr { term, .. } | Expr::SetCompr { term, .. } => vec![term],
        Expr::ObjectCompr { key, value, .. } => vec![key, value],
        Expr::Call { params, .. } => params.iter().map(AsRef::as_ref).collect(),
        Expr::UnaryExpr { expr, .. } => vec![expr],
        Expr::RefDot { refr, .. } => vec![refr],
        Expr::RefBrack { refr, index, .. } => vec![refr, index],
        Expr::BinExpr { lhs, rhs, .. }
        | Expr::BoolExpr { lhs, rhs, .. }
        | Expr::ArithExpr { lhs, rhs, .. }
        | Expr::AssignExpr { lhs, rhs, .. } => vec![lhs, rhs],
        Expr::Membership { key, value, collection, .. } => {
            key.iter().chain([value, collection]).map(AsRef::as_ref).collect()
        }
        Expr::String { .. }
        | Expr::RawString { .. }
        | Expr::Number { .. }
        | Expr::Bool { .. }
        | Expr::Null { .. }
        | Expr::Var { .. } => Vec::new(),
    }
}
